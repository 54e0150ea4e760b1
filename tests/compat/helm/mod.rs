//! `lap helm` in Helm's place: a script of command lines with the exit codes and the standard output that Helm 4.3 gave.
//!
//! Golden: `script.jsonl`, recorded from Helm 4.3.1 built with a release's version (`-ldflags "-X
//! helm.sh/helm/v4/internal/version.version=v4.3.1"`) by `LAP_HELM_RECORD=/path/to/helm cargo test --test compat
//! helm::script`. Ports, times and digests of archives are taken out on both sides.

mod archives;
mod completion;
mod flags;
mod hostile;
mod hostile_registry;
mod post_render;
mod provenance;
mod servers;
#[path = "../../faults/tar.rs"]
#[allow(dead_code, reason = "the tests of images use all of it")]
pub mod tar;
mod traps;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use servers::{Registry, Site};
use tempfile::TempDir;

/// A folder with charts, servers and an environment of its own.
pub struct Lab {
    root: TempDir,
    site: Site,
    open: Registry,
    closed: Registry,
    sealed: Registry,
    path: String,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/compat/helm")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

impl Lab {
    /// A lab where the word `helm` means `program`.
    pub fn new(program: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        copy(&fixtures().join("charts"), &at("work"));
        for name in ["secret.gpg", "public.gpg", "public.asc"] {
            let key = fixtures().join("provenance").join(name);
            std::fs::create_dir_all(at("work/keys")).unwrap();
            std::fs::copy(key, at("work/keys").join(name)).unwrap();
        }
        for (name, text) in [
            ("pass", "open sesame\n"),
            ("wrong", "open barley\n"),
            ("values.yaml", "n: 7\ntext: from a file\n"),
            ("more.yaml", "extra: {a: b}\n"),
        ] {
            std::fs::write(at("work/keys").join(name), text).unwrap();
        }
        for folder in ["work/www/shop", "work/www/empty", "bin"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        std::fs::write(at("work/www/empty/index.yaml"), "").unwrap();
        // Not by this process: a child that another thread starts meanwhile would hold it open for a moment, and nobody
        // could execute it.
        let script = format!("#!/bin/sh\nexec {program} \"$@\"\n");
        let mut write = Command::new("sh");
        write.args(["-c", "printf %s \"$1\" > \"$0\" && chmod +x \"$0\""]).arg(at("bin/helm")).arg(script);
        assert!(write.status().unwrap().success());
        let site = Site::start(&at("work/www"), &at("work/ca.pem"));
        let path = format!("{}:/usr/bin:/bin", at("bin").display());
        Self {
            site,
            open: Registry::start(None),
            closed: Registry::start(Some(("ann", "secret"))),
            sealed: Registry::sealed(&at("work")),
            root,
            path,
        }
    }

    /// Runs a command line.
    pub fn run(&self, line: &str) -> Output {
        let work = self.root.path().join("work");
        Command::new("/bin/bash")
            .args(["-o", "pipefail", "-c", line])
            .current_dir(&work)
            .env_clear()
            .envs([("PATH", self.path.as_str()), ("TZ", "UTC"), ("LANG", "C.UTF-8"), ("NO_COLOR", "1")])
            .env("HOME", self.root.path())
            .env("HELM_CONFIG_HOME", work.join("config"))
            .env("HELM_CACHE_HOME", work.join("cache"))
            .env("HELM_DATA_HOME", work.join("data"))
            .envs([("HTTP", &self.site.http), ("TLS", &self.site.tls)])
            .envs([("REG", &self.open.host), ("PRIV", &self.closed.host), ("SEALED", &self.sealed.host)])
            .output()
            .unwrap()
    }

    /// Standard output without what differs from run to run.
    pub fn normal(&self, output: &Output) -> String {
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        let root = self.root.path().display().to_string();
        for (what, name) in [
            (&self.site.http, "$HTTP"),
            (&self.site.tls, "$TLS"),
            (&self.open.host, "$REG"),
            (&self.closed.host, "$PRIV"),
            (&self.sealed.host, "$SEALED"),
            (&root, "$ROOT"),
        ] {
            text = text.replace(what.as_str(), name);
        }
        let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)").unwrap();
        let digest = regex::Regex::new("[0-9a-f]{64}").unwrap();
        let text = time.replace_all(&text, |c: &regex::Captures<'_>| match &c[0] {
            "0001-01-01T00:00:00Z" => c[0].to_owned(),
            _ => "TIME".to_owned(),
        });
        sorted_news(&digest.replace_all(&text, "DIGEST"))
    }
}

/// Repositories answer in any order: what is said of them is sorted.
fn sorted_news(text: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let mut news = 0;
    for line in text.split('\n') {
        news = if line.starts_with("...") { news + 1 } else { 0 };
        out.push(line);
        let begin = out.len() - news;
        out[begin..].sort_unstable();
    }
    out.join("\n")
}

fn lines() -> Vec<String> {
    let text = std::fs::read_to_string(fixtures().join("script.txt")).unwrap();
    text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn script() {
    let recorded = fixtures().join("script.jsonl");
    if let Some(helm) = std::env::var_os("LAP_HELM_RECORD") {
        let lab = Lab::new(helm.to_str().unwrap());
        let mut out = String::new();
        for line in lines() {
            let output = lab.run(&line);
            let golden =
                serde_json::json!({"c": line, "code": output.status.code(), "out": lab.normal(&output)});
            out.push_str(&format!("{golden}\n"));
        }
        std::fs::write(&recorded, out).unwrap();
        return;
    }
    let goldens = std::fs::read_to_string(&recorded).unwrap();
    let lab = Lab::new(&format!("{} helm", env!("CARGO_BIN_EXE_lap")));
    let mut failures = Vec::new();
    let script = lines();
    assert!(script.len() >= 120, "the script has {} lines only", script.len());
    assert_eq!(script.len(), goldens.lines().count(), "the script has changed since it was recorded");
    for (line, golden) in script.iter().zip(goldens.lines()) {
        let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
        assert_eq!(golden["c"], line.as_str());
        let output = lab.run(line);
        let (code, out) = (output.status.code().unwrap_or(-1), lab.normal(&output));
        if golden["code"] != code || golden["out"] != out.as_str() {
            let error = String::from_utf8_lossy(&output.stderr);
            let want = golden["out"].as_str().unwrap();
            failures.push(format!(
                "{line}\n  want {} {want:?}\n  got  {code} {out:?}\n  stderr {}",
                golden["code"],
                error.trim()
            ));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} command lines differ:\n{}",
        failures.len(),
        script.len(),
        failures.join("\n")
    );
}
