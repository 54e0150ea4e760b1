//! The dynamic value: Go's kinds as an enum.

mod compare;
mod entries;
mod list;
mod map;
mod object;
mod text;

use std::sync::Arc;

pub use compare::{deep_copy, deep_equal};
pub use entries::Entries;
pub use list::{List, ListKind};
pub use map::{Map, MapKind};
pub use object::{Method, Object, Param};
pub use text::{Text, find, lossy};

/// How deep a tree may nest before printing, comparing or copying it is refused.
///
/// Go would grow its stack; a tree this deep is made by an attacker or by a map that contains itself.
pub const MAX_DEPTH: usize = 10_000;

/// Go's signed integer types that templates can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntKind {
    /// `int`, 64 bits: literals, `len`, arithmetic.
    Int,
    /// `int32`.
    Int32,
    /// `int64`: `--set`, Sprig's arithmetic.
    Int64,
}

/// Go's unsigned integer types that templates can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UintKind {
    /// `uint`.
    Uint,
    /// `uint8`: a byte of an indexed string.
    Uint8,
    /// `uint32`: a checksum.
    Uint32,
    /// `uint64`: parts of a version, big JSON numbers.
    Uint64,
}

/// A value as Go templates and YAML documents know it. Cloning is cheap and shares maps.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// `nil` of type `interface {}`.
    #[default]
    Null,
    /// `bool`.
    Bool(bool),
    /// A signed integer.
    Int(i64, IntKind),
    /// An unsigned integer.
    Uint(u64, UintKind),
    /// `float64`.
    Float(f64),
    /// `string`: bytes, mostly UTF-8.
    Str(Text),
    /// A slice.
    List(List),
    /// A map with string keys.
    Map(Map),
    /// A value with methods.
    Object(Arc<dyn Object>),
}

/// Go's `reflect.Kind`, as far as templates can see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are Go's own")]
pub enum Kind {
    Invalid,
    Bool,
    Int,
    Int32,
    Int64,
    Uint,
    Uint8,
    Uint32,
    Uint64,
    Float64,
    String,
    Slice,
    Map,
    Struct,
    Ptr,
    Func,
}

impl Kind {
    /// The kind's name, as `kindOf` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint => "uint",
            Self::Uint8 => "uint8",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Float64 => "float64",
            Self::String => "string",
            Self::Slice => "slice",
            Self::Map => "map",
            Self::Struct => "struct",
            Self::Ptr => "ptr",
            Self::Func => "func",
        }
    }
}

impl Value {
    /// A Go `int`.
    pub fn int(value: i64) -> Self {
        Self::Int(value, IntKind::Int)
    }

    /// A Go `int64`.
    pub fn int64(value: i64) -> Self {
        Self::Int(value, IntKind::Int64)
    }

    /// A string.
    pub fn str(text: impl Into<Text>) -> Self {
        Self::Str(text.into())
    }

    /// A `[]interface {}`.
    pub fn list(items: Vec<Value>) -> Self {
        Self::List(List::new(items))
    }

    /// A `[]string`.
    pub fn strings<T: Into<Text>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(List::typed(items.into_iter().map(|t| Value::Str(t.into())).collect(), ListKind::String))
    }

    /// A `map[string]interface {}` of the entries.
    pub fn map<K: Into<Text>>(entries: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Map(entries.into_iter().map(|(k, v)| (k.into(), v)).collect())
    }

    /// The value's kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Invalid,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_, IntKind::Int) => Kind::Int,
            Self::Int(_, IntKind::Int32) => Kind::Int32,
            Self::Int(_, IntKind::Int64) => Kind::Int64,
            Self::Uint(_, UintKind::Uint) => Kind::Uint,
            Self::Uint(_, UintKind::Uint8) => Kind::Uint8,
            Self::Uint(_, UintKind::Uint32) => Kind::Uint32,
            Self::Uint(_, UintKind::Uint64) => Kind::Uint64,
            Self::Float(_) => Kind::Float64,
            Self::Str(_) => Kind::String,
            Self::List(_) => Kind::Slice,
            Self::Map(_) => Kind::Map,
            Self::Object(object) => object.kind(),
        }
    }

    /// The name of the value's Go type, as `%T` prints it.
    pub fn type_name(&self) -> &str {
        match self {
            Self::Null => "<nil>",
            Self::List(list) => list.kind().type_name(),
            Self::Map(map) => map.kind().type_name(),
            Self::Object(object) => object.type_name(),
            other => other.kind().name(),
        }
    }

    /// Whether the value is true where a template asks (`text/template`: IsTrue).
    pub fn is_true(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(b) => *b,
            Self::Int(n, _) => *n != 0,
            Self::Uint(n, _) => *n != 0,
            Self::Float(f) => *f != 0.0,
            Self::Str(s) => !s.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Object(object) => object.is_true(),
        }
    }

    /// Whether this is `nil`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text, if it is a string.
    pub fn as_text(&self) -> Option<&Text> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The text, if it is a string of valid UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        self.as_text().and_then(Text::as_str)
    }

    /// The map, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The list, if it is one.
    pub fn as_list(&self) -> Option<&List> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// The entry of `key`, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<Value> {
        self.as_map().and_then(|map| map.get(key.as_bytes()))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Str(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Str(value.into())
    }
}

impl From<Map> for Value {
    fn from(value: Map) -> Self {
        Self::Map(value)
    }
}

/// Whether a tree that is dropped should be taken apart without recursion from here on.
fn stack_is_short() -> bool {
    stacker::remaining_stack().is_none_or(|left| left < 256 << 10)
}

/// Takes a tree apart without recursion, so that dropping a deep one cannot exhaust the stack.
fn dismantle(mut pending: Vec<Value>) {
    while let Some(value) = pending.pop() {
        match value {
            Value::List(list) => list.take_children(&mut pending),
            Value::Map(map) => map.take_children(&mut pending),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_small() {
        assert!(size_of::<Value>() <= 24 && size_of::<Entries>() <= 24);
    }
}
