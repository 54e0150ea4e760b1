//! What can be wrong with a layer archive.

use std::io;

/// A layer archive cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The stream underneath failed; the archive itself may be fine.
    #[error("{doing} the archive")]
    Io {
        /// `read` or `write`.
        doing: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The stream ended inside an entry or a header.
    #[error("the archive ends in the middle of {place}")]
    Truncated {
        /// What was being read.
        place: String,
    },
    /// The bytes are no tar archive, or a broken one.
    #[error("broken tar header at byte {offset}: {reason}")]
    Header {
        /// Where the header begins.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// An entry's name or link target would lead outside, cannot exist on Linux, or is reserved.
    #[error("refused entry {name:?}: {reason}")]
    Name {
        /// The name as the archive spells it, lossily decoded.
        name: String,
        /// Why it is refused.
        reason: &'static str,
    },
    /// An entry is of a kind or form that layers cannot carry.
    #[error("unsupported entry {name:?}: {reason}")]
    Unsupported {
        /// The name as the archive spells it, lossily decoded.
        name: String,
        /// What it is.
        reason: String,
    },
    /// A limit was passed; see [`super::Limits`].
    #[error("refused archive: more than {limit} {what}")]
    Limit {
        /// The limit.
        limit: u64,
        /// Of what.
        what: &'static str,
    },
    /// The content given to the writer was not as long as its entry says.
    #[error("{name:?} changed while it was being read: expected {expected} bytes, found {found}")]
    Content {
        /// The entry.
        name: String,
        /// Bytes announced.
        expected: u64,
        /// Bytes found, at least.
        found: u64,
    },
}

impl Error {
    pub(super) fn read(source: io::Error) -> Self {
        Self::Io { doing: "read", source }
    }

    pub(super) fn write(source: io::Error) -> Self {
        Self::Io { doing: "write", source }
    }
}

/// For use below an [`io::Read`]: the error travels inside and is found again by its type.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io { source, .. } => source,
            Error::Truncated { .. } => Self::new(io::ErrorKind::UnexpectedEof, error),
            other => Self::new(io::ErrorKind::InvalidData, other),
        }
    }
}
