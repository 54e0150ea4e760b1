//! Writing: a value tree to the bytes that go-yaml's encoder gives.
//!
//! [`Style::Kubernetes`] is `sigs.k8s.io/yaml`: the value goes through JSON and the version 2 library, so numbers are
//! JSON numbers, long lines fold and list dashes stand under their key. [`Style::Pretty`] is the version 3 library with
//! an indent of two, as Helm's `toYamlPretty` uses it.

mod emitter;
mod scalar;

use emitter::Emitter;
use scalar::{Presentation, is_break, is_ordinary};

use super::sort::{sort_keys, sort_keys_v3};
use super::{Error, List, ListKind, Map, Text, Value, format_float};

/// Whose layout is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// `sigs.k8s.io/yaml`: what `toYaml` and `kubectl` print.
    #[default]
    Kubernetes,
    /// go-yaml version 3 with indented lists and no folding.
    Pretty,
}

/// Writes a document with the layout of `sigs.k8s.io/yaml`; it ends with a line feed.
///
/// # Errors
/// [`Error::Write`] for what JSON or YAML cannot hold (NaN, control characters, endless trees).
pub fn write(value: &Value) -> Result<Vec<u8>, Error> {
    write_with(value, Style::Kubernetes)
}

/// Writes a document in the given layout; it ends with a line feed.
///
/// # Errors
/// As [`write`].
pub fn write_with(value: &Value, style: Style) -> Result<Vec<u8>, Error> {
    let mut writer = Writer { emitter: Emitter::new(style), style };
    writer.node(value, Place::Root, 0)?;
    Ok(writer.emitter.finish())
}

/// Where a node stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Item,
    Value,
}

struct Writer {
    emitter: Emitter,
    style: Style,
}

impl Writer {
    fn node(&mut self, value: &Value, place: Place, depth: usize) -> Result<(), Error> {
        if depth > super::MAX_DEPTH {
            let via = value.type_name();
            return Err(Error::Write(format!(
                "error marshaling into JSON: json: unsupported value: encountered a cycle via {via}"
            )));
        }
        let kubernetes = self.style == Style::Kubernetes;
        match value {
            Value::Null => self.emitter.plain("null"),
            Value::Bool(b) => self.emitter.plain(if *b { "true" } else { "false" }),
            Value::Int(n, _) => self.emitter.plain(&n.to_string()),
            Value::Uint(n, _) => self.emitter.plain(&n.to_string()),
            Value::Float(f) => self.float(*f)?,
            Value::Str(text) => self.string(text, false)?,
            Value::List(list) if list.is_nil() && kubernetes => self.emitter.plain("null"),
            Value::List(list) if list.kind() == ListKind::Byte && kubernetes => {
                let text = super::json::write(value, super::json::Html::Keep)?;
                let inner = text.lossy().trim_matches('"').to_owned();
                self.string(&inner.into(), false)?;
            }
            Value::List(list) => {
                return stacker::maybe_grow(65_536, 1 << 20, || self.list(list, place, depth));
            }
            Value::Map(map) if map.is_nil() && kubernetes => self.emitter.plain("null"),
            Value::Map(map) => return stacker::maybe_grow(65_536, 1 << 20, || self.map(map, depth)),
            Value::Object(object) => {
                let plain = object
                    .to_plain()
                    .map_err(|e| Error::Write(format!("error marshaling into JSON: json: {e}")))?;
                return self.node(&plain, place, depth + 1);
            }
        }
        Ok(())
    }

    fn list(&mut self, list: &List, place: Place, depth: usize) -> Result<(), Error> {
        if list.is_empty() {
            self.emitter.empty("[", "]");
            return Ok(());
        }
        let indent = self.emitter.open_list(place == Place::Value, place == Place::Item);
        for item in list.items() {
            self.emitter.dash();
            self.node(item, Place::Item, depth + 1)?;
        }
        self.emitter.close(indent);
        Ok(())
    }

    fn map(&mut self, map: &Map, depth: usize) -> Result<(), Error> {
        let entries = map.entries();
        if entries.is_empty() {
            self.emitter.empty("{", "}");
            return Ok(());
        }
        // Sorting compares a key many times; it is made text once.
        let mut sorted: Vec<_> = entries.iter().map(|(key, value)| (key.lossy(), key, value)).collect();
        match self.style {
            Style::Kubernetes => sort_keys(&mut sorted, |e| &e.0),
            Style::Pretty => sort_keys_v3(&mut sorted, |e| &e.0),
        }
        let indent = self.emitter.open_map();
        for (text, key, value) in sorted {
            self.key(&text, key)?;
            self.node(value, Place::Value, depth + 1)?;
        }
        self.emitter.close(indent);
        Ok(())
    }

