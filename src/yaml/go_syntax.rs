//! Values as Go's `%#v` prints what go-yaml has decoded, for the words of errors about keys.

use super::{Value, format_float};

/// Deeper parts are left out; nobody reads them in a message.
const MAX_PRINTED: usize = 50;

/// The value in Go's syntax.
pub(super) fn go_syntax(value: &Value) -> String {
    let mut out = String::new();
    print(value, 0, &mut out);
    out
}

fn print(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Null if depth == 0 => out.push_str("<nil>"),
        Value::Null => out.push_str("interface {}(nil)"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(n, _) => out.push_str(&n.to_string()),
        Value::Uint(n, _) => out.push_str(&format!("{n:#x}")),
        Value::Float(f) => out.push_str(&format_float(*f)),
        Value::Str(text) => out.push_str(&super::quote::quote(text.as_bytes())),
        _ if depth > MAX_PRINTED => out.push_str("..."),
        Value::List(list) => {
            out.push_str("[]interface {}{");
            for (i, item) in list.items().iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                print(item, depth + 1, out);
            }
            out.push('}');
        }
        Value::Map(map) => {
            out.push_str("map[interface {}]interface {}{");
            for (i, (key, item)) in map.entries().iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                out.push_str(&super::quote::quote(key.as_bytes()));
                out.push(':');
                print(item, depth + 1, out);
            }
            out.push('}');
        }
        Value::Object(object) => out.push_str(&object.print().lossy()),
    }
}
