//! Compression of layers: reading whatever others write, writing the same bytes every time.
//!
//! - Gzip is written by libdeflate as independent members of exactly 1 MiB of input each. Members are compressed in
//!   parallel; the bytes depend on the input, the level and the library's version, never on how the input was cut
//!   into writes or on the number of threads. (A streaming deflate with other write sizes gives other bytes.)
//! - Zstd is written in its multi-thread mode, always: its single-thread mode gives other bytes.
//! - Reading takes gzip of many members, zstd of many frames with skippable ones between, and zeros at the end, which
//!   some tools leave as padding. Anything else after the end is an error.

mod gzip;
mod layer;
mod limit;
mod read;
mod write;

use std::fmt;
use std::str::FromStr;

use crate::oci::media;

pub use layer::{Layer, LayerWriter};
pub use limit::{AtMost, TooLarge, at_most, limit_hint};
pub use read::{Decompress, decompress};
pub use write::Compressor;

/// How a layer is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// As it is.
    None,
    /// Gzip of a level from 0 to 12 (libdeflate's scale; 1 to 9 are near zlib's).
    Gzip(u8),
    /// Zstd of a level from 1 to 22.
    Zstd(u8),
}

impl Default for Compression {
    fn default() -> Self {
        Self::Gzip(6)
    }
}

/// The text is not a compression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid compression {text:?}: write `none`, `gzip[:0-12]` or `zstd[:1-22]`")]
pub struct InvalidCompression {
    /// What was read.
    pub text: String,
}

impl Compression {
    /// What made the bytes: library, version, level, block size. Equal ids and equal input give equal bytes; it is
    /// recorded with a layer so that another compressor's result is never taken for this one's.
    pub fn compressor(self) -> String {
        match self {
            Self::None => "none".into(),
            Self::Gzip(level) => format!("gzip:libdeflate-{}:{level}:1MiB", gzip::LIBRARY_VERSION),
            Self::Zstd(level) => format!("zstd:{}:{level}:mt", zstd::zstd_safe::version_string()),
        }
    }

    /// The OCI media type of a layer written so.
    pub fn layer_media_type(self) -> &'static str {
        self.kind().layer_media_type()
    }

    /// The format, without level.
    pub fn kind(self) -> Kind {
        match self {
            Self::None => Kind::Plain,
            Self::Gzip(_) => Kind::Gzip,
            Self::Zstd(_) => Kind::Zstd,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Gzip(level) => write!(f, "gzip:{level}"),
            Self::Zstd(level) => write!(f, "zstd:{level}"),
        }
    }
}

impl FromStr for Compression {
    type Err = InvalidCompression;

    fn from_str(text: &str) -> Result<Self, InvalidCompression> {
        let invalid = || InvalidCompression { text: text.chars().take(100).collect() };
        let (name, level) = match text.split_once(':') {
            Some((name, level)) => (name, Some(level.parse::<u8>().map_err(|_| invalid())?)),
            None => (text, None),
        };
        match (name, level) {
            ("none" | "uncompressed", None) => Ok(Self::None),
            ("gzip", level) if level.unwrap_or(6) <= 12 => Ok(Self::Gzip(level.unwrap_or(6))),
            ("zstd", level) if (1..=22).contains(&level.unwrap_or(3)) => Ok(Self::Zstd(level.unwrap_or(3))),
            _ => Err(invalid()),
        }
    }
}

/// How bytes are compressed, seen from their beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Not compressed, or in a way that is not known.
    Plain,
    /// Gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
}

impl Kind {
    /// Looks at the first bytes; four are enough.
    pub fn sniff(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame, or a skippable frame in front of one.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }

    /// The OCI media type of a layer compressed so.
    pub fn layer_media_type(self) -> &'static str {
        match self {
            Self::Plain => media::OCI_LAYER,
            Self::Gzip => media::OCI_LAYER_GZIP,
            Self::Zstd => media::OCI_LAYER_ZSTD,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressions_as_text() {
        for (text, normal) in
            [("gzip", "gzip:6"), ("gzip:12", "gzip:12"), ("zstd", "zstd:3"), ("uncompressed", "none")]
        {
            let compression: Compression = text.parse().unwrap();
            assert_eq!(compression.to_string(), normal);
            assert_eq!(normal.parse(), Ok(compression));
        }
        for bad in ["", "gzip:13", "zstd:0", "zstd:23", "none:1", "xz", "gzip:", "gzip:-1"] {
            assert!(bad.parse::<Compression>().is_err(), "{bad}");
        }
    }

    #[test]
    fn compressor_names_the_library_that_is_linked() {
        let lock = include_str!("../../../Cargo.lock");
        let entry = format!("name = \"libdeflate-sys\"\nversion = \"{}.", gzip::LIBRARY_VERSION);
        assert!(lock.contains(&entry), "set gzip::LIBRARY_VERSION to the version of libdeflate-sys");
    }
}
