//! Sprig's strings.

use super::super::error::Fault;
use super::super::format;
use super::super::function::{Function, fixed, variadic};
use super::super::quote::quote;
use super::words::{delimited, pascal};
use super::{affordable, int, join, strval, text};
use crate::yaml::{Entries, Map, MapKind, Param, Text, Value, find};

const ANY: Param = Param::Any;
const STR: Param = Param::Str;
const INT: Param = Param::Int;

/// The table.
pub(super) const FUNCTIONS: &[Function] = &[
    fixed("trim", &[STR], |_, a| Ok(lossless(&text(a, 0), |t| t.trim().to_owned()))),
    fixed("upper", &[STR], |_, a| Ok(map_chars(&text(a, 0), upper))),
    fixed("lower", &[STR], |_, a| Ok(map_chars(&text(a, 0), lower))),
    fixed("title", &[STR], |_, a| Ok(title(&text(a, 0)))),
    fixed("untitle", &[STR], |_, a| Ok(untitle(&text(a, 0)))),
    fixed("nospace", &[STR], |_, a| {
        Ok(text(a, 0).lossy().chars().filter(|c| !c.is_whitespace()).collect::<String>().into())
    }),
    fixed("swapcase", &[STR], |_, a| Ok(swapcase(&text(a, 0)))),
    fixed("initials", &[STR], |_, a| Ok(initials(&text(a, 0)))),
    fixed("trimall", &[STR, STR], trim_all),
    fixed("trimAll", &[STR, STR], trim_all),
    fixed("trimSuffix", &[STR, STR], |_, a| {
        let (cut, from) = (text(a, 0), text(a, 1));
        Ok(Value::str(from.as_bytes().strip_suffix(cut.as_bytes()).unwrap_or(from.as_bytes())))
    }),
    fixed("trimPrefix", &[STR, STR], |_, a| {
        let (cut, from) = (text(a, 0), text(a, 1));
        Ok(Value::str(from.as_bytes().strip_prefix(cut.as_bytes()).unwrap_or(from.as_bytes())))
    }),
    fixed("contains", &[STR, STR], |_, a| {
        Ok(Value::Bool(find(text(a, 1).as_bytes(), text(a, 0).as_bytes()).is_some()))
    }),
    fixed("hasPrefix", &[STR, STR], |_, a| {
        Ok(Value::Bool(text(a, 1).as_bytes().starts_with(text(a, 0).as_bytes())))
    }),
    fixed("hasSuffix", &[STR, STR], |_, a| {
        Ok(Value::Bool(text(a, 1).as_bytes().ends_with(text(a, 0).as_bytes())))
    }),
    fixed("repeat", &[INT, STR], |_, a| {
        let Ok(n) = usize::try_from(int(a, 0)) else { return Err("strings: negative Repeat count".into()) };
        let from = text(a, 1);
        affordable(from.len().checked_mul(n))?;
        Ok(Value::str(from.as_bytes().repeat(n)))
    }),
    fixed("replace", &[STR, STR, STR], |_, a| replace(&text(a, 2), &text(a, 0), &text(a, 1)).map(Value::Str)),
    fixed("substr", &[INT, INT, STR], substr),
    fixed("trunc", &[INT, STR], |_, a| Ok(trunc(int(a, 0), &text(a, 1)))),
    fixed("abbrev", &[INT, STR], |_, a| Ok(abbreviate(&text(a, 1), 0, int(a, 0)))),
    fixed("abbrevboth", &[INT, INT, STR], |_, a| {
        let (left, right) = (int(a, 0), int(a, 1));
        if right < 4 || left > 0 && right < 7 {
            return Ok(a[2].clone());
        }
        Ok(abbreviate(&text(a, 2), left, right))
    }),
    fixed("wrap", &[INT, STR], |_, a| wrap(&text(a, 1), int(a, 0), "\n", false)),
    fixed("wrapWith", &[INT, STR, STR], |_, a| wrap(&text(a, 2), int(a, 0), &text(a, 1).lossy(), true)),
    variadic("quote", &[ANY], |_, a| Ok(each(a, |v| quote(strval(v).as_bytes()).into()))),
    variadic("squote", &[ANY], |_, a| Ok(each(a, |v| format::printf(b"'%v'", std::slice::from_ref(v))))),
    variadic("cat", &[ANY], |_, a| Ok(each(a, format::print))),
    fixed("indent", &[INT, STR], |_, a| indent(a, "")),
    fixed("nindent", &[INT, STR], |_, a| indent(a, "\n")),
    fixed("plural", &[STR, STR, INT], |_, a| Ok(a[usize::from(int(a, 2) != 1)].clone())),
    fixed("snakecase", &[STR], |_, a| Ok(delimited(&text(a, 0).lossy(), '_').into())),
    fixed("kebabcase", &[STR], |_, a| Ok(delimited(&text(a, 0).lossy(), '-').into())),
    fixed("camelcase", &[STR], |_, a| Ok(pascal(&text(a, 0).lossy()).into())),
    fixed("toString", &[ANY], |_, a| Ok(Value::Str(strval(&a[0])))),
    fixed("split", &[STR, STR], |_, a| Ok(numbered(pieces(&text(a, 1), &text(a, 0), None)))),
    fixed("splitn", &[STR, INT, STR], |_, a| Ok(numbered(pieces(&text(a, 2), &text(a, 0), Some(int(a, 1)))))),
    fixed("splitList", &[STR, STR], |_, a| Ok(Value::strings(pieces(&text(a, 1), &text(a, 0), None)))),
];

