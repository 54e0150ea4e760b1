//! Errors of repositories. Where Helm has words for it, they are Helm's.

use crate::base::{Failure, Kind};
use crate::{chart, host, registry};

/// Why something could not be had from a repository, or put there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such repository, chart or version.
    #[error("{0}")]
    Missing(String),
    /// What was given or read cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// A server did not answer, or not as it should.
    #[error("{0}")]
    Remote(String),
    /// A file of this machine cannot be read or written.
    #[error("{action}")]
    Local {
        /// What was being done.
        action: String,
        /// Why it failed.
        #[source]
        source: host::Error,
    },
    /// A registry said no.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// What was fetched is no chart.
    #[error(transparent)]
    Chart(#[from] chart::Error),
}

impl Error {
    /// A failed operation on a file.
    pub(super) fn local(action: impl Into<String>) -> impl FnOnce(host::Error) -> Self {
        let action = action.into();
        move |source| Self::Local { action, source }
    }

    /// Says in front what was being done.
    #[must_use]
    pub fn within(self, words: &str) -> Self {
        match self {
            Self::Missing(text) => Self::Missing(format!("{words}{text}")),
            Self::Invalid(text) => Self::Invalid(format!("{words}{text}")),
            Self::Remote(text) => Self::Remote(format!("{words}{text}")),
            other => other,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Registry(error) => error.into(),
            Error::Chart(error) => error.into(),
            Error::Remote(_) => Failure::of(Kind::Remote, &error),
            Error::Local { .. } => Failure::of(Kind::Environment, &error),
            Error::Missing(_) | Error::Invalid(_) => Failure::of(Kind::Input, &error),
        }
    }
}
