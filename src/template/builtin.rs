//! Go's own template functions (`text/template: funcs.go`).

use std::cmp::Ordering;

use super::error::Fault;
use super::exec::Caller;
use super::format;
use super::function::{Function, fixed, variadic};
use super::values::zero_entry;
use crate::yaml::{Kind, List, Param, Text, UintKind, Value};

const ANY: Param = Param::Named("reflect.Value");

/// The table.
pub(super) const FUNCTIONS: &[Function] = &[
    variadic("and", &[ANY, ANY], last),
    variadic("or", &[ANY, ANY], last),
    variadic("call", &[ANY, ANY], call),
    variadic("html", &[Param::Any], |_, args| Ok(Value::str(escape_html(joined(args).as_bytes())))),
    variadic("js", &[Param::Any], |_, args| Ok(Value::str(escape_js(joined(args).as_bytes())))),
    variadic("urlquery", &[Param::Any], |_, args| Ok(Value::str(escape_query(joined(args).as_bytes())))),
    variadic("index", &[ANY, ANY], index),
    variadic("slice", &[ANY, ANY], slice),
    fixed("len", &[ANY], len),
    fixed("not", &[ANY], |_, args| Ok(Value::Bool(!args[0].is_true()))),
    variadic("print", &[Param::Any], |_, args| Ok(Value::Str(format::sprint(args)))),
    variadic("println", &[Param::Any], |_, args| Ok(Value::Str(format::sprintln(args)))),
    variadic("printf", &[Param::Str, Param::Any], |_, args| {
        let format = args[0].as_text().cloned().unwrap_or_default();
        Ok(Value::Str(format::printf(format.as_bytes(), &args[1..])))
    }),
    variadic("eq", &[ANY, ANY], |_, args| eq(&args[0], &args[1..]).map(Value::Bool)),
    fixed("ne", &[ANY, ANY], |_, args| eq(&args[0], &args[1..]).map(|equal| Value::Bool(!equal))),
    fixed("lt", &[ANY, ANY], |_, args| compare(args, Ordering::is_lt)),
    fixed("le", &[ANY, ANY], |_, args| compare(args, Ordering::is_le)),
    fixed("gt", &[ANY, ANY], |_, args| compare(args, Ordering::is_gt)),
    fixed("ge", &[ANY, ANY], |_, args| compare(args, Ordering::is_ge)),
];

/// The executor short-circuits these; here only for completeness of the table.
fn last(_: &mut Caller<'_, '_>, args: &[Value]) -> Result<Value, Fault> {
    Ok(args.last().cloned().unwrap_or_default())
}

/// There are no function values; the executor puts the callee's text first.
fn call(_: &mut Caller<'_, '_>, args: &[Value]) -> Result<Value, Fault> {
    match args.get(1) {
        None | Some(Value::Null) => Err("call of nil".into()),
        Some(other) => {
            let name = args[0].as_text().map(ToString::to_string).unwrap_or_default();
            Err(format!("non-function {name} of type {}", other.type_name()).into())
        }
    }
}

/// What html, js and urlquery see of their arguments.
fn joined(args: &[Value]) -> Text {
    match args {
        [Value::Str(text)] => text.clone(),
        _ => {
            let shown: Vec<Value> =
                args.iter().map(|v| if v.is_null() { "<no value>".into() } else { v.clone() }).collect();
            format::sprint(&shown)
        }
    }
}

fn escape_html(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            other => out.push(*other),
        }
    }
    out
}

fn escape_js(text: &[u8]) -> Vec<u8> {
    let mut out = String::with_capacity(text.len());
    let mut bytes = Vec::new();
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '\'' => out.push_str("\\'"),
                '"' => out.push_str("\\\""),
                '<' | '>' | '&' | '=' => out.push_str(&format!("\\u{:04X}", c as u32)),
                c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04X}", c as u32)),
                c if c.is_ascii() || super::quote::is_print(c) => out.push(c),
                c => out.push_str(&format!("\\u{:04X}", c as u32)),
            }
        }
        chunk.invalid().iter().for_each(|_| out.push_str("\\uFFFD"));
    }
    bytes.extend_from_slice(out.as_bytes());
    bytes
}

