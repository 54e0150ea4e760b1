//! Parser directives: `# syntax=`, `# escape=`, `# check=` in the first lines.

use std::borrow::Cow;

use crate::dockerfile::read::directives::{check_of, go_bool};
use crate::dockerfile::{Instruction, Rule, Word};

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

impl Check {
    /// Reads `skip=…;error=…;experimental=…`; blank text says nothing.
    ///
    /// # Errors
    /// The part that cannot be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut check = Self::default();
        if text.trim().is_empty() {
            return Ok(check);
        }
        for part in text.trim().splitn(3, ';') {
            let (key, value) = part.split_once('=').ok_or(part)?;
            match (key.trim(), value.trim()) {
                ("skip", value) => check.skip = RuleSet::parse(value),
                ("experimental", value) => check.experimental = RuleSet::parse(value),
                ("error", value) => check.error = go_bool(value).ok_or(part)?,
                _ => return Err(part.to_owned()),
            }
        }
        Ok(check)
    }

    /// What holds at `instruction`: also what a `# check=` above it adds. `error` means nothing there, and one that cannot
    /// be read is an ordinary comment.
    pub fn at(&self, instruction: &Instruction) -> Cow<'_, Self> {
        match check_of(&instruction.comments).map(Self::parse) {
            Some(Ok(own)) => Cow::Owned(Self {
                skip: self.skip.with(own.skip),
                experimental: self.experimental.with(own.experimental),
                error: self.error,
            }),
            _ => Cow::Borrowed(self),
        }
    }

    /// Whether `rule` is looked at. Experimental rules have to be asked for and cannot be skipped.
    pub fn allows(&self, rule: Rule) -> bool {
        match rule.is_experimental() {
            true => self.experimental.contains(rule),
            false => !self.skip.contains(rule),
        }
    }
}

/// Names of rules, or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleSet {
    /// `all`.
    All,
    /// These, as written.
    Names(Vec<String>),
}

impl RuleSet {
    fn parse(value: &str) -> Self {
        match value {
            "all" => Self::All,
            names => Self::Names(names.split(',').map(|name| name.trim().to_owned()).collect()),
        }
    }

    fn with(&self, other: Self) -> Self {
        match (self, other) {
            (Self::Names(mine), Self::Names(others)) => {
                Self::Names(mine.iter().cloned().chain(others).collect())
            }
            _ => Self::All,
        }
    }

    fn contains(&self, rule: Rule) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.iter().any(|name| name == rule.name()),
        }
    }
}

impl Default for RuleSet {
    fn default() -> Self {
        Self::Names(Vec::new())
    }
}
