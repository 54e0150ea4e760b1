//! The section `cleanup` of `werf.yaml`: what a cleanup keeps.

use std::time::Duration;

use regex::Regex;

use crate::project::decode::{Problems, Settings};

/// What a cleanup keeps and which of its policies are off.
#[derive(Clone, Debug, PartialEq)]
pub struct Cleanup {
    /// Nothing is cleaned but metadata.
    pub disable: bool,
    /// What runs in clusters is not looked at.
    pub disable_kubernetes: bool,
    /// The history of Git is not looked at.
    pub disable_git_history: bool,
    /// New images are not kept for being new.
    pub disable_last_hours: bool,
    /// How many hours new images are kept; 0 is none.
    pub last_hours: u64,
    /// What the history of Git keeps; `None` is the default policies.
    pub keep: Option<Vec<KeepPolicy>>,
}

impl Default for Cleanup {
    fn default() -> Self {
        Self {
            disable: false,
            disable_kubernetes: false,
            disable_git_history: false,
            disable_last_hours: false,
            last_hours: 2,
            keep: None,
        }
    }
}

/// Keeps images of some references.
#[derive(Clone, Debug, PartialEq)]
pub struct KeepPolicy {
    /// Which kind of reference.
    pub kind: ReferenceKind,
    /// Which names.
    pub names: NamePattern,
    /// How many of the references.
    pub references: Limit,
    /// How many images of each.
    pub images: Limit,
}

/// A kind of Git reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceKind {
    /// A branch.
    Branch,
    /// A tag.
    Tag,
}

/// Names of references: one, or those that an expression matches as a whole.
#[derive(Clone, Debug)]
pub enum NamePattern {
    /// This one.
    Exact(String),
    /// Those.
    Expression(Regex),
}

impl PartialEq for NamePattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b)) => a == b,
            (Self::Expression(a), Self::Expression(b)) => a.as_str() == b.as_str(),
            _ => false,
        }
    }
}

impl NamePattern {
    /// Whether `name` is one of them.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Expression(expression) => expression.is_match(name),
        }
    }
}

/// How many, and how old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// The newest so many; negative is all.
    pub last: Option<i64>,
    /// Those of the last time.
    pub within: Option<Duration>,
    /// Whether one of both is enough.
    pub either: bool,
}

pub(super) fn read_cleanup(mut cleanup: Settings<'_>, problems: &mut Problems) -> Cleanup {
    let usual = Cleanup::default();
    let mut off = |name| cleanup.flag(name, problems).unwrap_or_default();
    let (disable, disable_kubernetes) = (off("disable"), off("disableKubernetesBasedPolicy"));
    let (disable_git_history, disable_last_hours) =
        (off("disableGitHistoryBasedPolicy"), off("disableBuiltWithinLastNHoursPolicy"));
    let line = cleanup.line_of("keepImagesBuiltWithinLastNHours");
    let hours = cleanup.integer("keepImagesBuiltWithinLastNHours", problems);
    let last_hours = match hours.map(u64::try_from) {
        None => usual.last_hours,
        Some(Ok(hours)) => hours,
        Some(Err(_)) => {
            problems.add(line, "keepImagesBuiltWithinLastNHours is negative");
            usual.last_hours
        }
    };
    let given = cleanup.take("keepPolicies").is_some();
    let policies = cleanup.maps("keepPolicies", "a keep policy", problems);
    let keep: Vec<_> = policies.into_iter().filter_map(|policy| read_policy(policy, problems)).collect();
    cleanup.finish(problems);
    let keep = given.then_some(keep);
    Cleanup { disable, disable_kubernetes, disable_git_history, disable_last_hours, last_hours, keep }
}

fn read_policy(mut policy: Settings<'_>, problems: &mut Problems) -> Option<KeepPolicy> {
    let line = policy.line;
    let references = policy.map("references", problems);
    let images = policy.map("imagesPerReference", problems).map(|limit| read_limit(limit, problems));
    policy.finish(problems);
    let Some(mut references) = references else {
        problems.add_with_hint(line, "the keep policy has no references", "references: {branch: main}");
        return None;
    };
    let (branch, tag) = (references.string("branch", problems), references.string("tag", problems));
    let limit = references.map("limit", problems).map(|limit| read_limit(limit, problems));
    let line = references.line;
    references.finish(problems);
    let (kind, text) = match (branch, tag) {
        (Some(branch), None) => (ReferenceKind::Branch, branch),
        (None, Some(tag)) => (ReferenceKind::Tag, tag),
        (Some(_), Some(_)) => {
            problems.add(line, "references name both a branch and a tag: it is one of them");
            return None;
        }
        (None, None) => {
            problems.add(line, "references name neither a branch nor a tag");
            return None;
        }
    };
    let names = read_pattern(&text).map_err(|message| problems.add(line, message)).ok()?;
    Some(KeepPolicy {
        kind,
        names,
        references: limit.unwrap_or_default(),
        images: images.unwrap_or_default(),
    })
}

fn read_pattern(text: &str) -> Result<NamePattern, String> {
    match text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        None => Ok(NamePattern::Exact(text.to_owned())),
        Some(inner) => Regex::new(&format!("^{inner}$"))
            .map(NamePattern::Expression)
            .map_err(|error| format!("{text} is no regular expression: {error}")),
    }
}

fn read_limit(mut limit: Settings<'_>, problems: &mut Problems) -> Limit {
    let last = limit.integer("last", problems);
    let line = limit.line_of("in");
    let within = limit.string("in", problems).and_then(|text| match duration(&text) {
        Some(duration) => Some(duration),
        None => {
            problems.add_with_hint(line, format!("{text:?} is no duration"), "for example 168h or 1h30m");
            None
        }
    });
    let line = limit.line_of("operator");
    let either = match limit.string("operator", problems).as_deref() {
        None | Some("And") => false,
        Some("Or") => true,
        Some(other) => {
            problems.add_with_hint(line, format!("the operator is {other:?}"), "it is And or Or");
            false
        }
    };
    limit.finish(problems);
    Limit { last, within, either }
}

/// Go's durations, as far as a limit can mean them: not negative.
fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 7] =
        [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let number: f64 = rest[..end].parse().ok()?;
        let unit = rest[end..].find(|c: char| c.is_ascii_digit() || c == '.').map_or(rest.len(), |n| end + n);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == &rest[end..unit])?;
        seconds += number * factor;
        rest = &rest[unit..];
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        let cases = [
            ("168h", Some(604_800)),
            ("1h30m", Some(5400)),
            ("0", Some(0)),
            ("1.5m", Some(90)),
            ("", None),
            ("5", None),
            ("-1h", None),
            ("1d", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(duration(text), seconds.map(Duration::from_secs), "{text:?}");
        }
    }
}
