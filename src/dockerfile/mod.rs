//! The Dockerfile language: bytes in, typed tree out. Nothing here reads a file, a clock or a variable.
//!
//! The way of a file: [`SourceFile`](crate::base::SourceFile) → logical lines (`assemble`: byte-order mark, directives,
//! comments, continuations, heredocs) → [`Statement`]s (keyword, flags, raw arguments) → [`Instruction`]s (typed, checked)
//! → [`Dockerfile`] (global arguments and stages). Values stay unexpanded; [`Expander`] expands them when a step is
//! reached, since the environment differs from step to step.
//!
//! The behaviour is that of BuildKit's frontend (v0.33.1), oddities included; `tests/compat` compares with goldens of the
//! real thing. Differences, all deliberate: text that is not UTF-8 is an error outside comments (BuildKit fails later,
//! without a line), non-ASCII letters in flags survive, errors in directives name their own line (BuildKit counts from
//! zero there), and `${…}` nested deeper than 100 is an error.

pub mod checks;
pub mod command;
mod directive;
mod error;
mod expand;
pub mod glob;
mod heredoc;
pub mod ignore;
mod instruction;
#[cfg(test)]
mod laws;
mod parse;
mod print;
mod problem;
mod read;
mod suggest;
mod syntax;
mod tree;
mod warning;
mod word;

/// Bytes that a word may have once it is expanded: more than any configuration of an image can hold.
pub const LONGEST_TEXT: usize = 16 << 20;

pub use checks::Rule;
pub use directive::{Check, Directives, Escape, RuleSet};
pub use error::Error;
pub use expand::{Expander, Expansion, Lookup};
pub use heredoc::Heredoc;
pub use instruction::{Command, Flag, Instruction, KEYWORDS};
pub use print::print;
pub use problem::Problem;
pub use read::{Statement, statements};
pub use suggest::nearest;
pub use syntax::{LANGUAGE, Syntax, syntax};
pub use tree::{Dockerfile, Stage, StageLookup};
pub use warning::Warning;
pub use word::Word;

use std::sync::Arc;

use crate::base::SourceFile;

/// Parses a Dockerfile.
///
/// # Errors
/// [`Error::Parse`] with the lines and the very words that are wrong.
pub fn parse(file: &Arc<SourceFile>) -> Result<Dockerfile, Error> {
    parse::parse(file)
}

/// Parses one trigger of an image's `OnBuild` configuration, heredocs included, with the default escape character.
///
/// # Errors
/// [`Error::Parse`]; its place is in a file called `ONBUILD` that holds the trigger.
pub fn parse_trigger(text: &str) -> Result<Instruction, Error> {
    parse::parse_trigger(text)
}
