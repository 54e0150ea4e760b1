//! Cases as text: `=== title`, and below it parts, each a line `--- word rest` with a body.
//!
//! `fixtures/builds/README.md` says which parts there are. `«0a»` in a body stands for bytes, `«x*70000»` for a
//! repetition, `«end»` drops the line break behind it.

use std::fs;
use std::path::{Path, PathBuf};

/// One question: a Dockerfile, what is around it, and what the command line says.
#[derive(Clone, Debug)]
pub struct Case {
    /// Unique in its file.
    pub title: String,
    /// In the order of the file.
    pub parts: Vec<Part>,
}

/// One part of a case.
#[derive(Clone, Debug)]
pub struct Part {
    /// What it is: `file`, `arg`, …
    pub word: String,
    /// The rest of its line.
    pub rest: String,
    /// The lines below it.
    pub body: Vec<u8>,
}

/// Where cases and answers are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/builds")
}

/// All cases of a topic.
pub fn read(topic: &str) -> Vec<Case> {
    let path = folder().join(format!("{topic}.txt"));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut cases: Vec<Case> = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(title) = line.strip_prefix("=== ") {
            let title = title.trim_end().to_owned();
            assert!(cases.iter().all(|c| c.title != title), "{topic}: two cases are called {title:?}");
            cases.push(Case { title, parts: Vec::new() });
        } else if let Some(case) = cases.last_mut() {
            add_line(case, line);
        }
    }
    for case in &mut cases {
        // The blank line before the next case belongs to neither.
        if let Some(part) = case.parts.last_mut()
            && (part.body == b"\n" || part.body.ends_with(b"\n\n"))
        {
            part.body.pop();
        }
        for part in &mut case.parts {
            part.body = bytes(&part.body);
        }
    }
    cases
}

fn add_line(case: &mut Case, line: &str) {
    if let Some(head) = line.strip_prefix("--- ") {
        let (word, rest) = head.trim_end_matches('\n').split_once(' ').unwrap_or((head.trim_end(), ""));
        case.parts.push(Part { word: word.to_owned(), rest: rest.to_owned(), body: Vec::new() });
    } else if let Some(part) = case.parts.last_mut() {
        part.body.extend_from_slice(line.as_bytes());
    } else {
        assert!(
            line.trim().is_empty() || line.starts_with('#'),
            "{}: a line before any part: {line}",
            case.title
        );
    }
}

/// Undoes the notation of bytes.
fn bytes(body: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(body).expect("case files are UTF-8");
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('«') {
        out.extend(before.bytes());
        let (inner, after) = after.split_once('»').expect("» closes «");
        rest = after;
        if inner == "end" {
            rest = rest.strip_prefix('\n').unwrap_or(rest);
        } else if let Some((what, number)) = inner.split_once('*') {
            out.extend(what.repeat(number.parse().expect("a number of repetitions")).bytes());
        } else {
            out.extend(hex::decode(inner).expect("bytes in hex"));
        }
    }
    out.extend(rest.bytes());
    out
}

impl Case {
    /// The parts called `word`.
    pub fn all(&self, word: &str) -> impl Iterator<Item = &Part> {
        let parts: Vec<_> = self.parts.iter().filter(|part| part.word == word).collect();
        parts.into_iter()
    }

    /// The rest of the line of the only part called `word`.
    pub fn one(&self, word: &str) -> Option<&str> {
        let mut parts = self.all(word);
        let first = parts.next()?;
        assert!(parts.next().is_none(), "{}: more than one {word}", self.title);
        Some(&first.rest)
    }

    /// Whether a part is called `word`.
    pub fn has(&self, word: &str) -> bool {
        self.all(word).next().is_some()
    }
}

impl Part {
    /// The words of its line; `«20»` is a blank inside a word.
    pub fn words(&self) -> Vec<Vec<u8>> {
        self.rest.split_whitespace().map(|word| bytes(word.as_bytes())).collect()
    }
}
