//! What can go wrong with the store, by what can be done about it.

use std::io;
use std::path::PathBuf;

use crate::base::{BlobDigest, Digest, Failure, Kind, Reference};
use crate::{host, oci};

/// An operation on the content store failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused; the message names the file.
    #[error(transparent)]
    Files(#[from] host::Error),
    /// No room, or the quota is used up.
    #[error("write to the content store on the file system {}", .mount.display())]
    DiskFull {
        /// Where the full file system is mounted.
        mount: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// The store may only be read.
    #[error("the content store {} is read-only", .root.display())]
    ReadOnly {
        /// The store.
        root: PathBuf,
    },
    /// A newer version of this program made the store.
    #[error("the content store {} has version {found:?}, this program knows version {known}", .root.display())]
    NewerVersion {
        /// The store.
        root: PathBuf,
        /// What its version file says.
        found: String,
        /// The version known here.
        known: u32,
    },
    /// There is no store.
    #[error("there is no content store at {}", .root.display())]
    NoStore {
        /// Where one was looked for.
        root: PathBuf,
    },
    /// The blob is not there; pull or build it again.
    #[error("blob {digest} is not in the content store")]
    NotFound {
        /// The blob.
        digest: BlobDigest,
    },
    /// No image has the name.
    #[error("no image {} in the content store", .reference.familiar())]
    NoImage {
        /// The name.
        reference: Box<Reference>,
    },
    /// A file of the store is not what it was when it was written.
    #[error("{what} in the content store is damaged")]
    Damaged {
        /// Which part.
        what: String,
        /// What is wrong with it.
        #[source]
        reason: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was received is not what was asked for.
    #[error("receive blob {expected}: the data has digest {actual}")]
    WrongDigest {
        /// What was asked for.
        expected: BlobDigest,
        /// What came.
        actual: Digest,
    },
    /// What was received is longer or shorter than said.
    #[error("receive blob {digest}: {actual} bytes came instead of {expected}")]
    WrongSize {
        /// The blob.
        digest: BlobDigest,
        /// Bytes that were announced.
        expected: u64,
        /// Bytes that came.
        actual: u64,
    },
    /// The blob is larger than what is asked for can be.
    #[error("blob {digest} is larger than {limit} bytes")]
    TooLarge {
        /// The blob.
        digest: BlobDigest,
        /// The limit.
        limit: u64,
    },
    /// The stream that was to be stored failed.
    #[error("read what is to be stored")]
    Input {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An image in the store cannot be understood.
    #[error(transparent)]
    Image(#[from] oci::Error),
    /// The index database failed, even after it was made anew.
    #[error("{action} in the index database {}", .path.display())]
    Database {
        /// What was being done.
        action: &'static str,
        /// The database.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The user or the system asked to stop.
    #[error("stopped")]
    Cancelled,
}

impl Error {
    /// The error of a file operation in the store: `DiskFull` where that is the reason.
    pub(super) fn of(error: host::Error) -> Self {
        let full = matches!(error.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        if full {
            let mount = super::disk::mount_point(&error.path);
            return Self::DiskFull { mount, source: error.source };
        }
        Self::Files(error)
    }

    /// As an error of a stream, for writers behind [`io::Write`]; [`Error::from_stream`] gives it back.
    pub(super) fn into_stream(self) -> io::Error {
        let kind = match &self {
            Self::DiskFull { source, .. } => source.kind(),
            Self::Files(error) => error.source.kind(),
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, self)
    }

    /// The store's own error if it caused `error`, else `Input` with it: for errors of a copy into the store, where
    /// either side may have failed.
    pub fn from_stream(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(source) => Self::Input { source },
        }
    }

    /// The manifest, configuration or file `what` is damaged for `reason`.
    pub(super) fn damaged(
        what: impl Into<String>,
        reason: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Damaged { what: what.into(), reason: reason.into() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let of = |kind| {
            let failure = Failure::of(kind, &error);
            match oci::compress::limit_hint(&error) {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        };
        match error {
            Error::Files(error) => error.into(),
            Error::Image(error) => error.into(),
            Error::DiskFull { ref mount, .. } => of(Kind::Environment).hint(format!(
                "free space on {}, for example with `lap image prune`, or move the store with LAP_HOME",
                mount.display()
            )),
            Error::ReadOnly { .. } => of(Kind::Environment).hint("choose a writable place with LAP_HOME"),
            Error::NewerVersion { .. } => {
                of(Kind::Environment).hint("use the newer program, or another place with LAP_HOME")
            }
            Error::Damaged { .. } => of(Kind::Environment).hint(
                "`lap image check --repair` removes what is damaged; pull or build it again after that",
            ),
            Error::Database { .. } => of(Kind::Environment)
                .hint("the database can be deleted at any time: it is made anew from the blobs"),
            Error::NoImage { .. } => of(Kind::Input).hint("`lap image ls` lists the images there are"),
            Error::NoStore { .. } => of(Kind::Environment).hint("LAP_HOME says where the store is"),
            Error::NotFound { .. } | Error::TooLarge { .. } | Error::Input { .. } => of(Kind::Input),
            Error::WrongDigest { .. } | Error::WrongSize { .. } => of(Kind::Remote),
            Error::Cancelled => of(Kind::Cancelled),
        }
    }
}
