//! Patterns of `${v#p}`, `${v%p}`, `${v/p/r}`: `*`, `?` and escapes. `*` and `?` do not match a line break.

use std::ops::Range;

use crate::dockerfile::{LONGEST_TEXT, Problem};

/// Characters of a text times parts of a pattern.
const MOST_WORK: usize = 1 << 24;

/// A part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Any,
    One,
    Char(char),
}

struct Pattern {
    parts: Vec<Part>,
    greedy: bool,
}

/// Without the shortest (or longest) prefix that matches.
pub(super) fn trim_start(pattern: &str, value: &str, longest: bool) -> Result<String, Problem> {
    let pattern = Pattern::new(pattern, longest)?;
    let value: Vec<char> = value.chars().collect();
    pattern.check(&value)?;
    let end = pattern.find(&value, 0, true).map_or(0, |found| found.end);
    Ok(value[end..].iter().collect())
}

/// Without the shortest (or longest) suffix that matches: text and pattern are turned round.
pub(super) fn trim_end(pattern: &str, value: &str, longest: bool) -> Result<String, Problem> {
    let turned: String = value.chars().rev().collect();
    let rest = trim_start(&reversed(pattern), &turned, longest)?;
    Ok(rest.chars().rev().collect())
}

/// With the first match (or all) replaced. Replacing all, `$0` in the replacement is the match and other `$name`s are
/// empty: BuildKit gives it to Go's `ReplaceAllString`.
pub(super) fn replace(pattern: &str, value: &str, by: &str, all: bool) -> Result<String, Problem> {
    let pattern = Pattern::new(pattern, true)?;
    let value: Vec<char> = value.chars().collect();
    pattern.check(&value)?;
    let mut out = String::new();
    let (mut copied, mut from) = (0, 0);
    while from <= value.len()
        && let Some(found) = pattern.find(&value, from, false)
    {
        out.extend(&value[copied..found.start]);
        if out.len() > LONGEST_TEXT {
            return Err(Problem::TooLong);
        }
        if !all {
            out.push_str(by);
            copied = found.end;
            break;
        }
        // An empty match directly behind a match does not count.
        if found.end > copied || found.start == 0 {
            template(by, &value[found.clone()], &mut out);
        }
        copied = found.end;
        from = if found.end > from { found.end } else { from + 1 };
    }
    out.extend(&value[copied.min(value.len())..]);
    Ok(out)
}

/// Go's replacement template with one group, the whole match.
fn template(by: &str, matched: &[char], out: &mut String) {
    let mut rest = by;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let braced = rest.strip_prefix('{');
        let body = braced.unwrap_or(rest);
        let length = body.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(body.len());
        let (name, tail) = body.split_at(length);
        let tail = if braced.is_some() { tail.strip_prefix('}') } else { Some(tail) };
        match tail {
            Some(tail) if !name.is_empty() => {
                if name == "0" {
                    out.extend(matched);
                }
                rest = tail;
            }
            _ => out.push('$'),
        }
    }
    out.push_str(rest);
}

/// Turns a pattern round, escapes kept before what they escape.
fn reversed(pattern: &str) -> String {
    let mut units = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match chars.as_str().chars().next() {
            Some(next) if c == '\\' => {
                chars.next();
                units.extend([next, c]);
            }
            _ => units.push(c),
        }
    }
    units.iter().rev().collect()
}

impl Pattern {
    fn new(text: &str, greedy: bool) -> Result<Self, Problem> {
        let mut parts = Vec::new();
        let mut chars = text.strip_prefix('\u{FEFF}').unwrap_or(text).chars().peekable();
        while let Some(c) = chars.next() {
            parts.push(match c {
                '*' => Part::Any,
                '?' => Part::One,
                // `}` and `/` are escaped for the brackets around, not for the pattern.
                '\\' if matches!(chars.peek(), Some('}' | '/')) => continue,
                '\\' => match chars.next() {
                    Some(c @ ('*' | '?' | '\\')) => Part::Char(c),
                    other => {
                        let shown = other.unwrap_or(char::REPLACEMENT_CHARACTER);
                        return Err(Problem::Substitution(format!(
                            "invalid pattern ({text}) in substitution: invalid escape '\\{shown}'"
                        )));
                    }
                },
                c => Part::Char(c),
            });
        }
        Ok(Self { parts, greedy })
    }

    /// Refuses what would take longer than anybody waits.
    fn check(&self, text: &[char]) -> Result<(), Problem> {
        match self.parts.len().saturating_mul(text.len()) {
            work if work > MOST_WORK => {
                Err(Problem::Substitution("the pattern is too long for so long a value".into()))
            }
            _ => Ok(()),
        }
    }

    /// The first match at or behind `from` (only at `from` if `anchored`), the one a backtracking matcher finds first,
    /// in time proportional to text times pattern: all states walk together, in order of preference.
    fn find(&self, text: &[char], from: usize, anchored: bool) -> Option<Range<usize>> {
        let mut best = None;
        let mut threads: Vec<(usize, usize)> = Vec::new();
        let mut seen = vec![usize::MAX; self.parts.len() + 1];
        for at in from..=text.len() {
            let mut next = Vec::new();
            let mut done = false;
            if best.is_none() && (at == from || !anchored) {
                threads.push((0, at));
            }
            let mut ready = Vec::new();
            for (part, start) in threads.drain(..) {
                self.follow((part, start), at, &mut seen, &mut ready);
            }
            for (part, start) in ready {
                if done {
                    break;
                }
                if part == self.parts.len() {
                    best = Some(start..at);
                    done = true;
                } else if let Some(c) = text.get(at) {
                    match self.parts[part] {
                        Part::Any if *c != '\n' => next.push((part, start)),
                        Part::One if *c != '\n' => next.push((part + 1, start)),
                        Part::Char(wanted) if wanted == *c => next.push((part + 1, start)),
                        _ => {}
                    }
                }
            }
            threads = next;
            if threads.is_empty() && (best.is_some() || anchored) {
                break;
            }
        }
        best
    }

    /// Adds a state and those reachable without a character, in order of preference, each once per position.
    fn follow(
        &self,
        (part, start): (usize, usize),
        at: usize,
        seen: &mut [usize],
        ready: &mut Vec<(usize, usize)>,
    ) {
        // A run of stars: greedy prefers the earlier ones, otherwise the later ones.
        let mut chain = vec![part];
        while self.parts.get(chain[chain.len() - 1]) == Some(&Part::Any) {
            chain.push(chain[chain.len() - 1] + 1);
        }
        if !self.greedy {
            chain.reverse();
        }
        for part in chain {
            if seen[part] != at {
                seen[part] = at;
                ready.push((part, start));
            }
        }
    }
}
