//! Reading: events to values, as `sigs.k8s.io/yaml` ends up with them.

mod entries;
mod keys;
mod places;
mod scalar;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::yaml::go_syntax::go_syntax;
use crate::yaml::parse::{Event, Parser, Properties};
use crate::yaml::scan::Input;
use crate::yaml::{Entries, Error, List, Map, Text, Value};
pub use entries::read_entries;
use keys::Keys;
use places::{Place, Places, Seen};
use scalar::{Scalars, key_of};

/// How a document is to be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Refuse a key that stands twice in one map.
    pub strict: bool,
    /// Keep whole numbers as `int64` where a decoder without type hints would make them `float64`.
    pub keep_integers: bool,
}

/// Reads the first document; later ones are not looked at. An empty text is null.
///
/// # Errors
/// [`Error::Yaml`] with go-yaml's words.
pub fn read(text: &[u8], options: Options) -> Result<Value, Error> {
    let input = Input::new(text);
    let mut reader = Reader::new(&input, options);
    Ok(reader.next_document()?.unwrap_or_default())
}

/// Reads the first document into a map, as a values file is: nothing and null are an empty map.
///
/// # Errors
/// [`Error::Yaml`] with go-yaml's words, [`Error::Type`] if it is no map.
pub fn read_map(text: &[u8], options: Options) -> Result<Map, Error> {
    match read(text, options)? {
        Value::Map(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        other => Err(Error::Type(format!(
            "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            json_kind(&other)
        ))),
    }
}

/// Reads all documents.
///
/// # Errors
/// [`Error::Yaml`] with go-yaml's words.
pub fn read_all(text: &[u8], options: Options) -> Result<Vec<Value>, Error> {
    let input = Input::new(text);
    let mut reader = Reader::new(&input, options);
    let mut documents = Vec::new();
    while let Some(document) = reader.next_document()? {
        documents.push(document);
    }
    Ok(documents)
}

/// encoding/json's word for the type of a value.
pub(in crate::yaml) fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(..) | Value::Uint(..) | Value::Float(_) => "number",
        Value::Str(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) | Value::Object(_) => "object",
    }
}

/// Nesting deeper than this is refused (`go-yaml: scannerc.go`).
const MAX_NESTING: usize = 10_000;

struct Reader<'t> {
    parser: Parser<'t>,
    options: Options,
    anchors: HashMap<Cow<'t, str>, Anchor>,
    frames: Vec<Frame<'t>>,
    keys: Keys,
    /// Nodes decoded so far, and those of them that came from aliases.
    decoded: usize,
    aliased: usize,
    /// The first error of a node's meaning; errors of the text itself come first, wherever they stand.
    problem: Option<(Phase, Error)>,
    /// Lines of keys that stand twice, in strict reading.
    repeated: Vec<String>,
}

/// When the library would have found an error: it decodes all, then makes the keys strings, then writes JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Decode,
    Keys,
    Numbers,
}

/// go-yaml looks at what is merged before it looks into it.
const NO_MAP: &str = "map merge requires map or sequence of maps as the value";

enum Anchor {
    Open,
    Done { value: Value, nodes: usize, places: Option<Arc<Places>> },
}

/// A collection that is being read.
struct Frame<'t> {
    kind: FrameKind,
    anchor: Option<Cow<'t, str>>,
    nodes: usize,
    line: usize,
    /// In strict reading, what [`Places`] are made of.
    seen: Seen,
    parts: Vec<Option<Arc<Places>>>,
}

enum FrameKind {
    List(Vec<Value>),
    Map { entries: Entries, key: Option<Key> },
}

enum Key {
    /// A string.
    Text(Text),
    /// Another scalar and what it is as a string.
    Typed(Text),
    Merge,
    /// A key that JSON cannot have, in the library's words.
    Odd(String),
    Bad,
}

/// What a finished node is, where a map may want it as a key.
struct Node {
    value: Value,
    nodes: usize,
    key: Option<Key>,
    line: usize,
    /// It was written as an alias, which cannot be a merge key.
    alias: bool,
    places: Option<Arc<Places>>,
}

impl Node {
    fn scalar(value: Value, key: Option<Key>, line: usize) -> Self {
        Self { value, nodes: 1, key, line, alias: false, places: None }
    }
}

