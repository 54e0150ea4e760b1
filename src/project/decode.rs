//! Strict reading of YAML into typed settings: every problem is kept with its line, so that all can be shown at once.
//!
//! What a scalar is taken for follows `go-yaml v2` decoding into Go's types: a string takes any scalar as it was
//! written, a bool only YAML 1.1's words for one, and null leaves a setting as it was.

use crate::dockerfile::nearest;
use crate::yaml::{Node, NodeKind, Value};

/// Something that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1, in the text that was read.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// What can be done.
    pub hint: Option<String>,
}

/// Problems found so far.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Notes a problem of `line`.
    pub fn add(&mut self, line: usize, message: impl Into<String>) {
        self.0.push(Problem { line, message: message.into(), hint: None });
    }

    /// Notes a problem of `line` and what can be done.
    pub fn add_with_hint(&mut self, line: usize, message: impl Into<String>, hint: impl Into<String>) {
        self.0.push(Problem { line, message: message.into(), hint: Some(hint.into()) });
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them in the order of their lines.
    pub fn into_sorted(mut self) -> Vec<Problem> {
        self.0.sort_by_key(|problem| problem.line);
        self.0
    }
}

/// The settings of one map, taken one after the other; what is left over is unknown.
pub struct Settings<'n> {
    /// The line of the map.
    pub line: usize,
    /// How the map is called in problems: `meta section`, `cleanup`.
    name: &'static str,
    entries: Vec<(&'n Node, &'n Node)>,
    asked: Vec<&'static str>,
}

impl<'n> Settings<'n> {
    /// The map `node`; null is an empty one.
    pub fn of(node: &'n Node, name: &'static str, problems: &mut Problems) -> Self {
        let entries = match &node.kind {
            NodeKind::Map(entries) => entries.iter().map(|(key, value)| (key, value)).collect(),
            NodeKind::Scalar { value: Value::Null, .. } => Vec::new(),
            other => {
                problems.add(node.line, format!("{name} is {}, not a map", kind_name(other)));
                Vec::new()
            }
        };
        Self { line: node.line, name, entries, asked: Vec::new() }
    }

    /// The line of the key `name`, else that of the map.
    pub fn line_of(&self, name: &str) -> usize {
        self.entries.iter().find(|(key, _)| key.text() == Some(name)).map_or(self.line, |(key, _)| key.line)
    }

