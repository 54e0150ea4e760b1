//! Errors of charts. Their words are Helm's, because people and programs search for them.

use crate::base::{Failure, Kind};
use crate::template::Frame;

/// What is wrong with a chart or with what was given for it. Displays as Helm would say it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The files are no chart, or a file of the chart is wrong.
    #[error("{0}")]
    Chart(String),
    /// The values given by the user are wrong, or do not fit the chart.
    #[error("{0}")]
    Values(String),
    /// The values break the chart's schema.
    #[error("values don't meet the specifications of the schema(s) in the following chart(s):\n{0}")]
    Schema(String),
    /// A signature, a key or a keyring is not what it has to be.
    #[error("{0}")]
    Provenance(String),
    /// A template could not be parsed or executed.
    #[error("{text}")]
    Render {
        /// The message.
        text: String,
        /// Where, from the rendered file inwards through what it includes.
        frames: Vec<Frame>,
    },
    /// What a template gave is no manifest.
    #[error("YAML parse error on {path}: {text}")]
    Manifest {
        /// The template.
        path: String,
        /// What the YAML reader says.
        text: String,
    },
}

impl Error {
    /// Says where it happened, in front of the message.
    #[must_use]
    pub fn within(self, words: &str) -> Self {
        match self {
            Self::Chart(text) => Self::Chart(format!("{words}{text}")),
            Self::Values(text) => Self::Values(format!("{words}{text}")),
            other => Self::Chart(format!("{words}{other}")),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::of(Kind::Config, &error)
    }
}
