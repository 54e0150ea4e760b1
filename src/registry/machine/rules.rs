//! Rules by the beginning of a name: where to read from, and what is not to be used.

use crate::base::Reference;

/// What is said of all names that begin with something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// `host[:port][/path]`, or `*.domain` for every host in it.
    pub prefix: String,
    /// What takes the prefix's place where the registry itself is read.
    pub location: Option<String>,
    /// Whether TLS need not be trustworthy, or be there at all.
    pub insecure: bool,
    /// Whether it may not be used.
    pub blocked: bool,
    /// Where to read from first.
    pub mirrors: Vec<RuleMirror>,
}

/// Where copies are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleMirror {
    /// What takes the prefix's place.
    pub location: String,
    /// As [`Rule::insecure`].
    pub insecure: bool,
    /// Whether it is asked for what a tag stands for.
    pub tags: bool,
    /// Whether it is asked for digests.
    pub digests: bool,
}

/// All rules, at most one for a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(pub Vec<Rule>);

/// A registry and a repository of it.
pub type Spot = (String, String);

impl Rules {
    /// The rule with the longest beginning of the name, and how long that is.
    fn find(&self, name: &str) -> Option<(&Rule, usize)> {
        let all = self.0.iter().filter_map(|rule| Some((rule, matching(name, &rule.prefix)?)));
        all.max_by_key(|(rule, _)| rule.prefix.len())
    }

    /// The rule's prefix, if the name may not be used.
    pub fn blocks(&self, reference: &Reference) -> Option<&str> {
        let (rule, _) = self.find(&reference.name())?;
        rule.blocked.then_some(rule.prefix.as_str())
    }

    /// Where to read from before the registry itself, in order; then where that really is.
    pub fn places(&self, reference: &Reference) -> (Vec<Spot>, Spot) {
        let own = || (reference.registry().to_owned(), reference.repository().to_owned());
        let name = reference.name();
        let Some((rule, length)) = self.find(&name) else { return (Vec::new(), own()) };
        let moved = |location: &str| spot(&format!("{location}{}", &name[length..]));
        let by_digest = reference.digest().is_some();
        let asked = rule.mirrors.iter().filter(|mirror| if by_digest { mirror.digests } else { mirror.tags });
        let mirrors = asked.filter_map(|mirror| moved(&mirror.location)).collect();
        (mirrors, rule.location.as_deref().and_then(moved).unwrap_or_else(own))
    }

    /// Whether `registry` may be spoken to without TLS that can be trusted. What is said of a part of a registry counts
    /// for all of it: there is one connection to both.
    pub fn is_insecure(&self, registry: &str) -> bool {
        let host = |location: &str| location.split('/').next() == Some(registry);
        self.0.iter().any(|rule| {
            let own = match (&rule.location, rule.prefix.strip_prefix('*')) {
                (Some(location), _) => host(location),
                (None, Some(domain)) => registry.ends_with(domain),
                (None, None) => host(&rule.prefix),
            };
            rule.insecure && own
                || rule.mirrors.iter().any(|mirror| mirror.insecure && host(&mirror.location))
        })
    }
}

/// How much of `name` the prefix stands for; `None` if it is about another one.
fn matching(name: &str, prefix: &str) -> Option<usize> {
    if let Some(domain) = prefix.strip_prefix('*') {
        let host = name.split('/').next()?;
        return (host.len() > domain.len() && host.ends_with(domain)).then_some(host.len());
    }
    let rest = name.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(prefix.len())
}

fn spot(name: &str) -> Option<Spot> {
    let (registry, repository) = name.split_once('/')?;
    Some((registry.to_owned(), repository.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(prefix: &str) -> Rule {
        Rule { prefix: prefix.into(), ..Rule::default() }
    }

    fn mirror(location: &str) -> RuleMirror {
        RuleMirror { location: location.into(), insecure: false, tags: true, digests: true }
    }

    fn places(rules: &Rules, name: &str) -> Vec<String> {
        let (mirrors, own) = rules.places(&name.parse().unwrap());
        mirrors
            .iter()
            .chain([&own])
            .map(|(registry, repository)| format!("{registry} {repository}"))
            .collect()
    }

    #[test]
    fn the_longest_beginning_counts_and_is_exchanged() {
        let rules = Rules(vec![
            Rule { location: Some("m.example/hub".into()), ..rule("docker.io") },
            Rule {
                mirrors: vec![mirror("a.example:5000/x"), mirror("b.example")],
                ..rule("docker.io/library")
            },
            Rule { location: Some("inner.example/all".into()), ..rule("*.outer.example") },
            Rule { mirrors: vec![mirror("near.example")], ..rule("*.far.example") },
        ]);
        assert_eq!(places(&rules, "docker.io/me/app"), ["m.example hub/me/app"]);
        assert_eq!(
            places(&rules, "debian"),
            ["a.example:5000 x/debian", "b.example debian", "docker.io library/debian"]
        );
        assert_eq!(places(&rules, "docker.io/librarything/x"), ["m.example hub/librarything/x"]);
        assert_eq!(places(&rules, "a.b.outer.example/x/y"), ["inner.example all/x/y"]);
        assert_eq!(places(&rules, "outer.example/x"), ["outer.example x"]);
        assert_eq!(places(&rules, "r.far.example/x"), ["near.example x", "r.far.example x"]);
        assert_eq!(places(&rules, "other.example/x"), ["other.example x"]);
    }

    #[test]
    fn mirrors_may_be_for_digests_or_tags_alone() {
        let (tags, digests) = (
            RuleMirror { digests: false, ..mirror("t.example") },
            RuleMirror { tags: false, ..mirror("d.example") },
        );
        let rules = Rules(vec![Rule { mirrors: vec![tags, digests], ..rule("r.example") }]);
        assert_eq!(places(&rules, "r.example/x:1"), ["t.example x", "r.example x"]);
        let digest = format!("r.example/x@sha256:{}", "0".repeat(64));
        assert_eq!(places(&rules, &digest), ["d.example x", "r.example x"]);
    }

    #[test]
    fn what_is_blocked_or_insecure() {
        let careless = RuleMirror { insecure: true, ..mirror("m.example/x") };
        let rules = Rules(vec![
            Rule { blocked: true, ..rule("bad.example") },
            rule("bad.example/but/good"),
            Rule { insecure: true, mirrors: vec![careless], ..rule("plain.example:5000") },
            Rule { insecure: true, location: Some("moved.example/y".into()), ..rule("old.example") },
            Rule { insecure: true, ..rule("*.lab.example") },
        ]);
        let blocks = |name: &str| rules.blocks(&name.parse().unwrap()).map(str::to_owned);
        assert_eq!(blocks("bad.example/x"), Some("bad.example".into()));
        assert_eq!((blocks("bad.example/but/good/x"), blocks("badexample/x")), (None, None));
        for host in ["m.example", "plain.example:5000", "moved.example", "a.lab.example"] {
            assert!(rules.is_insecure(host), "{host}");
        }
        for host in ["plain.example", "old.example", "lab.example", "bad.example", "evil-lab.example"] {
            assert!(!rules.is_insecure(host), "{host}");
        }
    }
}
