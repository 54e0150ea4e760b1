//! A place of a rendered object: which file, which lines.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use crate::chart::{Compat, Rendered, head, split};
use crate::yaml::{Node, NodeKind, Text, Value, find, read_nodes};

/// A step of a path in an object or in values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Key(Text),
    Index(usize),
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "{key}"),
            Self::Index(at) => write!(f, "[{at}]"),
        }
    }
}

/// A path as people write it.
pub(super) fn joined(path: &[Segment]) -> String {
    let mut out = String::new();
    for segment in path {
        if matches!(segment, Segment::Key(_)) && !out.is_empty() {
            out.push('.');
        }
        match segment {
            Segment::Key(key) if key.as_bytes().contains(&b'.') => {
                out.push_str(&format!("{:?}", key.lossy()))
            }
            segment => out.push_str(&segment.to_string()),
        }
    }
    out
}

/// The part of a value at a path.
pub(super) fn at(value: &Value, path: &[Segment]) -> Option<Value> {
    path.iter().try_fold(value.clone(), |here, segment| match (here, segment) {
        (Value::Map(map), Segment::Key(key)) => map.get(key.as_bytes()),
        (Value::List(list), Segment::Index(at)) => list.items().get(*at).cloned(),
        _ => None,
    })
}

/// A place that was found.
pub(super) struct Place {
    /// The object and the path in it, as a reader would write them.
    pub(super) name: String,
    pub(super) file: String,
    pub(super) path: Vec<Segment>,
    /// Bytes of the rendered file.
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

/// What a user asks for.
struct Asked<'a> {
    namespace: Option<&'a str>,
    kind: &'a str,
    name: &'a str,
    path: &'a str,
}

impl<'a> Asked<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        let (object, path) = text.split_once(':').unwrap_or((text, ""));
        let parts: Vec<&str> = object.split('/').collect();
        let (namespace, kind, name) = match parts.as_slice() {
            [kind, name] => (None, *kind, *name),
            [namespace, kind, name] => (Some(*namespace), *kind, *name),
            _ => return Err(format!("{text}: a place is written KIND/NAME:path.to[0].field")),
        };
        Ok(Self { namespace, kind, name, path })
    }
}

impl Place {
    pub(super) fn find(
        files: &BTreeMap<String, Rendered>,
        asked: &str,
        compat: Compat,
    ) -> Result<Self, String> {
        let wanted = Asked::parse(asked)?;
        let mut others = Vec::new();
        for (file, text) in files.iter().filter(|(path, _)| !path.ends_with("NOTES.txt")) {
            let mut from = 0;
            for document in split(text, compat) {
                let rest = text.as_bytes().get(from..).unwrap_or_default();
                let begin = from + find(rest, document.as_bytes()).unwrap_or(0);
                from = begin + document.len();
                let Ok(head) = head(document.as_bytes(), compat) else { continue };
                let is_kind = head.kind.eq_ignore_ascii_case(wanted.kind);
                if !(is_kind && head.name == wanted.name) {
                    if is_kind || head.name == wanted.name {
                        others.push(format!("{}/{}", head.kind, head.name));
                    }
                    continue;
                }
                let Some(node) = read_nodes(document.as_bytes()).ok().and_then(|all| all.into_iter().next())
                else {
                    continue;
                };
                let in_namespace = |wanted: &str| {
                    entry(&node, "metadata").and_then(|m| entry(m, "namespace")).and_then(Node::text)
                        == Some(wanted)
                };
                if wanted.namespace.is_some_and(|namespace| !in_namespace(namespace)) {
                    continue;
                }
                return Self::inside(&wanted, file, (begin, &document), &node);
            }
        }
        others.truncate(5);
        let near =
            if others.is_empty() { String::new() } else { format!("; there are {}", others.join(", ")) };
        Err(format!("no object {}/{} was rendered{near}", wanted.kind, wanted.name))
    }

    fn inside(
        wanted: &Asked<'_>,
        file: &str,
        (begin, document): (usize, &Rendered),
        node: &Node,
    ) -> Result<Self, String> {
        let bytes = document.as_bytes();
        let mut starts = vec![0];
        starts.extend(bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1));
        let mut walk = Walk { node, lines: (1, starts.len()), path: Vec::new() };
        for step in steps(wanted.path)? {
            walk.step(&step)?;
        }
        let start = starts.get(walk.lines.0 - 1).copied().unwrap_or(0);
        let end = starts.get(walk.lines.1).copied().unwrap_or(bytes.len());
        let name = match joined(&walk.path) {
            path if path.is_empty() => format!("{}/{}", wanted.kind, wanted.name),
            path => format!("{}/{}:{path}", wanted.kind, wanted.name),
        };
        let shown = String::from_utf8_lossy(&bytes[start..end]);
        Ok(Self {
            name,
            file: file.to_owned(),
            path: walk.path,
            range: begin + start..begin + end,
            text: unindented(shown.trim_end()),
        })
    }
}

