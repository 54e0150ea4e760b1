//! The difference between a step that ran and the nearest one of earlier builds. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::base::ContentHash;
use crate::build::why::{Below, Ended, FileChange, FileList, Looked, Story, StoryStep};

/// Why a step ended as it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The step as shown.
    pub step: String,
    /// How it ended.
    pub ended: Ended,
    /// Why it ran; empty if it did not.
    pub reasons: Vec<Reason>,
}

/// A reason for a step to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub enum Reason {
    /// A flag asked for it.
    Forced {
        /// The flag.
        flag: String,
    },
    /// No earlier build of this project is known.
    FirstBuild,
    /// No earlier build had such a step.
    NewStep,
    /// Its text is another.
    Text {
        /// Its instruction.
        instruction: String,
        /// The text it had.
        before: String,
        /// The text it has.
        now: String,
    },
    /// A variable has another value.
    Variable {
        /// `build arg` or `ENV`.
        kind: String,
        /// Its name.
        name: String,
        /// The value it had, if it was set.
        before: Option<String>,
        /// The value it has, if it is set.
        now: Option<String>,
    },
    /// Files that it read are others.
    Files {
        /// Instruction and paths: `COPY src/`.
        what: String,
        /// The tree they are in.
        tree: String,
        /// What happened to them, as far as it is known.
        changes: Vec<FileChange>,
    },
    /// An image stands for something else.
    Image {
        /// As it was written.
        name_before: String,
        /// As it is written.
        name: String,
        /// What it stood for.
        before: String,
        /// What it stands for.
        now: String,
    },
    /// Something else that it depends on is another.
    Setting {
        /// What: `USER`, `platform`.
        what: String,
        /// What it was.
        before: String,
        /// What it is.
        now: String,
    },
    /// What it stands on, or reads, is the result of a step that is another.
    Step {
        /// `the step before`, or `stage build`.
        what: String,
        /// The other step.
        step: String,
    },
    /// It ran in an earlier build and did not come to its end.
    Unfinished,
    /// It was known once; its result is no longer there.
    Gone,
}

/// Values are shown up to here.
const SHOWN: usize = 60;
/// Files are named up to here.
const NAMED: usize = 3;

fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        None => line,
        Some((at, _)) => format!("{}…", &line[..at]),
    }
}

fn value(value: Option<&String>) -> String {
    match value.map(String::as_str) {
        None => "unset".into(),
        Some("") => "\"\"".into(),
        Some(text) => short(text),
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Forced { flag } => f.write_str(flag),
            Self::FirstBuild => f.write_str("first build"),
            Self::NewStep => f.write_str("the step is new"),
            Self::Text { instruction, .. } => write!(f, "{instruction} text changed"),
            Self::Variable { kind, name, before, now } => {
                write!(f, "{kind} {name} {} → {}", value(before.as_ref()), value(now.as_ref()))
            }
            Self::Files { what, tree, changes } if changes.is_empty() => write!(f, "{what} : {tree} changed"),
            Self::Files { what, changes, .. } => {
                let named: Vec<_> = changes.iter().take(NAMED).map(ToString::to_string).collect();
                write!(f, "{what} : {}", named.join(", "))?;
                match changes.len().saturating_sub(NAMED) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::Image { name_before, name, before, now } => {
                if name_before == name {
                    write!(f, "base image {name} changed: {} → {}", digest(before), digest(now))
                } else {
                    write!(f, "base image {name_before} → {name}")
                }
            }
            Self::Setting { what, before, now } => {
                write!(f, "{what} {} → {}", value(Some(before)), value(Some(now)))
            }
            Self::Step { what, step } => write!(f, "{what} changed: {}", short(step)),
            Self::Unfinished => f.write_str("it did not come to its end in an earlier build"),
            Self::Gone => f.write_str("its result is no longer there: it was pruned, or damaged and removed"),
        }
    }
}

/// The beginning of a digest.
fn digest(text: &str) -> &str {
    text.get(..19).unwrap_or(text)
}

/// Finds the list of files that a content hash stands for.
pub type Lists<'a> = dyn Fn(&ContentHash) -> Option<FileList> + 'a;

