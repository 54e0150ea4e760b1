//! Keys that stand again and again in a text share their bytes.

use crate::yaml::Text;

/// How many keys are remembered, by their hash.
const REMEMBERED: usize = 256;
/// Longer keys hardly come again.
const LONG: usize = 32;
/// Texts with fewer keys are not worth the table.
const SHORT_TEXT: usize = 32;

/// The latest keys of a text.
#[derive(Default)]
pub(super) struct Keys {
    count: usize,
    latest: Vec<Text>,
}

impl Keys {
    /// A key's text: the same in memory as that of an equal key shortly before.
    pub fn text(&mut self, key: &str) -> Text {
        self.count += 1;
        if self.count < SHORT_TEXT || key.len() > LONG {
            return key.into();
        }
        if self.latest.is_empty() {
            self.latest = vec![Text::default(); REMEMBERED];
        }
        let hash =
            key.bytes().fold(0xcbf2_9ce4_u32, |hash, b| (hash ^ u32::from(b)).wrapping_mul(0x0100_0193));
        let slot = &mut self.latest[(hash ^ hash >> 15) as usize % REMEMBERED];
        if slot.as_bytes() != key.as_bytes() {
            *slot = key.into();
        }
        slot.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_of_a_long_text_are_one() {
        let mut keys = Keys::default();
        let shared = |keys: &mut Keys, key: &str| {
            let (a, b) = (keys.text(key), keys.text(key));
            assert_eq!((a.as_bytes(), b.as_bytes()), (key.as_bytes(), key.as_bytes()));
            a.as_bytes().as_ptr() == b.as_bytes().as_ptr()
        };
        assert!(!shared(&mut keys, "first"));
        for n in 0..2000 {
            let long = 2 * n + 3 >= SHORT_TEXT;
            assert_eq!(shared(&mut keys, &format!("key-{n}")), long, "{n}");
        }
        assert!(!shared(&mut keys, &"x".repeat(LONG + 1)));
    }
}
