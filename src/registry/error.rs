//! What can go wrong with a registry, by what the caller can do about it.

use std::fmt;

use crate::base::{BlobDigest, Failure, Kind};
use crate::host;

/// An operation on a registry failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such repository, tag, manifest or blob.
    #[error("{0}")]
    NotFound(#[source] Box<Story>),
    /// The registry wants to know who asks, and nobody was named or the password is wrong.
    #[error("{0}")]
    Unauthorized(#[source] Box<Story>),
    /// The registry knows who asks and says no.
    #[error("{0}")]
    Denied(#[source] Box<Story>),
    /// Too many requests; waiting as the registry asked did not help.
    #[error("{0}")]
    RateLimited(#[source] Box<Story>),
    /// The registry cannot be reached, breaks connections or answers 5xx, however often it was tried.
    #[error("{0}")]
    Unavailable(#[source] Box<Story>),
    /// Nobody we trust vouches for the server, or it wants secrets over a connection that is not safe.
    #[error("{0}")]
    Untrusted(#[source] Box<Story>),
    /// The bytes are not what their digest says, however often they were asked for.
    #[error("{0}")]
    Corrupt(#[source] Box<Story>),
    /// The registry does not know this operation, or has it turned off.
    #[error("{0}")]
    Unsupported(#[source] Box<Story>),
    /// The tag exists, is immutable and stands for something else.
    #[error("{0}")]
    Conflict(#[source] Box<Story>),
    /// The manifest refers to blobs or manifests that the repository does not have (any more): push those again.
    #[error("{story}")]
    Incomplete {
        /// What happened.
        #[source]
        story: Box<Story>,
        /// Those the registry named; may be empty.
        missing: Vec<BlobDigest>,
    },
    /// The registry refused the request for another reason, or answered what is not in the specification.
    #[error("{0}")]
    Refused(#[source] Box<Story>),
    /// The sink or source of a blob failed, or a file of ours.
    #[error("{0}")]
    Local(#[source] Box<Story>),
    /// Credentials or settings of this machine are broken.
    #[error("{0}")]
    Settings(#[source] Box<Story>),
    /// `Context::cancel` was cancelled.
    #[error("stopped")]
    Cancelled,
}

/// What was being done, with whom, and why it failed. Displays as what was being done; the cause is its source's own
/// display.
#[derive(Debug)]
pub struct Story {
    /// What was being done, for example `pull manifest 127.0.0.1:5000/shop:1`.
    pub action: String,
    /// The registry's host.
    pub host: String,
    /// Why.
    pub cause: Cause,
}
