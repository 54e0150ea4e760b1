//! Expansion of words: quotes, escapes, `$name`, `${name…}` with all modifiers, and splitting.
//!
//! Follows BuildKit's `frontend/dockerfile/shell` (measured, oddities included).

mod pattern;
mod words;

use std::collections::BTreeSet;

use crate::dockerfile::{Error, Escape, Problem, Word};

/// Where values of variables come from: `None` means unset.
pub type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What came out of an expansion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// The text as one word (BuildKit's `ProcessWord`).
    pub text: String,
    /// The text split at blanks outside quotes, also at blanks that came from variables (`ProcessWords`).
    pub words: Vec<String>,
    /// Variables that were looked up and set.
    pub matched: BTreeSet<String>,
    /// Variables that were looked up and not set.
    pub unmatched: BTreeSet<String>,
}

/// Expands words with one escape character.
#[derive(Clone, Copy, Debug)]
pub struct Expander {
    escape: char,
    raw_quotes: bool,
    raw_escapes: bool,
    skip_quotes: bool,
    keep_unset: bool,
}

impl Expander {
    /// Ordinary expansion: quotes and escapes are removed, unset variables are empty.
    pub fn new(escape: Escape) -> Self {
        Self {
            escape: escape.char(),
            raw_quotes: false,
            raw_escapes: false,
            skip_quotes: false,
            keep_unset: false,
        }
    }

    /// Expansion of heredoc bodies of `COPY` and `ADD`: quotes are ordinary letters, the escape character is always `\`
    /// (it removes itself, wherever it stands).
    pub fn body() -> Self {
        Self { skip_quotes: true, ..Self::new(Escape::Backslash) }
    }

    /// For the name of a heredoc.
    pub(super) fn heredoc_name() -> Self {
        Self { keep_unset: true, ..Self::new(Escape::Backslash) }
    }

    /// For a line that may declare heredocs.
    pub(super) fn heredoc_line() -> Self {
        Self { keep_unset: true, raw_quotes: true, raw_escapes: true, ..Self::new(Escape::Backslash) }
    }

    /// The same, but quotes stay in the text.
    #[must_use]
    pub fn keep_quotes(self) -> Self {
        Self { raw_quotes: true, ..self }
    }

    /// The same, but escapes stay in the text.
    #[must_use]
    pub fn keep_escapes(self) -> Self {
        Self { raw_escapes: true, ..self }
    }

    /// The same, but unset variables stay as they are written. Used for texts that are only shown.
    #[must_use]
    pub fn keep_unset(self) -> Self {
        Self { keep_unset: true, ..self }
    }

    /// Expands a text.
    ///
    /// # Errors
    /// [`Error::Expand`] without place: unbalanced quotes, a bad `${…}`, a required variable that is missing.
    pub fn text(&self, text: &str, env: &Lookup<'_>) -> Result<Expansion, Error> {
        self.run(text, env).map_err(|problem| Error::Expand { text: text.to_owned(), span: None, problem })
    }

    /// Expands a word of a Dockerfile.
    ///
    /// # Errors
    /// As [`Expander::text`], with the word's place.
    pub fn word(&self, word: &Word, env: &Lookup<'_>) -> Result<Expansion, Error> {
        self.text(&word.text, env).map_err(|error| error.at(&word.span))
    }

    pub(super) fn run(&self, text: &str, env: &Lookup<'_>) -> Result<Expansion, Problem> {
        words::expand(*self, text, env)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        let value = match name {
            "A" => "a.b.c",
            "S" => "x y",
            "E" => "",
            "P" => "/usr/lib/x.so",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn word(text: &str) -> String {
        match Expander::new(Escape::Backslash).text(text, &env) {
            Ok(expansion) => expansion.text,
            Err(error) => format!("error: {}", error.problem()),
        }
    }

    #[test]
    fn values_and_defaults() {
        let cases = [
            ("$A-${A}", "a.b.c-a.b.c"),
            ("'$A' \"$A\" \\$A", "$A a.b.c $A"),
            ("${U:-d}${E:-d}${E-d}", "dd"),
            ("${U:+d}${E:+d}${E+d}", "d"),
            ("${U:?no}", "error: U: no"),
            ("${E:?}", "error: E: is not allowed to be empty"),
            ("${U:-${A}x}", "a.b.cx"),
            ("$1x$@", "x"),
            ("a$", "a$"),
            ("${}", "error: syntax error: bad substitution"),
            ("${A", "error: unsupported modifier (\u{FFFD}) in substitution"),
            ("'a", "error: unexpected end of statement while looking for matching single-quote"),
        ];
        for (text, expected) in cases {
            assert_eq!(word(text), expected, "{text}");
        }
    }

    #[test]
    fn patterns() {
        let cases = [
            ("${A#*.}", "b.c"),
            ("${A##*.}", "c"),
            ("${A%.*}", "a.b"),
            ("${A%%.*}", "a"),
            ("${A/./-}", "a-b.c"),
            ("${A//./-}", "a-b-c"),
            ("${A//?/x}", "xxxxx"),
            ("${P#/usr/}", "lib/x.so"),
            ("${P//\\//_}", "_usr_lib_x.so"),
            ("${A:#x}", "error: unsupported modifier (:#) in substitution"),
        ];
        for (text, expected) in cases {
            assert_eq!(word(text), expected, "{text}");
        }
    }

    #[test]
    fn splitting_and_names() {
        let expansion = Expander::new(Escape::Backslash).text("$S \"$S\" p\\ q $U", &env).expect("valid");
        assert_eq!(expansion.words, ["x", "y", "x y", "p q"]);
        assert!(expansion.matched.contains("S") && expansion.unmatched.contains("U"));
    }

    #[test]
    fn depth_is_limited() {
        let text = "${U:-".repeat(10_000);
        assert_eq!(word(&text), format!("error: {}", Problem::TooDeep));
    }
}
