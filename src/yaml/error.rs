//! Errors of reading and writing YAML and JSON, with the reference library's words.

use crate::base::{Failure, Kind};

/// Why a document could not be read or written. The text is what go-yaml or encoding/json would say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is not YAML, or means something JSON cannot hold.
    #[error("error converting YAML to JSON: {text}")]
    Yaml {
        /// go-yaml's message.
        text: String,
        /// 1-based line, where the library knows one.
        line: Option<usize>,
    },
    /// The document is of another type than was asked for.
    #[error("error unmarshaling JSON: while decoding JSON: {0}")]
    Type(String),
    /// The text is not JSON.
    #[error("{0}")]
    Json(String),
    /// The value cannot be written.
    #[error("{0}")]
    Write(String),
}

impl Error {
    /// The 1-based line where the text is wrong, if one is known.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Yaml { line, .. } => *line,
            Self::Type(_) | Self::Json(_) | Self::Write(_) => None,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::of(Kind::Config, &error)
    }
}
