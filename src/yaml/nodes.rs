//! Documents as trees that remember their lines, for files whose every key is checked.
//!
//! A scalar keeps its text beside its value: what a version such as `1.10` was meant to be only its reader knows.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::parse::{Event, Parser, Properties};
use super::resolve::{Scalar, resolve};
use super::scan::Input;
use super::{Error, Text, Value};

/// Nesting deeper than this is refused: files that people write do not come near.
const MAX_NESTING: usize = 200;
/// More nodes than this may not come from aliases.
const MAX_ALIASED: usize = 100_000;

/// A part of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The 1-based line where it stands.
    pub line: usize,
    /// What it is.
    pub kind: NodeKind,
}

/// What a part of a document is.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// A value in itself.
    Scalar {
        /// As it was written, without quotes.
        text: Text,
        /// What that means; whole numbers stay whole.
        value: Value,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order of the text, merges done; no key stands twice.
    Map(Vec<(Node, Node)>),
}

impl PartialEq for NodeKind {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Scalar { text: a, value: x }, Self::Scalar { text: b, value: y }) => {
                a == b && super::deep_equal(x, y)
            }
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl Node {
    fn null(line: usize) -> Self {
        Self { line, kind: NodeKind::Scalar { text: Text::default(), value: Value::Null } }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar { text, .. } => text.as_str(),
            _ => None,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, NodeKind::Scalar { value: Value::Null, .. })
    }

    /// Moves all lines down, for a document that was cut out of a file.
    pub fn shift(&mut self, lines: usize) {
        self.line += lines;
        match &mut self.kind {
            NodeKind::Scalar { .. } => {}
            NodeKind::List(items) => items.iter_mut().for_each(|item| item.shift(lines)),
            NodeKind::Map(entries) => {
                for (key, value) in entries {
                    key.shift(lines);
                    value.shift(lines);
                }
            }
        }
    }

    fn count(&self) -> usize {
        match &self.kind {
            NodeKind::Scalar { .. } => 1,
            NodeKind::List(items) => 1 + items.iter().map(Node::count).sum::<usize>(),
            NodeKind::Map(entries) => {
                1 + entries.iter().map(|(key, value)| key.count() + value.count()).sum::<usize>()
            }
        }
    }
}

/// Reads all documents.
///
/// # Errors
/// [`Error::Yaml`] with go-yaml's words, also for a key that stands twice.
pub fn read_nodes(text: &[u8]) -> Result<Vec<Node>, Error> {
    let input = Input::new(text);
    let mut reader = Reader { parser: Parser::new(&input), anchors: HashMap::new(), aliased: 0 };
    let mut documents = Vec::new();
    loop {
        match reader.event()? {
            Event::StreamEnd => return Ok(documents),
            Event::DocumentStart => documents.push(reader.document()?),
            _ => {}
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t>,
    anchors: HashMap<Cow<'t, str>, Node>,
    aliased: usize,
}

/// A collection that is being read.
struct Open<'t> {
    line: usize,
    anchor: Option<Cow<'t, str>>,
    items: Vec<Node>,
    is_map: bool,
}

fn error(line: Option<usize>, message: &str) -> Error {
    let text = match line {
        Some(line) => format!("yaml: line {line}: {message}"),
        None => format!("yaml: {message}"),
    };
    Error::Yaml { text, line }
}

impl<'t> Reader<'t> {
    fn event(&mut self) -> Result<Event<'t>, Error> {
        self.parser.next().map_err(|t| error((t.line != 0).then_some(t.line), &t.message))
    }

    fn document(&mut self) -> Result<Node, Error> {
        self.anchors.clear();
        let (mut open, mut root): (Vec<Open<'t>>, Option<Node>) = (Vec::new(), None);
        loop {
            let node = match self.event()? {
                Event::DocumentEnd | Event::StreamEnd => return Ok(root.unwrap_or_else(|| Node::null(1))),
                Event::DocumentStart => continue,
                Event::SequenceStart { properties, line } => {
                    begin(&mut open, properties.anchor, line, false)?;
                    continue;
                }
                Event::MappingStart { properties, line } => {
                    begin(&mut open, properties.anchor, line, true)?;
                    continue;
                }
                Event::Alias { name, line } => self.alias(&name, line + 1)?,
                Event::Scalar { properties: Properties { anchor, tag }, text, plain, line } => {
                    let value = value_of(tag.as_deref(), &text, plain);
                    let kind = NodeKind::Scalar { text: (&*text).into(), value };
                    self.keep(anchor, Node { line: line + 1, kind })
                }
                Event::End { .. } => match open.pop() {
                    None => continue,
                    Some(done) => {
                        let anchor = done.anchor.clone();
                        let node = close(done)?;
                        self.keep(anchor, node)
                    }
                },
            };
            match open.last_mut() {
                Some(collection) => collection.items.push(node),
                None => root = Some(node),
            }
        }
    }

    fn keep(&mut self, anchor: Option<Cow<'t, str>>, node: Node) -> Node {
        if let Some(name) = anchor {
            self.anchors.insert(name, node.clone());
        }
        node
    }

    fn alias(&mut self, name: &str, line: usize) -> Result<Node, Error> {
        let node = self.anchors.get(name);
        let node = node.ok_or_else(|| error(Some(line), &format!("unknown anchor '{name}' referenced")))?;
        self.aliased += node.count();
        if self.aliased > MAX_ALIASED {
            return Err(error(Some(line), "document contains excessive aliasing"));
        }
        Ok(node.clone())
    }
}

fn begin<'t>(
    open: &mut Vec<Open<'t>>,
    anchor: Option<Cow<'t, str>>,
    line: usize,
    is_map: bool,
) -> Result<(), Error> {
    if open.len() >= MAX_NESTING {
        return Err(error(Some(line + 1), &format!("exceeded max depth of {MAX_NESTING}")));
    }
    open.push(Open { line: line + 1, anchor, items: Vec::new(), is_map });
    Ok(())
}

