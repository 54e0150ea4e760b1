//! `.dockerignore`: reading it, and deciding which paths it hides. `COPY --exclude` uses the same matcher.
//!
//! The last pattern that matches a path or one of its parents decides; `!` takes back. Source of the rules: moby
//! `patternmatcher` and its `ignorefile`, measured.

mod class;
mod compile;
mod pattern;

use std::sync::Arc;

use crate::base::{SourceFile, Span};
use crate::dockerfile::ignore::pattern::Pattern;
use crate::dockerfile::{Error, Problem, Word, glob};

/// The patterns of an ignore file in order, cleaned, comments and blank lines left out. Bytes that are not UTF-8 become
/// U+FFFD, here and in the paths that are matched.
pub fn read(file: &Arc<SourceFile>) -> Vec<Word> {
    let mut patterns = Vec::new();
    for number in 1..=file.line_count() {
        let range = file.line_range(number);
        let line = &file.bytes()[range.clone()];
        let line = if number == 1 { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) } else { line };
        let line = String::from_utf8_lossy(line);
        let text = line.trim();
        if line.starts_with('#') || text.is_empty() {
            continue;
        }
        let (sign, path) = text.strip_prefix('!').map_or(("", text), |path| ("!", path.trim()));
        let mut path = if path.is_empty() { String::new() } else { clean(path) };
        if path.len() > 1 && path.starts_with('/') {
            path.remove(0);
        }
        patterns.push(Word::new(format!("{sign}{path}"), Span::new(file, range)));
    }
    patterns
}

/// Decides which paths are hidden. Compiled once; matching needs no lock.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    patterns: Vec<Pattern>,
    negations: bool,
}

/// What is known of a folder's patterns while a tree is walked: give it to its children.
#[derive(Clone, Debug, Default)]
pub struct Parent {
    matched: Vec<bool>,
}

impl Matcher {
    /// A matcher of the patterns in order; blank ones are left out.
    ///
    /// # Errors
    /// [`Error::Pattern`]: a class without end, an escape at the end, a lone `!`.
    pub fn new(patterns: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, Error> {
        let mut matcher = Self::default();
        for pattern in patterns {
            let text = pattern.as_ref();
            let wrong = |problem| Error::Pattern { pattern: text.trim().to_owned(), span: None, problem };
            if text.trim().is_empty() {
                continue;
            }
            let cleaned = clean(text.trim());
            let (negated, cleaned) =
                cleaned.strip_prefix('!').map_or((false, &*cleaned), |rest| (true, rest));
            if cleaned.is_empty() {
                return Err(wrong(Problem::LoneNegation));
            }
            if !glob::is_valid(cleaned) {
                return Err(wrong(Problem::BadPattern));
            }
            matcher.negations |= negated;
            matcher.patterns.push(Pattern::new(cleaned, negated).ok_or_else(|| wrong(Problem::BadPattern))?);
        }
        Ok(matcher)
    }

    /// A matcher of the bytes of an ignore file.
    ///
    /// # Errors
    /// As [`Matcher::new`], with the line in a file called `.dockerignore`.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        Self::of_file(&SourceFile::new(".dockerignore", bytes))
    }

    /// A matcher of an ignore file.
    ///
    /// # Errors
    /// As [`Matcher::new`], with the line.
    pub fn of_file(file: &Arc<SourceFile>) -> Result<Self, Error> {
        let words = read(file);
        for word in &words {
            Self::new([word.as_str()]).map_err(|error| error.at(&word.span))?;
        }
        Self::new(words.iter().map(Word::as_str))
    }

    /// Whether there are no patterns.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether any pattern begins with `!`. Without one, nothing below a hidden folder can be visible.
    pub fn has_negations(&self) -> bool {
        self.negations
    }