    /// The value of `name`, unless it is missing or null.
    pub fn take(&mut self, name: &'static str) -> Option<&'n Node> {
        self.take_even_null(name).filter(|node| !node.is_null())
    }

    /// The value of `name`, which may be null.
    pub fn take_even_null(&mut self, name: &'static str) -> Option<&'n Node> {
        self.asked.push(name);
        // A key that stands twice has been reported where the text was read.
        self.entries.iter().rev().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| *value)
    }

    /// A string: any scalar as it was written.
    pub fn string(&mut self, name: &'static str, problems: &mut Problems) -> Option<String> {
        let node = self.take(name)?;
        scalar(node, name, problems)
    }

    /// A bool.
    pub fn flag(&mut self, name: &'static str, problems: &mut Problems) -> Option<bool> {
        let node = self.take(name)?;
        match &node.kind {
            NodeKind::Scalar { value: Value::Bool(flag), .. } => Some(*flag),
            other => {
                problems.add_with_hint(
                    node.line,
                    format!("{name} is {}", kind_name(other)),
                    "it is true or false",
                );
                None
            }
        }
    }

    /// A whole number.
    pub fn integer(&mut self, name: &'static str, problems: &mut Problems) -> Option<i64> {
        let node = self.take(name)?;
        let number = match &node.kind {
            NodeKind::Scalar { value: Value::Int(n, _), .. } => Some(*n),
            NodeKind::Scalar { value: Value::Uint(n, _), .. } => i64::try_from(*n).ok(),
            NodeKind::Scalar { value: Value::Float(f), .. } if f.fract() == 0.0 && f.abs() < 9e15 => {
                Some(*f as i64)
            }
            _ => None,
        };
        if number.is_none() {
            problems.add(node.line, format!("{name} is {}, not a whole number", kind_name(&node.kind)));
        }
        number
    }

    /// A list of strings.
    pub fn strings(&mut self, name: &'static str, problems: &mut Problems) -> Vec<String> {
        let Some(node) = self.take(name) else { return Vec::new() };
        match &node.kind {
            NodeKind::List(items) => items.iter().filter_map(|item| scalar(item, name, problems)).collect(),
            other => {
                problems.add(node.line, format!("{name} is {}, not a list of strings", kind_name(other)));
                Vec::new()
            }
        }
    }

    /// A string or a list of strings.
    pub fn one_or_many(&mut self, name: &'static str, problems: &mut Problems) -> Vec<String> {
        let single = self.entries.iter().find(|(key, _)| key.text() == Some(name));
        match single.map(|(_, value)| &value.kind) {
            Some(NodeKind::Scalar { .. }) => self.string(name, problems).into_iter().collect(),
            _ => self.strings(name, problems),
        }
    }

    /// A map of strings to strings, in the order of the keys.
    pub fn string_map(&mut self, name: &'static str, problems: &mut Problems) -> Vec<(String, String)> {
        let Some(node) = self.take(name) else { return Vec::new() };
        let NodeKind::Map(entries) = &node.kind else {
            problems.add(node.line, format!("{name} is {}, not a map of strings", kind_name(&node.kind)));
            return Vec::new();
        };
        let pairs = entries
            .iter()
            .filter_map(|(key, value)| Some((scalar(key, name, problems)?, scalar(value, name, problems)?)));
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort();
        pairs
    }

    /// The maps of a list.
    pub fn maps(
        &mut self,
        name: &'static str,
        item: &'static str,
        problems: &mut Problems,
    ) -> Vec<Settings<'n>> {
        let Some(node) = self.take(name) else { return Vec::new() };
        match &node.kind {
            NodeKind::List(items) => items.iter().map(|node| Settings::of(node, item, problems)).collect(),
            other => {
                problems.add(node.line, format!("{name} is {}, not a list", kind_name(other)));
                Vec::new()
            }
        }
    }

    /// The map of `name`, if it is there.
    pub fn map(&mut self, name: &'static str, problems: &mut Problems) -> Option<Settings<'n>> {
        let node = self.take(name)?;
        Some(Settings::of(node, name, problems))
    }

    /// Ends the reading: keys that nothing asked for are unknown.
    pub fn finish(self, problems: &mut Problems) {
        for (key, _) in &self.entries {
            let name = key.text().unwrap_or_default();
            if self.asked.contains(&name) {
                continue;
            }
            let message = format!("unknown key {name:?} in {}", self.name);
            match nearest(name, &self.asked, true) {
                Some(near) => problems.add_with_hint(key.line, message, format!("did you mean {near}?")),
                None => {
                    let known = self.asked.join(", ");
                    problems.add_with_hint(key.line, message, format!("known here: {known}"));
                }
            }
        }
    }
}

/// A scalar as it was written.
fn scalar(node: &Node, name: &str, problems: &mut Problems) -> Option<String> {
    match &node.kind {
        NodeKind::Scalar { value: Value::Null, .. } => Some(String::new()),
        NodeKind::Scalar { text, .. } => Some(text.lossy().into_owned()),
        other => {
            problems.add(node.line, format!("{name} is {}, not a string", kind_name(other)));
            None
        }
    }
}

/// What a node is, with its article.
pub fn kind_name(kind: &NodeKind) -> &'static str {
    match kind {
        NodeKind::List(_) => "a list",
        NodeKind::Map(_) => "a map",
        NodeKind::Scalar { value, .. } => match value {
            Value::Null => "empty",
            Value::Bool(_) => "a bool",
            Value::Int(..) | Value::Uint(..) | Value::Float(_) => "a number",
            _ => "a string",
        },
    }
}
