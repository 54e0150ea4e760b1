//! What can be wrong with an image, seen from whoever reads or writes it.

use std::io;

use crate::base::{Failure, Kind};

/// Reading or writing of a part of an image failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not what they should be; get the image again or from elsewhere.
    #[error("read {what}")]
    Malformed {
        /// Which part of the image.
        what: String,
        /// What is wrong.
        #[source]
        reason: Reason,
    },
    /// It is a format that is not supported; convert the image.
    #[error("{what} is not supported: {reason}")]
    Unsupported {
        /// Which format.
        what: String,
        /// Why, and what to do.
        reason: &'static str,
    },
    /// It is larger than anything of its kind should be.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// Which part of the image.
        what: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The image exists, but not for this platform.
    #[error("no image for {wanted}")]
    NoPlatform {
        /// The platform asked for.
        wanted: String,
        /// The platforms there are.
        available: Vec<String>,
    },
    /// The archive does not hold what was asked for.
    #[error("{what} is not in the archive")]
    Missing {
        /// What was looked for.
        what: String,
    },
    /// The stream below failed.
    #[error("{action}")]
    Stream {
        /// What was being done.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

/// Why something is malformed.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// Not JSON, or JSON of another shape.
    #[error("not valid JSON of this kind")]
    Json(#[from] serde_json::Error),
    /// It breaks a rule that JSON cannot express.
    #[error("{0}")]
    Rule(String),
}

impl Error {
    /// `what` breaks the rule that `rule` states.
    pub fn malformed(what: impl Into<String>, rule: impl Into<String>) -> Self {
        Self::Malformed { what: what.into(), reason: Reason::Rule(rule.into()) }
    }

    pub(super) fn json(what: impl Into<String>, source: serde_json::Error) -> Self {
        Self::Malformed { what: what.into(), reason: Reason::Json(source) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = Failure::of(Kind::Input, &error);
        match error {
            Error::NoPlatform { available, .. } if available.is_empty() => {
                failure.hint("the index lists no image at all")
            }
            Error::NoPlatform { available, .. } => {
                failure.hint(format!("choose one of the platforms it has: {}", available.join(", ")))
            }
            _ => failure,
        }
    }
}