/// Applies `change` to text, keeping bytes that are no UTF-8 as they are where the text has none to change.
fn lossless(from: &Text, change: impl Fn(&str) -> String) -> Value {
    match from.as_str() {
        Some(valid) => change(valid).into(),
        None => {
            let bytes = from.as_bytes();
            let space = |b: &u8| b.is_ascii_whitespace() || *b == 0x0b;
            let start = bytes.iter().position(|b| !space(b)).unwrap_or(bytes.len());
            let end = bytes.iter().rposition(|b| !space(b)).map_or(start, |i| i + 1);
            Value::str(&bytes[start..end])
        }
    }
}

/// Go maps single characters: what Unicode makes several of stays as it is.
pub(super) fn upper(c: char) -> char {
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

pub(super) fn lower(c: char) -> char {
    let mut mapped = c.to_lowercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        (Some(one), Some(_)) if c == '\u{130}' => one,
        _ => c,
    }
}

fn map_chars(from: &Text, map: fn(char) -> char) -> Value {
    from.lossy().chars().map(map).collect::<String>().into()
}

fn title(from: &Text) -> Value {
    let mut previous = ' ';
    let mut out = String::with_capacity(from.len());
    for c in from.lossy().chars() {
        let separator = if previous.is_ascii() {
            !(previous.is_ascii_alphanumeric() || previous == '_')
        } else {
            !previous.is_alphanumeric() && previous.is_whitespace()
        };
        out.push(if separator { upper(c) } else { c });
        previous = c;
    }
    out.into()
}

/// Lower-cases the first letter of each word.
fn untitle(from: &Text) -> Value {
    let mut start = true;
    let change = |c: char| {
        let out = if start { lower(c) } else { c };
        start = c.is_whitespace();
        out
    };
    from.lossy().chars().map(change).collect::<String>().into()
}

fn swapcase(from: &Text) -> Value {
    let mut after_space = true;
    let mut out = String::with_capacity(from.len());
    for c in from.lossy().chars() {
        if c.is_uppercase() {
            out.push(lower(c));
            after_space = false;
        } else if c.is_lowercase() {
            out.push(upper(c));
            after_space = false;
        } else {
            out.push(c);
            after_space = c.is_whitespace();
        }
    }
    let _ = after_space;
    out.into()
}

/// The first *byte* of each word, as a character.
fn initials(from: &Text) -> Value {
    let mut out = String::new();
    let mut last_gap = true;
    let bytes = from.as_bytes();
    let lossy = from.lossy();
    for (i, c) in lossy.char_indices() {
        if c.is_whitespace() {
            last_gap = true;
        } else if last_gap {
            out.push(bytes.get(i).map_or(c, |b| *b as char));
            last_gap = false;
        }
    }
    out.into()
}

