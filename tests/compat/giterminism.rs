//! What a project may read: cases on real repositories that Git made, with the result written by hand from the rules, in
//! `fixtures/project/giterminism.cases`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use lapstrake::base::Failure;
use lapstrake::ops::project::{
    Options, Project, Way, check, includes, load, open, open_with_includes, sources,
};
use lapstrake::project::Outside;
use lapstrake::report::Context;

const CASES: &str = include_str!("../../fixtures/project/giterminism.cases");

struct Case<'t> {
    name: &'t str,
    steps: Vec<&'t str>,
}

fn cases() -> Vec<Case<'static>> {
    let mut cases: Vec<Case<'static>> = Vec::new();
    for line in CASES.lines() {
        match (line.strip_prefix("=== "), cases.last_mut()) {
            (Some(name), _) => cases.push(Case { name, steps: Vec::new() }),
            (None, Some(case)) if !line.is_empty() => case.steps.push(line),
            _ => {}
        }
    }
    cases
}

/// A folder with a repository in it, and what the next question will be asked with.
struct Yard {
    dir: tempfile::TempDir,
    options: Options,
    answer: Option<Result<String, String>>,
}

fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"])
        .args(["-c", "protocol.file.allow=always", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_AUTHOR_DATE", "2024-05-06T07:08:09+0300")
        .env("GIT_COMMITTER_DATE", "2024-05-06T07:08:09+0300")
        .output()
        .expect("git is installed: run tests/prepare");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Yard {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options::of(dir.path().join("p"));
        fs::create_dir(dir.path().join("p")).unwrap();
        Self { dir, options, answer: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("p").join(name)
    }

    fn write(&self, name: &str, lines: &[&str]) {
        self.write_at(&self.path(name), lines);
    }

    fn write_at(&self, path: &Path, lines: &[&str]) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(path, text.replace("\\r", "\r")).unwrap();
    }

    /// A path of the repository that lends files.
    fn lent(&self, name: &str) -> PathBuf {
        self.dir.path().join("lib").join(name)
    }

    fn step(&mut self, verb: &str, rest: &str, lines: &[&str]) {
        let words: Vec<&str> = rest.split_whitespace().collect();
        match verb {
            "file" => self.write(rest, lines),
            "project" => {
                let mut all = vec!["project: a", "configVersion: 1"];
                all.extend(lines);
                self.write("werf.yaml", &all);
            }
            "link" => {
                let path = self.path(words[0]);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                symlink(words[1], path).unwrap();
            }
            "remove" => fs::remove_file(self.path(rest)).unwrap(),
            "executable" => {
                fs::set_permissions(self.path(rest), fs::Permissions::from_mode(0o755)).unwrap();
            }
            "init" => git(&self.path(""), &["init", "-q"]),
            "commit" => {
                if !self.path(".git").exists() {
                    git(&self.path(""), &["init", "-q"]);
                }
                git(&self.path(""), &["add", "-A"]);
                git(&self.path(""), &["commit", "-q", "--allow-empty", "-m", "c"]);
            }
            "git" => git(&self.path(""), &words),
            "lend" => self.write_at(&self.lent(rest), lines),
            "lentlink" => symlink(words[1], self.lent(words[0])).unwrap(),
            "lent" => {
                if !self.lent(".git").exists() {
                    git(&self.lent(""), &["init", "-q"]);
                }
                match rest {
                    "commit" => {
                        git(&self.lent(""), &["add", "-A"]);
                        git(&self.lent(""), &["commit", "-q", "-m", "c"]);
                    }
                    _ => git(&self.lent(""), &words),
                }
            }
            "includes-update" => {
                self.step("commit", "", &[]);
                self.ask("update").unwrap();
            }
            "update-includes" => self.options.update_includes = true,
            "sh" => {
                let status =
                    Command::new("sh").args(["-ec", rest]).current_dir(self.path("")).status().unwrap();
                assert!(status.success(), "{rest}");
            }
            "in" => self.options.folder = self.path(rest),
            "dev" => self.options.way = Way::Development,
            "loose" => self.options.way = Way::Loose,
            "dev-ignore" => self.options.dev_ignore.push(rest.to_owned()),
            "var" => {
                let (name, value) = rest.split_once('=').unwrap();
                self.options.variables.insert(name.to_owned(), value.to_owned());
            }
            "config" => self.options.config = Some(rest.to_owned()),
            "templates" => self.options.templates = rest.to_owned(),
            "rules" => self.options.giterminism = rest.to_owned(),
            "env" => self.options.env = rest.to_owned(),
            "ask" => self.answer = Some(self.ask(rest)),
            other => panic!("{other} is no step"),
        }
    }

    fn ask(&self, what: &str) -> Result<String, String> {
        let cx = Context::silent(lapstrake::host::clock::system());
        let answer = match what.split_once(' ').unwrap_or((what, "")) {
            ("render", _) => load(&cx, &self.options).map(|project| project.rendered),
            ("check", _) => load(&cx, &self.options)
                .and_then(|project| check(&project))
                .map(|count| format!("{count} images")),
            ("dockerfile", _) => load(&cx, &self.options).and_then(|project| dockerfile(&project)),
            ("update", _) => open(&cx, &self.options)
                .and_then(|reader| includes::update(&cx, &reader, None))
                .map(|locked| format!("{locked:?}")),
            ("ls", _) => open_with_includes(&cx, &self.options)
                .and_then(|reader| includes::files(&reader))
                .map(|files| files.iter().map(|(path, source)| format!("{path} {source}\n")).collect()),
            ("get", path) => open_with_includes(&cx, &self.options).and_then(|reader| {
                let found = reader.read(path, &|path| Outside::File(path))?;
                let bytes = found.unwrap_or_else(|| b"neither the project nor what it includes".to_vec());
                Ok(String::from_utf8(bytes).unwrap())
            }),
            (other, _) => panic!("{other} is no question"),
        };
        answer.map_err(|failure| words(&failure))
    }
}

fn dockerfile(project: &Project) -> Result<String, Failure> {
    let sources = sources(project, &project.config.images[0])?;
    let ignore = sources.ignore.map(|ignore| ignore.bytes).unwrap_or_default();
    let both = [sources.dockerfile.bytes, b"--\n".to_vec(), ignore].concat();
    let added: Vec<String> = sources.added.iter().map(|added| added.path.clone()).collect();
    Ok(format!("{}added {}", String::from_utf8_lossy(&both), added.join(" ")))
}

fn words(failure: &Failure) -> String {
    let mut text =
        format!("{}\n{}\n{}\n", failure.message(), failure.causes().join("\n"), failure.hints().join("\n"));
    failure.children().iter().for_each(|child| text.push_str(&words(child)));
    text
}

fn differences(case: &Case<'_>) -> Vec<String> {
    let mut yard = Yard::new();
    let (mut wrong, mut asked) = (Vec::new(), 0);
    let mut steps = case.steps.iter().peekable();
    while let Some(step) = steps.next() {
        if let Some(expected) = step.strip_prefix("> ") {
            let (verb, text) = expected.split_once(' ').unwrap_or((expected, ""));
            let text = text.replace("\\n", "\n");
            let holds = match (verb, yard.answer.as_ref().expect("something was asked")) {
                ("has", Ok(answer)) => answer.contains(&text),
                ("lacks", Ok(answer)) => !answer.contains(&text),
                ("bad", Err(said)) => said.contains(&text),
                _ => false,
            };
            asked += 1;
            if !holds {
                wrong.push(format!("{expected}\n  {:?}", yard.answer));
            }
            continue;
        }
        let mut lines = Vec::new();
        while let Some(line) = steps.next_if(|line| line.starts_with('|')) {
            lines.push(line.strip_prefix("| ").unwrap_or_default());
        }
        let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
        yard.step(verb, rest, &lines);
    }
    assert!(asked > 0, "{}: nothing is expected", case.name);
    wrong
}

#[test]
fn projects_read_what_the_rules_allow() {
    let cases = cases();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let mut report = String::new();
    for case in &cases {
        for wrong in differences(case) {
            report.push_str(&format!("=== {}\n{wrong}\n", case.name));
        }
    }
    assert!(report.is_empty(), "{report}");
}

/// A case whose files are the same gives the same text, wherever it lies: nothing of the machine gets in.
#[test]
fn time_and_hash_are_the_commits() {
    let mut texts = BTreeMap::new();
    for round in 0..2 {
        let mut yard = Yard::new();
        yard.step("project", "", &["# {{ .Commit.Hash }} {{ .Commit.Date.Unix }} {{ .Commit.Date.Human }}"]);
        yard.step("commit", "", &[]);
        texts.insert(round, yard.ask("render").unwrap());
    }
    assert_eq!(texts[&0], texts[&1]);
    assert!(texts[&0].contains(" 1714968489 2024-05-06 07:08:09 +0300 +0300"), "{}", texts[&0]);
}
