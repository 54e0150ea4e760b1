//! What was rendered: texts whose parts share their bytes, for the same text is a file, a document and output.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::yaml::lossy;

/// A rendered text, or a part of one. Cloning and parting copy nothing.
#[derive(Clone, Default)]
pub struct Rendered {
    whole: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl Rendered {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.whole.get(self.range.clone()).unwrap_or_default()
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// The text with U+FFFD for each bad byte.
    pub fn lossy(&self) -> Cow<'_, str> {
        lossy(self.as_bytes())
    }

    /// A part of it; what lies outside is left out.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let at = |n: usize| self.range.start + n.min(self.len());
        Self { whole: Arc::clone(&self.whole), range: at(range.start)..at(range.end.max(range.start)) }
    }

    /// It without what `trim` takes off its beginning.
    #[must_use]
    pub fn trimmed_start(&self, trim: fn(&[u8]) -> &[u8]) -> Self {
        let left = trim(self.as_bytes()).len();
        self.part(self.len() - left..self.len())
    }

    /// It without what `trim` takes off its end.
    #[must_use]
    pub fn trimmed_end(&self, trim: fn(&[u8]) -> &[u8]) -> Self {
        self.part(0..trim(self.as_bytes()).len())
    }
}

impl From<Vec<u8>> for Rendered {
    fn from(mut bytes: Vec<u8>) -> Self {
        bytes.shrink_to_fit();
        Self { range: 0..bytes.len(), whole: Arc::new(bytes) }
    }
}

impl From<&[u8]> for Rendered {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl From<String> for Rendered {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<&str> for Rendered {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl fmt::Display for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lossy())
    }
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.lossy(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_share_and_stay_inside() {
        let whole = Rendered::from("  some words ");
        let words = whole.trimmed_start(<[u8]>::trim_ascii_start).trimmed_end(<[u8]>::trim_ascii_end);
        assert_eq!((words.to_string(), words.len()), ("some words".to_owned(), 10));
        assert!(std::ptr::eq(&raw const whole.as_bytes()[2], words.as_bytes().as_ptr()));
        assert_eq!(words.part(5..8).to_string(), "wor");
        assert_eq!(words.part(5..80).part(2..3).to_string(), "r");
        #[allow(clippy::reversed_empty_ranges, reason = "a range that a caller got wrong")]
        let wrong = words.part(8..2);
        assert!(words.part(80..90).is_empty() && wrong.is_empty() && Rendered::default().is_empty());
        assert_eq!(Rendered::from(&b"a\xff\xfe"[..]).to_string(), "a\u{fffd}\u{fffd}");
    }
}
