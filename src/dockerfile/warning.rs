//! A complaint about a Dockerfile that does not stop the build.

use crate::base::Span;
use crate::dockerfile::{Instruction, Rule};

/// A complaint that does not stop the build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What it is about.
    pub rule: Rule,
    /// The very words.
    pub span: Span,
    /// First and last line of the instruction (or of the line, where that alone is wrong), 1-based: what BuildKit names.
    pub lines: (usize, usize),
    /// In words.
    pub message: String,
}

impl Warning {
    /// A complaint about words of `instruction`.
    pub fn new(rule: Rule, instruction: &Instruction, span: Span, message: impl Into<String>) -> Self {
        let lines = (instruction.first_line, instruction.last_line);
        Self { rule, span, lines, message: message.into() }
    }
}