/// Explains every step of `now` against `earlier` builds, newest first.
pub fn explain(now: &Story, earlier: &[Story], lists: &Lists<'_>) -> Vec<Explanation> {
    let explained = now.steps.iter().enumerate().map(|(index, step)| {
        let ran = matches!(step.ended, Ended::Made | Ended::Unfinished);
        let reasons = if ran { reasons(now, index, earlier, lists) } else { Vec::new() };
        Explanation { step: step.name.clone(), ended: step.ended, reasons }
    });
    explained.collect()
}

fn reasons(now: &Story, index: usize, earlier: &[Story], lists: &Lists<'_>) -> Vec<Reason> {
    let step = &now.steps[index];
    if let Some(flag) = &step.forced {
        return vec![Reason::Forced { flag: flag.clone() }];
    }
    if earlier.is_empty() {
        return vec![Reason::FirstBuild];
    }
    let known = |story: &Story| story.steps.iter().find(|s| s.key == step.key).map(|s| s.ended);
    let same: Vec<Ended> = earlier.iter().filter_map(known).collect();
    let was_known = |ended: &Ended| matches!(ended, Ended::Made | Ended::Cached);
    match same.first() {
        Some(Ended::Unfinished) if !same.iter().any(was_known) => return vec![Reason::Unfinished],
        Some(_) if same.iter().any(was_known) => {
            // The same definition, and yet it ran: what it stands on was made anew and came out differently.
            let below = below_forced(now, step);
            return if below.is_empty() { vec![Reason::Gone] } else { below };
        }
        _ => {}
    }
    let pairs = earlier.iter().filter_map(|before| Some((before, nearest(now, index, before)?)));
    let compared = pairs.map(|(before, near)| {
        let near = filled(&before.steps[near], earlier);
        differences(now, step, (before, &near), lists)
    });
    // Of equally near ones the newest counts.
    let best = compared.min_by_key(Vec::len);
    match best {
        None => vec![Reason::NewStep],
        Some(reasons) if reasons.is_empty() => vec![Reason::Gone],
        Some(reasons) => reasons,
    }
}

/// The step with what it read, if any build looked at that: where its result was known, nobody had to.
fn filled(step: &StoryStep, earlier: &[Story]) -> StoryStep {
    let mut filled = step.clone();
    let same = || earlier.iter().flat_map(|story| &story.steps).filter(|other| other.key == step.key);
    for (nth, looked) in filled.looked.iter_mut().enumerate() {
        let content = || same().find_map(|other| other.looked.get(nth)?.content);
        looked.content = looked.content.or_else(content);
    }
    filled
}

/// What the step stands on and reads that was made because a flag asked for it.
fn below_forced(now: &Story, step: &StoryStep) -> Vec<Reason> {
    let steps = std::iter::once((&step.below, "the step before".to_owned()))
        .chain(step.looked.iter().filter_map(|looked| Some((looked.of.as_ref()?, looked.tree.clone()))));
    let made = steps.filter_map(|(below, what)| match below {
        Below::Step(at) if now.steps[*at].ended == Ended::Made => {
            Some(Reason::Step { what, step: now.steps[*at].name.clone() })
        }
        _ => None,
    });
    made.collect()
}

/// The instruction's name.
fn instruction(step: &StoryStep) -> &str {
    step.origin.split_whitespace().next().unwrap_or_default()
}

/// The step of `before` that is nearest to step `index` of `now`: of the same instruction in the same stage, and not
/// the same as another step of `now`.
fn nearest(now: &Story, index: usize, before: &Story) -> Option<usize> {
    let step = &now.steps[index];
    let position = |story: &Story, at: usize| {
        story.steps[..at].iter().filter(|s| s.stage == story.steps[at].stage).count()
    };
    let own = position(now, index);
    let others: BTreeSet<&str> = now
        .steps
        .iter()
        .enumerate()
        .filter(|(at, other)| *at != index && other.stage == step.stage && other.origin != step.origin)
        .map(|(_, other)| other.origin.as_str())
        .collect();
    let candidates = before.steps.iter().enumerate().filter(|(_, old)| {
        let same_kind = instruction(old).eq_ignore_ascii_case(instruction(step));
        same_kind && old.stage == step.stage && !others.contains(old.origin.as_str())
    });
    let cost = |at: usize, old: &StoryStep| {
        let text = usize::from(old.origin != step.origin) * 1000;
        text + position(before, at).abs_diff(own)
    };
    candidates.min_by_key(|(at, old)| cost(*at, old)).map(|(at, _)| at)
}