fn yaml_error(line: Option<usize>, message: &str) -> Error {
    Error::Yaml {
        text: match line {
            Some(line) => format!("yaml: line {line}: {message}"),
            None => format!("yaml: {message}"),
        },
        line,
    }
}

impl<'t> Reader<'t> {
    fn new(input: &'t Input<'_>, options: Options) -> Self {
        Self {
            parser: Parser::new(input),
            options,
            anchors: HashMap::new(),
            frames: Vec::new(),
            keys: Keys::default(),
            decoded: 0,
            aliased: 0,
            problem: None,
            repeated: Vec::new(),
        }
    }

    fn event(&mut self) -> Result<Event<'t>, Error> {
        self.parser.next().map_err(|t| yaml_error((t.line != 0).then_some(t.line), &t.message))
    }

    fn next_document(&mut self) -> Result<Option<Value>, Error> {
        loop {
            match self.event()? {
                Event::DocumentStart => break,
                Event::StreamEnd => return Ok(None),
                _ => {}
            }
        }
        self.anchors.clear();
        self.frames.clear();
        (self.decoded, self.aliased) = (0, 0);
        let mut root = None;
        loop {
            match self.event()? {
                Event::DocumentEnd | Event::StreamEnd => break,
                event => {
                    if let Some(node) = self.step(event)? {
                        root = self.finish(node);
                    }
                }
            }
        }
        if self.problem.as_ref().is_none_or(|(phase, _)| *phase > Phase::Decode) && !self.repeated.is_empty()
        {
            let text = format!("yaml: unmarshal errors:\n  {}", self.repeated.join("\n  "));
            return Err(Error::Yaml { text, line: None });
        }
        match self.problem.take() {
            Some((_, problem)) => Err(problem),
            None => Ok(Some(root.unwrap_or_default())),
        }
    }

    fn fail(&mut self, message: &str) {
        self.keep(Phase::Decode, yaml_error(None, message));
    }

    fn fail_json(&mut self, phase: Phase, message: String) {
        self.keep(phase, Error::Yaml { text: message, line: None });
    }

    fn keep(&mut self, phase: Phase, error: Error) {
        if self.problem.as_ref().is_none_or(|(earlier, _)| phase < *earlier) {
            self.problem = Some((phase, error));
        }
    }

    fn count(&mut self, nodes: usize, aliased: usize) {
        self.decoded += nodes;
        self.aliased += aliased;
        #[allow(clippy::cast_precision_loss, reason = "a ratio")]
        if self.aliased > 100
            && self.decoded > 1000
            && self.aliased as f64 / self.decoded as f64 > allowed_ratio(self.decoded)
        {
            self.fail("document contains excessive aliasing");
        }
    }

    /// Handles an event; a node that is finished by it comes back.
    fn step(&mut self, event: Event<'t>) -> Result<Option<Node>, Error> {
        match event {
            Event::Scalar { properties: Properties { anchor, tag }, text, plain, line } => {
                self.count(1, 0);
                let key = self.expects_key();
                let text_only = key && anchor.is_none();
                if self.expects_merge() {
                    self.fail(NO_MAP);
                }
                let node = self.scalar(tag.as_deref(), text, Scalars { plain, key, text_only, line });
                if let Some(name) = anchor {
                    let value = node.value.clone();
                    self.anchors.insert(name, Anchor::Done { value, nodes: 1, places: None });
                }
                Ok(Some(node))
            }
            Event::Alias { name, line } => self.alias(&name, line).map(Some),
            Event::SequenceStart { properties, line } => {
                self.open(FrameKind::List(Vec::new()), properties.anchor, line).map(|()| None)
            }
            Event::MappingStart { properties, line } => {
                let kind = FrameKind::Map { entries: Entries::new(), key: None };
                self.open(kind, properties.anchor, line).map(|()| None)
            }
            Event::End => Ok(self.close()),
            _ => Ok(None),
        }
    }

    fn open(&mut self, kind: FrameKind, anchor: Option<Cow<'t, str>>, line: usize) -> Result<(), Error> {
        if self.frames.len() >= MAX_NESTING {
            return Err(yaml_error(Some(line + 1), &format!("exceeded max depth of {MAX_NESTING}")));
        }
        self.count(1, 0);
        if let Some(name) = &anchor {
            self.anchors.insert(name.clone(), Anchor::Open);
        }
        self.frames.push(Frame { kind, anchor, nodes: 1, line, seen: Seen::default(), parts: Vec::new() });
        Ok(())
    }

    fn close(&mut self) -> Option<Node> {
        let frame = self.frames.pop()?;
        let (nodes, line) = (frame.nodes, frame.line);
        let (value, places) = match frame.kind {
            FrameKind::List(items) => (Value::List(List::new(items)), Places::List(frame.parts)),
            FrameKind::Map { mut entries, .. } => {
                entries.shrink();
                (Value::Map(Map::from_entries(entries)), Places::Map(frame.seen.into_places()))
            }
        };
        let places = self.options.strict.then(|| Arc::new(places));
        if let Some(name) = frame.anchor {
            let (value, places) = (value.clone(), places.clone());
            self.anchors.insert(name, Anchor::Done { value, nodes, places });
        }
        Some(Node { value, nodes, key: None, line, alias: false, places })
    }

    fn alias(&mut self, name: &str, line: usize) -> Result<Node, Error> {
        let (value, nodes, places) = match self.anchors.get(name) {
            None => return Err(yaml_error(None, &format!("unknown anchor '{name}' referenced"))),
            Some(Anchor::Open) => {
                self.fail(&format!("anchor '{name}' value contains itself"));
                (Value::Null, 1, None)
            }
            Some(Anchor::Done { value, nodes, places }) => (value.clone(), *nodes, places.clone()),
        };
        self.count(nodes + 1, nodes);
        // Once something is wrong the values no longer matter, and a bomb must not be unfolded.
        let value = if self.problem.is_some() { value.clone() } else { crate::yaml::deep_copy(&value) };
        let key = key_of(&value);
        Ok(Node { value, nodes: nodes + 1, key, line, alias: true, places })
    }

    /// Puts a finished node into the collection it belongs to; the root comes back.
    fn finish(&mut self, node: Node) -> Option<Value> {
        let Some(mut frame) = self.frames.pop() else { return Some(node.value) };
        frame.nodes += node.nodes;
        match &mut frame.kind {
            FrameKind::List(items) => {
                items.push(node.value);
                if self.options.strict {
                    frame.parts.push(node.places);
                }
            }
            FrameKind::Map { entries, key } => match key.take() {
                None => *key = Some(self.take_key(node)),
                Some(Key::Merge) => self.merge(entries, &mut frame.seen, &node),
                Some(Key::Bad) => {}
                Some(Key::Odd(words)) => {
                    let message = format!("{words}, value: {}", go_syntax(&node.value));
                    self.fail_json(Phase::Keys, message);
                }
                Some(Key::Text(text)) if self.options.strict => {
                    let key = crate::yaml::quote::quote(text.as_bytes());
                    if self.first(&mut frame.seen, Place { key, line: node.line }) {
                        entries.insert(text, node.value);
                    }
                }
                Some(Key::Typed(text)) if self.options.strict => {
                    if self.first(&mut frame.seen, Place { key: text.to_string(), line: node.line }) {
                        entries.insert(text, node.value);
                    }
                }
                Some(Key::Text(text) | Key::Typed(text)) => {
                    entries.insert(text, node.value);
                }
            },
        }
        self.frames.push(frame);
        None
    }

    /// Whether a key has not been there before, in strict reading.
    fn first(&mut self, seen: &mut Seen, place: Place) -> bool {
        match seen.add(place) {
            None => true,
            Some(Place { key, line }) => {
                self.repeated.push(format!("line {}: key {key} already set in map", line + 1));
                false
            }
        }
    }

    fn take_key(&mut self, node: Node) -> Key {
        match node.key {
            Some(Key::Merge) if node.alias => Key::Text("<<".into()),
            Some(key) => key,
            None => {
                let printed = go_syntax(&node.value);
                match node.value {
                    Value::List(_) | Value::Map(_) => {
                        self.fail(&format!("invalid map key: {printed}"));
                        Key::Bad
                    }
                    _ => Key::Odd("unsupported map key of type: %!s(<nil>), key: <nil>".to_owned()),
                }
            }
        }
    }

    fn merge(&mut self, entries: &mut Entries, seen: &mut Seen, node: &Node) {
        let maps: Vec<(Map, Option<Arc<Places>>)> = match &node.value {
            Value::Map(map) => vec![(map.clone(), node.places.clone())],
            Value::List(list) if !node.alias && list.items().iter().all(|v| matches!(v, Value::Map(_))) => {
                let parts = match node.places.as_deref() {
                    Some(Places::List(parts)) => parts.clone(),
                    _ => vec![None; list.len()],
                };
                let maps = list.items().iter().filter_map(|v| v.as_map().cloned());
                let mut maps: Vec<_> = maps.zip(parts).collect();
                maps.reverse();
                maps
            }
            _ => return self.fail(NO_MAP),
        };
        for (map, found) in maps {
            match found.as_deref() {
                Some(Places::Map(found)) => {
                    for place in found {
                        self.first(seen, place.clone());
                    }
                    for (key, value) in map.entries() {
                        entries.insert_new(key, value);
                    }
                }
                _ => entries.extend(map.entries()),
            }
        }
    }
}

