//! Parser directives: `# syntax=`, `# escape=`, `# check=` in the first lines.

use crate::dockerfile::Word;

/// The directives of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// `# syntax=`: the frontend somebody wanted. It is never pulled.
    pub syntax: Option<Word>,
    /// `# escape=`.
    pub escape: Escape,
    /// `# check=`.
    pub check: Option<Check>,
}

/// The escape character: it continues lines, quotes characters and ends the meaning of `$`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Escape {
    /// `\`
    #[default]
    Backslash,
    /// A backtick, for Windows paths.
    Backtick,
}

impl Escape {
    /// The character.
    pub fn char(self) -> char {
        match self {
            Self::Backslash => '\\',
            Self::Backtick => '`',
        }
    }
}

/// `# check=skip=…;error=…;experimental=…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// Rules to leave out.
    pub skip: RuleSet,
    /// Experimental rules to look at.
    pub experimental: RuleSet,
    /// Whether a warning fails the build.
    pub error: bool,
}

/// Names of rules, or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleSet {
    /// `all`.
    All,
    /// These, as written.
    Names(Vec<String>),
}

impl Default for RuleSet {
    fn default() -> Self {
        Self::Names(Vec::new())
    }
}
