//! JSONPath templates as `kubectl` and Helm have them (client-go: util/jsonpath): text with paths in braces.
//!
//! Maps are walked in the order of their keys, where Go walks them in no order. Everything else is theirs: a path that
//! finds nothing is an error, results of one pair of braces are parted by blanks, maps and lists are written as JSON.

mod parse;
mod walk;

use super::format;
use crate::yaml::{Value, json};

/// How deep paths and data may nest.
const DEPTH: usize = 200;

/// A template that has been read.
#[derive(Clone, Debug)]
pub struct JsonPath(Vec<Node>);

/// A part of a template.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// Parts that follow each other: what stands in braces.
    List(Vec<Node>),
    Text(String),
    Field(String),
    /// Begin, end and step; whether the end was left out.
    Slice {
        from: Option<i64>,
        to: Option<i64>,
        step: Option<i64>,
        one: bool,
    },
    Filter {
        left: Vec<Node>,
        operator: String,
        right: Vec<Node>,
    },
    Int(i64),
    Float(f64),
    Bool(bool),
    Wildcard,
    Recursive,
    Union(Vec<Vec<Node>>),
    Identifier(String),
}

impl JsonPath {
    /// Reads a template.
    ///
    /// # Errors
    /// The words of client-go.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse::template(text, 0).map(Self)
    }

    /// What the template makes of a value.
    ///
    /// # Errors
    /// The words of client-go: a path leads nowhere, or things are compared that cannot be.
    pub fn execute(&self, data: &Value) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        for results in walk::results(&self.0, data)? {
            for (i, value) in results.iter().enumerate() {
                if i > 0 {
                    out.push(b' ');
                }
                match value {
                    Value::Null => out.extend_from_slice(b"null"),
                    Value::Map(_) | Value::List(_) => {
                        let text = json::write(value, json::Html::Escape).map_err(|e| e.to_string())?;
                        out.extend_from_slice(text.as_bytes());
                    }
                    other => format::print_into(&mut out, other),
                }
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{self, Options};

    const DATA: &str = "{name: web, num: 1000000, flag: true, none: null, dotted.key: d, image: {tag: '1.2', repo: r},\
                        ports: [{name: a, port: 80}, {name: b, port: 81.5}, {name: c}], list: [p, q, r], nums: [1.5, 2.5], empty: []}";

    fn run(template: &str) -> String {
        let data = yaml::read(DATA.as_bytes(), Options::default()).unwrap();
        match JsonPath::parse(template).and_then(|path| path.execute(&data)) {
            Ok(out) => String::from_utf8(out).unwrap(),
            Err(error) => format!("! {error}"),
        }
    }

    #[test]
    fn paths() {
        for (template, want) in [
            ("{.name}", "web"),
            ("{$.image.tag}:{@.name}!", "1.2:web!"),
            ("{.num} {.flag} {.none}", "1e+06 true null"),
            ("{.image}", r#"{"repo":"r","tag":"1.2"}"#),
            ("{.dotted\\.key}{['dotted\\.key']}", "dd"),
            ("{.list[0]}{.list[-1]}{.list[1:]}{.list[0:3:2]}", "prq rp r"),
            ("{.list[0,2]} {['name','num']}", "p r web 1e+06"),
            ("{.list[*]}", "p q r"),
            ("{.image.*}", "r 1.2"),
            ("{.ports[*].name}", "a b c"),
            ("{..tag}", "1.2"),
            ("{.nums[?(@>2.0)]}", "2.5"),
            ("{.ports[?(@.port)].name}", "a b"),
            ("{.ports[?(@.name==\"a\")].port}", "80"),
            ("{range .ports[*]}{.name}{\"\\n\"}{end}.", "a\nb\nc\n."),
            ("{range .list[*]}<{@}>{end}", "<p><q><r>"),
            ("{\"a\"}{'b'} c {1}{2.5}{true}", "ab c 12.5true"),
            (".name", ".name"),
            ("{.list[:2]}", "p q"),
        ] {
            assert_eq!(run(template), want, "{template}");
        }
    }

    #[test]
    fn errors() {
        for (template, want) in [
            ("{.nope}", "nope is not found"),
            ("{.list[5]}", "array index out of bounds: index 5, length 3"),
            ("{.name[0]}", "string is not array or slice"),
            ("{.name", "unclosed action"),
            ("{.list[a]}", "invalid array index a"),
            ("{.list[0", "unterminated array"),
            ("{.ports[?(@.port>80.5)].name}", "port is not found"),
            ("{end}", "not in range, nothing to end"),
            ("{what}", "unrecognized identifier what"),
            ("{.ports[?(@.port==80)].name}", "incompatible types for comparison"),
            ("{.ports[?(@.port==80.0}", "unterminated filter"),
            ("{'a}", "unterminated quoted string"),
            ("{....a}", "invalid multiple recursive descent"),
            ("{range .empty[*]}{.x}{end}", "x is not found"),
        ] {
            assert_eq!(run(template), format!("! {want}"), "{template}");
        }
        let deep = format!("{{{}}}", "[?(".repeat(1000));
        assert!(run(&deep).starts_with("! "));
    }
}