fn trim_all(_: &mut super::super::Caller<'_, '_>, a: &[Value]) -> Result<Value, Fault> {
    let (cut, from) = (text(a, 0), text(a, 1));
    let cut: Vec<char> = cut.lossy().chars().collect();
    Ok(from.lossy().trim_matches(|c| cut.contains(&c)).into())
}

fn replace(from: &Text, old: &Text, new: &Text) -> Result<Text, Fault> {
    let mut out = Vec::with_capacity(from.len());
    let mut rest = from.as_bytes();
    if old.is_empty() {
        // Go puts the new text before every character and at the end.
        let text = from.lossy();
        affordable(new.len().checked_mul(text.len() + 1))?;
        for c in text.chars() {
            out.extend_from_slice(new.as_bytes());
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        out.extend_from_slice(new.as_bytes());
        return Ok(out.into());
    }
    while let Some(at) = find(rest, old.as_bytes()) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(new.as_bytes());
        rest = &rest[at + old.len()..];
        affordable(Some(out.len()))?;
    }
    out.extend_from_slice(rest);
    Ok(out.into())
}

fn substr(_: &mut super::super::Caller<'_, '_>, a: &[Value]) -> Result<Value, Fault> {
    let (start, end, from) = (int(a, 0), int(a, 1), text(a, 2));
    let length = i64::try_from(from.len()).unwrap_or(i64::MAX);
    let bytes = from.as_bytes();
    let at = |n: i64| usize::try_from(n).unwrap_or(0);
    if start < 0 {
        if end < 0 {
            return Err(format!("runtime error: slice bounds out of range [:{end}]").into());
        }
        if end > length {
            return Err(
                format!("runtime error: slice bounds out of range [:{end}] with length {length}").into()
            );
        }
        return Ok(Value::str(&bytes[..at(end)]));
    }
    if end < 0 || end > length {
        if start > length {
            return Err(format!("runtime error: slice bounds out of range [{start}:{length}]").into());
        }
        return Ok(Value::str(&bytes[at(start)..]));
    }
    if start > end {
        return Err(format!("runtime error: slice bounds out of range [{start}:{end}]").into());
    }
    Ok(Value::str(&bytes[at(start)..at(end)]))
}

fn trunc(n: i64, from: &Text) -> Value {
    let length = i64::try_from(from.len()).unwrap_or(i64::MAX);
    let bytes = from.as_bytes();
    if n < 0 && length + n > 0 {
        return Value::str(&bytes[usize::try_from(length + n).unwrap_or(0)..]);
    }
    if n >= 0 && length > n {
        return Value::str(&bytes[..usize::try_from(n).unwrap_or(0)]);
    }
    Value::Str(from.clone())
}

/// goutils' AbbreviateFull, which counts bytes.
fn abbreviate(from: &Text, offset: i64, width: i64) -> Value {
    let length = i64::try_from(from.len()).unwrap_or(i64::MAX);
    if width < 4 || length <= width || from.is_empty() {
        return if width < 4 || length <= width { Value::Str(from.clone()) } else { "".into() };
    }
    let cut = |from_at: i64, to: i64| {
        let (a, b) = (usize::try_from(from_at).unwrap_or(0), usize::try_from(to).unwrap_or(0));
        from.as_bytes().get(a..b).unwrap_or_default().to_vec()
    };
    let mut offset = offset.min(length);
    if length - offset < width - 3 {
        offset = length - (width - 3);
    }
    if offset <= 4 {
        return Value::str([cut(0, width - 3), b"...".to_vec()].concat());
    }
    if width < 7 {
        return "".into();
    }
    if offset + width - 3 < length {
        let inner = abbreviate(&cut(offset, length).into(), 0, width - 3);
        let inner = inner.as_text().cloned().unwrap_or_default();
        return Value::str([b"...".to_vec(), inner.as_bytes().to_vec()].concat());
    }
    Value::str([b"...".to_vec(), cut(length - (width - 3), length)].concat())
}

