//! What can go wrong with repositories.

use std::error::Error as _;

use crate::base::{Failure, Kind};
use crate::host;

/// An operation on a repository failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused.
    #[error(transparent)]
    Host(#[from] host::Error),
    /// A branch, tag or commit that is not there.
    #[error("find {name:?} in {remote}")]
    NoReference {
        /// As it was asked for.
        name: String,
        /// Where.
        remote: String,
        /// One that is there and is written nearly so.
        near: Option<String>,
        /// Why, if there is more to say.
        reason: Option<String>,
    },
    /// The commit is another one than was asked for.
    #[error("expected checksum to match {expected}, got {actual}")]
    WrongCommit {
        /// Asked for.
        expected: String,
        /// Found.
        actual: String,
    },
    /// A tree that no honest Git makes, or a submodule nobody can have.
    #[error("write the tree of commit {commit}: {reason}")]
    Tree {
        /// Which.
        commit: String,
        /// What is wrong.
        reason: String,
    },
    /// The remote, or a file of a repository.
    #[error("{doing}")]
    Git {
        /// What was being done.
        doing: String,
        /// Why it failed.
        reason: String,
    },
    /// A repository that no project can be read from as it is.
    #[error("read the repository of {}", place.display())]
    Unusable {
        /// Which.
        place: std::path::PathBuf,
        /// Why.
        reason: String,
        /// What can be done.
        hint: String,
    },
    /// Somebody asked to stop.
    #[error("stopped")]
    Cancelled,
}

impl Error {
    pub(super) fn git(doing: impl Into<String>, error: gix::Error) -> Self {
        Self::Git { doing: doing.into(), reason: words(&error) }
    }
}

/// An error with its causes, each once.
pub(super) fn words(error: &gix::Error) -> String {
    let mut words: Vec<String> = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !text.is_empty() && !words.iter().any(|known| known.contains(&text)) {
            words.push(text);
        }
        next = cause.source();
    }
    words.join(": ")
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Host(error) => error.into(),
            Error::NoReference { near, reason, .. } => {
                let failure = Failure::new(Kind::Input, message);
                let failure = match reason {
                    Some(reason) => failure.because(reason),
                    None => failure.because("the repository has no such branch, tag or commit"),
                };
                match near {
                    Some(near) => failure.hint(format!("did you mean {near}?")),
                    None => failure,
                }
            }
            Error::WrongCommit { .. } | Error::Tree { .. } => Failure::new(Kind::Input, message),
            Error::Git { reason, .. } => Failure::new(Kind::Remote, message).because(reason),
            Error::Unusable { reason, hint, .. } => {
                Failure::new(Kind::Environment, message).because(reason).hint(hint)
            }
            Error::Cancelled => Failure::new(Kind::Cancelled, message),
        }
    }
}
