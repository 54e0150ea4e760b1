//! Errors of the door: what was being done, to which path, and why it failed.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::{Failure, Kind};

/// An operation on a path failed.
#[derive(Debug, thiserror::Error)]
#[error("{action} {}", .path.display())]
pub struct Error {
    /// What was being done, for example `read`.
    pub action: &'static str,
    /// To what.
    pub path: PathBuf,
    /// Why it failed.
    #[source]
    pub source: io::Error,
}

impl Error {
    /// An error of `action` on `path`.
    pub fn new(action: &'static str, path: impl AsRef<Path>, source: impl Into<io::Error>) -> Self {
        Self { action, path: path.as_ref().to_owned(), source: source.into() }
    }

    /// Whether the file system is full or the user's quota used up.
    pub fn is_disk_full(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        )
    }

    /// Whether the path exists and should not.
    pub fn is_already_there(&self) -> bool {
        self.source.kind() == io::ErrorKind::AlreadyExists
    }

    /// Whether the path does not exist.
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = Failure::of(Kind::Environment, &error);
        match error.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => failure.hint(format!(
                "free space on the file system that holds {}, for example with `lap image prune`, or move the store \
                 with LAP_HOME",
                error.path.display()
            )),
            io::ErrorKind::ReadOnlyFilesystem => failure
                .hint("the file system is read-only: choose a writable place for the store with LAP_HOME"),
            _ => failure,
        }
    }
}
