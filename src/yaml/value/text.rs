//! Go's string: shared bytes that are mostly UTF-8.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::Arc;

/// A Go string: immutable bytes, cheap to clone. Sprig's `trunc` or `b64dec` can make one that is not UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Arc<[u8]>);

impl Text {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, if it is valid UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The text with U+FFFD for each bad byte, as Go's conversions to runes see it.
    pub fn lossy(&self) -> Cow<'_, str> {
        lossy(&self.0)
    }

    /// Length in bytes, as Go's `len`.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Where `needle` first stands in a text; an empty one stands at its beginning.
pub fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    let Some((first, rest)) = needle.split_first() else { return Some(0) };
    let mut from = 0;
    loop {
        from += position(text.get(from..)?, *first)? + 1;
        if text[from..].starts_with(rest) {
            return Some(from - 1);
        }
    }
}

/// Where a byte first stands. Long stretches without it are passed many bytes at a time.
fn position(text: &[u8], wanted: u8) -> Option<usize> {
    const STRIDE: usize = 64;
    let clear = text
        .chunks_exact(STRIDE)
        .take_while(|chunk| !chunk.iter().fold(false, |found, b| found | (*b == wanted)));
    let from = clear.count() * STRIDE;
    text[from..].iter().position(|b| *b == wanted).map(|at| from + at)
}

/// Bytes as text with U+FFFD for each bad byte, as Go's conversions to runes see them.
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(go_lossy(bytes)),
    }
}

/// Go replaces every single bad byte, where Rust replaces maximal broken sequences.
fn go_lossy(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|_| out.push(char::REPLACEMENT_CHARACTER));
    }
    out
}

impl Default for Text {
    fn default() -> Self {
        Self(Arc::from(&[][..]))
    }
}

impl Borrow<[u8]> for Text {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Arc::from(text.as_bytes()))
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self(Arc::from(bytes))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Arc::from(text.into_bytes()))
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::from(bytes))
    }
}

impl From<Cow<'_, str>> for Text {
    fn from(text: Cow<'_, str>) -> Self {
        Self(Arc::from(text.as_bytes()))
    }
}

impl From<&Text> for Text {
    fn from(text: &Text) -> Self {
        text.clone()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lossy())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.lossy(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finding_far_and_near() {
        for length in [0, 1, 63, 64, 65, 200] {
            let text = [vec![b'x'; length], b"---".to_vec(), vec![b'x'; 70]].concat();
            assert_eq!(find(&text, b"---"), Some(length));
            assert_eq!(find(&text, b"-"), Some(length));
            assert_eq!(find(&text, b"--x"), Some(length + 1));
            assert_eq!(find(&text, b"y"), None);
        }
        assert_eq!((find(b"", b""), find(b"", b"a"), find(b"-", b"--")), (Some(0), None, None));
    }
}
