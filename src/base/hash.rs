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
pub struct KeyHasher(blake3::Hasher);

impl KeyHasher {
    /// Starts the recipe called `recipe`, for example `"lapstrake copy v1"`.
    pub fn new(recipe: &str) -> Self {
        let mut hasher = Self(blake3::Hasher::new());
        hasher.frame(recipe.as_bytes());
        hasher
    }

    fn frame(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// Adds a named value.
    pub fn field(&mut self, tag: &str, value: impl AsRef<[u8]>) -> &mut Self {
        self.frame(tag.as_bytes());
        self.frame(value.as_ref());
        self
    }

    /// Adds a named number.
    pub fn number(&mut self, tag: &str, value: u64) -> &mut Self {
        self.field(tag, value.to_le_bytes())
    }

    /// Adds a named list, its length included.
    pub fn list<I>(&mut self, tag: &str, values: I) -> &mut Self
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
        I::IntoIter: ExactSizeIterator,
    {
        let values = values.into_iter();
        self.number(tag, values.len() as u64);
        for value in values {
            self.frame(value.as_ref());
        }
        self
    }

    /// The hash of all fields.
    pub fn finish(&self) -> ContentHash {
        ContentHash(*self.0.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_keeps_neighbours_apart() {
        let hash = |a: &str, b: &str| KeyHasher::new("t").field("x", a).field("x", b).finish();
        assert_ne!(hash("a-b", "c"), hash("a", "b-c"));
        assert_ne!(hash("", "ab"), hash("ab", ""));
        let list = |l: &[&str]| KeyHasher::new("t").list("l", l).finish();
        assert_ne!(list(&["a", "b"]), list(&["ab"]));
    }
}
