//! Flags of an instruction against the table of what it takes.

use crate::dockerfile::{Error, Problem, Statement, Word, nearest};

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// `--x`, `--x=true`, `--x=false`.
    Bool,
    /// `--x=value`, once.
    Value,
    /// `--x=value`, any number of times.
    Values,
}

/// The flags an instruction knows.
pub(super) type Known = [(&'static str, Takes)];

/// The flags that were given, checked.
pub(super) struct Flags {
    given: Vec<(&'static str, Word)>,
}

impl Flags {
    /// Checks the flags of a statement. Source of the rules: BuildKit `instructions/bflag.go`, measured.
    pub fn parse(statement: &Statement, known: &Known) -> Result<Self, Error> {
        let mut given: Vec<(&'static str, Word)> = Vec::new();
        for flag in &statement.flags {
            let wrong = |problem| Error::within(statement, flag.word.span.clone(), problem);
            // Only words that begin with dashes come here; a quoted `--` alone ends the flags once more.
            if flag.word.text == "--" {
                break;
            }
            let (name, shown) = (flag.name(), format!("--{}", flag.name()));
            let Some((name, takes)) = known.iter().find(|(known, _)| *known == name) else {
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                return Err(wrong(Problem::UnknownFlag { near: nearest(name, &names, true), flag: shown }));
            };
            if *takes != Takes::Values && given.iter().any(|(given, _)| given == name) {
                return Err(wrong(Problem::DuplicateFlag(shown)));
            }
            let value = match (takes, flag.value()) {
                (Takes::Bool, Some("")) | (Takes::Value | Takes::Values, None) => {
                    return Err(wrong(Problem::FlagWithoutValue(shown)));
                }
                (Takes::Bool, value) => match value.map(str::to_lowercase).as_deref() {
                    None | Some("true") => "true".to_owned(),
                    Some("false") => "false".to_owned(),
                    Some(_) => {
                        let value = value.unwrap_or_default().to_owned();
                        return Err(wrong(Problem::FlagNotBoolean { flag: shown, value }));
                    }
                },
                (Takes::Value | Takes::Values, Some(value)) => value.to_owned(),
            };
            given.push((name, Word::new(value, flag.word.span.clone())));
        }
        Ok(Self { given })
    }

    /// The value of a flag that stands once. An empty value counts as not given, as in BuildKit.
    pub fn value(&self, name: &str) -> Option<Word> {
        self.given
            .iter()
            .find(|(given, word)| *given == name && !word.text.is_empty())
            .map(|(_, word)| word.clone())
    }

    /// The value of a flag that stands once, empty values too.
    pub fn written(&self, name: &str) -> Option<&Word> {
        self.given.iter().find(|(given, _)| *given == name).map(|(_, word)| word)
    }

    /// All values of a flag.
    pub fn values(&self, name: &str) -> Vec<Word> {
        self.given.iter().filter(|(given, _)| *given == name).map(|(_, word)| word.clone()).collect()
    }

    /// A boolean flag, if given.
    pub fn bool(&self, name: &str) -> Option<bool> {
        self.written(name).map(|word| word.text == "true")
    }
}
