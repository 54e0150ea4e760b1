//! Taking secrets out of what is shown.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

const MASK: &[u8] = b"***";
/// Shorter values would mask ordinary text.
const SHORTEST: usize = 4;

/// The values that must never be shown.
#[derive(Debug, Default)]
pub struct Secrets(RwLock<Known>);

struct Known {
    /// Longest first, so that a secret which contains another is masked whole.
    values: Vec<Vec<u8>>,
    /// Whether a value begins with this byte: most bytes need no closer look.
    begins: [bool; 256],
}

impl Default for Known {
    fn default() -> Self {
        Self { values: Vec::new(), begins: [false; 256] }
    }
}

/// The values themselves are nobody's business.
impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} values", self.values.len())
    }
}

impl Secrets {
    /// Registers a value that was just read. Values of several lines are masked line by line as well.
    pub fn register(&self, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        let mut known = self.write();
        for part in std::iter::once(value).chain(value.split(|b| *b == b'\n')) {
            let part = part.trim_ascii();
            if part.len() >= SHORTEST && !known.values.iter().any(|value| value == part) {
                known.begins[usize::from(part[0])] = true;
                known.values.push(part.to_vec());
            }
        }
        known.values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    }

    /// `bytes` with every registered value replaced by `***`.
    pub fn redact(&self, bytes: &[u8]) -> Vec<u8> {
        self.read().mask(bytes, false).0
    }

    /// `text` with every registered value replaced by `***`.
    pub fn redact_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.redact(text.as_bytes())).into_owned()
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Masks, and says how many bytes that took. With `more` to come, an end which may be the beginning of a value is
    /// left.
    fn mask(&self, bytes: &[u8], more: bool) -> (Vec<u8>, usize) {
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let plain = rest.iter().position(|byte| self.begins[usize::from(*byte)]).unwrap_or(rest.len());
            if plain > 0 {
                out.extend_from_slice(&rest[..plain]);
                at += plain;
                continue;
            }
            match self.values.iter().find(|v| rest.starts_with(v) || (more && v.starts_with(rest))) {
                Some(value) if rest.len() < value.len() => break,
                Some(value) => {
                    out.extend_from_slice(MASK);
                    at += value.len();
                }
                None => {
                    out.push(rest[0]);
                    at += 1;
                }
            }
        }
        (out, at)
    }
}

/// A stream in which values are masked even if they arrive in pieces: an end that may be the beginning of one is held
/// back until it is clear.
#[derive(Debug, Default)]
pub(super) struct Masked {
    held: Vec<u8>,
}

impl Masked {
    /// Takes the next bytes and gives what can be shown by now.
    pub(super) fn take(&mut self, secrets: &Secrets, bytes: &[u8]) -> Vec<u8> {
        let known = secrets.read();
        if self.held.is_empty() {
            let (shown, taken) = known.mask(bytes, true);
            self.held.extend_from_slice(&bytes[taken..]);
            return shown;
        }
        self.held.extend_from_slice(bytes);
        let (shown, taken) = known.mask(&self.held, true);
        self.held.drain(..taken);
        shown
    }

    /// What was held back; nothing comes any more.
    pub(super) fn rest(&mut self, secrets: &Secrets) -> Vec<u8> {
        secrets.redact(&std::mem::take(&mut self.held))
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
        assert_eq!(format!("{secrets:?}").find("hunter"), None);
    }

    #[test]
    fn pieces_of_any_size_show_no_more_than_the_whole() {
        let secrets = Secrets::default();
        secrets.register("hunter22");
        secrets.register("hunter22-long");
        secrets.register("two\nlines");
        let text = b"h hunter2 hunter22 hunter22-lon hunter22-long two\nlines two\nlinen hunt";
        let whole = secrets.redact(text);
        for size in 1..text.len() {
            let mut masked = Masked::default();
            let mut shown = Vec::new();
            for piece in text.chunks(size) {
                shown.extend(masked.take(&secrets, piece));
            }
            shown.extend(masked.rest(&secrets));
            assert_eq!(String::from_utf8_lossy(&shown), String::from_utf8_lossy(&whole), "{size}");
        }
    }

    #[test]
    fn what_cannot_be_a_secret_is_shown_at_once() {
        let secrets = Secrets::default();
        secrets.register("hunter22");
        let mut masked = Masked::default();
        assert_eq!(masked.take(&secrets, b"Name? "), b"Name? ");
        assert_eq!(masked.take(&secrets, b"hunt"), b"");
        assert_eq!(masked.take(&secrets, b"ing"), b"hunting");
    }
}
