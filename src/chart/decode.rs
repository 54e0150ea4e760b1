//! Values into typed fields, as `sigs.k8s.io/yaml` and encoding/json fill a struct: names without regard to case,
//! scalars become strings where strings are wanted, the first type error is kept while the rest is still filled.

use std::collections::BTreeMap;

use crate::yaml::{self, List, Map, Options, Value};

/// Reads a document for decoding: whole numbers stay whole, for they may become strings.
pub(super) fn read(text: &[u8]) -> Result<Value, String> {
    yaml::read(text, Options { strict: false, keep_integers: true }).map_err(|e| e.to_string())
}

/// Reads as [`read`] does a document of which only some fields at the top are decoded, named in lower case.
pub(super) fn read_fields(text: &[u8], fields: &[&str]) -> Result<Value, String> {
    let wanted = |key: &str| fields.contains(&key.to_lowercase().as_str());
    let options = Options { strict: false, keep_integers: true };
    yaml::read_entries(text, options, wanted).map_err(|e| e.to_string())
}

/// Collects the first type error while structs are filled.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    path: Vec<&'static str>,
    structs: Vec<&'static str>,
    error: Option<String>,
}

impl Decoder {
    /// What has been wrong, with the words of the YAML library.
    pub(super) fn finish(self) -> Result<(), String> {
        match self.error {
            Some(error) => Err(format!("error unmarshaling JSON: while decoding JSON: {error}")),
            None => Ok(()),
        }
    }

    /// Goes through the fields of a struct: `field` is called with the lower-cased name of each entry and its value.
    pub(super) fn object(
        &mut self,
        value: &Value,
        (name, go_type): (&'static str, &str),
        mut field: impl FnMut(&mut Self, &str, &Value),
    ) {
        match value {
            Value::Null => {}
            Value::Map(map) => {
                self.structs.push(name);
                for (key, value) in map.entries() {
                    field(self, &key.lossy().to_lowercase(), &value);
                }
                self.structs.pop();
            }
            other => self.mismatch(other, go_type),
        }
    }

    /// Decodes the entry of a field: what goes wrong in `read` is wrong there.
    pub(super) fn at<T>(&mut self, field: &'static str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(field);
        let result = read(self);
        self.path.pop();
        result
    }

    /// A string; numbers and booleans become one.
    pub(super) fn string(&mut self, into: &mut String, value: &Value) {
        match scalar(value) {
            Some(text) => *into = text,
            None if value.is_null() => {}
            None => self.mismatch(value, "string"),
        }
    }

    /// A boolean.
    pub(super) fn bool(&mut self, into: &mut bool, value: &Value) {
        match value {
            Value::Bool(b) => *into = *b,
            Value::Null => {}
            other => self.mismatch(other, "bool"),
        }
    }

    /// A list of anything; `None` where there is none.
    pub(super) fn list(&mut self, value: &Value, go_type: &str) -> Option<List> {
        match value {
            Value::List(list) => Some(list.clone()),
            Value::Null => None,
            other => {
                self.mismatch(other, go_type);
                None
            }
        }
    }

    /// A list of strings.
    pub(super) fn strings(&mut self, into: &mut Vec<String>, value: &Value) {
        let Some(list) = self.list(value, "[]string") else { return };
        *into = list
            .items()
            .iter()
            .map(|item| {
                let mut text = String::new();
                self.string(&mut text, item);
                text
            })
            .collect();
    }

    /// A map of strings.
    pub(super) fn map(&mut self, into: &mut BTreeMap<String, String>, value: &Value) {
        match value {
            Value::Null => {}
            Value::Map(map) => {
                for (key, value) in map.entries() {
                    let mut text = String::new();
                    self.string(&mut text, &value);
                    into.insert(key.lossy().into_owned(), text);
                }
            }
            other => self.mismatch(other, "map[string]string"),
        }
    }

    /// Says that a value is of another type than Go wants.
    pub(super) fn mismatch(&mut self, value: &Value, go_type: &str) {
        if self.error.is_some() {
            return;
        }
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Int(..) | Value::Uint(..) | Value::Float(_) => "number",
            Value::Str(_) => "string",
            Value::List(_) => "array",
            Value::Map(_) | Value::Object(_) => "object",
        };
        let place = match self.structs.last() {
            Some(name) => format!("Go struct field {name}.{}", self.path.join(".")),
            None => "Go value".to_owned(),
        };
        self.error = Some(format!("json: cannot unmarshal {found} into {place} of type {go_type}"));
    }
}

/// A scalar as the YAML library makes it a string.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Str(text) => Some(text.lossy().into_owned()),
        Value::Bool(b) => Some(b.to_string()),
        Value::Int(n, _) => Some(n.to_string()),
        Value::Uint(n, _) => Some(n.to_string()),
        Value::Float(f) => Some(yaml::format_float(*f)),
        _ => None,
    }
}

/// A map with the entries that are set, for writing a struct back with `omitempty`.
#[derive(Debug, Default)]
pub(super) struct Fields(Map);

impl Fields {
    /// Adds a string unless it is empty.
    pub(super) fn text(&self, name: &str, text: &str) {
        if !text.is_empty() {
            self.0.insert(name, text.into());
        }
    }

    /// Adds strings unless there are none.
    pub(super) fn texts(&self, name: &str, texts: &[String]) {
        if !texts.is_empty() {
            self.0.insert(name, Value::strings(texts.iter().map(String::as_str)));
        }
    }

    /// Adds a list unless it is empty.
    pub(super) fn list(&self, name: &str, items: Vec<Value>) {
        if !items.is_empty() {
            self.0.insert(name, Value::list(items));
        }
    }

    /// Adds `true`.
    pub(super) fn flag(&self, name: &str, flag: bool) {
        if flag {
            self.0.insert(name, true.into());
        }
    }

    /// Adds a value as it is.
    pub(super) fn value(&self, name: &str, value: Value) {
        self.0.insert(name, value);
    }

    /// The map.
    pub(super) fn done(self) -> Value {
        Value::Map(self.0)
    }
}