fn differences(
    now: &Story,
    step: &StoryStep,
    (story, before): (&Story, &StoryStep),
    lists: &Lists<'_>,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut others = inputs(step, before);
    let arguments = if before.origin == step.origin { arguments(now, step, story) } else { Vec::new() };
    if before.origin != step.origin {
        reasons.push(Reason::Text {
            instruction: instruction(step).to_uppercase(),
            before: before.origin.clone(),
            now: step.origin.clone(),
        });
        // What the text says is not told twice.
        others.retain(|reason| !matches!(reason, Reason::Setting { what, .. } if is_of_text(what)));
    } else if !arguments.is_empty() {
        others.retain(|reason| !matches!(reason, Reason::Setting { what, .. } if is_of_text(what)));
        let named: BTreeSet<_> = others.iter().filter_map(variable).map(str::to_owned).collect();
        let new = |reason: &Reason| variable(reason).is_none_or(|name| !named.contains(name));
        reasons.extend(arguments.into_iter().filter(new));
    }
    reasons.extend(others);
    reasons.extend(reads(now, step, (story, before), lists));
    reasons.extend(below(now, &step.below, (story, &before.below), "the step before"));
    reasons
}

fn variable(reason: &Reason) -> Option<&str> {
    if let Reason::Variable { name, .. } = reason { Some(name) } else { None }
}

/// Settings that come from the instruction's own text.
fn is_of_text(what: &str) -> bool {
    !matches!(what, "platform" | "SOURCE_DATE_EPOCH" | "USER" | "working directory" | "network" | "SHELL")
}

/// Build arguments that the text of the step speaks of and that have another value.
fn arguments(now: &Story, step: &StoryStep, before: &Story) -> Vec<Reason> {
    let names: BTreeSet<&String> = now.arguments.keys().chain(before.arguments.keys()).collect();
    let changed = names.into_iter().filter_map(|name| {
        let (old, new) = (before.arguments.get(name), now.arguments.get(name));
        let is_meant =
            [format!("${name}"), format!("${{{name}")].iter().any(|text| step.origin.contains(text));
        (is_meant && old != new).then(|| Reason::Variable {
            kind: "build arg".into(),
            name: name.clone(),
            before: old.cloned(),
            now: new.cloned(),
        })
    });
    changed.collect()
}

/// Fields of the key that differ, variables one by one.
fn inputs(step: &StoryStep, before: &StoryStep) -> Vec<Reason> {
    let fields = |step: &StoryStep| -> BTreeMap<String, Vec<String>> {
        let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (tag, values) in &step.inputs {
            fields.entry(tag.clone()).or_default().extend(values.iter().cloned());
        }
        fields
    };
    let (old, new) = (fields(before), fields(step));
    let tags: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let empty = Vec::new();
    let mut reasons = Vec::new();
    for tag in tags {
        let (old, new) = (old.get(tag).unwrap_or(&empty), new.get(tag).unwrap_or(&empty));
        match tag.as_str() {
            _ if old == new => {}
            "env" => reasons.extend(variables(step, before, old, new)),
            "args" => reasons.extend(program(step, before, old, new)),
            _ => reasons.push(Reason::Setting {
                what: called(tag).into(),
                before: old.join(" "),
                now: new.join(" "),
            }),
        }
    }
    reasons
}

/// What people call a field of a key.
fn called(tag: &str) -> &str {
    match tag {
        "user" => "USER",
        "cwd" => "working directory",
        "epoch" => "SOURCE_DATE_EPOCH",
        "chown" => "--chown",
        "chmod" => "--chmod",
        "paths" => "source paths",
        "path" => "WORKDIR",
        "script" | "document" => "heredoc",
        "document name" | "documents" | "script path" => "heredocs",
        other => other,
    }
}

