//! How one case is put to a builder: the words of `lap` and of `buildctl`, and what either of them says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regex::Regex;

use super::answer::{self, Answer, Terms};
use super::case::Case;
use super::layout::Laid;
use crate::lab::Lab;

/// BuildKit, if this run is to ask it: the two variables that `tests/oracles/builds/run` sets.
pub struct BuildKit {
    buildctl: PathBuf,
    address: String,
}

/// A case that is laid out and served, ready to be built.
pub struct Question<'a> {
    pub case: &'a Case,
    pub laid: &'a Laid,
    pub terms: &'a Terms<'a>,
}

impl Question<'_> {
    /// The name of the Dockerfile in the context.
    fn dockerfile(&self) -> &str {
        self.case.one("dockerfile").unwrap_or("Dockerfile")
    }

    /// Secrets: their names and the files they are in, which are written here.
    fn secrets(&self) -> Vec<(String, PathBuf)> {
        let secrets = self.case.all("secret").map(|part| {
            let path = self.laid.beside(&format!("secret-{}", part.rest.replace('/', "-")));
            fs::write(&path, &part.body).unwrap();
            (part.rest.clone(), path)
        });
        secrets.collect()
    }

    /// Named contexts: name and value, where `@folder` is one of the case's folders.
    fn contexts(&self) -> Vec<(&str, Result<PathBuf, &str>)> {
        let contexts = self.case.all("context").map(|part| {
            let (name, value) = part.rest.split_once(' ').expect("--- context NAME VALUE");
            (name, value.strip_prefix('@').map(|folder| self.laid.beside(folder)).ok_or(value))
        });
        contexts.collect()
    }

    /// What `lap` makes of it.
    pub fn ask_lap(&self, lab: &Lab, more: &[&str]) -> Answer {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let folder = self.laid.context();
        let mut words: Vec<String> = vec!["image".into(), "build".into()];
        for (word, flag) in [
            ("arg", "--build-arg"),
            ("label", "--label"),
            ("target", "--target"),
            ("platform", "--platform"),
            ("network", "--network"),
            ("add-host", "--add-host"),
            ("epoch", "--source-date-epoch"),
            ("ulimit", "--ulimit"),
            ("shm-size", "--shm-size"),
        ] {
            words.extend(self.case.all(word).flat_map(|part| [flag.to_owned(), part.rest.clone()]));
        }
        for (id, path) in self.secrets() {
            words.extend(["--secret".into(), format!("id={id},src={}", text(&path))]);
        }
        for (name, value) in self.contexts() {
            let value = value.map_or_else(str::to_owned, |path| text(&path));
            words.extend(["--build-context".into(), format!("{name}={value}")]);
        }
        if self.case.has("ssh") {
            words.extend(["--ssh".into(), format!("default={}", text(&self.laid.beside("agent")))]);
        }
        // One folder for all cases: a base that they share is written once.
        let out = lab.path("out/layout");
        words.extend(["-f".into(), text(&folder.join(self.dockerfile()))]);
        words.extend(["-o".into(), format!("type=oci,tar=false,dest={}", text(&out))]);
        words.extend(more.iter().map(|word| (*word).to_owned()));
        words.push(text(&folder));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = within_minutes(lab.command(&words)).output().unwrap();
        if output.status.success() {
            return answer::of_image(&out, self.terms);
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("panicked"), "{}: {said}", self.case.title);
        let place = Regex::new(r"(?m)^ *--> .*:(\d+):\d+$").unwrap();
        let line = place.captures(&said).map(|found| found[1].parse().unwrap());
        // The page begins with `error:`, after the log.
        let page = said.rfind("\nerror: ").map_or(said.as_str(), |at| &said[at + 1..]);
        let head = page.lines().next().unwrap_or_default();
        Answer::of_failure(head, line.map(|line| (line, line)), self.terms)
    }
}

/// Nothing may hang.
fn within_minutes(command: Command) -> Command {
    let mut timed = Command::new("timeout");
    timed.args(["--kill-after=60", "600"]).arg(command.get_program()).args(command.get_args());
    timed.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            timed.env(name, value);
        }
    }
    timed.current_dir(command.get_current_dir().unwrap()).stdin(std::process::Stdio::null());
    timed
}

impl BuildKit {
    /// The one to ask, if there is one to ask.
    pub fn to_ask() -> Option<Self> {
        let address = std::env::var("LAP_GOLDENS_BUILDKIT").ok()?;
        let buildctl = std::env::var_os("LAP_GOLDENS_BUILDCTL").expect("the path of buildctl").into();
        Some(Self { buildctl, address })
    }

