//! What can be wrong with a Dockerfile, an expansion or an ignore file.

use crate::base::{Failure, Kind, Span};
use crate::dockerfile::{Problem, Statement};

/// An error of the language. Each variant says what was being done; its source is the [`Problem`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file is wrong: it must be changed at `span`.
    #[error("dockerfile parse error on line {first_line}")]
    Parse {
        /// First line of the instruction (or the line itself where there is none), 1-based.
        first_line: usize,
        /// Last line, 1-based.
        last_line: usize,
        /// The lines or the very word that are wrong.
        span: Span,
        /// Why.
        #[source]
        problem: Problem,
    },
    /// A text with variables could not be expanded: it, or the values given, must be changed.
    #[error("failed to process {:?}", short(text))]
    Expand {
        /// The text that was being expanded.
        text: String,
        /// Where it stands, if known.
        span: Option<Span>,
        /// Why.
        #[source]
        problem: Problem,
    },
    /// A pattern of an ignore file or of `--exclude` is wrong.
    #[error("read ignore pattern {:?}", short(pattern))]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Where it stands, if known.
        span: Option<Span>,
        /// Why.
        #[source]
        problem: Problem,
    },
}

impl Error {
    /// A parse error.
    pub(super) fn parse(span: Span, problem: Problem) -> Self {
        Self::Parse { first_line: span.first_line(), last_line: span.last_line(), span, problem }
    }

    /// A parse error at a word of an instruction.
    pub(super) fn within(statement: &Statement, span: Span, problem: Problem) -> Self {
        Self::Parse { first_line: statement.first_line, last_line: statement.last_line, span, problem }
    }

    /// Why.
    pub fn problem(&self) -> &Problem {
        match self {
            Self::Parse { problem, .. } | Self::Expand { problem, .. } | Self::Pattern { problem, .. } => {
                problem
            }
        }
    }

    /// Where, if known.
    pub fn span(&self) -> Option<&Span> {
        match self {
            Self::Parse { span, .. } => Some(span),
            Self::Expand { span, .. } | Self::Pattern { span, .. } => span.as_ref(),
        }
    }

    /// First and last line, 1-based, if the place is known.
    pub fn lines(&self) -> Option<(usize, usize)> {
        match self {
            Self::Parse { first_line, last_line, .. } => Some((*first_line, *last_line)),
            Self::Expand { span, .. } | Self::Pattern { span, .. } => {
                span.as_ref().map(|span| (span.first_line(), span.last_line()))
            }
        }
    }

    /// The same error at a place, unless a place is already known.
    #[must_use]
    pub fn at(mut self, place: &Span) -> Self {
        match &mut self {
            Self::Parse { .. } => {}
            Self::Expand { span, .. } | Self::Pattern { span, .. } => {
                span.get_or_insert_with(|| place.clone());
            }
        }
        self
    }
}

/// As much of a text as a message can hold.
fn short(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl std::convert::From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut failure = Failure::of(Kind::Config, &error);
        if let Some(span) = error.span() {
            failure = failure.at(span.clone());
        }
        match error.problem().hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
