//! Scopes of tokens: `type:name:action,action`. distribution: docs/spec/auth/scope.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What a request needs a token to allow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    kind: String,
    name: String,
    actions: BTreeSet<String>,
}

impl Scope {
    fn new(kind: &str, name: &str, actions: &[&str]) -> Self {
        let actions = actions.iter().map(|a| (*a).to_owned()).collect();
        Self { kind: kind.to_owned(), name: name.to_owned(), actions }
    }

    /// Reading of a repository.
    pub fn pull(repository: &str) -> Self {
        Self::new("repository", repository, &["pull"])
    }

    /// Reading and writing of a repository.
    pub fn push(repository: &str) -> Self {
        Self::new("repository", repository, &["pull", "push"])
    }

    /// Removing from a repository.
    pub fn delete(repository: &str) -> Self {
        Self::new("repository", repository, &["delete", "pull"])
    }

    /// Listing of repositories.
    pub fn catalog() -> Self {
        Self::new("registry", "catalog", &["*"])
    }

    /// Reads one scope; `None` if it has not the three parts. Names may have colons (a host with its port).
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        let actions: BTreeSet<String> =
            actions.split(',').filter(|a| !a.is_empty()).map(str::to_owned).collect();
        (!kind.is_empty() && !name.is_empty() && !actions.is_empty()).then(|| Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
            actions,
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let actions: Vec<&str> = self.actions.iter().map(String::as_str).collect();
        write!(f, "{}:{}:{}", self.kind, self.name, actions.join(","))
    }
}

/// A set of scopes in one order, actions on the same thing joined.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scopes(BTreeMap<(String, String), BTreeSet<String>>);

impl Scopes {
    /// The set of these.
    pub fn of(scopes: impl IntoIterator<Item = Scope>) -> Self {
        let mut set = Self::default();
        scopes.into_iter().for_each(|scope| set.add(scope));
        set
    }

    /// The set a challenge names: scopes with spaces between them.
    pub fn parse(text: &str) -> Self {
        Self::of(text.split_ascii_whitespace().filter_map(Scope::parse))
    }

    /// Adds a scope.
    pub fn add(&mut self, scope: Scope) {
        self.0.entry((scope.kind, scope.name)).or_default().extend(scope.actions);
    }

    /// Both sets.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        for (key, actions) in &other.0 {
            all.0.entry(key.clone()).or_default().extend(actions.iter().cloned());
        }
        all
    }

    /// The scopes as they are sent.
    pub fn texts(&self) -> Vec<String> {
        let text = |((kind, name), actions): (&(String, String), &BTreeSet<String>)| {
            Scope { kind: kind.clone(), name: name.clone(), actions: actions.clone() }.to_string()
        };
        self.0.iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_and_ordered() {
        let scopes = Scopes::of([Scope::push("b"), Scope::pull("a"), Scope::delete("b"), Scope::catalog()]);
        let texts = ["registry:catalog:*", "repository:a:pull", "repository:b:delete,pull,push"];
        assert_eq!(scopes.texts(), texts);
        assert_eq!(Scopes::parse("repository:a:pull x repository:h:5000/a:push").texts().len(), 2);
        assert_eq!(scopes.union(&Scopes::parse("repository:a:pull")), scopes);
    }
}