fn unindented(text: &str) -> String {
    let indent = text.lines().filter(|l| !l.trim().is_empty()).map(|l| l.len() - l.trim_start().len()).min();
    let indent = indent.unwrap_or(0);
    text.lines().map(|line| line.get(indent..).unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn entry<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    match &node.kind {
        NodeKind::Map(entries) => entries.iter().find(|(k, _)| k.text() == Some(key)).map(|(_, value)| value),
        _ => None,
    }
}

/// A step of a path as it is asked for.
enum Step {
    Key(String),
    Index(usize),
    /// `[name=web]`: the item with that entry.
    With(String, String),
}

/// `a.b[0].c`, `a[name=x]`, `a."b.c"`; a leading point may stand.
fn steps(path: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = path.strip_prefix('.').unwrap_or(path);
    while !rest.is_empty() {
        let unclosed = || format!("{path}: something is not closed");
        if let Some(inner) = rest.strip_prefix('[') {
            let (inside, tail) = inner.split_once(']').ok_or_else(unclosed)?;
            steps.push(match inside.split_once('=') {
                Some((key, value)) => Step::With(key.to_owned(), value.to_owned()),
                None => match inside.parse() {
                    Ok(at) => Step::Index(at),
                    Err(_) => Step::Key(inside.trim_matches(['"', '\'']).to_owned()),
                },
            });
            rest = tail;
        } else if let Some(inner) = rest.strip_prefix('"') {
            let (inside, tail) = inner.split_once('"').ok_or_else(unclosed)?;
            steps.push(Step::Key(inside.to_owned()));
            rest = tail;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            steps.push(Step::Key(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
    }
    Ok(steps)
}

/// A node, the lines it stands on, and the way to it.
struct Walk<'n> {
    node: &'n Node,
    lines: (usize, usize),
    path: Vec<Segment>,
}

impl<'n> Walk<'n> {
    fn step(&mut self, step: &Step) -> Result<(), String> {
        let (segment, line, node, next) = match (&self.node.kind, step) {
            (NodeKind::Map(entries), Step::Key(key)) => {
                let at = entries.iter().position(|(k, _)| k.text() == Some(key));
                let at = at.ok_or_else(|| self.missing(key, entries))?;
                let (key, value) = &entries[at];
                let text = Text::from(key.text().unwrap_or_default());
                (Segment::Key(text), key.line, value, entries.get(at + 1).map(|(k, _)| k.line))
            }
            (NodeKind::List(items), Step::Index(at)) => {
                let item = items.get(*at).ok_or_else(|| {
                    format!("{} has {} items, and [{at}] is none of them", self.here(), items.len())
                })?;
                (Segment::Index(*at), item.line, item, items.get(at + 1).map(|n| n.line))
            }
            (NodeKind::List(items), Step::With(key, value)) => {
                let has = |item: &Node| entry(item, key).and_then(Node::text) == Some(value);
                let at = items.iter().position(has);
                let at = at.ok_or_else(|| format!("{} has no item with {key}={value}", self.here()))?;
                (Segment::Index(at), items[at].line, &items[at], items.get(at + 1).map(|n| n.line))
            }
            _ => return Err(format!("{} has no such part", self.here())),
        };
        let last = next.map_or(self.lines.1, |next| next.saturating_sub(1));
        self.lines = (line, last.min(self.lines.1).max(line));
        self.path.push(segment);
        self.node = node;
        Ok(())
    }

    fn here(&self) -> String {
        if self.path.is_empty() { "the object".to_owned() } else { joined(&self.path) }
    }

    fn missing(&self, key: &str, entries: &'n [(Node, Node)]) -> String {
        let known: Vec<&str> = entries.iter().filter_map(|(k, _)| k.text()).collect();
        let near = crate::dockerfile::nearest(key, &known, true);
        let near =
            near.map_or_else(|| format!("it has {}", known.join(", ")), |n| format!("did you mean {n}?"));
        format!("{} has no {key}; {near}", self.here())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_lines() {
        let text = "---\nkind: A\nmetadata: {name: x}\n---\nkind: B\nmetadata:\n  name: x\n  labels:\n    a.b/c: d\nspec:\n  \
                    list:\n  - name: one\n    v: 1\n  - name: two\n    v: 2\n";
        let files = BTreeMap::from([("c/templates/t.yaml".to_owned(), Rendered::from(text))]);
        let find = |asked: &str| Place::find(&files, asked, Compat::Helm4).map(|p| (p.name, p.text));
        assert_eq!(find("b/x:spec.list[1].v").unwrap(), ("b/x:spec.list[1].v".to_owned(), "v: 2".to_owned()));
        assert_eq!(find("B/x:spec.list[name=one]").unwrap().1, "- name: one\n  v: 1");
        assert_eq!(find("B/x:.metadata.labels[\"a.b/c\"]").unwrap().1, "a.b/c: d");
        assert_eq!(find("A/x").unwrap().1, "kind: A\nmetadata: {name: x}");
        assert_eq!(find("B/x:spec.lst").unwrap_err(), "spec has no lst; did you mean list?");
        assert_eq!(find("B/y").unwrap_err(), "no object B/y was rendered; there are B/x");
        assert!(find("B/x:spec.list[7]").unwrap_err().contains("2 items"));
    }
}
