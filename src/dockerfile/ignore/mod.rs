//! `.dockerignore`: reading it and deciding what it hides, as moby's `ignorefile` and `patternmatcher` do.
//!
//! The last pattern that matches a path or one of its parents decides; `!` takes back. Patterns are relative to the
//! context; `**` crosses folders.

use std::cmp::Ordering;

use regex::Regex;

use crate::dockerfile::{Error, Problem, glob};

/// Decides which paths of a context are hidden. Without patterns nothing is.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug)]
struct Pattern {
    /// `!`: what it matches is shown again.
    taken_back: bool,
    /// Cleaned, without `!`.
    text: String,
    how: How,
}

#[derive(Clone, Debug)]
enum How {
    /// The very path.
    Exact,
    /// `folder/**`: everything that begins so.
    Prefix,
    /// `**/name`: everything that ends so.
    Suffix,
    /// Anything else.
    Expression(Regex),
}

impl Matcher {
    /// Reads an ignore file: a pattern a line; lines that begin with `#` and empty ones do not count.
    ///
    /// # Errors
    /// [`Error::Pattern`] for a pattern that cannot be read, or a lone `!`.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = String::from_utf8_lossy(bytes);
        Self::new(text.lines().filter(|line| !line.starts_with('#')).map(relative))
    }

    /// Takes patterns as an ignore file holds them.
    ///
    /// # Errors
    /// [`Error::Pattern`] for a pattern that cannot be read, or a lone `!`.
    pub fn new(patterns: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, Error> {
        let mut list = Vec::new();
        for pattern in patterns {
            let pattern = pattern.as_ref().trim();
            if !pattern.is_empty() {
                list.push(Pattern::new(&clean(pattern))?);
            }
        }
        Ok(Self { patterns: list })
    }

    /// Whether nothing is hidden.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether the path (relative, clean, `/`) is hidden. The context itself never is.
    pub fn excludes(&self, path: &str) -> bool {
        if path.is_empty() || path == "." {
            return false;
        }
        let mut hidden = false;
        for pattern in &self.patterns {
            if pattern.taken_back == hidden && pattern.matches_or_parent(path) {
                hidden = !pattern.taken_back;
            }
        }
        hidden
    }

    /// Whether something below the hidden folder `path` may be shown.
    pub fn may_include_below(&self, path: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.taken_back && pattern.may_match_below(path))
    }
}

/// A line of an ignore file as a pattern that is relative to the context.
fn relative(line: &str) -> String {
    let line = line.trim();
    let (mark, pattern) = match line.strip_prefix('!') {
        Some(rest) => ("!", rest.trim()),
        None => ("", line),
    };
    if pattern.is_empty() {
        return mark.to_owned();
    }
    let pattern = clean(pattern);
    let inside = match pattern.strip_prefix('/') {
        Some(rest) if !rest.is_empty() => rest,
        _ => &pattern,
    };
    format!("{mark}{inside}")
}

/// Go's `filepath.Clean`.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".into(),
        (false, false) => joined,
    }
}

