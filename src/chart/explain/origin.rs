//! Who gave a value: the user's files and flags, then the values of the charts.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::known::{Root, Step};
use super::place::{Segment, at, joined};
use super::{Origin, Used};
use crate::chart::values::read_values;
use crate::chart::{Chart, Compat};
use crate::yaml::{Map, Node, NodeKind, Text, Value, deep_equal, read_nodes};

/// The key of values that every chart sees.
const GLOBAL: &[u8] = b"global";

/// Values with a name: a file, or a flag.
#[derive(Clone, Debug)]
pub struct Source {
    label: String,
    values: Value,
    /// The file with its lines; flags have none.
    lines: Option<Node>,
}

impl Source {
    /// A flag and the values it alone makes.
    pub fn flag(label: impl Into<String>, values: Map) -> Self {
        Self { label: label.into(), values: Value::Map(values), lines: None }
    }

    /// A values file.
    ///
    /// # Errors
    /// If it is none.
    pub fn file(label: impl Into<String>, text: &[u8], compat: Compat) -> Result<Self, String> {
        let values = Value::Map(read_values(text, compat)?);
        let lines = read_nodes(text).ok().and_then(|documents| documents.into_iter().next());
        Ok(Self { label: label.into(), values, lines })
    }

    fn find(&self, path: &[Segment]) -> Option<Origin> {
        let value = at(&self.values, path)?;
        let label = match self.lines.as_ref().and_then(|node| line(node, path)) {
            Some(line) => format!("{}:{line}", self.label),
            None => self.label.clone(),
        };
        Some(Origin { label, value })
    }
}

/// The line where a path begins.
fn line(node: &Node, path: &[Segment]) -> Option<usize> {
    let mut here = (node, node.line);
    for segment in path {
        here = match (&here.0.kind, segment) {
            (NodeKind::Map(entries), Segment::Key(key)) => {
                let is_it = |k: &Node| k.text().is_some_and(|k| k.as_bytes() == key.as_bytes());
                entries.iter().find(|(k, _)| is_it(k)).map(|(k, value)| (value, k.line))?
            }
            (NodeKind::List(items), Segment::Index(at)) => items.get(*at).map(|item| (item, item.line))?,
            _ => return None,
        };
    }
    Some(here.1)
}

/// All who give values.
pub(super) struct Origins<'q> {
    chart: &'q Chart,
    given: &'q [Source],
    /// The charts' own values by folder, read when they are asked for.
    own: RefCell<BTreeMap<String, Option<Rc<Source>>>>,
}

impl<'q> Origins<'q> {
    pub(super) fn new(chart: &'q Chart, given: &'q [Source]) -> Self {
        Self { chart, given, own: RefCell::default() }
    }

    fn own(&self, chart: &Chart, folder: String) -> Option<Rc<Source>> {
        let mut own = self.own.borrow_mut();
        let source = own.entry(folder).or_insert_with_key(|folder| own_values(chart, folder).map(Rc::new));
        source.clone()
    }

    /// Who gave what was read.
    pub(super) fn of(&self, step: Step) -> Used {
        let Step { root, path, value } = step;
        let (name, all) = match root {
            Root::Values => (joined(&path), self.values(&path)),
            Root::Chart(names) => (format!("Chart.{}", joined(&path)), self.metadata(&names, &path)),
            Root::Release => {
                let given = matches!(path.first(), Some(Segment::Key(key)) if matches!(key.as_bytes(), b"Name" | b"Namespace"));
                let label = if given { "the command line" } else { "Helm" }.to_owned();
                let origin = value.clone().map(|value| Origin { label, value });
                (format!("Release.{}", joined(&path)), origin.into_iter().collect())
            }
        };
        let equal = |origin: &Origin| value.as_ref().is_some_and(|value| same(value, &origin.value));
        // A table is put together from all that give a part of it.
        if matches!(value, Some(Value::Map(_))) {
            return Used { path: name, value, from: all, instead_of: Vec::new() };
        }
        let (mut from, mut instead_of) = (Vec::new(), Vec::new());
        for origin in all {
            if from.is_empty() && equal(&origin) { from.push(origin) } else { instead_of.push(origin) }
        }
        if value.is_none() {
            instead_of.clear();
        }
        Used { path: name, value, from, instead_of }
    }

