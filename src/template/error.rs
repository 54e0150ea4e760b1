//! Errors of parsing and executing templates, with Go's words and places.

use std::fmt;

use super::quote::quote;
use crate::base::{Failure, Kind};

/// A template could not be parsed or executed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The text is not a template. Displays as Go's `template: NAME:LINE: message`.
    #[error("template: {name}:{line}: {message}")]
    Parse {
        /// Name of the file.
        name: String,
        /// 1-based line.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A template failed while it was executed.
    #[error("{0}")]
    Execute(#[from] Box<ExecError>),
    /// There is no such template. Displays as Go's words for it.
    #[error("template: no template {} associated with template {}", quote(.name.as_bytes()), quote(.root.as_bytes()))]
    Missing {
        /// The name asked for.
        name: String,
        /// Name of the set.
        root: String,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::of(Kind::Config, &error)
    }
}

/// A failure inside an executing template. Displays as Go's `template: FILE:LINE:COLUMN: executing "name" at <node>:
/// message`, where the message may be another such text of an included template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecError {
    /// Where and while executing what; `None` before the first node.
    pub frame: Option<Frame>,
    /// Name of the executing template.
    pub template: String,
    /// Words before the cause, such as `error calling include: `, or the whole message.
    pub message: String,
    /// The failure of an included template.
    pub cause: Option<Box<ExecError>>,
}

/// A place in a template while it is executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Name of the file.
    pub file: String,
    /// 1-based line.
    pub line: usize,
    /// 0-based column in bytes.
    pub column: usize,
    /// The node, printed back.
    pub node: String,
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut next = Some(self);
        while let Some(error) = next {
            let name = quote(error.template.as_bytes());
            match &error.frame {
                Some(Frame { file, line, column, node }) => {
                    write!(f, "template: {file}:{line}:{column}: executing {name} at <{node}>: ")?;
                }
                None => write!(f, "template: {}: ", error.template)?,
            }
            f.write_str(&error.message)?;
            next = error.cause.as_deref();
        }
        Ok(())
    }
}

impl std::error::Error for ExecError {}

/// Why a function failed: its own words, or a template that it executed.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The function's error text.
    Text(String),
    /// Words, and the failure of a template that the function executed.
    Template(String, Box<ExecError>),
}

impl Fault {
    /// Adds words in front.
    #[must_use]
    pub fn context(self, words: &str) -> Self {
        match self {
            Self::Text(text) => Self::Text(format!("{words}{text}")),
            Self::Template(text, error) => Self::Template(format!("{words}{text}"), error),
        }
    }
}

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Fault {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Execute(error) => Self::Template(String::new(), error),
            other => Self::Text(other.to_string()),
        }
    }
}

impl From<crate::yaml::Error> for Fault {
    fn from(error: crate::yaml::Error) -> Self {
        Self::Text(error.to_string())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Template(text, error) => write!(f, "{text}{error}"),
        }
    }
}