impl Pattern {
    fn new(pattern: &str) -> Result<Self, Error> {
        let wrong = |problem| Error::Pattern { pattern: pattern.to_owned(), span: None, problem };
        let (taken_back, text) = match pattern.strip_prefix('!') {
            Some("") => return Err(wrong(Problem::LoneNegation)),
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        if !glob::is_valid(text) {
            return Err(wrong(Problem::BadPattern));
        }
        let how = compile(text).map_err(|_| wrong(Problem::BadPattern))?;
        Ok(Self { taken_back, text: text.to_owned(), how })
    }

    fn matches(&self, path: &str) -> bool {
        match &self.how {
            How::Exact => path == self.text,
            How::Prefix => path.starts_with(&self.text[..self.text.len() - 2]),
            How::Suffix => {
                let suffix = &self.text[2..];
                path.ends_with(suffix) || suffix.strip_prefix('/') == Some(path)
            }
            How::Expression(expression) => expression.is_match(path),
        }
    }

    fn matches_or_parent(&self, path: &str) -> bool {
        self.matches(path) || path.match_indices('/').any(|(at, _)| self.matches(&path[..at]))
    }

    /// Compares the folders of the pattern that are plain with those of `path`: as long as neither runs out they must
    /// be equal.
    fn may_match_below(&self, path: &str) -> bool {
        let mut folders = path.split('/');
        for part in self.text.split('/') {
            if part.contains(['*', '?', '[', '\\']) {
                return true;
            }
            match folders.next().map(|folder| folder.cmp(part)) {
                Some(Ordering::Equal) => {}
                Some(_) => return false,
                None => return true,
            }
        }
        true
    }
}

/// Which kind of comparison a pattern needs, with its expression if it needs one.
fn compile(text: &str) -> Result<How, regex::Error> {
    let mut expression = String::from("^");
    let mut how = How::Exact;
    let mut expressed = false;
    let mut chars = text.chars().peekable();
    let mut first = true;
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.next_if_eq(&'*').is_some() => {
                chars.next_if_eq(&'/');
                let exact = matches!(how, How::Exact) && !expressed;
                if chars.peek().is_none() && exact {
                    how = How::Prefix;
                } else {
                    expression.push_str(if chars.peek().is_none() { ".*" } else { "(.*/)?" });
                    expressed = true;
                }
                if first {
                    how = How::Suffix;
                    expressed = false;
                }
            }
            '*' => {
                expression.push_str("[^/]*");
                expressed = true;
            }
            '?' => {
                expression.push_str("[^/]");
                expressed = true;
            }
            '\\' => {
                if let Some(next) = chars.next() {
                    expression.push_str(&regex::escape(&next.to_string()));
                    expressed = true;
                } else {
                    expression.push_str("\\\\");
                }
            }
            '[' | ']' => {
                expression.push(c);
                expressed = true;
            }
            '.' | '+' | '(' | ')' | '|' | '{' | '}' | '$' => {
                expression.push('\\');
                expression.push(c);
            }
            c => expression.push(c),
        }
        first = false;
    }
    if !expressed {
        return Ok(how);
    }
    expression.push('$');
    // `.` crosses line ends, and nothing of the pattern is a class of this library's own.
    regex::RegexBuilder::new(&expression).dot_matches_new_line(true).build().map(How::Expression)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher(text: &str) -> Matcher {
        Matcher::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_hidden() {
        let table: &[(&str, &str, bool)] = &[
            ("**", "file", true),
            ("**/", "file", true),
            ("**", "dir/file", true),
            ("**/**", "dir/file", true),
            ("dir/**", "dir/file", true),
            ("dir/**", "dir", false),
            ("dir/**", "other/file", false),
            ("**/dir2/*", "dir/dir2/file", true),
            ("**/dir2/*", "dir/dir2/dir2/file", true),
            ("**file", "some/file", true),
            ("**/file*.txt", "a/b/filex.txt", true),
            ("**/*.go", "main.go", true),
            ("*.go", "sub/main.go", false),
            ("sub", "sub/main.go", true),
            ("/abs", "abs", true),
            ("./x", "x", true),
            ("a/../b", "b", true),
            ("a.b", "aXb", false),
            ("a$b", "a$b", true),
            ("[a-c]x", "bx", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("# no comment here\nx", "# no comment here", false),
            (" #name", "#name", true),
            ("*\n!keep", "keep", false),
            ("*\n!keep", "keep/below", false),
            ("*\n!keep\nkeep/not", "keep/not", true),
            ("dir\n!dir/keep", "dir/keep", false),
            ("dir\n!dir/keep", "dir/other", true),
            ("!x\nx", "x", true),
            ("", "x", false),
            ("**", ".", false),
        ];
        for (text, path, hidden) in table {
            assert_eq!(matcher(text).excludes(path), *hidden, "{text:?} {path}");
        }
    }

    #[test]
    fn only_folders_that_can_show_something_are_entered() {
        let matcher = matcher("*\n!a/b\n!c/*/d");
        for (folder, enter) in
            [("a", true), ("x", false), ("c", true), ("c/x", true), ("a/c", false), ("a/b/c", true)]
        {
            assert_eq!(matcher.may_include_below(folder), enter, "{folder}");
        }
    }

    #[test]
    fn bad_patterns_are_errors() {
        for bad in ["!", "[", "a\n! \n"] {
            assert!(Matcher::read(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(Matcher::read(b"\xef\xbb\xbf# comment\n\nx\n").unwrap().excludes("x"));
    }
}
