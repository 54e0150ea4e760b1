//! Variables of a stage: what ENV and ARG have set so far, and what may be expanded.

use std::collections::{BTreeMap, HashMap};

/// Names and values in the order in which they were set last, which is the order RUN steps see.
#[derive(Clone, Debug, Default)]
pub struct Vars {
    /// By the number of the setting: order is kept, and a Dockerfile of very many ENV takes no longer than its length.
    set: BTreeMap<usize, (String, String)>,
    numbers: HashMap<String, usize>,
    next: usize,
    size: usize,
}

impl Vars {
    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        let number = self.numbers.get(name)?;
        self.set.get(number).map(|(_, value)| value.as_str())
    }

    /// Sets `name`; a known name loses its old place (BuildKit `client/llb`: EnvList).
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let old = self.numbers.insert(name.to_owned(), self.next).and_then(|old| self.set.remove(&old));
        self.size -= old.map_or(0, |(name, value)| name.len() + value.len());
        let value = value.into();
        self.size += name.len() + value.len();
        self.set.insert(self.next, (name.to_owned(), value));
        self.next += 1;
    }

    /// Bytes of all names and values.
    pub fn size(&self) -> usize {
        self.size
    }

    /// All of them.
    pub fn pairs(&self) -> impl Iterator<Item = &(String, String)> {
        self.set.values()
    }

    /// The names, for suggestions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.set.values().map(|(name, _)| name.as_str())
    }
}

impl PartialEq for Vars {
    fn eq(&self, other: &Self) -> bool {
        self.pairs().eq(other.pairs())
    }
}

impl Eq for Vars {}

impl FromIterator<(String, String)> for Vars {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        let mut vars = Self::default();
        for (name, value) in pairs {
            vars.set(&name, value);
        }
        vars
    }
}
