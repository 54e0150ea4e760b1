//! Where a place of a rendered object comes from: the templates that wrote it, the values they used, and who gave those.
//!
//! A rendering that was recorded ([`super::render_recorded`]) says which action wrote which bytes. The place is found in
//! the rendered text by its lines ([`place`]); the actions that wrote these lines, followed through `include` and `tpl` by
//! equal lines, say what was read ([`reads`]); maps are known by identity, so that a read has a path in the values
//! ([`known`]), and whoever gave the value there is looked up among the files and flags ([`origin`]).
//!
//! What follows is exact for values that a template prints; a value that a function computed from others is listed with
//! all that went into it.

mod known;
mod origin;
mod place;
mod reads;

use std::fmt;

pub use origin::Source;

use super::{Chart, Compat, Error, Recorded};
use crate::template::Frame;
use crate::template::trace::Read;
use crate::yaml::Value;
use known::{Known, Step};
use origin::Origins;
use place::{Place, Segment};

/// What is asked about.
pub struct Question<'q> {
    /// The chart, its dependencies settled.
    pub chart: &'q Chart,
    /// What the user gave, weakest first.
    pub given: &'q [Source],
    /// The rendering.
    pub recorded: &'q Recorded,
    /// As which Helm.
    pub compat: Compat,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The object and the path in it.
    pub place: String,
    /// The rendered lines.
    pub text: String,
    /// The rendered file.
    pub file: String,
    /// Actions that wrote the lines, outermost first.
    pub writers: Vec<Frame>,
    /// Values they used.
    pub used: Vec<Used>,
    /// Values that decided whether they write.
    pub deciding: Vec<Used>,
}

/// A value and who gave it.
#[derive(Clone, Debug)]
pub struct Used {
    /// Its path, such as `image.tag` or `Chart.Version`.
    pub path: String,
    /// What it is; `None` where nobody gave one.
    pub value: Option<Value>,
    /// Who gave it; empty if a template computed it.
    pub from: Vec<Origin>,
    /// Who else gave one and was not heard, strongest first.
    pub instead_of: Vec<Origin>,
}

/// Somebody who gave a value.
#[derive(Clone, Debug)]
pub struct Origin {
    /// File and line, or flag.
    pub label: String,
    /// The value given.
    pub value: Value,
}

/// Says where the place comes from that `asked` names: `KIND/NAME:path.to[0].field`, or `KIND/NAME` for all of it. Kinds
/// are compared without case; `NAMESPACE/KIND/NAME` tells objects of several namespaces apart.
///
/// # Errors
/// If nothing was rendered, or there is no such object or place.
pub fn explain(question: &Question<'_>, asked: &str) -> Result<Explanation, Error> {
    let files = question.recorded.files.as_ref().map_err(Clone::clone)?;
    let place = Place::find(files, asked, question.compat).map_err(Error::Values)?;
    let execution = question.recorded.recording.executions.iter().find(|e| *e.template == *place.file);
    let mut found = reads::Found::default();
    if let Some(execution) = execution {
        found.collect(execution, &reads::written(&execution.text, &place.range));
    }
    let teller = Teller::new(question);
    let used = teller.used(&found.used, &place.path);
    let mut deciding = teller.used(&found.deciding, &place.path);
    deciding.retain(|d| !used.iter().any(|u| u.path == d.path));
    let Place { name, file, text, .. } = place;
    Ok(Explanation { place: name, text, file, writers: found.writers, used, deciding })
}

/// What the action that failed had read, where a rendering failed.
pub fn read_last(question: &Question<'_>) -> Vec<Used> {
    let unfinished = &question.recorded.recording.unfinished;
    let last = unfinished.iter().rev().find(|piece| !piece.reads.is_empty());
    last.map(|piece| Teller::new(question).used(&piece.reads, &[])).unwrap_or_default()
}

/// Tells of reads what they were and who gave them.
struct Teller<'q> {
    known: Known,
    origins: Origins<'q>,
}

impl<'q> Teller<'q> {
    fn new(question: &Question<'q>) -> Self {
        let known = Known::of(&question.recorded.contexts);
        Self { known, origins: Origins::new(question.chart, question.given) }
    }

    fn used(&self, reads: &[Read], place: &[Segment]) -> Vec<Used> {
        let mut steps: Vec<Step> = Vec::new();
        for step in self.known.steps(reads, place) {
            if !steps.iter().any(|s| s.root == step.root && s.path == step.path) {
                steps.push(step);
            }
        }
        let mut used: Vec<Used> = steps.into_iter().map(|step| self.origins.of(step)).collect();
        // A collection of which parts are listed says nothing more.
        let paths: Vec<String> = used.iter().map(|u| u.path.clone()).collect();
        let is_above = |path: &str| {
            paths.iter().any(|p| p.strip_prefix(path).is_some_and(|r| r.starts_with(['.', '['])))
        };
        used.retain(|u| !(matches!(u.value, Some(Value::Map(_) | Value::List(_))) && is_above(&u.path)));
        used
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.place)?;
        for line in self.text.lines() {
            writeln!(f, "    {line}")?;
        }
        let mut lines: Vec<String> = Vec::new();
        for frame in &self.writers {
            let line = format!("{}:{}  {}", frame.file, frame.line, one_line(&frame.node, 80));
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        if lines.is_empty() {
            writeln!(f, "\nwritten by\n  {}  as it stands there", self.file)?;
        } else {
            writeln!(f, "\nwritten by")?;
            lines.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        section(f, "from the values", &self.used)?;
        section(f, "because of", &self.deciding)
    }
}

fn section(f: &mut fmt::Formatter<'_>, title: &str, used: &[Used]) -> fmt::Result {
    if used.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title}")?;
    let width = used.iter().map(|u| u.path.chars().count()).max().unwrap_or(0);
    for one in used {
        let value = one.value.as_ref().map_or_else(|| "not set".to_owned(), shown);
        writeln!(f, "  {:width$}  {value}", one.path)?;
        for origin in &one.from {
            writeln!(f, "  {:width$}    {}", "", origin.label)?;
        }
        if one.from.is_empty() && one.value.is_some() {
            writeln!(f, "  {:width$}    made by a template, an import or Helm", "")?;
        }
        for origin in &one.instead_of {
            writeln!(f, "  {:width$}    instead of {} from {}", "", shown(&origin.value), origin.label)?;
        }
    }
    Ok(())
}

impl fmt::Display for Used {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            None => write!(f, "{}, which is not set", self.path),
            Some(value) => write!(f, "{} = {}", self.path, shown(value)),
        }?;
        self.from.iter().take(1).try_for_each(|origin| write!(f, " ({})", origin.label))
    }
}

/// A value on one line, cut where it is long.
pub(super) fn shown(value: &Value) -> String {
    let text = crate::yaml::json::write(value, crate::yaml::json::Html::Keep);
    one_line(&text.map_or_else(|e| e.to_string(), |t| t.to_string()), 60)
}

fn one_line(text: &str, width: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(width) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
