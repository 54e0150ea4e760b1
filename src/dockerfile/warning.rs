//! What the parser itself can complain about without stopping.

use crate::base::Span;

/// A complaint that does not stop the build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What it is about.
    pub rule: Rule,
    /// Where.
    pub span: Span,
    /// In words.
    pub message: String,
}

/// The build checks that the parser itself knows. Names as in BuildKit's `frontend/dockerfile/docs/rules`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// A blank line inside a continuation.
    NoEmptyContinuation,
    /// Keywords in upper and in lower case in one file.
    ConsistentInstructionCasing,
    /// Flags of an instruction that takes none and (in BuildKit too) does not look at them. A rule of our own.
    IgnoredFlag,
}

impl Rule {
    /// The name in `# check=skip=…`.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoEmptyContinuation => "NoEmptyContinuation",
            Self::ConsistentInstructionCasing => "ConsistentInstructionCasing",
            Self::IgnoredFlag => "IgnoredFlag",
        }
    }
}
