//! The Dockerfile language against BuildKit's parser, instructions and word packages, and moby's pattern matcher.
//!
//! The questions and answers are lines of `fixtures/compat/dockerfile/*.jsonl`; `tests/oracles/buildkit` asked them.
//! Where we differ on purpose, [`FILES`] and [`GLOBS`] say why; an entry that no longer differs
//! fails the test.

mod tree;

use std::collections::BTreeSet;

use lapstrake::base::SourceFile;
use lapstrake::dockerfile::{self, Escape, Expander, ignore};
use serde_json::{Value, json};

/// Questions that we answer otherwise, and why.
type Deliberate = [(&'static str, &'static str)];

const FILES: [(&str, &str); 12] = [
    ("empty file", "the last line of an empty file is its first, not line 0"),
    ("escape wrong", "an error in a directive names its own line; BuildKit counts from 0 there"),
    ("escape two characters", "as above"),
    ("escape blank", "as above"),
    ("escape twice", "as above"),
    ("escape twice different case", "as above"),
    ("syntax twice", "as above"),
    ("check twice", "as above"),
    ("line too long", "the long line is named, not the one before it"),
    ("line too long at the end", "as above"),
    ("long comment", "as above"),
    ("HEALTHCHECK --interval=2µs1ms CMD a", "letters outside ASCII survive in flags"),
];

const GLOBS: [(&str, &str); 2] = [
    ("x*[", "a mistake is found wherever it is; Go stops reading where the name stops matching"),
    ("x*[a", "as above"),
];

/// The variables of the words, the same as in the oracle.
pub fn variable(name: &str) -> Option<String> {
    let value = match name {
        "A" => "a.b.c",
        "B" => "two words",
        "E" => "",
        "P" => "/usr/lib/x.so.1",
        "Q" => "it's \"q\"",
        "D" => "$A",
        "S" => "a*b?c",
        "N" => "line1\nline2",
        "T" => " lead trail ",
        "U8" => "größe",
        "BS" => "a\\b",
        "DOLLAR" => "x$0y$A",
        "_u" => "under",
        "a" => "small",
        "X1" => "one",
        _ => return None,
    };
    Some(value.to_owned())
}

fn goldens(name: &str) -> Vec<Value> {
    let path = format!("{}/fixtures/compat/dockerfile/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect(&path);
    text.lines().map(|line| serde_json::from_str(line).expect("a golden is JSON")).collect()
}

/// Undoes the notation of the questions: `«hex»`, `«text*number»`, `«end»` with the line break behind it.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('«') {
        out.extend(before.bytes());
        let (body, after) = after.split_once('»').expect("» closes «");
        rest = after;
        if body == "end" {
            rest = rest.strip_prefix('\n').unwrap_or(rest);
        } else if let Some((what, number)) = body.split_once('*') {
            out.extend(what.repeat(number.parse().expect("a number")).bytes());
        } else {
            let digits = body.as_bytes().chunks(2);
            out.extend(
                digits
                    .map(|two| u8::from_str_radix(std::str::from_utf8(two).expect("hex"), 16).expect("hex")),
            );
        }
    }
    out.extend(rest.bytes());
    out
}

