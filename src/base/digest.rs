//! Digests as OCI writes them (`algorithm:hex`) and the types that keep their meanings apart.
//!
//! OCI image-spec: descriptor.md, "Digests". Registered algorithms are sha256 and sha512; others are refused.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

/// A registered digest algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, the one everybody writes.
    Sha256,
    /// SHA-512, read and verified but never chosen by us.
    Sha512,
}

impl Algorithm {
    /// The name before the colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of the hexadecimal part.
    pub fn hex_len(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }

    /// A hasher that starts empty.
    pub fn hasher(self) -> Hasher {
        match self {
            Self::Sha256 => Hasher::Sha256(sha2::Sha256::new()),
            Self::Sha512 => Hasher::Sha512(Box::new(sha2::Sha512::new())),
        }
    }
}

/// A digest whose meaning is not yet known; the newtypes of this module say what it identifies.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    hex: Box<str>,
}

/// The text is not a digest that OCI registers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid digest {text:?}: {reason}")]
pub struct InvalidDigest {
    /// What was read.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Digest {
    /// The SHA-256 digest of `bytes`.
    pub fn sha256(bytes: &[u8]) -> Self {
        let mut hasher = Algorithm::Sha256.hasher();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The algorithm that made it.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The lower-case hexadecimal part.
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// The first twelve hexadecimal digits, as people read them.
    pub fn short(&self) -> &str {
        &self.hex[..12]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let fail = |reason| Err(InvalidDigest { text: text.chars().take(200).collect(), reason });
        let Some((name, hex)) = text.split_once(':') else { return fail("no algorithm before a colon") };
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            _ => return fail("unsupported algorithm"),
        };
        if hex.len() != algorithm.hex_len() {
            return fail("wrong length");
        }
        if !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return fail("not lower-case hexadecimal");
        }
        Ok(Self { algorithm, hex: hex.into() })
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A running digest.
#[derive(Clone)]
pub enum Hasher {
    /// SHA-256 state.
    Sha256(sha2::Sha256),
    /// SHA-512 state.
    Sha512(Box<sha2::Sha512>),
}

impl Hasher {
    /// Takes more bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(h) => h.update(bytes),
            Self::Sha512(h) => h.update(bytes),
        }
    }

    /// The digest of everything taken in.
    pub fn finish(self) -> Digest {
        match self {
            Self::Sha256(h) => Digest { algorithm: Algorithm::Sha256, hex: hex::encode(h.finalize()).into() },
            Self::Sha512(h) => Digest { algorithm: Algorithm::Sha512, hex: hex::encode(h.finalize()).into() },
        }
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Algorithm::Sha256.hasher()
    }
}

/// Passes bytes through to `inner` and remembers their SHA-256 digest and count.
pub struct Sha256Writer<W> {
    inner: W,
    hasher: Hasher,
    written: u64,
}

impl<W: Write> Sha256Writer<W> {
    /// A writer in front of `inner`.
    pub fn new(inner: W) -> Self {
        Self { inner, hasher: Hasher::default(), written: 0 }
    }

    /// Bytes passed through so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The inner writer, the digest and the number of bytes.
    pub fn finish(self) -> (W, Digest, u64) {
        (self.inner, self.hasher.finish(), self.written)
    }
}

impl<W: Write> Write for Sha256Writer<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(buf)?;
        self.hasher.update(&buf[..n]);
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

macro_rules! digest_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Digest);

        impl $name {
            /// Declares what `digest` identifies.
            pub fn new(digest: Digest) -> Self {
                Self(digest)
            }

            /// The digest of `bytes`.
            pub fn of(bytes: &[u8]) -> Self {
                Self(Digest::sha256(bytes))
            }

            /// The plain digest.
            pub fn digest(&self) -> &Digest {
                &self.0
            }

            /// The hexadecimal part.
            pub fn hex(&self) -> &str {
                self.0.hex()
            }

            /// The first twelve hexadecimal digits.
            pub fn short(&self) -> &str {
                self.0.short()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidDigest;

            fn from_str(text: &str) -> Result<Self, InvalidDigest> {
                text.parse().map(Self)
            }
        }
    };
}

digest_newtype!(
    /// The digest of a blob as it is stored and transferred (of a layer: after compression).
    BlobDigest
);
digest_newtype!(
    /// The digest of a layer's uncompressed tar (OCI image-spec: config.md, "Layer DiffID").
    DiffId
);
digest_newtype!(
    /// The digest of a stack of layers (OCI image-spec: config.md, "Layer ChainID").
    ChainId
);
digest_newtype!(
    /// The digest of a manifest or of an index.
    ManifestDigest
);
digest_newtype!(
    /// The digest of an image configuration, which identifies an image whatever its compression.
    ImageId
);

impl ChainId {
    /// The chain id of `layers`, lowest first; `None` for no layers.
    pub fn of_layers<'a>(layers: impl IntoIterator<Item = &'a DiffId>) -> Option<Self> {
        layers.into_iter().fold(None, |below: Option<Self>, layer| match below {
            None => Some(Self(layer.0.clone())),
            Some(below) => Some(Self(Digest::sha256(format!("{below} {layer}").as_bytes()))),
        })
    }
}

impl From<ManifestDigest> for BlobDigest {
    /// A manifest is stored as a blob too.
    fn from(digest: ManifestDigest) -> Self {
        Self(digest.0)
    }
}

impl From<ImageId> for BlobDigest {
    /// A configuration is stored as a blob too.
    fn from(digest: ImageId) -> Self {
        Self(digest.0)
    }
}

impl From<DiffId> for BlobDigest {
    /// The blob digest of a layer that is stored without compression.
    fn from(digest: DiffId) -> Self {
        Self(digest.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_registered_lower_case_digests() {
        let text = format!("sha256:{}", "a".repeat(64));
        assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
        for bad in ["", "sha256", "sha256:ab", "md5:00", &format!("sha256:{}", "A".repeat(64))] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn chain_id_of_one_layer_is_its_diff_id() {
        let one = DiffId::of(b"1");
        let two = DiffId::of(b"2");
        assert_eq!(ChainId::of_layers([&one]).unwrap().digest(), one.digest());
        let expected = Digest::sha256(format!("{one} {two}").as_bytes());
        assert_eq!(ChainId::of_layers([&one, &two]).unwrap().digest(), &expected);
        assert_eq!(ChainId::of_layers([]), None);
    }
}