/// Go's `url.QueryEscape`.
pub(super) fn escape_query(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            b' ' => out.push(b'+'),
            other => out.extend_from_slice(format!("%{other:02X}").as_bytes()),
        }
    }
    out
}

/// A list index; `cap` is the highest allowed.
fn index_arg(index: &Value, cap: usize) -> Result<usize, Fault> {
    let n = match index {
        Value::Int(n, _) => *n,
        Value::Uint(n, _) => i64::try_from(*n).unwrap_or(-1),
        Value::Null => return Err("cannot index slice/array with nil".into()),
        other => return Err(format!("cannot index slice/array with type {}", other.type_name()).into()),
    };
    match usize::try_from(n) {
        Ok(at) if at <= cap => Ok(at),
        _ => Err(format!("index out of range: {n}").into()),
    }
}

fn behind(value: &Value) -> Value {
    match value {
        Value::Object(object) => object.collection().unwrap_or_else(|| value.clone()),
        other => other.clone(),
    }
}

fn index(_: &mut Caller<'_, '_>, args: &[Value]) -> Result<Value, Fault> {
    if args[0].is_null() {
        return Err("index of untyped nil".into());
    }
    let mut item = args[0].clone();
    for at in &args[1..] {
        item = match behind(&item) {
            Value::Null => return Err("index of nil pointer".into()),
            Value::List(list) => {
                let i = index_arg(at, list.len())?;
                list.items().get(i).cloned().ok_or_else(|| Fault::from(go_out_of_range("slice", i)))?
            }
            Value::Str(text) => {
                let i = index_arg(at, text.len())?;
                let byte = text.as_bytes().get(i).ok_or_else(|| Fault::from(go_out_of_range("string", i)))?;
                Value::Uint(u64::from(*byte), UintKind::Uint8)
            }
            Value::Map(map) => match at {
                Value::Str(key) => {
                    map.get(key.as_bytes()).or_else(|| zero_entry(map.kind())).unwrap_or_default()
                }
                Value::Null => return Err("value is nil; should be of type string".into()),
                other => return Err(format!("value has type {}; should be string", other.type_name()).into()),
            },
            other => return Err(format!("can't index item of type {}", other.type_name()).into()),
        };
    }
    Ok(item)
}

fn go_out_of_range(what: &str, _index: usize) -> String {
    format!("reflect: {what} index out of range")
}

fn slice(_: &mut Caller<'_, '_>, args: &[Value]) -> Result<Value, Fault> {
    let (item, indexes) = (behind(&args[0]), &args[1..]);
    if item.is_null() {
        return Err("slice of untyped nil".into());
    }
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()).into());
    }
    let length = match &item {
        Value::Str(_) if indexes.len() == 3 => return Err("cannot 3-index slice a string".into()),
        Value::Str(text) => text.len(),
        Value::List(list) => list.len(),
        other => return Err(format!("can't slice item of type {}", other.type_name()).into()),
    };
    let mut bounds = [0, length, length];
    for (i, at) in indexes.iter().enumerate() {
        bounds[i] = index_arg(at, length)?;
    }
    for pair in [[0, 1], [1, 2]] {
        let (low, high) = (bounds[pair[0]], bounds[pair[1]]);
        if low > high && (pair[0] == 0 || indexes.len() == 3) {
            return Err(format!("invalid slice index: {low} > {high}").into());
        }
    }
    Ok(match item {
        Value::Str(text) => Value::str(&text.as_bytes()[bounds[0]..bounds[1]]),
        Value::List(list) => {
            Value::List(List::typed(list.items()[bounds[0]..bounds[1]].to_vec(), list.kind()))
        }
        other => other,
    })
}

