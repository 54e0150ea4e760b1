//! Expansion of words: quotes, escapes, `$name`, `${name…}` with all modifiers, and splitting.
//!
//! Follows BuildKit's `frontend/dockerfile/shell` (measured, oddities included).

mod pattern;
mod words;

use std::collections::BTreeSet;

use crate::dockerfile::{Error, Escape, Word};

/// Where values of variables come from: `None` means unset.
pub type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What came out of an expansion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// The text as one word (BuildKit's `ProcessWord`).
    pub text: String,
    /// The text split at blanks outside quotes, also at blanks that came from variables (`ProcessWords`).
    pub words: Vec<String>,
    /// Variables that were looked up and set.
    pub matched: BTreeSet<String>,
    /// Variables that were looked up and not set.
    pub unmatched: BTreeSet<String>,
}

/// Expands words with one escape character.
#[derive(Clone, Copy, Debug)]
pub struct Expander {
    escape: char,
    raw_quotes: bool,
    raw_escapes: bool,
    skip_quotes: bool,
    keep_unset: bool,
}
