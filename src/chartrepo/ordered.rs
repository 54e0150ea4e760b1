//! JSON whose keys stand in a given order, as Go marshals structs.

use crate::yaml::Value;
use crate::yaml::json::{Html, write};

/// A JSON value with ordered keys.
#[derive(Clone, Debug)]
pub enum Ordered {
    /// Keys and values in their order.
    Object(Vec<(String, Ordered)>),
    /// Elements.
    List(Vec<Ordered>),
    /// Anything else, maps among it sorted.
    Plain(Value),
}

impl From<Value> for Ordered {
    fn from(value: Value) -> Self {
        Self::Plain(value)
    }
}

impl Ordered {
    /// An empty object.
    pub fn object() -> Self {
        Self::Object(Vec::new())
    }

    /// Adds a key.
    pub fn put_ordered(&mut self, key: &str, value: Ordered) {
        if let Self::Object(entries) = self {
            entries.push((key.to_owned(), value));
        }
    }

    /// Adds a key with a plain value.
    pub fn put(&mut self, key: &str, value: Value) {
        self.put_ordered(key, value.into());
    }

    /// Adds a text unless it is empty.
    pub fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.put(key, text.into());
        }
    }

    /// Adds a list of texts unless it is empty.
    pub fn texts(&mut self, key: &str, texts: &[String]) {
        self.list(key, texts.iter().map(|t| Self::Plain(t.as_str().into())).collect());
    }

    /// Adds a list unless it is empty.
    pub fn list(&mut self, key: &str, items: Vec<Ordered>) {
        if !items.is_empty() {
            self.put_ordered(key, Self::List(items));
        }
    }

    /// The same without the order, for YAML, which sorts anyway.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Object(entries) => Value::map(entries.iter().map(|(k, v)| (k.as_str(), v.to_value()))),
            Self::List(items) => Value::list(items.iter().map(Self::to_value).collect()),
            Self::Plain(value) => value.clone(),
        }
    }

    /// As `json.Marshal` writes it.
    pub fn compact(&self) -> String {
        let mut out = String::new();
        self.print(&mut out, None, 0);
        out
    }

    /// As `json.MarshalIndent` writes it, two spaces a level.
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.print(&mut out, Some("  "), 0);
        out
    }

    fn print(&self, out: &mut String, indent: Option<&str>, depth: usize) {
        let line = |out: &mut String, depth: usize| {
            if let Some(indent) = indent {
                out.push('\n');
                out.push_str(&indent.repeat(depth));
            }
        };
        let plain = |value: &Value| write(value, Html::Escape).map(|t| t.to_string()).unwrap_or_default();
        match self {
            Self::Object(entries) if entries.is_empty() => out.push_str("{}"),
            Self::List(items) if items.is_empty() => out.push_str("[]"),
            Self::Object(entries) => {
                out.push('{');
                for (i, (key, value)) in entries.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    line(out, depth + 1);
                    out.push_str(&plain(&key.as_str().into()));
                    out.push_str(if indent.is_some() { ": " } else { ":" });
                    value.print(out, indent, depth + 1);
                }
                line(out, depth);
                out.push('}');
            }
            Self::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    line(out, depth + 1);
                    item.print(out, indent, depth + 1);
                }
                line(out, depth);
                out.push(']');
            }
            Self::Plain(Value::Map(map)) if indent.is_some() => {
                let entries = map.entries().into_iter().map(|(k, v)| (k.to_string(), Self::Plain(v)));
                Self::Object(entries.collect()).print(out, indent, depth);
            }
            Self::Plain(Value::List(list)) if indent.is_some() => {
                Self::List(list.items().iter().cloned().map(Self::Plain).collect()).print(out, indent, depth);
            }
            Self::Plain(value) => out.push_str(&plain(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_order() {
        let mut out = Ordered::object();
        out.put("z", 1.0.into());
        out.text("a", "<x>");
        out.text("empty", "");
        out.texts("l", &["1".to_owned()]);
        assert_eq!(out.compact(), r#"{"z":1,"a":"\u003cx\u003e","l":["1"]}"#);
        assert_eq!(
            out.pretty(),
            "{\n  \"z\": 1,\n  \"a\": \"\\u003cx\\u003e\",\n  \"l\": [\n    \"1\"\n  ]\n}"
        );
    }
}