    /// Whether a pattern hides all that is in the root.
    pub fn hides_everything(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern.everything && !pattern.negated)
    }

    /// Whether `path` (relative, clean, with `/`) is hidden, its parents considered. The root `.` never is.
    pub fn excludes(&self, path: &str) -> bool {
        path != "." && self.enter(&Parent::default(), path).0
    }

    /// Whether `path` is hidden, given what is known of its parent; for a folder also what its children need. Children of
    /// the root are given the default. This is what BuildKit asks when it walks a context.
    ///
    /// With negations the answer can differ from [`Matcher::excludes`]: a pattern that would have changed nothing at the
    /// parent was not looked at there, so its children do not know that it matched. moby behaves so (measured).
    pub fn enter(&self, parent: &Parent, path: &str) -> (bool, Parent) {
        let mut hidden = false;
        let mut known = Parent { matched: Vec::with_capacity(self.patterns.len()) };
        for (index, pattern) in self.patterns.iter().enumerate() {
            let mut matched = parent.matched.get(index).copied().unwrap_or(false);
            // A pattern that would change nothing is not looked at.
            if !matched && pattern.negated == hidden {
                matched = pattern.matches(path)
                    || (parent.matched.is_empty() && parents(path).any(|parent| pattern.matches(parent)));
            }
            known.matched.push(matched);
            if matched {
                hidden = !pattern.negated;
            }
        }
        (hidden, known)
    }

    /// Whether a walk from the root, as BuildKit's, finds that a pattern matches the path and none after it brings it back.
    /// With `!` patterns that may differ from what the path alone would say.
    pub fn finds(&self, path: &str) -> bool {
        let mut parent = Parent::default();
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let mut found = false;
        for end in ends {
            (found, parent) = self.enter(&parent, &path[..end]);
        }
        found
    }

    /// Whether a pattern may match something below a folder that none matches. May say yes too often, never no too often.
    pub fn may_match_below(&self, folder: &str) -> bool {
        self.patterns.iter().any(|pattern| !pattern.negated && pattern.may_match_below(folder))
    }

    /// Whether something below the hidden folder `path` may be visible, so that it must be walked. May say yes too often,
    /// never no too often.
    pub fn may_include_below(&self, path: &str) -> bool {
        let matches = |pattern: &Pattern| {
            pattern.may_match_below(path)
                || pattern.matches(path)
                || parents(path).any(|parent| pattern.matches(parent))
        };
        self.negations && self.patterns.iter().any(|pattern| pattern.negated && matches(pattern))
    }
}

/// The parents of a path, outermost first; none for a name without slash.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at]).filter(|parent| !parent.is_empty())
}

/// Go's `path.Clean`: shortest spelling, `.` for nothing.
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(patterns: &[&str], path: &str) -> bool {
        Matcher::new(patterns).expect("valid patterns").excludes(path)
    }

    #[test]
    fn last_match_decides() {
        let patterns = ["*.md", "!README.md", "docs", "!docs/keep"];
        for (path, expected) in [
            ("a.md", true),
            ("README.md", false),
            ("sub/a.md", false),
            ("docs", true),
            ("docs/x/y", true),
            ("docs/keep/y", false),
        ] {
            assert_eq!(hidden(&patterns, path), expected, "{path}");
        }
    }

    #[test]
    fn double_stars() {
        for (pattern, path, expected) in [
            ("**/x", "x", true),
            ("**/x", "a/b/x", true),
            ("**/x", "a/bx", false),
            ("a/**", "a", false),
            ("a/**", "a/b/c", true),
            ("a/**/c", "a/c", true),
            ("a/**/c", "a/b/b/c", true),
            ("**", "anything/at/all", true),
            ("*", "a", true),
            ("**/*.o", "d/e.o", true),
            ("[a-c]?", "bz", true),
            ("[^a-c]?", "bz", false),
            ("a\\*", "a*", true),
            ("a.b", "axb", false),
        ] {
            assert_eq!(hidden(&[pattern], path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn walking_finds_what_is_visible() {
        let matcher = Matcher::new(["**", "!src/**/*.rs", "!doc/a/b"]).expect("valid");
        for path in ["src/a.rs", "src/x/y/z.rs", "src/x/y", "doc/a/b", "doc/a/b/c", "doc/c", "lib/a.rs"] {
            let mut parent = Parent::default();
            for folder in parents(path) {
                let (hidden, known) = matcher.enter(&parent, folder);
                assert!(
                    !hidden || matcher.may_include_below(folder) || matcher.excludes(path),
                    "{folder} of {path}"
                );
                parent = known;
            }
            assert_eq!(matcher.enter(&parent, path).0, matcher.excludes(path), "{path}");
        }
        assert!(!matcher.may_include_below("lib") && !matcher.may_include_below("doc/c"));
        assert!(matcher.may_include_below("doc") && matcher.may_include_below("src/x"));
    }

    #[test]
    fn a_pattern_that_changes_nothing_at_the_parent_is_forgotten() {
        let matcher = Matcher::new(["**", "!src/**/*.rs", "src/gen"]).expect("valid");
        let (_, src) = matcher.enter(&Parent::default(), "src");
        let (_, generated) = matcher.enter(&src, "src/gen");
        assert!(!matcher.enter(&generated, "src/gen/a.rs").0);
        assert!(matcher.excludes("src/gen/a.rs"));
    }

    #[test]
    fn files() {
        let text = "\u{FEFF}#c\n # not a comment\r\n\n  /a//b/../c/  \n! /d\n!\n";
        let file = SourceFile::new(".dockerignore", text);
        let words: Vec<String> = read(&file).into_iter().map(|word| word.text).collect();
        assert_eq!(words, ["# not a comment", "a/c", "!d", "!"]);
        let error = Matcher::of_file(&file).expect_err("a lone !");
        assert_eq!((error.problem(), error.lines()), (&Problem::LoneNegation, Some((6, 6))));
    }
}
