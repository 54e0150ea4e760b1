//! Go's `fmt`: what `%v` and the other verbs make of a value.

mod printf;
mod verb;

pub use printf::printf;

use crate::yaml::{ListKind, MAX_DEPTH, Text, Value, format_float};

/// Go's `fmt.Sprint` of one value, which is `%v`.
pub fn print(value: &Value) -> Text {
    let mut out = Vec::new();
    print_into(&mut out, value);
    out.into()
}

/// Appends what `%v` prints.
pub fn print_into(out: &mut Vec<u8>, value: &Value) {
    verb::Verb::plain().write(out, value, 0);
}

/// Go's `fmt.Sprint`: spaces between operands of which neither is a string.
pub fn sprint(values: &[Value]) -> Text {
    let mut out = Vec::new();
    let mut previous_string = true;
    for (i, value) in values.iter().enumerate() {
        let is_string = matches!(value, Value::Str(_));
        if i > 0 && !is_string && !previous_string {
            out.push(b' ');
        }
        print_into(&mut out, value);
        previous_string = is_string;
    }
    out.into()
}

/// Go's `fmt.Sprintln`: spaces between all operands, a line feed at the end.
pub fn sprintln(values: &[Value]) -> Text {
    let mut out = Vec::new();
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        print_into(&mut out, value);
    }
    out.push(b'\n');
    out.into()
}

/// The value behind methods, where printing needs one.
fn is_bytes(value: &Value) -> bool {
    matches!(value, Value::List(list) if list.kind() == ListKind::Byte)
}

fn too_deep(depth: usize) -> bool {
    depth > MAX_DEPTH
}

fn float(value: f64) -> String {
    format_float(value)
}
