//! TOML as BurntSushi's library writes and reads it.

use crate::yaml::{List, Map, Value, format_float};

/// Writes a table: plain keys first, then sub-tables, each level indented by two spaces.
///
/// # Errors
/// The library's words for what TOML cannot hold.
pub(super) fn write(value: &Value) -> Result<String, String> {
    let mut out = String::new();
    match value {
        Value::Map(map) => table(&mut out, map, &mut Vec::new())?,
        Value::Null => return Err("reflect: call of reflect.Value.Type on zero Value".to_owned()),
        // What is no table is written as it would stand behind a key.
        other => element(&mut out, other)?,
    }
    Ok(out)
}

fn is_table_list(list: &List) -> bool {
    !list.is_empty() && list.items().iter().all(|v| matches!(v, Value::Map(_)))
}

fn table(out: &mut String, map: &Map, path: &mut Vec<String>) -> Result<(), String> {
    if path.len() > 200 {
        return Err("toml: tables are nested too deeply".to_owned());
    }
    let (mut plain, mut tables) = (Vec::new(), Vec::new());
    for (key, value) in map.entries() {
        let is_table = match &value {
            Value::Map(_) => true,
            Value::List(list) => is_table_list(list),
            _ => false,
        };
        if is_table { tables.push((key, value)) } else { plain.push((key, value)) }
    }
    let indent = "  ".repeat(path.len());
    for (name, value) in plain {
        if !value.is_null() {
            out.push_str(&format!("{indent}{} = ", key(&name.lossy())));
            element(out, &value)?;
            out.push('\n');
        }
    }
    for (name, value) in tables {
        path.push(key(&name.lossy()));
        let indent = "  ".repeat(path.len() - 1);
        match &value {
            Value::Map(map) => {
                if !out.is_empty() && path.len() == 1 {
                    out.push('\n');
                }
                out.push_str(&format!("{indent}[{}]\n", path.join(".")));
                table(out, map, path)?;
            }
            Value::List(list) => {
                for item in list.items() {
                    if !out.is_empty() {
                        out.push('\n');
                    }
                    out.push_str(&format!("{indent}[[{}]]\n", path.join(".")));
                    if let Value::Map(map) = item {
                        table(out, map, path)?;
                    }
                }
            }
            _ => {}
        }
        path.pop();
    }
    Ok(())
}

fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { quoted(name) }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || c == '\u{7f}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out + "\""
}

fn element(out: &mut String, value: &Value) -> Result<(), String> {
    match value {
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(n, _) => out.push_str(&n.to_string()),
        Value::Uint(n, _) => out.push_str(&n.to_string()),
        Value::Float(f) => out.push_str(&float(*f)),
        Value::Str(text) => out.push_str(&quoted(&text.lossy())),
        Value::List(list) => {
            out.push('[');
            for (i, item) in list.items().iter().enumerate() {
                if item.is_null() {
                    return Err("toml: cannot encode array with nil element".to_owned());
                }
                out.push_str(if i > 0 { ", " } else { "" });
                stacker::maybe_grow(64 << 10, 1 << 20, || element(out, item))?;
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (i, (name, item)) in map.entries().into_iter().filter(|(_, v)| !v.is_null()).enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                out.push_str(&format!("{} = ", key(&name.lossy())));
                stacker::maybe_grow(64 << 10, 1 << 20, || element(out, &item))?;
            }
            out.push('}');
        }
        Value::Object(object) => element(out, &object.to_plain()?)?,
        Value::Null => return Err("toml: cannot encode a nil value".to_owned()),
    }
    Ok(())
}

fn float(f: f64) -> String {
    if f.is_nan() {
        return "nan".to_owned();
    }
    if f.is_infinite() {
        return if f > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let text = format_float(f);
    if text.contains(['e', '.']) { text } else { format!("{text}.0") }
}

/// Reads a document.
///
/// # Errors
/// The parser's words; they are our parser's, not BurntSushi's.
pub(super) fn read(text: &str) -> Result<Map, String> {
    let table: toml::Table = toml::from_str(text).map_err(|e| format!("toml: {}", e.message()))?;
    Ok(table.into_iter().map(|(k, v)| (k.into(), value_of(v))).collect())
}

fn value_of(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(n) => Value::int64(n),
        toml::Value::Float(f) => Value::Float(f),
        toml::Value::Boolean(b) => Value::Bool(b),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => {
            let tables = !items.is_empty() && items.iter().all(toml::Value::is_table);
            let items: Vec<Value> = items.into_iter().map(value_of).collect();
            if tables {
                return Value::List(List::typed(items, crate::yaml::ListKind::Maps));
            }
            Value::list(items)
        }
        toml::Value::Table(table) => {
            Value::Map(table.into_iter().map(|(k, v)| (k.into(), value_of(v))).collect())
        }
    }
}
