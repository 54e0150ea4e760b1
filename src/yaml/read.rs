//! Reading: events to values, as `sigs.k8s.io/yaml` ends up with them.

use std::collections::HashMap;

use base64::Engine as _;
use libyaml_safer::{ErrorKind, Event, EventData, Parser, ScalarStyle};

use super::resolve::{Scalar, integer, is_timestamp, resolve};
use super::{Entries, Error, List, Map, Text, Value};

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
    let mut reader = Reader::new(text, options);
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
    let mut reader = Reader::new(text, options);
    let mut documents = Vec::new();
    while let Some(document) = reader.next_document()? {
        documents.push(document);
    }
    Ok(documents)
}

/// encoding/json's word for the type of a value.
pub(super) fn json_kind(value: &Value) -> &'static str {
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
    parser: Parser<&'t [u8]>,
    options: Options,
    anchors: HashMap<String, Anchor>,
    frames: Vec<Frame>,
    /// Nodes decoded so far, and those of them that came from aliases.
    decoded: usize,
    aliased: usize,
    /// The first error of a node's meaning; errors of the text itself come first, wherever they stand.
    problem: Option<Error>,
}

enum Anchor {
    Open,
    Done { value: Value, nodes: usize },
}

/// A collection that is being read.
struct Frame {
    kind: FrameKind,
    anchor: Option<String>,
    nodes: usize,
}

enum FrameKind {
    List(Vec<Value>),
    Map { entries: Entries, key: Option<Key> },
}

enum Key {
    Text(Text),
    Merge,
    Bad,
}

/// What a finished node is, where a map may want it as a key.
struct Node {
    value: Value,
    nodes: usize,
    key: Option<Key>,
    line: u64,
    /// It was written as a plain sequence of maps, which a merge key may take.
    alias: bool,
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
    fn new(text: &'t [u8], options: Options) -> Self {
        let mut parser = Parser::new();
        parser.set_input(text);
        Self {
            parser,
            options,
            anchors: HashMap::new(),
            frames: Vec::new(),
            decoded: 0,
            aliased: 0,
            problem: None,
        }
    }

    fn event(&mut self) -> Result<Event, Error> {
        self.parser.parse().map_err(|error| {
            let scanner = usize::from(error.kind() == ErrorKind::Scanner);
            let line = match (error.problem_mark(), error.context_mark()) {
                (Some(mark), _) if mark.line != 0 => Some(mark.line as usize + scanner),
                (_, Some(mark)) if mark.line != 0 => Some(mark.line as usize),
                _ => None,
            };
            yaml_error(line, error.problem())
        })
    }

    fn next_document(&mut self) -> Result<Option<Value>, Error> {
        loop {
            match self.event()?.data {
                EventData::DocumentStart { .. } => break,
                EventData::StreamEnd => return Ok(None),
                _ => {}
            }
        }
        self.anchors.clear();
        self.frames.clear();
        (self.decoded, self.aliased) = (0, 0);
        let mut root = None;
        loop {
            let event = self.event()?;
            match event.data {
                EventData::DocumentEnd { .. } => break,
                EventData::StreamEnd => break,
                _ => {
                    if let Some(node) = self.step(event)? {
                        root = self.finish(node);
                    }
                }
            }
        }
        match self.problem.take() {
            Some(problem) => Err(problem),
            None => Ok(Some(root.unwrap_or_default())),
        }
    }

    fn fail(&mut self, message: &str) {
        self.problem.get_or_insert_with(|| yaml_error(None, message));
    }

