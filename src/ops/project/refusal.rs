//! What is refused by the rules of giterminism, with the lines that would allow it.

use std::fmt;

use crate::base::{Failure, Kind};
use crate::project::{GITERMINISM_FILE, Violation};
use crate::{git, host};

/// Why something is not read.
#[derive(Clone, Debug)]
pub struct Refusal {
    kind: Kind,
    message: String,
    /// What else can be said, a line each.
    details: Vec<String>,
    hints: Vec<String>,
}

impl Refusal {
    /// In words.
    pub fn new(message: impl Into<String>) -> Self {
        Self { kind: Kind::Config, message: message.into(), details: Vec::new(), hints: Vec::new() }
    }

    /// A broken rule.
    pub fn of(violation: Violation) -> Self {
        let allow = violation.allow.replace('\n', "\n  ");
        Self::new(violation.message).hint(format!("to allow it, {GITERMINISM_FILE} needs\n  {allow}"))
    }

    /// Adds words about the cause.
    #[must_use]
    pub fn because(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }

    /// Adds what can be done.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// What development is for.
    #[must_use]
    pub fn hint_development(self) -> Self {
        self.hint("commit it, or build with --dev what is not committed")
    }
}

impl From<git::Error> for Refusal {
    fn from(error: git::Error) -> Self {
        Failure::from(error).into()
    }
}

impl From<host::Error> for Refusal {
    fn from(error: host::Error) -> Self {
        Failure::from(error).into()
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self {
            kind: failure.kind(),
            message: failure.message().to_owned(),
            details: failure.causes().to_vec(),
            hints: failure.hints().to_vec(),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let failure = Failure::new(refusal.kind, refusal.message);
        let failure = refusal.details.into_iter().fold(failure, Failure::because);
        refusal.hints.into_iter().fold(failure, Failure::hint)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for detail in &self.details {
            write!(f, ": {detail}")?;
        }
        for hint in &self.hints {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}
