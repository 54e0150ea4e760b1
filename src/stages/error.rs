//! Errors of stage storage.

use crate::base::{Failure, StepKey};
use crate::host;

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
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Read { source, .. } | Error::Publish { source, .. } | Error::Open(source) => {
                Failure::from(source).while_doing(message)
            }
        }
    }
}
