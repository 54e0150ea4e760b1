//! Content hashing with framing: what a key is made of.
//!
//! Every field is written as tag length, tag, value length, value, so that no two different inputs give the same
//! bytes (joining `a-b` + `c` and `a` + `b-c` is the classic collision of build caches). The first field is the name
//! and version of the recipe: changing what enters a hash means changing its version.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A 256-bit hash of framed inputs. Not an OCI digest: it never leaves as one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// The hash of plain bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Wraps a finished hash.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContentHash {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl Serialize for ContentHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The hash that decides whether a step must run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepKey(ContentHash);

impl StepKey {
    /// Declares that `hash` decides about a step.
    pub fn new(hash: ContentHash) -> Self {
        Self(hash)
    }

    /// The plain hash.
    pub fn hash(&self) -> &ContentHash {
        &self.0
    }
}

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StepKey({})", self.0)
    }
}

/// Collects framed fields.
#[derive(Clone)]
pub struct KeyHasher {
    hasher: blake3::Hasher,
    /// What was hashed, if somebody wants to know.
    trace: Option<Vec<Hashed>>,
}

/// A field that entered a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashed {
    /// Its name.
    pub tag: String,
    /// Its values as bytes: one, or those of a list; a number is written in decimal.
    pub values: Vec<Vec<u8>>,
}

impl KeyHasher {
    /// Starts the recipe called `recipe`, for example `"lapstrake copy v1"`.
    pub fn new(recipe: &str) -> Self {
        let mut hasher = Self { hasher: blake3::Hasher::new(), trace: None };
        hasher.frame(recipe.as_bytes());
        hasher
    }

    /// The same, remembering what is hashed: what explains a key is what makes it.
    pub fn traced(recipe: &str) -> Self {
        Self { trace: Some(Vec::new()), ..Self::new(recipe) }
    }

    /// What was hashed since [`KeyHasher::traced`].
    pub fn into_trace(self) -> Vec<Hashed> {
        self.trace.unwrap_or_default()
    }

    fn frame(&mut self, bytes: &[u8]) {
        self.hasher.update(&(bytes.len() as u64).to_le_bytes());
        self.hasher.update(bytes);
    }

    fn remember(&mut self, tag: &str, values: impl FnOnce() -> Vec<Vec<u8>>) {
        if let Some(trace) = &mut self.trace {
            trace.push(Hashed { tag: tag.to_owned(), values: values() });
        }
    }

    /// Adds a named value.
    pub fn field(&mut self, tag: &str, value: impl AsRef<[u8]>) -> &mut Self {
        let value = value.as_ref();
        self.remember(tag, || vec![value.to_vec()]);
        self.frame(tag.as_bytes());
        self.frame(value);
        self
    }

    /// Adds a named number.
    pub fn number(&mut self, tag: &str, value: u64) -> &mut Self {
        self.remember(tag, || vec![value.to_string().into_bytes()]);
        self.frame(tag.as_bytes());
        self.frame(&value.to_le_bytes());
        self
    }

    /// Adds a named list, its length included.
    pub fn list<I>(&mut self, tag: &str, values: I) -> &mut Self
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
        I::IntoIter: ExactSizeIterator,
    {
        let values = values.into_iter();
        self.frame(tag.as_bytes());
        self.frame(&(values.len() as u64).to_le_bytes());
        let mut seen = Vec::new();
        for value in values {
            self.frame(value.as_ref());
            if self.trace.is_some() {
                seen.push(value.as_ref().to_vec());
            }
        }
        self.remember(tag, || seen);
        self
    }

    /// The hash of all fields.
    pub fn finish(&self) -> ContentHash {
        ContentHash(*self.hasher.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_changes_no_hash_and_says_what_was_hashed() {
        let fill = |mut hasher: KeyHasher| {
            hasher.field("a", "x").number("n", 7).list("l", ["1", "2"]);
            hasher
        };
        let (plain, traced) = (fill(KeyHasher::new("t")), fill(KeyHasher::traced("t")));
        assert_eq!(plain.finish(), traced.finish());
        assert!(plain.into_trace().is_empty());
        let said: Vec<_> = traced.into_trace().into_iter().map(|h| (h.tag, h.values.concat())).collect();
        assert_eq!(
            said,
            [("a", b"x".to_vec()), ("n", b"7".to_vec()), ("l", b"12".to_vec())]
                .map(|(t, v)| (t.to_owned(), v))
        );
    }

    #[test]
    fn framing_keeps_neighbours_apart() {
        let hash = |a: &str, b: &str| KeyHasher::new("t").field("x", a).field("x", b).finish();
        assert_ne!(hash("a-b", "c"), hash("a", "b-c"));
        assert_ne!(hash("", "ab"), hash("ab", ""));
        let list = |l: &[&str]| KeyHasher::new("t").list("l", l).finish();
        assert_ne!(list(&["a", "b"]), list(&["ab"]));
    }
}
