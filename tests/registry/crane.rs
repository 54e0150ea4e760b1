//! `lap cr` in place of crane: the same command lines, in one order, on Debian's registry. Results and what is printed for
//! scripts are equal; the rest of the words are each tool's own.
//!
//! `tests/oracles/crane/run` asks crane and writes `fixtures/compat/crane/answers.txt`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cr::Desk;

/// Says where crane is, if it is to be asked.
const CRANE: &str = "LAP_TEST_CRANE";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/compat/crane")
}

/// Names digests in the order in which they appear: what layers are called depends on who compresses them.
fn without_digests(text: &str) -> String {
    let mut known = BTreeMap::new();
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("sha256:") {
        let (before, after) = rest.split_at(at + 7);
        let length = after.bytes().take_while(u8::is_ascii_hexdigit).count();
        let next = known.len() + 1;
        let number = *known.entry(&after[..length]).or_insert(next);
        let _ = write!(out, "{before}{number}");
        rest = &after[length..];
    }
    out + rest
}

/// JSON in one order, without what layers weigh, times that say nothing, and lists that are not there.
fn canonical(text: &str) -> String {
    fn plain(value: &mut Value) {
        match value {
            Value::Object(entries) => {
                let is_said = |key: &str, value: &Value| {
                    key != "size" && value != "0001-01-01T00:00:00Z" && *value != Value::Array(Vec::new())
                };
                entries.retain(|key, value| !value.is_null() && is_said(key, value));
                entries.values_mut().for_each(plain);
            }
            Value::Array(items) => items.iter_mut().for_each(plain),
            _ => {}
        }
    }
    let Ok(mut value) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    plain(&mut value);
    value.to_string()
}

struct Asked<'a> {
    desk: &'a Desk,
    crane: Option<PathBuf>,
}

impl Asked<'_> {
    /// Whether the command line succeeds, and what it prints.
    fn ask(&self, line: &str) -> String {
        let registry = &self.desk.debian.host;
        let mut line = line.replace("%r", registry);
        if line.contains("%digest-copied") {
            let digest = self.desk.lap(&format!("cr digest {registry}/copied:1"));
            line = line.replace("%digest-copied", digest.trim());
        }
        let (line, silent) = match line.strip_suffix(" >/dev/null") {
            Some(line) => (line.to_owned(), true),
            None => (line, false),
        };
        let (ok, out) = match &self.crane {
            None => {
                let answer = self.desk.try_lap(&format!("cr {line}"));
                (answer.code == 0, answer.out)
            }
            Some(crane) => {
                let output = Command::new(crane)
                    .args(line.split_whitespace())
                    .current_dir(self.desk.path(""))
                    .env("HOME", self.desk.path(""))
                    .output()
                    .unwrap();
                (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
            }
        };
        let out = match silent || !ok && !out.starts_with("credentials") {
            true => String::new(),
            false => without_digests(&canonical(&out.replace(registry.as_str(), "%r"))),
        };
        let ending = if out.is_empty() || out.ends_with('\n') { "" } else { "\n" };
        format!("{out}{ending}{}\n", if ok { "=> well" } else { "=> fails" })
    }
}

#[test]
fn commands_of_crane_do_the_same() {
    let desk = Desk::new();
    let registry = &desk.debian.host;
    desk.image(&format!("{registry}/made"));
    let x = format!("{registry}/x");
    for line in [
        format!("append -f low.tar -t {x}:1"),
        format!("append -b {x}:1 -f middle.tar.gz -t {x}:2"),
        format!("append -b {x}:2 -f high.tar -t {x}:3"),
        format!(
            "mutate {x}:3 --entrypoint /bin/e,arg --cmd c -e A=b -l k=v -a an=no -u me -w /w -t {x}:changed"
        ),
        format!("mutate {x}:1 --set-platform linux/arm64 -t {x}:arm"),
        format!("index append -m {x}:1 -m {x}:arm -t {registry}/list:1"),
        format!("tag {x}:1 latest"),
        format!("tag {x}:1 sha256-{}.sig", "0".repeat(64)),
    ] {
        desk.lap(&format!("cr {line}"));
    }
    let asked = Asked { desk: &desk, crane: std::env::var_os(CRANE).map(PathBuf::from) };
    let commands = fs::read_to_string(folder().join("commands.txt")).unwrap();
    let answers: String = commands.lines().map(|line| format!("$ {line}\n{}", asked.ask(line))).collect();
    let path = folder().join("answers.txt");
    if asked.crane.is_some() {
        return fs::write(path, answers).unwrap();
    }
    let theirs = fs::read_to_string(path).unwrap();
    let blocks = |text: &str| text.split("$ ").skip(1).map(str::to_owned).collect::<Vec<_>>();
    let (ours, theirs) = (blocks(&answers), blocks(&theirs));
    assert!(ours.len() == theirs.len() && ours.len() > 90, "{} and {}", ours.len(), theirs.len());
    let mut wrong = String::new();
    for (ours, theirs) in ours.iter().zip(&theirs).filter(|(ours, theirs)| ours != theirs) {
        let _ = writeln!(wrong, "--- lap\n{ours}--- crane\n{theirs}");
    }
    assert!(wrong.is_empty(), "{wrong}");
}