    fn key(&mut self, key: &str, raw: &Text) -> Result<(), Error> {
        // A JSON key may neither be longer than a simple key of YAML nor hold a raw line break.
        let kubernetes = self.style == Style::Kubernetes;
        let ordinary = key.len() <= 128 && is_ordinary(key.as_bytes());
        if !ordinary && kubernetes && (key.contains('\u{85}') || key.len() > 1000 && json_length(raw) > 1024)
        {
            return Err(Error::Write("yaml: did not find expected ',' or '}'".to_owned()));
        }
        self.emitter.next_line();
        if !ordinary && (key.len() > 128 || key.contains(is_break)) {
            self.emitter.indicator("?", true, false, true);
            self.string(raw, false)?;
            self.emitter.next_line();
            self.emitter.indicator(":", true, false, true);
        } else {
            self.string(raw, true)?;
            self.emitter.indicator(":", false, false, false);
        }
        Ok(())
    }

    fn float(&mut self, f: f64) -> Result<(), Error> {
        if self.style == Style::Pretty {
            let text = match format_float(f) {
                t if t == "+Inf" => ".inf".to_owned(),
                t if t == "-Inf" => "-.inf".to_owned(),
                t if t == "NaN" => ".nan".to_owned(),
                t => t,
            };
            self.emitter.plain(&text);
            return Ok(());
        }
        let Some(json) = super::format_json_float(f) else {
            let text = format_float(f);
            return Err(Error::Write(format!("error marshaling into JSON: json: unsupported value: {text}")));
        };
        // The version 2 library reads JSON's number again: whole ones that fit 64 bits stay as they are.
        if json.parse::<i64>().is_ok() || json.parse::<u64>().is_ok() {
            self.emitter.plain(if json == "-0" { "0" } else { &json });
        } else {
            self.emitter.plain(&format_float(f));
        }
        Ok(())
    }

    fn string(&mut self, text: &Text, key: bool) -> Result<(), Error> {
        let binary;
        let (mut tag, mut lossy) = ("", text.lossy());
        // What most strings are has nothing in it that is looked for here.
        let ordinary = is_ordinary(text.as_bytes());
        if self.style == Style::Kubernetes {
            if !ordinary && lossy.chars().any(unreadable) {
                return Err(Error::Write("yaml: control characters are not allowed".to_owned()));
            }
            if !ordinary && lossy.contains('\u{85}') {
                lossy = refold(&lossy).into();
            }
        } else if text.as_str().is_none() {
            tag = "!!binary ";
            binary = base64_lines(text.as_bytes());
            lossy = binary.into();
        }
        let presentation = Presentation::choose(&lossy, key, self.style, !tag.is_empty());
        self.emitter.scalar(&lossy, presentation, key, tag);
        Ok(())
    }
}

/// Characters that encoding/json writes as they are and the YAML reader refuses.
fn unreadable(c: char) -> bool {
    matches!(c, '\u{7f}' | '\u{80}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
}

/// What a double-quoted scalar becomes when its raw NEL characters are read as line breaks.
fn refold(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\u{85}') {
        out.push_str(rest[..at].trim_end_matches(' '));
        let mut tail = &rest[at..];
        let mut breaks = 0;
        while let Some(next) = tail.strip_prefix('\u{85}') {
            breaks += 1;
            tail = next.trim_start_matches(' ');
        }
        out.push_str(&if breaks == 1 { " ".to_owned() } else { "\n".repeat(breaks - 1) });
        rest = tail;
    }
    out + rest
}

fn json_length(key: &Text) -> usize {
    super::json::write(&Value::Str(key.clone()), super::json::Html::Escape)
        .map_or(0, |text| text.lossy().chars().count())
}

fn base64_lines(bytes: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    if text.len() < 70 {
        return text;
    }
    let mut out = String::with_capacity(text.len() + text.len() / 70 + 1);
    for line in text.as_bytes().chunks(70) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(value: &Value) -> String {
        String::from_utf8(write(value).unwrap()).unwrap()
    }

    #[test]
    fn layout() {
        let value = Value::map([
            (
                "list",
                Value::list(vec![Value::map([("a", Value::Float(1e6)), ("b", Value::Null)]), "x: y".into()]),
            ),
            ("empty", Value::list(vec![])),
            ("yes", "on".into()),
            ("text", "a\n b\n".into()),
            ("nested", Value::list(vec![Value::list(vec![1.5.into(), 1e21.into()])])),
        ]);
        assert_eq!(
            yaml(&value),
            "empty: []\nlist:\n- a: 1000000\n  b: null\n- 'x: y'\nnested:\n- - 1.5\n  - 1e+21\ntext: |\n  a\n   b\n\"yes\": \"on\"\n"
        );
        assert_eq!(
            String::from_utf8(write_with(&value, Style::Pretty).unwrap()).unwrap(),
            "empty: []\nlist:\n  - a: 1e+06\n    b: null\n  - 'x: y'\nnested:\n  - - 1.5\n    - 1e+21\ntext: |\n  a\n   b\n\"yes\": \"on\"\n"
        );
    }

    #[test]
    fn folding() {
        let long = "word ".repeat(30);
        assert_eq!(yaml(&long.trim().into()).lines().count(), 2);
        assert!(yaml(&Value::str("\u{1F600}")).contains("\\U0001F600"));
        assert!(write(&"a\u{7f}".into()).is_err());
    }
}