fn close(open: Open<'_>) -> Result<Node, Error> {
    if !open.is_map {
        return Ok(Node { line: open.line, kind: NodeKind::List(open.items) });
    }
    let mut entries: Vec<(Node, Node)> = Vec::new();
    let mut merged: Vec<(Node, Node)> = Vec::new();
    let mut seen: HashSet<Text> = HashSet::new();
    let mut items = open.items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        let NodeKind::Scalar { text, .. } = &key.kind else {
            return Err(error(Some(key.line), "invalid map key"));
        };
        if text.as_bytes() == b"<<" {
            merge(value, &mut merged)?;
        } else if seen.insert(text.clone()) {
            entries.push((key, value));
        } else {
            return Err(error(Some(key.line), &format!("key {:?} already set in map", text.lossy())));
        }
    }
    for (key, value) in merged {
        if let NodeKind::Scalar { text, .. } = &key.kind
            && seen.insert(text.clone())
        {
            entries.push((key, value));
        }
    }
    Ok(Node { line: open.line, kind: NodeKind::Map(entries) })
}

/// Entries that a merge brings; the first map of a list wins.
fn merge(value: Node, merged: &mut Vec<(Node, Node)>) -> Result<(), Error> {
    let line = value.line;
    match value.kind {
        NodeKind::Map(entries) => merged.extend(entries),
        NodeKind::List(items) if items.iter().all(|item| matches!(item.kind, NodeKind::Map(_))) => {
            for item in items {
                merge(item, merged)?;
            }
        }
        _ => return Err(error(Some(line), "map merge requires map or sequence of maps as the value")),
    }
    Ok(())
}

fn value_of(tag: Option<&str>, text: &str, plain: bool) -> Value {
    let tag = tag.map(|tag| tag.strip_prefix("tag:yaml.org,2002:").unwrap_or(tag));
    let scalar = match tag {
        None if plain => resolve(text),
        Some("bool" | "int" | "float" | "null") => resolve(text),
        _ => Scalar::Str,
    };
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Bool(flag) => Value::Bool(flag),
        Scalar::Int(n) => Value::int(n),
        Scalar::Uint(n) => Value::Uint(n, super::UintKind::Uint64),
        Scalar::Float(f) => Value::Float(f),
        Scalar::Timestamp | Scalar::Str | Scalar::Merge => Value::str(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> Node {
        read_nodes(text.as_bytes()).unwrap().remove(0)
    }

    fn entries(node: &Node) -> &[(Node, Node)] {
        match &node.kind {
            NodeKind::Map(entries) => entries,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines_and_texts_stay() {
        let node = first("a: 1.10\nb:\n  - x\n  - \"5\"\n");
        let map = entries(&node);
        assert_eq!((map[0].0.line, map[0].1.text()), (1, Some("1.10")));
        assert!(matches!(&map[0].1.kind, NodeKind::Scalar { value: Value::Float(f), .. } if *f == 1.1));
        let NodeKind::List(items) = &map[1].1.kind else { panic!("{node:?}") };
        assert_eq!((items[0].line, items[1].line), (3, 4));
        assert!(matches!(&items[1].kind, NodeKind::Scalar { value: Value::Str(_), .. }));
    }

    #[test]
    fn merges_fill_in_what_is_missing() {
        let node = first("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\n");
        let merged: Vec<_> = entries(&entries(&node)[1].1)
            .iter()
            .map(|(k, v)| (k.text().unwrap(), v.text().unwrap()))
            .collect();
        assert_eq!(merged, [("b", "3"), ("a", "1")]);
    }

    #[test]
    fn what_is_wrong_has_its_line() {
        let line = |text: &str| read_nodes(text.as_bytes()).unwrap_err().line();
        assert_eq!(line("a: 1\nb: 2\na: 3\n"), Some(3));
        assert_eq!(line("a: *b\n"), Some(1));
        assert_eq!(line(&"[".repeat(1000)), Some(1));
        let bomb = (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
            format!("{text}a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1)
        });
        assert!(read_nodes(bomb.as_bytes()).unwrap_err().to_string().contains("excessive aliasing"));
    }
}
