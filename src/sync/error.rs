//! What can go wrong with a lock server.

use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;

use crate::base::{Failure, Kind};

/// An operation on locks failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server cannot be reached, however often it was tried.
    #[error("ask the lock server {address}")]
    Unavailable {
        /// The server.
        address: String,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The server answers, but not as a lock server.
    #[error("ask the lock server {address}")]
    Refused {
        /// The server.
        address: String,
        /// What it said.
        #[source]
        source: Words,
    },
    /// The server cannot listen.
    #[error("serve locks on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The context was cancelled.
    #[error("stopped")]
    Cancelled,
}

/// A reason that is only words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Words(pub String);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Unavailable { .. } | Error::Refused { .. } => Kind::Remote,
            Error::Listen { .. } => Kind::Environment,
            Error::Cancelled => Kind::Cancelled,
        };
        Failure::of(kind, &error)
    }
}
