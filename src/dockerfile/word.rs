//! A piece of text with the place it was written at.

use std::fmt;

use crate::base::Span;

/// Text of a Dockerfile with its place.
///
/// `text` is what the language makes of the source: continuations are joined, JSON escapes are decoded, quotes and
/// variables are still there. The span covers the source bytes it came from. Two words are equal when their texts are:
/// the place does not count, so that trees of differently laid out files can be compared.
#[derive(Clone)]
pub struct Word {
    /// The text.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

impl Word {
    /// A word at a place.
    pub fn new(text: impl Into<String>, span: Span) -> Self {
        Self { text: text.into(), span }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Word {}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = self.span.range();
        write!(f, "{:?}@{}..{}", self.text, range.start, range.end)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