fn len(_: &mut Caller<'_, '_>, args: &[Value]) -> Result<Value, Fault> {
    let n = match behind(&args[0]) {
        Value::Null => return Err("reflect: call of reflect.Value.Type on zero Value".into()),
        Value::Str(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        other => return Err(format!("len of type {}", other.type_name()).into()),
    };
    Ok(Value::int(i64::try_from(n).unwrap_or(i64::MAX)))
}

/// Go's classes of kinds that can be compared.
#[derive(PartialEq, Eq)]
enum Class {
    Other,
    Bool,
    Int,
    Uint,
    Float,
    Str,
}

fn class(value: &Value) -> Class {
    match value {
        Value::Bool(_) => Class::Bool,
        Value::Int(..) => Class::Int,
        Value::Uint(..) => Class::Uint,
        Value::Float(_) => Class::Float,
        Value::Str(_) => Class::Str,
        _ => Class::Other,
    }
}

/// The number behind a named integer type.
fn basic(value: &Value) -> Value {
    match value {
        Value::Object(object) => object.integer().map_or_else(|| value.clone(), Value::int64),
        other => other.clone(),
    }
}

/// Go's comparison for equality with any of several.
///
/// # Errors
/// Go's words for what cannot be compared.
pub(super) fn eq(first: &Value, others: &[Value]) -> Result<bool, Fault> {
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in others {
        if eq_one(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn eq_one(a: &Value, b: &Value) -> Result<bool, Fault> {
    if let (Value::Object(_), _) | (_, Value::Object(_)) = (a, b)
        && (class(&basic(a)), class(&basic(b))) == (Class::Int, Class::Int)
    {
        return eq_one(&basic(a), &basic(b));
    }
    Ok(match (a, b) {
        (Value::Int(i, _), Value::Uint(u, _)) | (Value::Uint(u, _), Value::Int(i, _)) => {
            u64::try_from(*i).is_ok_and(|i| i == *u)
        }
        _ if class(a) != class(b) => {
            if !a.is_null() && !b.is_null() {
                return Err(format!(
                    "incompatible types for comparison: {} and {}",
                    a.type_name(),
                    b.type_name()
                )
                .into());
            }
            false
        }
        (Value::Bool(a), Value::Bool(b)) => a == b,
        #[allow(clippy::float_cmp, reason = "as Go compares")]
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Int(a, _), Value::Int(b, _)) => a == b,
        (Value::Uint(a, _), Value::Uint(b, _)) => a == b,
        (Value::Str(a), Value::Str(b)) => a == b,
        _ => eq_other(a, b)?,
    })
}

fn is_nil(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::List(list) => list.is_nil(),
        Value::Map(map) => map.is_nil(),
        _ => false,
    }
}

fn eq_other(a: &Value, b: &Value) -> Result<bool, Fault> {
    let same_kind = a.kind() == b.kind() || a.is_null() || b.is_null();
    if !same_kind {
        return Err(format!(
            "non-comparable types {}: {}, {}: {}",
            format::printf(b"%s", std::slice::from_ref(a)),
            a.type_name(),
            b.type_name(),
            format::print(b)
        )
        .into());
    }
    if is_nil(a) || is_nil(b) {
        return Ok(is_nil(a) == is_nil(b));
    }
    match (a, b) {
        (Value::Object(x), Value::Object(y)) if x.kind() != Kind::Map && x.kind() != Kind::Slice => {
            Ok(x.equals(&**y))
        }
        _ => Err(format!(
            "non-comparable type {}: {}",
            format::printf(b"%s", std::slice::from_ref(b)),
            b.type_name()
        )
        .into()),
    }
}

fn compare(args: &[Value], wanted: fn(Ordering) -> bool) -> Result<Value, Fault> {
    let (a, b) = (&basic(&args[0]), &basic(&args[1]));
    if class(a) == Class::Other || class(b) == Class::Other {
        return Err("invalid type for comparison".into());
    }
    let order = match (a, b) {
        (Value::Int(a, _), Value::Uint(b, _)) => u64::try_from(*a).map_or(Ordering::Less, |a| a.cmp(b)),
        (Value::Uint(a, _), Value::Int(b, _)) => u64::try_from(*b).map_or(Ordering::Greater, |b| a.cmp(&b)),
        (Value::Int(a, _), Value::Int(b, _)) => a.cmp(b),
        (Value::Uint(a, _), Value::Uint(b, _)) => a.cmp(b),
        (Value::Str(a), Value::Str(b)) => a.cmp(b),
        // NaN is neither less nor equal; `gt` and `ge` are the negations of `le` and `lt`.
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b).unwrap_or(Ordering::Greater),
        (Value::Bool(_), Value::Bool(_)) => return Err("invalid type for comparison".into()),
        _ => {
            return Err(format!(
                "incompatible types for comparison: {} and {}",
                a.type_name(),
                b.type_name()
            )
            .into());
        }
    };
    Ok(Value::Bool(wanted(order)))
}
