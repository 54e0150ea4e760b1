//! Taking secrets out of what is shown.

use std::sync::RwLock;

const MASK: &[u8] = b"***";
/// Shorter values would mask ordinary text.
const SHORTEST: usize = 4;

/// The values that must never be shown.
#[derive(Debug, Default)]
pub struct Secrets(RwLock<Vec<Vec<u8>>>);

impl Secrets {
    /// Registers a value that was just read. Values of several lines are masked line by line as well.
    pub fn register(&self, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        let mut list = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for part in std::iter::once(value).chain(value.split(|b| *b == b'\n')) {
            let part = part.trim_ascii();
            if part.len() >= SHORTEST && !list.iter().any(|known| known == part) {
                list.push(part.to_vec());
            }
        }
        // Longest first, so that a secret which contains another is masked whole.
        list.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// `bytes` with every registered value replaced by `***`.
    pub fn redact(&self, bytes: &[u8]) -> Vec<u8> {
        let list = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut out = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        'next: while let Some(&first) = rest.first() {
            for secret in list.iter() {
                if rest.starts_with(secret) {
                    out.extend_from_slice(MASK);
                    rest = &rest[secret.len()..];
                    continue 'next;
                }
            }
            out.push(first);
            rest = &rest[1..];
        }
        out
    }

    /// `text` with every registered value replaced by `***`.
    pub fn redact_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.redact(text.as_bytes())).into_owned()
    }

    /// Length of the longest registered value, so that a stream can hold back enough to never cut one.
    pub fn longest(&self) -> usize {
        let list = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        list.first().map_or(0, Vec::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_whole_values_and_their_lines() {
        let secrets = Secrets::default();
        secrets.register("hunter22");
        secrets.register("hunter22-long");
        secrets.register("line one\nline two\n");
        assert_eq!(secrets.redact_text("a hunter22-long b hunter22 c"), "a *** b *** c");
        assert_eq!(secrets.redact_text("x line two y"), "x *** y");
        assert_eq!(secrets.redact_text("nothing"), "nothing");
    }
}
