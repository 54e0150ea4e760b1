//! What a scalar means, and what it is as a key.

use std::borrow::Cow;

use base64::Engine as _;

use super::{Frame, FrameKind, Key, Node, Phase, Reader};
use crate::yaml::resolve::{Scalar, integer, is_timestamp, resolve};
use crate::yaml::{Text, Value, format_float};

/// How a scalar was written, whether it is a key, and whether only its text is wanted because it is one.
pub(super) struct Scalars {
    pub plain: bool,
    pub key: bool,
    pub text_only: bool,
    pub line: usize,
}

impl<'t> Reader<'t> {
    pub(super) fn scalar(&mut self, tag: Option<&str>, text: Cow<'t, str>, how: Scalars) -> Node {
        let Scalars { plain, key, text_only, line } = how;
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
            _ if !key => None,
            Scalar::Null => None,
            Scalar::Bool(b) => Some(Key::Typed(if *b { "true" } else { "false" }.into())),
            Scalar::Int(n) => Some(Key::Typed(n.to_string().into())),
            Scalar::Uint(n) => Some(Key::Odd(format!("unsupported map key of type: uint64, key: {n:#x}"))),
            Scalar::Float(f) => Some(Key::Typed(float_key(*f).into())),
            Scalar::Merge => Some(Key::Merge),
            Scalar::Timestamp | Scalar::Str => Some(Key::Text(self.keys.text(&text))),
        };
        let value = match scalar {
            // The key's own text is all that is wanted of it.
            _ if text_only && !matches!(scalar, Scalar::Null) => Value::Null,
            Scalar::Null => Value::Null,
            Scalar::Bool(b) => Value::Bool(b),
            Scalar::Int(n) if self.options.keep_integers => Value::int64(n),
            #[allow(clippy::cast_precision_loss, reason = "JSON numbers are floats")]
            Scalar::Int(n) => Value::Float(n as f64),
            #[allow(clippy::cast_precision_loss, reason = "JSON numbers are floats")]
            Scalar::Uint(n) => Value::Float(n as f64),
            Scalar::Float(f) if f.is_finite() => Value::Float(f),
            Scalar::Float(f) => {
                self.fail_json(Phase::Numbers, format!("json: unsupported value: {}", format_float(f)));
                Value::Null
            }
            Scalar::Timestamp | Scalar::Str | Scalar::Merge => Value::Str((&*text).into()),
        };
        Node::scalar(value, key, line)
    }

    /// Whether the next node is to be merged into a map.
    pub(super) fn expects_merge(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { kind: FrameKind::Map { key: Some(Key::Merge), .. }, .. }))
    }

    pub(super) fn expects_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { kind: FrameKind::Map { key: None, .. }, .. }))
    }

    fn binary(&mut self, text: &str, line: usize) -> Node {
        let clean: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        let Ok(data) = base64::engine::general_purpose::STANDARD.decode(clean) else {
            self.fail("!!binary value contains invalid base64 data");
            return Node::scalar(Value::Null, Some(Key::Bad), line);
        };
        let text = Text::from(Text::from(data).lossy().into_owned());
        Node::scalar(Value::Str(text.clone()), Some(Key::Text(text)), line)
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

/// The key that a value given by an alias would be.
pub(super) fn key_of(value: &Value) -> Option<Key> {
    Some(match value {
        Value::Bool(b) => Key::Typed(if *b { "true" } else { "false" }.into()),
        Value::Int(n, _) => Key::Typed(n.to_string().into()),
        Value::Float(f) => Key::Typed(whole(*f).map_or_else(|| float_key(*f), |n| n.to_string()).into()),
        Value::Str(text) => Key::Text(text.clone()),
        _ => return None,
    })
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
    format_float(shortest)
}
