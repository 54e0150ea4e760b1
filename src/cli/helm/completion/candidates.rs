//! What can stand in the place of the last word of a command line.

use std::collections::BTreeMap;

use clap::{Args as _, Command};

use super::super::arguments::{Found, find, takes_value};
use crate::host::fs;
use crate::ops::helm::{Home, Settings, env, known};

/// Nothing stands behind the word.
const NO_SPACE: u8 = 2;
/// It is no file.
const NO_FILE: u8 = 4;

/// What a shell is told.
#[derive(Debug, Default)]
pub struct Answer {
    /// Words and what they mean.
    pub words: Vec<(String, String)>,
    /// Sum of [`NO_SPACE`] and [`NO_FILE`].
    pub directive: u8,
}

impl Answer {
    fn none() -> Self {
        Self { directive: NO_FILE, ..Self::default() }
    }

    fn words<W: Into<String>>(words: impl IntoIterator<Item = (W, String)>) -> Self {
        let words = words.into_iter().map(|(word, about)| (word.into(), about)).collect();
        Self { words, directive: NO_FILE }
    }

    /// Only what begins as the word does.
    fn beginning(mut self, with: &str) -> Self {
        self.words.retain(|(word, _)| word.starts_with(with));
        self
    }
}

/// A command line as far as it is written.
struct Line<'l> {
    path: Vec<&'l str>,
    arguments: Vec<&'l str>,
    /// Whether the release's name is made, and so not given.
    named: bool,
}

/// What the last of the words behind `helm` can become.
pub fn of(home: &Home, settings: &Settings, words: &[String]) -> Answer {
    let mut helm = crate::cli::helm::Helm::augment_args(Command::new("helm"));
    helm.build();
    let (last, before) = match words.split_last() {
        Some((last, before)) => (last.as_str(), before),
        None => ("", words),
    };
    let mut line = Line { path: Vec::new(), arguments: Vec::new(), named: false };
    let (mut command, mut pending) = (&helm, None);
    for word in before {
        if pending.take().is_some() {
            continue;
        }
        match find(command, word).filter(|_| word.len() > 1) {
            Some(Found { flag, value }) => {
                line.named |= matches!(flag.get_long(), Some("generate-name" | "name-template"));
                pending = (value.is_none() && takes_value(flag)).then_some(flag);
            }
            None if word.starts_with('-') && word.len() > 1 => {}
            None => match command.find_subcommand(word).filter(|_| line.arguments.is_empty()) {
                Some(below) => {
                    command = below;
                    line.path.push(below.get_name());
                }
                None => line.arguments.push(word),
            },
        }
    }
    if let Some(flag) = pending {
        return value(home, settings, (flag, &line));
    }
    if let Some(Found { flag, value: Some(_) }) = find(command, last).filter(|_| last.starts_with("--")) {
        // The flag itself is not repeated; scripts know that.
        return value(home, settings, (flag, &line));
    }
    if last.starts_with('-') {
        return flags(command, last);
    }
    let commands = command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help");
    let about = |c: &Command| c.get_about().map(ToString::to_string).unwrap_or_default();
    let commands: BTreeMap<String, String> = commands.map(|c| (c.get_name().to_owned(), about(c))).collect();
    if !commands.is_empty() {
        return Answer::words(commands).beginning(last);
    }
    argument(home, settings, &line, last)
}

fn flags(command: &Command, last: &str) -> Answer {
    let shown = command.get_arguments().filter(|a| !a.is_hide_set());
    let mut words: Vec<(String, String)> = shown
        .filter_map(|a| Some((format!("--{}", a.get_long()?), a.get_help().map(ToString::to_string)?)))
        .collect();
    words.sort();
    Answer::words(words).beginning(last)
}

/// The value of a flag.
fn value(home: &Home, settings: &Settings, (flag, line): (&clap::Arg, &Line<'_>)) -> Answer {
    let fixed = |words: &[(&str, &str)]| {
        Answer::words(words.iter().map(|(word, about)| (*word, (*about).to_owned())))
    };
    match flag.get_long().unwrap_or_default() {
        "output" => fixed(&[("json", "as JSON"), ("table", "for people"), ("yaml", "as YAML")]),
        "helm-version" => fixed(&[("3", "as Helm 3"), ("4", "as Helm 4")]),
        "color" => fixed(&[("auto", "on a terminal"), ("always", ""), ("never", "")]),
        "dry-run" => fixed(&[("client", "without a cluster"), ("server", "with a cluster")]),
        "kube-context" => Answer::words(settings.contexts().into_iter().map(|name| (name, String::new()))),
        "version" => match version_of(line) {
            Some(chart) => Answer::words(known::versions(home, chart)),
            None => Answer::none(),
        },
        _ => Answer::default(),
    }
}

/// The chart whose version a flag names.
fn version_of<'l>(line: &Line<'l>) -> Option<&'l str> {
    match line.path.first() {
        Some(&"package") => None,
        _ => line.arguments.last().copied(),
    }
}

/// An argument of a command.
fn argument(home: &Home, settings: &Settings, line: &Line<'_>, last: &str) -> Answer {
    let number = line.arguments.len();
    match (line.path.as_slice(), number) {
        (["template"], _) if number == usize::from(!line.named) => charts(home, last, true),
        (["show", ..], 0) => charts(home, last, true),
        (["pull"], 0) => charts(home, last, false),
        (["repo", "remove" | "update"], _) => {
            let repositories = known::repositories(home).into_iter();
            let open = repositories.filter(|(name, _)| !line.arguments.contains(&name.as_str()));
            Answer::words(open)
        }
        (["env"], 0) => Answer::words(env::run(settings).into_keys().map(|name| (name, String::new()))),
        (["push"], 1) => {
            Answer { words: vec![("oci://".into(), String::new())], directive: NO_FILE + NO_SPACE }
        }
        (["push" | "verify" | "create"] | ["dependency", _] | ["repo", "index"], 0) => Answer::default(),
        (["lint" | "package"] | ["search", _], _) => Answer::default(),
        _ => Answer::none(),
    }
}

/// Charts of repositories, addresses, and files (`Helm: pkg/cmd/search_repo.go`).
fn charts(home: &Home, last: &str, files: bool) -> Answer {
    let (mut words, mut space) = (Vec::new(), true);
    for (name, url) in known::repositories(home) {
        if last.starts_with(&format!("{name}/")) {
            words.extend(known::charts(home, &name).into_iter().map(|chart| (chart, String::new())));
            space = true;
            break;
        }
        if name.starts_with(last) {
            words.push((format!("{name}/"), url));
            space = false;
        }
    }
    for (address, about) in [
        ("oci://", "a chart in a registry"),
        ("https://", "a chart's address"),
        ("http://", "a chart's address"),
        ("file://", "a chart's address on this machine"),
    ] {
        if address.starts_with(last) && *address != *last {
            words.push((address.to_owned(), about.to_owned()));
            space = false;
        }
    }
    if files && !last.is_empty() && !words.is_empty() {
        let here = fs::read_dir(".").unwrap_or_default();
        let names = here.iter().map(|entry| entry.file_name().to_string_lossy().into_owned());
        words.extend(names.filter(|name| name.starts_with(last)).map(|name| (name, String::new())));
    }
    if files && last.is_empty() {
        words.push(("./".to_owned(), "a chart in a folder".to_owned()));
        words.push(("/".to_owned(), "a chart in a folder".to_owned()));
    }
    let directive = if space { 0 } else { NO_SPACE } + if files { 0 } else { NO_FILE };
    Answer { words, directive }
}