    /// What BuildKit makes of it.
    pub fn ask(&self, question: &Question<'_>) -> Answer {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let folder = text(&question.laid.context());
        let out = question.laid.beside("buildkit.tar");
        let mut command = Command::new(&self.buildctl);
        command.args(["--addr", &self.address, "build", "--progress=plain", "--no-cache"]);
        command.args(["--frontend=dockerfile.v0", "--allow=network.host", "--allow=security.insecure"]);
        command.arg(format!("--local=context={folder}")).arg(format!("--local=dockerfile={folder}"));
        command.arg(format!("--opt=filename={}", question.dockerfile()));
        command.arg(format!("--output=type=oci,dest={}", text(&out)));
        for (word, option) in [
            ("target", "target"),
            ("platform", "platform"),
            ("network", "force-network-mode"),
            ("ulimit", "ulimit"),
            ("shm-size", "shm-size"),
        ] {
            command.args(question.case.all(word).map(|part| format!("--opt={option}={}", part.rest)));
        }
        let hosts: Vec<_> = question.case.all("add-host").map(|part| part.rest.replace(':', "=")).collect();
        if !hosts.is_empty() {
            command.arg(format!("--opt=add-hosts={}", hosts.join(",")));
        }
        let epoch =
            question.case.one("epoch").map(|epoch| format!("--opt=build-arg:SOURCE_DATE_EPOCH={epoch}"));
        command.args(epoch);
        command.args(question.case.all("arg").map(|part| format!("--opt=build-arg:{}", part.rest)));
        command.args(question.case.all("label").map(|part| format!("--opt=label:{}", part.rest)));
        for (id, path) in question.secrets() {
            command.arg(format!("--secret=id={id},src={}", text(&path)));
        }
        for (name, value) in question.contexts() {
            match value {
                Ok(path) => {
                    let local = format!("folder-{name}");
                    command.arg(format!("--local={local}={}", text(&path)));
                    command.arg(format!("--opt=context:{name}=local:{local}"));
                }
                Err(value) => add_context(&mut command, name, value),
            }
        }
        if question.case.has("ssh") {
            command.arg(format!("--ssh=default={}", text(&question.laid.beside("agent"))));
        }
        let output = within_minutes(command_here(command)).output().unwrap();
        if output.status.success() {
            let answer = answer::of_image(&out, question.terms);
            fs::remove_file(out).unwrap();
            return answer;
        }
        failure(&output, question.terms)
    }
}

fn command_here(mut command: Command) -> Command {
    command.current_dir("/").env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", "/root");
    command
}

/// A layout is handed over as a store of its own.
fn add_context(command: &mut Command, name: &str, value: &str) {
    match value.strip_prefix("oci-layout://") {
        Some(place) => {
            let (path, digest) = place.split_once('@').expect("a layout with a digest");
            command.arg(format!("--oci-layout=layout-{name}={path}"));
            command.arg(format!("--opt=context:{name}=oci-layout://layout-{name}@{digest}"));
        }
        None => drop(command.arg(format!("--opt=context:{name}={value}"))),
    }
}

/// BuildKit's words and the lines it marks.
fn failure(output: &Output, terms: &Terms<'_>) -> Answer {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let message = said.lines().rev().find_map(|line| line.strip_prefix("error: ")).unwrap_or(&said);
    let message = message.strip_prefix("failed to solve: ").unwrap_or(message);
    let accidents = [
        (r"sha256:[0-9a-f]{64}", "sha256:…"),
        (r"ref [0-9a-z]{25}::[0-9a-z]{25}", "ref …"),
        (r"/[^ ]*/cachemounts/buildkit\d+", "…"),
        (r"\b[0-9a-z]{25}\b", "…"),
    ];
    let message = accidents.iter().fold(message.to_owned(), |text, (pattern, with)| {
        Regex::new(pattern).unwrap().replace_all(&text, *with).into_owned()
    });
    let marked = Regex::new(r"(?m)^ *(\d+) \| >>> ").unwrap();
    let mut lines: Vec<usize> = marked.captures_iter(&said).map(|found| found[1].parse().unwrap()).collect();
    if lines.is_empty() {
        let spoken = Regex::new(r"(?:parse error )?on line (\d+):").unwrap();
        lines.extend(spoken.captures(&said).map(|found| found[1].parse::<usize>().unwrap()));
    }
    let place = lines.first().map(|first| (*first, *lines.last().unwrap_or(first)));
    Answer::of_failure(&message, place, terms)
}