/// Compares answers and fails with the first differences; gives the number of questions.
fn compare(deliberate: &Deliberate, answers: impl Iterator<Item = (String, Value, Value)>) -> usize {
    let (mut count, mut wrong) = (0, Vec::new());
    let mut stale: BTreeSet<&str> = deliberate.iter().map(|(title, _)| *title).collect();
    for (title, theirs, ours) in answers {
        count += 1;
        if theirs == ours {
            continue;
        }
        if !stale.remove(title.as_str()) {
            wrong.push(format!("{title}\n  BuildKit: {theirs}\n  ours:     {ours}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(15)].join("\n")
    );
    assert!(stale.is_empty(), "no longer different, or no longer asked: {stale:?}");
    count
}

#[test]
fn files() {
    let answers = goldens("files").into_iter().map(|mut golden| {
        let text = golden["text"].as_str().expect("a question").to_owned();
        let title = golden["title"].as_str().expect("a title").to_owned();
        let file = SourceFile::new("Dockerfile", unescape(&text));
        let theirs = golden.as_object_mut().expect("an object");
        // Of a file with an error only the statements and the error say something about parsing.
        let failed = theirs.contains_key("error");
        theirs.retain(|key, _| match key.as_str() {
            "text" | "title" => false,
            "statements" | "error" | "check_error" => true,
            _ => !failed,
        });
        let ours = match theirs.remove("check_error") {
            Some(_) => {
                theirs.retain(|key, _| key == "statements");
                tree::with_wrong_check(&file)
            }
            None => tree::answer(&file),
        };
        (title, golden, ours)
    });
    assert!(compare(&FILES, answers) >= 300);
}

#[test]
fn words() {
    let answers = goldens("words").into_iter().map(|mut golden| {
        let word = golden["word"].as_str().expect("a word").to_owned();
        golden.as_object_mut().expect("an object").remove("word");
        let slash = Expander::new(Escape::Backslash);
        let modes = [
            ("plain", slash),
            ("backtick", Expander::new(Escape::Backtick)),
            ("body", Expander::body()),
            ("shown", slash.keep_quotes().keep_unset()),
            ("raw", slash.keep_quotes().keep_escapes().keep_unset()),
        ];
        let ours = modes.into_iter().map(|(name, expander)| {
            let answer = match expander.text(&word, &variable) {
                Err(error) => json!({"error": error.problem().to_string()}),
                Ok(found) => {
                    let words = if found.words.is_empty() { Value::Null } else { json!(found.words) };
                    let mut answer = json!({"text": found.text, "words": words});
                    if name == "plain" {
                        answer["matched"] = json!(found.matched);
                        answer["unmatched"] = json!(found.unmatched);
                    }
                    answer
                }
            };
            (name.to_owned(), answer)
        });
        let ours = Value::Object(ours.collect());
        (word, golden, ours)
    });
    assert!(compare(&[], answers) >= 250);
}

#[test]
fn ignore_files() {
    let answers = goldens("ignore").into_iter().map(|golden| {
        let title = golden["title"].as_str().expect("a title").to_owned();
        let file = SourceFile::new(".dockerignore", golden["file"].as_str().expect("a file"));
        let patterns: Vec<String> = ignore::read(&file).into_iter().map(|word| word.text).collect();
        let mut ours = json!({"title": title, "file": golden["file"]});
        ours["patterns"] = if patterns.is_empty() { Value::Null } else { json!(patterns) };
        match ignore::Matcher::of_file(&file) {
            Err(error) => ours["error"] = json!(error.problem().to_string()),
            Ok(matcher) => {
                let paths = golden["paths"].as_array().cloned().unwrap_or_default();
                let answers = paths.iter().map(|answer| {
                    let path = answer[0].as_str().expect("a path");
                    json!([path, matcher.excludes(path), walked(&matcher, path)])
                });
                ours["paths"] = answers.collect();
            }
        }
        (title, golden, ours)
    });
    assert!(compare(&[], answers) >= 100);
}

/// What a walk from the root finds.
fn walked(matcher: &ignore::Matcher, path: &str) -> bool {
    let mut parent = ignore::Parent::default();
    for (at, _) in path.match_indices('/') {
        parent = matcher.enter(&parent, &path[..at]).1;
    }
    matcher.enter(&parent, path).0
}

#[test]
fn globs() {
    let answers = goldens("globs").into_iter().map(|golden| {
        let pattern = golden["pattern"].as_str().expect("a pattern").to_owned();
        let mut ours = json!({"pattern": pattern});
        if dockerfile::glob::is_valid(&pattern) {
            let names = golden["names"].as_array().cloned().unwrap_or_default();
            let answers = names.iter().map(|answer| {
                let name = answer[0].as_str().expect("a name");
                json!([name, dockerfile::glob::matches(pattern.as_bytes(), name.as_bytes())])
            });
            ours["names"] = answers.collect();
        } else {
            ours["error"] = json!(true);
        }
        (pattern, golden, ours)
    });
    assert!(compare(&GLOBS, answers) >= 50);
}