/// How much of a document may come from aliases (`go-yaml: decode.go`).
#[allow(clippy::cast_precision_loss, reason = "a ratio")]
fn allowed_ratio(decoded: usize) -> f64 {
    const LOW: usize = 400_000;
    const HIGH: usize = 4_000_000;
    if decoded <= LOW {
        0.99
    } else if decoded >= HIGH {
        0.10
    } else {
        0.99 - 0.89 * ((decoded - LOW) as f64 / (HIGH - LOW) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::json;

    fn json_of(text: &str) -> String {
        match read(text.as_bytes(), Options::default()) {
            Ok(value) => json::write(&value, json::Html::Escape).unwrap().to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn scalars_keys_and_merges() {
        for (text, want) in [
            ("a: yes\ny: 1\n1: x\n1.5: z", r#"{"1":"x","1.5":"z","a":true,"true":1}"#),
            (
                "y: 3\nb: &b {y: 1, z: 2}\nc: {z: 5, <<: *b}",
                r#"{"b":{"true":1,"z":2},"c":{"true":1,"z":2},"true":3}"#,
            ),
            ("- 2024-01-02\n- 010\n- ~\n- \"1\"\n- !!str 1", r#"["2024-01-02",8,null,"1","1"]"#),
            ("a: 1\na: 2", r#"{"a":2}"#),
            ("", "null"),
            ("a: .inf", "error converting YAML to JSON: json: unsupported value: +Inf"),
            ("a: *x", "error converting YAML to JSON: yaml: unknown anchor 'x' referenced"),
            ("a: &a [*a]", "error converting YAML to JSON: yaml: anchor 'a' value contains itself"),
        ] {
            assert_eq!(json_of(text), want, "{text}");
        }
    }

    #[test]
    fn bombs_are_refused() {
        let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for i in 1..12 {
            let inner = vec![format!("*a{}", i - 1); 9].join(",");
            text.push_str(&format!("a{i}: &a{i} [{inner}]\n"));
        }
        assert!(json_of(&text).ends_with("document contains excessive aliasing"));
        assert!(json_of(&"[".repeat(100_000)).contains("exceeded max depth"));
        assert!(json_of(&"- ".repeat(100_000)).contains("exceeded max depth"));
        assert!(json_of(&"? - ".repeat(9_000)).contains("exceeded max depth"));
    }

    #[test]
    fn odd_texts_neither_panic_nor_loop() {
        for (text, want) in [
            ("[!foo, a]", r#"["a"]"#),
            ("[]: x", "[]"),
            ("{a: [1, {b: c}], ? d}", r#"{"a":[1,{"b":"c"}],"d":null}"#),
            ("a: \"x\\\n\n  y\"", "{\"a\":\"x\\ny\"}"),
            ("a: b\u{e9} c  # d\n", "{\"a\":\"b\u{e9} c\"}"),
            ("\u{e9}: 1\n\u{e9}\u{e9}:\n  - 2\n", "{\"\u{e9}\":1,\"\u{e9}\u{e9}\":[2]}"),
            ("%TAG !e! tag:x,2000:\n--- !e!foo a", r#""a""#),
            ("!e!x a", "error converting YAML to JSON: yaml: found undefined tag handle"),
            ("a: |2\n   b\n  c\n\n", "{\"a\":\" b\\nc\\n\"}"),
        ] {
            assert_eq!(json_of(text), want, "{text}");
        }
    }
}
