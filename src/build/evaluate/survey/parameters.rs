//! What a target takes: arguments, secrets, agents.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::build::evaluate::{OutlinedStage, StageFrom};
use crate::build::step::From;

/// What is known of an argument.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub value: String,
    pub description: Option<String>,
    pub lines: (usize, usize),
    /// Arguments that its default names.
    pub needs: BTreeSet<String>,
}

/// What one stage declares and uses.
#[derive(Clone, Debug, Default)]
pub(super) struct Declared {
    pub known: BTreeMap<String, Known>,
    pub used: BTreeSet<String>,
    pub secrets: BTreeMap<String, Wanted>,
    pub agents: BTreeMap<String, Wanted>,
}

/// What a target takes, each thing once, in order of lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// Name of the target, if it has one.
    pub name: String,
    /// The comment above it.
    pub description: String,
    /// Build arguments.
    pub args: Vec<Argument>,
    /// Secrets of RUN steps.
    pub secrets: Vec<Wanted>,
    /// SSH agents of RUN steps.
    pub ssh: Vec<Wanted>,
}

/// A build argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// The comment above it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its value in this build.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// First and last line of its declaration.
    #[serde(skip)]
    pub lines: (usize, usize),
}

/// A secret or an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wanted {
    /// Its id.
    pub name: String,
    /// Whether the step fails without it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// First and last line of the first step that wants it.
    #[serde(skip)]
    pub lines: (usize, usize),
}

impl Declared {
    /// The used arguments, those included that their defaults are made of.
    fn all_used(&self) -> BTreeSet<&str> {
        let mut used = BTreeSet::new();
        let mut waiting: Vec<&str> = self.used.iter().map(String::as_str).collect();
        while let Some(name) = waiting.pop() {
            if used.insert(name)
                && let Some(known) = self.known.get(name)
            {
                waiting.extend(known.needs.iter().map(String::as_str));
            }
        }
        used
    }
}

/// Puts together what `target` and everything below it take. What a stage says wins over what is below it.
pub(super) fn gather(
    target: usize,
    stages: &[Option<OutlinedStage>],
    declared: &[Option<Declared>],
) -> Parameters {
    let mut all = Parameters::default();
    let (mut args, mut secrets, mut ssh) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut waiting, mut seen) = (vec![target], BTreeSet::new());
    while let Some(stage) = waiting.pop() {
        if !seen.insert(stage) {
            continue;
        }
        let (Some(outlined), Some(own)) = (&stages[stage], &declared[stage]) else { continue };
        for name in own.all_used() {
            let Some(known) = own.known.get(name) else { continue };
            if args.insert(name.to_owned()) {
                all.args.push(Argument {
                    name: name.to_owned(),
                    description: known.description.clone().unwrap_or_default(),
                    value: known.value.clone(),
                    lines: known.lines,
                });
            }
        }
        all.secrets.extend(own.secrets.values().filter(|s| secrets.insert(s.name.clone())).cloned());
        all.ssh.extend(own.agents.values().filter(|s| ssh.insert(s.name.clone())).cloned());
        let copied = outlined.sources.values().filter_map(|source| match source {
            From::Stage(below) => Some(below.0),
            _ => None,
        });
        // The stage below comes before those that are copied from.
        waiting.extend(copied.collect::<Vec<_>>().into_iter().rev());
        if let StageFrom::Stage(below) = outlined.from {
            waiting.push(below.0);
        }
    }
    all.args.sort_by_key(|arg| arg.lines.0);
    all.secrets.sort_by_key(|secret| secret.lines.0);
    all.ssh.sort_by_key(|agent| agent.lines.0);
    all
}
