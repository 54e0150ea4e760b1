//! Reading parser directives.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::{SourceFile, Span};
use crate::dockerfile::read::lines::{Lines, Physical};
use crate::dockerfile::{Check, Directives, Error, Escape, Problem, Word};

/// Takes lines as long as they are directives. Source of the rules: BuildKit `parser/directives.go`, measured.
#[derive(Default)]
pub(super) struct Reader {
    done: bool,
    seen: BTreeSet<&'static str>,
    pub escape: Escape,
}

impl Reader {
    /// Whether the line is a directive; after the first that is none, no line is.
    pub fn take(&mut self, lines: &Lines<'_>, line: &Physical<'_>) -> Result<bool, Error> {
        if self.done {
            return Ok(false);
        }
        let text = std::str::from_utf8(line.bytes).unwrap_or("").trim_start();
        let Some((name, value)) = split(text) else {
            self.done = true;
            return Ok(false);
        };
        if !self.seen.insert(name) {
            return Err(lines.error(Problem::DirectiveTwice(name.to_owned())));
        }
        if name == "escape" {
            self.escape = match value {
                "\\" => Escape::Backslash,
                "`" => Escape::Backtick,
                other => return Err(lines.error(Problem::EscapeToken(other.to_owned()))),
            };
        }
        Ok(true)
    }
}

/// Name and value of a known directive.
fn split(line: &str) -> Option<(&'static str, &str)> {
    split_text(line.strip_prefix('#')?)
}

/// The same of what stands behind `#`.
fn split_text(text: &str) -> Option<(&'static str, &str)> {
    let rest = text.trim_start();
    let blank = |c: char| matches!(c, '\t' | '\n' | '\u{c}' | '\r' | ' ');
    let (name, value) = rest.split_once('=')?;
    let name = name.trim_end_matches(blank);
    let known = ["syntax", "escape", "check"];
    let name = known.into_iter().find(|known| known.eq_ignore_ascii_case(name))?;
    let trimmed = value.trim_matches(blank);
    if !trimmed.is_empty() {
        return Some((name, trimmed));
    }
    // A value of blanks only is its last blank: what BuildKit's expression finds.
    let last = value.char_indices().next_back()?.0;
    Some((name, &value[last..]))
}

/// The directives that concern others than the parser. They may follow a `#!` line, but no blank may stand before `#`.
pub(in crate::dockerfile) fn find(file: &Arc<SourceFile>, escape: Escape) -> Result<Directives, Error> {
    let mut found = Directives { escape, ..Directives::default() };
    let mut lines = Lines::new(file);
    let mut seen = BTreeSet::new();
    while let Some(line) = lines.next()? {
        if lines.number == 1 && line.bytes.starts_with(b"#!") {
            continue;
        }
        let text = std::str::from_utf8(line.bytes).unwrap_or("");
        let Some((name, value)) = split(text) else { break };
        if !seen.insert(name) {
            break;
        }
        let first = value.split(' ').next().unwrap_or(value);
        let start = line.offset + (value.as_ptr() as usize - text.as_ptr() as usize);
        let word = Word::new(first, Span::new(file, start..start + first.len()));
        match name {
            "syntax" => found.syntax = Some(word),
            "check" => found.check = Some(check(&word)?),
            _ => {}
        }
    }
    Ok(found)
}

/// Reads the value of `# check=`.
fn check(word: &Word) -> Result<Check, Error> {
    Check::parse(&word.text).map_err(|part| Error::parse(word.span.clone(), Problem::CheckOption(part)))
}

/// The value of a `# check=` among the comments above an instruction; the first counts. The comments are without `#`.
pub(in crate::dockerfile) fn check_of(comments: &[String]) -> Option<&str> {
    comments.iter().find_map(|comment| match split_text(comment) {
        Some(("check", value)) => value.split(' ').next(),
        _ => None,
    })
}

/// What Go's `strconv.ParseBool` takes.
pub(in crate::dockerfile) fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