    fn fail_json(&mut self, message: String) {
        self.problem.get_or_insert(Error::Yaml { text: message, line: None });
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
    fn step(&mut self, event: Event) -> Result<Option<Node>, Error> {
        let line = event.start_mark.line;
        match event.data {
            EventData::Scalar { anchor, tag, value, plain_implicit, style, .. } => {
                self.count(1, 0);
                let node =
                    self.scalar(tag.as_deref(), value, plain_implicit && style == ScalarStyle::Plain, line);
                if let Some(name) = anchor {
                    self.anchors.insert(name, Anchor::Done { value: node.value.clone(), nodes: 1 });
                }
                Ok(Some(node))
            }
            EventData::Alias { anchor } => self.alias(&anchor, line).map(Some),
            EventData::SequenceStart { anchor, .. } => self.open(FrameKind::List(Vec::new()), anchor, line),
            EventData::MappingStart { anchor, .. } => {
                self.open(FrameKind::Map { entries: Entries::new(), key: None }, anchor, line)
            }
            EventData::SequenceEnd | EventData::MappingEnd => Ok(self.close(line)),
            _ => Ok(None),
        }
    }

    fn open(&mut self, kind: FrameKind, anchor: Option<String>, line: u64) -> Result<Option<Node>, Error> {
        if self.frames.len() >= MAX_NESTING {
            return Err(yaml_error(Some(line as usize + 1), &format!("exceeded max depth of {MAX_NESTING}")));
        }
        self.count(1, 0);
        if let Some(name) = &anchor {
            self.anchors.insert(name.clone(), Anchor::Open);
        }
        self.frames.push(Frame { kind, anchor, nodes: 1 });
        Ok(None)
    }

    fn close(&mut self, line: u64) -> Option<Node> {
        let frame = self.frames.pop()?;
        let value = match frame.kind {
            FrameKind::List(items) => Value::List(List::new(items)),
            FrameKind::Map { entries, .. } => Value::Map(Map::from_entries(entries)),
        };
        if let Some(name) = frame.anchor {
            self.anchors.insert(name, Anchor::Done { value: value.clone(), nodes: frame.nodes });
        }
        Some(Node { value, nodes: frame.nodes, key: None, line, alias: false })
    }

    fn alias(&mut self, name: &str, line: u64) -> Result<Node, Error> {
        let (value, nodes) = match self.anchors.get(name) {
            None => return Err(yaml_error(None, &format!("unknown anchor '{name}' referenced"))),
            Some(Anchor::Open) => {
                self.fail(&format!("anchor '{name}' value contains itself"));
                (Value::Null, 1)
            }
            Some(Anchor::Done { value, nodes }) => (value.clone(), *nodes),
        };
        self.count(nodes + 1, nodes);
        // Once something is wrong the values no longer matter, and a bomb must not be unfolded.
        let value = if self.problem.is_some() { Value::Null } else { super::deep_copy(&value) };
        let key = key_of(&value);
        Ok(Node { value, nodes: nodes + 1, key, line, alias: true })
    }

    /// Puts a finished node into the collection it belongs to; the root comes back.
    fn finish(&mut self, node: Node) -> Option<Value> {
        let Some(mut frame) = self.frames.pop() else { return Some(node.value) };
        frame.nodes += node.nodes;
        match &mut frame.kind {
            FrameKind::List(items) => items.push(node.value),
            FrameKind::Map { entries, key } => match key.take() {
                None => *key = Some(self.take_key(node)),
                Some(Key::Merge) => self.merge(entries, node.value),
                Some(Key::Bad) => {}
                Some(Key::Text(text)) => {
                    if self.options.strict && entries.contains_key(text.as_bytes()) {
                        let line = node.line as usize + 1;
                        self.problem.get_or_insert(Error::Yaml {
                            text: format!(
                                "yaml: unmarshal errors:\n  line {line}: key {:?} already set in map",
                                text.lossy()
                            ),
                            line: Some(line),
                        });
                    }
                    entries.insert(text, node.value);
                }
            },
        }
        self.frames.push(frame);
        None
    }

    fn take_key(&mut self, node: Node) -> Key {
        match node.key {
            Some(Key::Merge) if node.alias => Key::Text("<<".into()),
            Some(key @ (Key::Text(_) | Key::Merge)) => key,
            _ => {
                match node.value {
                    Value::List(_) | Value::Map(_) => self.fail("invalid map key"),
                    _ => self.fail_json("unsupported map key of type: %!s(<nil>), key: <nil>".to_owned()),
                }
                Key::Bad
            }
        }
    }

    fn merge(&mut self, entries: &mut Entries, value: Value) {
        let maps: Vec<Map> = match value {
            Value::Map(map) => vec![map],
            Value::List(list) if list.items().iter().all(|v| matches!(v, Value::Map(_))) => {
                list.items().iter().rev().filter_map(|v| v.as_map().cloned()).collect()
            }
            _ => return self.fail("map merge requires map or sequence of maps as the value"),
        };
        for map in maps {
            entries.extend(map.entries());
        }
    }

    fn scalar(&mut self, tag: Option<&str>, text: String, plain: bool, line: u64) -> Node {
        let tag = tag.map(|t| t.strip_prefix("tag:yaml.org,2002:").unwrap_or(t));
        let scalar = match tag {
            None if plain => resolve(&text),
            None | Some("str") => Scalar::Str,
            Some("binary") => return self.binary(&text, line),
            Some(tag @ ("bool" | "int" | "float" | "null" | "timestamp")) => self.tagged(tag, &text),
            Some("merge") if text == "<<" => Scalar::Merge,
            Some(_) => Scalar::Str,
        };
        let key = match &scalar {
            Scalar::Null => None,
            Scalar::Bool(b) => Some(Key::Text(if *b { "true" } else { "false" }.into())),
            Scalar::Int(n) => Some(Key::Text(n.to_string().into())),
            Scalar::Uint(n) => {
                let message = format!("unsupported map key of type: uint64, key: {n:#x}");
                return self.odd_key(Value::Float(*n as f64), message, line);
            }
            Scalar::Float(f) => Some(Key::Text(float_key(*f).into())),
            Scalar::Merge => Some(Key::Merge),
            Scalar::Timestamp | Scalar::Str => Some(Key::Text(text.as_str().into())),
        };
        let as_key = self.expects_key();
        let value = match scalar {
            // The key's own text is all that is wanted of it.
            _ if as_key && !matches!(scalar, Scalar::Null) => Value::Null,
            Scalar::Null => Value::Null,
            Scalar::Bool(b) => Value::Bool(b),
            Scalar::Int(n) if self.options.keep_integers => Value::int64(n),
            #[allow(clippy::cast_precision_loss, reason = "JSON numbers are floats")]
            Scalar::Int(n) => Value::Float(n as f64),
            #[allow(clippy::cast_precision_loss, reason = "JSON numbers are floats")]
            Scalar::Uint(n) => Value::Float(n as f64),
            Scalar::Float(f) if f.is_finite() => Value::Float(f),
            Scalar::Float(f) => {
                self.fail_json(format!("json: unsupported value: {}", super::format_float(f)));
                Value::Null
            }
            Scalar::Timestamp | Scalar::Str | Scalar::Merge => Value::Str(text.into()),
        };
        Node { value, nodes: 1, key, line, alias: false }
    }

    fn expects_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { kind: FrameKind::Map { key: None, .. }, .. }))
    }

    /// A scalar that may be a value but not a key.
    fn odd_key(&mut self, value: Value, message: String, line: u64) -> Node {
        if self.expects_key() {
            self.fail_json(message);
        }
        Node { value, nodes: 1, key: None, line, alias: false }
    }

    fn binary(&mut self, text: &str, line: u64) -> Node {
        let clean: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        let Ok(data) = base64::engine::general_purpose::STANDARD.decode(clean) else {
            self.fail("!!binary value contains invalid base64 data");
            return Node { value: Value::Null, nodes: 1, key: Some(Key::Bad), line, alias: false };
        };
        let text = Text::from(Text::from(data).lossy().into_owned());
        Node { key: Some(Key::Text(text.clone())), value: Value::Str(text), nodes: 1, line, alias: false }
    }

    fn tagged(&mut self, tag: &str, text: &str) -> Scalar {
        let scalar = match (tag, text.as_bytes().first()) {
            ("timestamp", _) if is_timestamp(text) => Scalar::Timestamp,
            // With a tag of its own a date is read as a number or text.
            (_, Some(b'0'..=b'9')) if is_timestamp(text) => Scalar::Str,
            _ => resolve(text),
        };
        let (fits, found) = match &scalar {
            Scalar::Null => (tag == "null", "null"),
            Scalar::Bool(_) => (tag == "bool", "bool"),
            Scalar::Int(_) | Scalar::Uint(_) => (tag == "int", "int"),
            Scalar::Float(_) => (tag == "float", "float"),
            Scalar::Timestamp => (tag == "timestamp", "timestamp"),
            Scalar::Merge => (false, "merge"),
            Scalar::Str => (false, "str"),
        };
        if fits {
            return scalar;
        }
        if let (Scalar::Int(_), "float", Some((negative, n))) =
            (&scalar, tag, integer(&text.replace('_', "")))
        {
            #[allow(clippy::cast_precision_loss, reason = "asked for as a float")]
            return Scalar::Float(if negative { -(n as f64) } else { n as f64 });
        }
        self.fail(&format!("cannot decode !!{found} `{text}` as a !!{tag}"));
        Scalar::Str
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

/// The key that a value given by an alias would be.
fn key_of(value: &Value) -> Option<Key> {
    let text: Text = match value {
        Value::Bool(b) => if *b { "true" } else { "false" }.into(),
        Value::Int(n, _) => n.to_string().into(),
        Value::Float(f) => whole(*f).map_or_else(|| float_key(*f), |n| n.to_string()).into(),
        Value::Str(text) => text.clone(),
        _ => return None,
    };
    Some(Key::Text(text))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "checked by the way back")]
fn whole(f: f64) -> Option<i64> {
    let n = f as i64;
    (n as f64 == f && f.abs() < 9e18).then_some(n)
}

/// A float key as text: go-yaml's words for the special ones, else the shortest digits of a float32.
#[allow(clippy::cast_possible_truncation, reason = "sigs.k8s.io/yaml formats keys with 32 bits")]
fn float_key(f: f64) -> String {
    let narrow = f as f32;
    if narrow.is_nan() {
        return ".nan".to_owned();
    }
    if narrow.is_infinite() {
        return if narrow > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let shortest: f64 = format!("{narrow:e}").parse().unwrap_or(f);
    super::format_float(shortest)
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
    }
}