    /// Who gives a value at a path, strongest first.
    fn values(&self, path: &[Segment]) -> Vec<Origin> {
        let mut found: Vec<Origin> = Vec::new();
        for path in self.ways(path) {
            found.extend(self.given.iter().rev().filter_map(|source| source.find(&path)));
            let mut names = Vec::new();
            let (mut chart, mut rest) = (self.chart, path.as_slice());
            loop {
                found.extend(self.own(chart, self.folder(&names)).and_then(|source| source.find(rest)));
                let Some((Segment::Key(name), below)) = rest.split_first() else { break };
                let child = chart.dependencies.iter().find(|c| c.metadata.name.as_bytes() == name.as_bytes());
                let Some(child) = child else { break };
                names.push(child.metadata.name.clone());
                (chart, rest) = (child, below);
            }
        }
        let mut seen: Vec<String> = Vec::new();
        found.retain(|origin| {
            let new = !seen.contains(&origin.label);
            seen.push(origin.label.clone());
            new
        });
        found
    }

    /// The path, and for a global of a subchart those of the charts above it, which win.
    fn ways(&self, path: &[Segment]) -> Vec<Vec<Segment>> {
        let is_global = |segment: &Segment| matches!(segment, Segment::Key(key) if key.as_bytes() == GLOBAL);
        let Some(depth) = path.iter().position(is_global) else { return vec![path.to_vec()] };
        let mut chart = self.chart;
        for segment in &path[..depth] {
            let is_it = |c: &&Chart| matches!(segment, Segment::Key(key) if key.as_bytes() == c.metadata.name.as_bytes());
            match chart.dependencies.iter().find(is_it) {
                Some(child) => chart = child,
                None => return vec![path.to_vec()],
            }
        }
        (0..=depth).map(|above| [&path[..above], &path[depth..]].concat()).collect()
    }

    fn folder(&self, names: &[String]) -> String {
        names.iter().fold(self.chart.metadata.name.clone(), |path, name| format!("{path}/charts/{name}"))
    }

    fn metadata(&self, names: &[String], path: &[Segment]) -> Vec<Origin> {
        let mut chart = self.chart;
        for name in names {
            match chart.dependencies.iter().find(|c| c.metadata.name == *name) {
                Some(child) => chart = child,
                None => return Vec::new(),
            }
        }
        let Some(Segment::Key(field)) = path.first() else { return Vec::new() };
        let field = field.lossy();
        let mut letters = field.chars();
        let key: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
        let Some(file) = chart.raw.iter().find(|file| file.name == "Chart.yaml") else { return Vec::new() };
        let label = format!("{}/Chart.yaml", self.folder(names));
        let read = crate::yaml::read_map(file.data.as_bytes(), crate::yaml::Options::default());
        let Ok(values) = read else { return Vec::new() };
        let lines = read_nodes(file.data.as_bytes()).ok().and_then(|documents| documents.into_iter().next());
        let source = Source { label, values: Value::Map(values), lines };
        source.find(&[Segment::Key(Text::from(key))]).into_iter().collect()
    }
}

fn own_values(chart: &Chart, folder: &str) -> Option<Source> {
    let file = chart.raw.iter().rfind(|file| file.name == "values.yaml")?;
    Source::file(format!("{folder}/values.yaml"), file.data.as_bytes(), Compat::Helm4).ok()
}

/// Whether a value is the one given: a number keeps its meaning when its kind changes.
fn same(a: &Value, b: &Value) -> bool {
    #[allow(clippy::cast_precision_loss, reason = "floats are what files have")]
    let number = |value: &Value| match value {
        Value::Int(n, _) => Some(*n as f64),
        Value::Uint(n, _) => Some(*n as f64),
        Value::Float(f) => Some(*f),
        _ => None,
    };
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b).is_eq(),
        _ => deep_equal(a, b),
    }
}
