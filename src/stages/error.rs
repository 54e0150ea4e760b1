//! Errors of stage storage.

use std::path::PathBuf;

use crate::base::{Failure, Kind, StepKey};
use crate::{content, host, oci, registry};

/// A record could not be read or published.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The record of a key cannot be read.
    #[error("read the record of step {key}")]
    Read {
        /// Whose.
        key: StepKey,
        /// Why.
        #[source]
        source: host::Error,
    },
    /// The record of a key cannot be written.
    #[error("publish the record of step {key}")]
    Publish {
        /// Whose.
        key: StepKey,
        /// Why.
        #[source]
        source: host::Error,
    },
    /// The folder of records cannot be used.
    #[error("open the records")]
    Open(#[source] host::Error),
    /// A cache cannot be where it is asked for.
    #[error("use {place} as a cache")]
    Place {
        /// As written.
        place: String,
        /// Why not.
        reason: &'static str,
    },
    /// The registry that keeps records does not answer, or refuses.
    #[error("use the cache {place}")]
    Registry {
        /// The repository or tag.
        place: String,
        /// Why.
        #[source]
        source: registry::Error,
    },
    /// A folder that keeps records is not what it should be.
    #[error("use the cache in {}", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: oci::Error,
    },
    /// The blobs of a cache cannot be stored or read.
    #[error(transparent)]
    Content(#[from] content::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Read { source, .. } | Error::Publish { source, .. } | Error::Open(source) => {
                Failure::from(source).while_doing(message)
            }
            Error::Place { reason, .. } => Failure::new(Kind::Usage, message).because(reason),
            Error::Registry { source, .. } => Failure::from(source).while_doing(message),
            Error::Folder { source, .. } => Failure::from(source).while_doing(message),
            Error::Content(source) => source.into(),
        }
    }
}
