//! One compiled pattern.

use crate::dockerfile::ignore::compile::{Compiled, compile};

/// A pattern of an ignore file.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub negated: bool,
    /// Whether it stands for everything there is.
    pub everything: bool,
    how: Compiled,
}

impl Pattern {
    /// Compiles a cleaned pattern; `None` if it is none.
    pub fn new(cleaned: &str, negated: bool) -> Option<Self> {
        let everything = ["*", "**", "**/*"].contains(&cleaned);
        Some(Self { negated, everything, how: compile(cleaned)? })
    }

    /// Whether the pattern matches exactly this path (parents are the caller's business).
    pub fn matches(&self, path: &str) -> bool {
        match &self.how {
            Compiled::Exact(text) => path == text,
            Compiled::Prefix(text) => path.starts_with(text.as_str()),
            Compiled::Suffix(text) => path.ends_with(text.as_str()) || text.strip_prefix('/') == Some(path),
            Compiled::Steps(steps) => steps.matches(path),
        }
    }

    /// Whether it can match a path below the folder.
    pub fn may_match_below(&self, folder: &str) -> bool {
        let below = |text: &str| text.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        match &self.how {
            Compiled::Exact(text) => below(text),
            Compiled::Prefix(text) => below(text) || folder.starts_with(text.as_str()),
            Compiled::Suffix(_) => true,
            Compiled::Steps(steps) => steps.may_match_below(folder),
        }
    }
}