/// goutils' WrapCustom: greedy, at single spaces, counted in bytes.
fn wrap(from: &Text, width: i64, line: &str, break_long: bool) -> Result<Value, Fault> {
    let line = if line.is_empty() { "\n" } else { line };
    let width = usize::try_from(width.max(1)).unwrap_or(1);
    let bytes = from.as_bytes();
    let mut out = Vec::with_capacity(bytes.len() + 32);
    let mut offset = 0;
    affordable(bytes.len().checked_mul(line.len() + 1))?;
    while bytes.len() - offset > width {
        if bytes[offset] == b' ' {
            offset += 1;
            continue;
        }
        let end = offset + width + 1;
        let found = bytes[offset..end.min(bytes.len())].iter().rposition(|b| *b == b' ').map(|i| i + offset);
        if let Some(space) = found.filter(|s| *s >= offset) {
            out.extend_from_slice(&bytes[offset..space]);
            out.extend_from_slice(line.as_bytes());
            offset = space + 1;
        } else if break_long {
            out.extend_from_slice(&bytes[offset..offset + width]);
            out.extend_from_slice(line.as_bytes());
            offset += width;
        } else {
            match bytes[offset + width..].iter().position(|b| *b == b' ').map(|i| i + offset + width) {
                Some(space) => {
                    out.extend_from_slice(&bytes[offset..space]);
                    out.extend_from_slice(line.as_bytes());
                    offset = space + 1;
                }
                None => {
                    out.extend_from_slice(&bytes[offset..]);
                    offset = bytes.len();
                }
            }
        }
    }
    out.extend_from_slice(&bytes[offset..]);
    Ok(Value::str(out))
}

/// The texts of all arguments that are not nil, with spaces between.
fn each(args: &[Value], show: impl Fn(&Value) -> Text) -> Value {
    let parts: Vec<Text> = args.iter().filter(|v| !v.is_null()).map(show).collect();
    Value::Str(join(&parts, b" "))
}

fn indent(args: &[Value], before: &str) -> Result<Value, Fault> {
    let Ok(n) = usize::try_from(int(args, 0)) else { return Err("strings: negative Repeat count".into()) };
    let from = text(args, 1);
    let lines = from.as_bytes().iter().filter(|b| **b == b'\n').count() + 1;
    let extra = affordable(lines.checked_mul(n))?;
    let mut out = Vec::with_capacity(from.len() + extra + 1);
    out.extend_from_slice(before.as_bytes());
    for (i, line) in from.as_bytes().split(|b| *b == b'\n').enumerate() {
        if i > 0 {
            out.push(b'\n');
        }
        out.resize(out.len() + n, b' ');
        out.extend_from_slice(line);
    }
    Ok(Value::str(out))
}

/// Go's `strings.SplitN`; without a limit all pieces.
pub(super) fn pieces(from: &Text, separator: &Text, limit: Option<i64>) -> Vec<Text> {
    let limit = match limit {
        Some(0) => return Vec::new(),
        Some(n) => usize::try_from(n).unwrap_or(usize::MAX),
        None => usize::MAX,
    };
    if separator.is_empty() {
        let text = from.lossy();
        let mut out: Vec<Text> = Vec::new();
        for (i, c) in text.char_indices() {
            if out.len() + 1 == limit {
                out.push(text[i..].into());
                return out;
            }
            out.push(c.encode_utf8(&mut [0; 4]).as_bytes().into());
        }
        return out;
    }
    let mut out = Vec::new();
    let mut rest = from.as_bytes();
    while out.len() + 1 < limit
        && let Some(at) = find(rest, separator.as_bytes())
    {
        out.push(rest[..at].into());
        rest = &rest[at + separator.len()..];
    }
    out.push(rest.into());
    out
}

fn numbered(pieces: Vec<Text>) -> Value {
    let entries: Entries =
        pieces.into_iter().enumerate().map(|(i, p)| (format!("_{i}").into(), Value::Str(p))).collect();
    Value::Map(Map::typed(entries, MapKind::Strings))
}