/// Program and arguments: the shell, if only that differs.
fn program(step: &StoryStep, before: &StoryStep, old: &[String], new: &[String]) -> Option<Reason> {
    let is_shell = step.origin == before.origin && old.last() == new.last();
    let shell = |args: &[String]| args[..args.len().saturating_sub(1)].join(" ");
    match is_shell {
        true => Some(Reason::Setting { what: "SHELL".into(), before: shell(old), now: shell(new) }),
        // The text is another, which is told.
        false if step.origin != before.origin => None,
        false => {
            let what = if step.origin.contains("<<") { "heredoc" } else { "program" };
            let text = |args: &[String]| args.last().cloned().unwrap_or_default();
            Some(Reason::Setting { what: what.into(), before: text(old), now: text(new) })
        }
    }
}

fn variables(step: &StoryStep, before: &StoryStep, old: &[String], new: &[String]) -> Vec<Reason> {
    let pairs = |list: &[String]| -> BTreeMap<String, String> {
        let split = |text: &String| text.split_once('=').map(|(n, v)| (n.to_owned(), v.to_owned()));
        list.iter().filter_map(split).collect()
    };
    let (old, new) = (pairs(old), pairs(new));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    let reason = |name: &String| {
        let is_argument = step.arguments.contains(name) || before.arguments.contains(name);
        Reason::Variable {
            kind: if is_argument { "build arg" } else { "ENV" }.into(),
            name: name.clone(),
            before: old.get(name).cloned(),
            now: new.get(name).cloned(),
        }
    };
    changed.map(reason).collect()
}

/// Reads that saw something else.
fn reads(
    now: &Story,
    step: &StoryStep,
    (story, before): (&Story, &StoryStep),
    lists: &Lists<'_>,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for (nth, looked) in step.looked.iter().enumerate() {
        let old = before.looked.iter().find(|old| old.paths == looked.paths && old.tree == looked.tree);
        // The paths are told as another text.
        let Some(old) = old.or_else(|| before.looked.get(nth)) else { continue };
        match (old.content, looked.content) {
            (Some(old), Some(new)) if old == new => {}
            (Some(was), Some(is)) => {
                let changes = match (lists(&was), lists(&is)) {
                    (Some(was), Some(is)) => is.changes(&was),
                    _ => Vec::new(),
                };
                if !changes.is_empty() || old.paths == looked.paths {
                    reasons.push(Reason::Files {
                        what: shown(step, looked),
                        tree: looked.tree.clone(),
                        changes,
                    });
                }
            }
            // A known result needed no look at what it read.
            _ => {
                if let (Some(old), Some(new)) = (&old.of, &looked.of) {
                    reasons.extend(below(now, new, (story, old), &looked.tree));
                }
            }
        }
    }
    reasons
}

/// `COPY src/`, `COPY --from=build /out`, `RUN --mount=type=bind,…`.
fn shown(step: &StoryStep, looked: &Looked) -> String {
    let paths: Vec<&str> = looked.paths.iter().map(|path| path.trim_start_matches('/')).collect();
    let paths =
        paths.iter().map(|path| if path.is_empty() { "." } else { path }).collect::<Vec<_>>().join(" ");
    let from = if looked.of.is_some() { format!(" from {}", looked.tree) } else { String::new() };
    format!("{} {paths}{from}", instruction(step).to_uppercase())
}

/// Whether something that is stood on or read is another.
fn below(now: &Story, new: &Below, (story, old): (&Story, &Below), what: &str) -> Option<Reason> {
    match (old, new) {
        (Below::Image { name: name_before, digest: before }, Below::Image { name, digest: now }) => {
            (before != now).then(|| Reason::Image {
                name_before: name_before.clone(),
                name: name.clone(),
                before: before.clone(),
                now: now.clone(),
            })
        }
        (Below::Step(old), Below::Step(new)) => {
            let (old, new) = (&story.steps[*old], &now.steps[*new]);
            let another = old.key != new.key || new.ended == Ended::Made;
            another.then(|| Reason::Step { what: what.to_owned(), step: new.name.clone() })
        }
        (Below::Scratch, Below::Scratch) => None,
        (_, Below::Step(new)) => {
            Some(Reason::Step { what: what.to_owned(), step: now.steps[*new].name.clone() })
        }
        (old, new) => Some(Reason::Setting { what: "base".into(), before: said(old), now: said(new) }),
    }
}

fn said(below: &Below) -> String {
    match below {
        Below::Scratch => "scratch".into(),
        Below::Image { name, .. } => name.clone(),
        Below::Step(_) => "another step".into(),
    }
}
