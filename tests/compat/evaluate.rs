//! What we make of Dockerfiles against what BuildKit's frontend makes of them: image configuration, history, steps.
//!
//! The questions and BuildKit's answers are lines of `fixtures/compat/evaluate/*.jsonl`; `tests/oracles/buildkit-config`
//! asked them. Where we differ on purpose, [`DELIBERATE`] says why; an entry that no longer differs fails the test.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod answer;
mod question;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use question::{Bases, Question};

/// What BuildKit accepts and we refuse, with our words.
const REFUSED: &[(&str, &str)] = &[
    // BuildKit fails when the step runs, unless the source is a wildcard.
    ("from scratch", "scratch has no files that could be copied"),
    // An environment with an entry `=x` cannot be started by container runtimes.
    ("a variable whose name expands to nothing", "ENV names can not be blank"),
];

/// What we accept and BuildKit refuses.
const ACCEPTED: &[&str] = &[
    // A later stage of the same name makes BuildKit forget the earlier one; we take the earlier one.
    "a copy does not take the earlier of two stages of one name",
];

/// Errors that we say in other words.
const OTHER_WORDS: &[(&str, &str)] = &[
    ("a base name in capitals", "failed to parse image name \"Base\": repository names are lower case"),
    ("a base name in capitals after a stage of that name", "repository names are lower case"),
    ("a base name with a bad tag", "failed to parse image name \"base:a:b\""),
    ("the number of a later stage", "cannot copy from stage \"two\""),
    ("a bad base name in an unused stage", "failed to parse image name \"Base\""),
    ("a bad name of an image that an unused stage copies from", "failed to parse image name \"Image\""),
    ("a bad platform in an unused stage", "failed to parse platform a/b/c/d: more than three parts"),
    ("an unknown platform", "failed to parse platform linux/arm64/v8/x: more than three parts"),
    ("a platform with odd characters", "failed to parse platform lin(ux"),
    ("an invalid address in brackets", "invalid IP address: [1.2.3.4"),
    ("a mode of nonsense", "invalid chmod parameter: 'executable'"),
    ("a mode with an unknown letter", "invalid chmod parameter: 'u+y'"),
    ("a mode without an operator", "invalid chmod parameter: 'u'"),
    ("a negative mode", "invalid chmod parameter: '-1'"),
    ("a mode of several nonsense", "invalid chmod parameter: 'u+x,,g+x'"),
];

#[test]
fn arguments() {
    compare("arguments", 40);
}

#[test]
fn bases() {
    compare("bases", 20);
}

#[test]
fn commands() {
    compare("commands", 35);
}

#[test]
fn copies() {
    compare("copies", 35);
}

#[test]
fn environment() {
    compare("environment", 30);
}

#[test]
fn failures() {
    compare("failures", 120);
}

#[test]
fn platforms() {
    compare("platforms", 25);
}

#[test]
fn runs() {
    compare("runs", 25);
}

#[test]
fn settings() {
    compare("settings", 30);
}

#[test]
fn stages() {
    compare("stages", 25);
}

/// Asks all questions of a file; `least` is how many there must be, so that an empty file does not pass.
fn compare(group: &str, least: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/compat/evaluate");
    let bases = Bases::read(&folder.join("bases.json"));
    let text = std::fs::read_to_string(folder.join(format!("{group}.jsonl"))).unwrap();
    let mut complaints = Vec::new();
    let mut count = 0;
    for line in text.lines() {
        let question: Question = serde_json::from_str(line).unwrap();
        let differences = differences(&question, &bases);
        if !differences.is_empty() {
            let text = indented(&question.dockerfile);
            complaints.push(format!("{}:\n{text}\n{}", question.name, differences.join("\n")));
        }
        count += 1;
    }
    assert!(count >= least, "only {count} cases were found in {group}.jsonl");
    assert!(
        complaints.is_empty(),
        "{} of {count} cases differ from BuildKit\n\n{}",
        complaints.len(),
        complaints.join("\n\n")
    );
}

fn indented(text: &str) -> String {
    text.lines().enumerate().map(|(i, line)| format!("{:>4} | {line}\n", i + 1)).collect()
}

fn differences(question: &Question, bases: &Bases) -> Vec<String> {
    let name = question.name.as_str();
    let refused = REFUSED.iter().find(|(case, _)| *case == name).map(|(_, words)| *words);
    match (question.error.as_deref(), answer::answer(question, bases)) {
        (None, Ok(_)) if refused.is_some() => vec!["we accept it now: take it out of REFUSED".into()],
        (None, Ok(ours)) => {
            let mut found = Vec::new();
            diff("", &question.answer(), &ours, &mut found);
            found
        }
        (None, Err(ours)) if refused.is_some_and(|words| ours.text.contains(words)) => Vec::new(),
        (None, Err(ours)) => vec![format!("BuildKit accepts it, we say: {}", ours.text)],
        (Some(_), Err(_)) if ACCEPTED.contains(&name) => {
            vec!["we refuse it now: take it out of ACCEPTED".into()]
        }
        (Some(theirs), Err(ours)) => different_errors(question, theirs, &ours),
        (Some(_), Ok(_)) if ACCEPTED.contains(&name) => Vec::new(),
        (Some(theirs), Ok(_)) => vec![format!("we accept it, BuildKit says: {theirs}")],
    }
}

/// If BuildKit names the lines of an instruction we have to name one of them; its words have to be among ours.
fn different_errors(question: &Question, theirs: &str, ours: &answer::Refusal) -> Vec<String> {
    let mut found = Vec::new();
    if let (Some(first), Some(last)) = (question.line, question.last)
        && !ours.line.is_some_and(|line| (first..=last).contains(&line))
    {
        found.push(format!("line: BuildKit {first} to {last}, we {:?}", ours.line));
    }
    let other = OTHER_WORDS.iter().find(|(case, _)| *case == question.name).map(|(_, words)| *words);
    let (message, suggestion) = parts(theirs);
    let said = ours.text.contains(other.unwrap_or(message));
    let suggested = other.is_some() || suggestion.is_none_or(|word| ours.whole().contains(word));
    if !said || !suggested {
        found.push(format!("words:\n  BuildKit: {theirs}\n  we:       {}", ours.whole()));
    }
    found
}

/// A message of BuildKit without the words that name the line, and what it suggests.
fn parts(text: &str) -> (&str, Option<&str>) {
    let text = match text.strip_prefix("dockerfile parse error on line ") {
        Some(rest) => rest.split_once(": ").map_or(rest, |(_, message)| message),
        None => text,
    };
    match text.strip_suffix("?)").and_then(|text| text.split_once(" (did you mean ")) {
        Some((message, suggestion)) => (message, Some(suggestion)),
        None => (text, None),
    }
}

/// Every place in which two documents differ.
fn diff(path: &str, theirs: &Value, ours: &Value, found: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(a), Value::Object(b)) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let (a, b) = (a.get(name).unwrap_or(&Value::Null), b.get(name).unwrap_or(&Value::Null));
                diff(&format!("{path}/{name}"), a, b, found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                diff(&format!("{path}/{i}"), a, b, found);
            }
        }
        _ if theirs != ours => found.push(format!("{path}:\n  BuildKit: {theirs}\n  we:       {ours}")),
        _ => {}
    }
}
