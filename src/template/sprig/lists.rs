//! Sprig's lists.

use super::super::error::Fault;
use super::super::function::{Function, fixed, variadic};
use super::cast::to_int64;
use super::types::is_empty;
use super::{join, strval};
use crate::yaml::{List, ListKind, Param, Text, Value, deep_equal};

const ANY: Param = Param::Any;

/// The table.
pub(super) const FUNCTIONS: &[Function] = &[
    variadic("list", &[ANY], |_, a| Ok(Value::list(a.to_vec()))),
    variadic("tuple", &[ANY], |_, a| Ok(Value::list(a.to_vec()))),
    fixed("append", &[ANY, ANY], |_, a| push(a)),
    fixed("push", &[ANY, ANY], |_, a| push(a)),
    fixed("mustAppend", &[ANY, ANY], |_, a| push(a)),
    fixed("mustPush", &[ANY, ANY], |_, a| push(a)),
    fixed("prepend", &[ANY, ANY], |_, a| prepend(a)),
    fixed("mustPrepend", &[ANY, ANY], |_, a| prepend(a)),
    fixed("first", &[ANY], |_, a| first(a)),
    fixed("mustFirst", &[ANY], |_, a| first(a)),
    fixed("last", &[ANY], |_, a| last(a)),
    fixed("mustLast", &[ANY], |_, a| last(a)),
    fixed("rest", &[ANY], |_, a| rest(a)),
    fixed("mustRest", &[ANY], |_, a| rest(a)),
    fixed("initial", &[ANY], |_, a| initial(a)),
    fixed("mustInitial", &[ANY], |_, a| initial(a)),
    fixed("reverse", &[ANY], |_, a| reverse(a)),
    fixed("mustReverse", &[ANY], |_, a| reverse(a)),
    fixed("uniq", &[ANY], |_, a| uniq(a)),
    fixed("mustUniq", &[ANY], |_, a| uniq(a)),
    fixed("compact", &[ANY], |_, a| compact(a)),
    fixed("mustCompact", &[ANY], |_, a| compact(a)),
    variadic("without", &[ANY, ANY], |_, a| without(a)),
    variadic("mustWithout", &[ANY, ANY], |_, a| without(a)),
    fixed("has", &[ANY, ANY], |_, a| has(a)),
    fixed("mustHas", &[ANY, ANY], |_, a| has(a)),
    variadic("slice", &[ANY, ANY], |_, a| slice(a)),
    variadic("mustSlice", &[ANY, ANY], |_, a| slice(a)),
    fixed("chunk", &[Param::Int, ANY], |_, a| chunk(a)),
    fixed("mustChunk", &[Param::Int, ANY], |_, a| chunk(a)),
    variadic("concat", &[ANY], |_, a| concat(a)),
    fixed("sortAlpha", &[ANY], |_, a| Ok(sort_alpha(&a[0]))),
    fixed("toStrings", &[ANY], |_, a| Ok(Value::strings(strings(&a[0])))),
    fixed("join", &[Param::Str, ANY], |_, a| {
        Ok(Value::Str(join(&strings(&a[1]), super::text(a, 0).as_bytes())))
    }),
];

/// The list of an argument, or what Sprig says if it is none.
fn list_of(value: &Value, verb: &str) -> Result<List, Fault> {
    match value {
        Value::List(list) => Ok(list.clone()),
        Value::Object(object) if matches!(object.collection(), Some(Value::List(_))) => {
            match object.collection() {
                Some(Value::List(list)) => Ok(list),
                _ => Ok(List::new(Vec::new())),
            }
        }
        Value::Null => Err("runtime error: invalid memory address or nil pointer dereference".into()),
        other => Err(format!("Cannot {verb} type {}", other.kind().name()).into()),
    }
}

/// Sprig's strslice: texts of all elements that are not nil.
pub(super) fn strings(value: &Value) -> Vec<Text> {
    match value {
        Value::Null => Vec::new(),
        Value::List(list) => list.items().iter().filter(|v| !v.is_null()).map(strval).collect(),
        other => vec![strval(other)],
    }
}

fn sort_alpha(value: &Value) -> Value {
    let mut texts = match value {
        Value::List(_) => strings(value),
        other => vec![strval(other)],
    };
    texts.sort();
    Value::strings(texts)
}

fn push(args: &[Value]) -> Result<Value, Fault> {
    let mut items = list_of(&args[0], "push on")?.items().to_vec();
    items.push(args[1].clone());
    Ok(Value::list(items))
}

fn prepend(args: &[Value]) -> Result<Value, Fault> {
    let mut items = vec![args[1].clone()];
    items.extend_from_slice(list_of(&args[0], "prepend on")?.items());
    Ok(Value::list(items))
}

fn first(args: &[Value]) -> Result<Value, Fault> {
    Ok(list_of(&args[0], "find first on")?.items().first().cloned().unwrap_or_default())
}

fn last(args: &[Value]) -> Result<Value, Fault> {
    Ok(list_of(&args[0], "find last on")?.items().last().cloned().unwrap_or_default())
}

fn part(items: Option<&[Value]>) -> Value {
    items.map_or(Value::List(List::nil(ListKind::Any)), |items| Value::list(items.to_vec()))
}

fn rest(args: &[Value]) -> Result<Value, Fault> {
    Ok(part(list_of(&args[0], "find rest on")?.items().split_first().map(|(_, tail)| tail)))
}

fn initial(args: &[Value]) -> Result<Value, Fault> {
    Ok(part(list_of(&args[0], "find initial on")?.items().split_last().map(|(_, head)| head)))
}

fn reverse(args: &[Value]) -> Result<Value, Fault> {
    let list = list_of(&args[0], "find reverse on")?;
    Ok(Value::list(list.items().iter().rev().cloned().collect()))
}

fn uniq(args: &[Value]) -> Result<Value, Fault> {
    let mut out: Vec<Value> = Vec::new();
    for item in list_of(&args[0], "find uniq on")?.items() {
        if !out.iter().any(|known| deep_equal(known, item)) {
            out.push(item.clone());
        }
    }
    Ok(Value::list(out))
}

fn compact(args: &[Value]) -> Result<Value, Fault> {
    let list = list_of(&args[0], "compact on")?;
    Ok(Value::list(list.items().iter().filter(|v| !is_empty(v)).cloned().collect()))
}

fn without(args: &[Value]) -> Result<Value, Fault> {
    let list = list_of(&args[0], "find without on")?;
    let kept = list.items().iter().filter(|v| !args[1..].iter().any(|omit| deep_equal(omit, v)));
    Ok(Value::list(kept.cloned().collect()))
}

fn has(args: &[Value]) -> Result<Value, Fault> {
    if args[1].is_null() {
        return Ok(Value::Bool(false));
    }
    let list = list_of(&args[1], "find has on")?;
    Ok(Value::Bool(list.items().iter().any(|v| deep_equal(&args[0], v))))
}

fn slice(args: &[Value]) -> Result<Value, Fault> {
    let list = match &args[0] {
        Value::List(list) => list.clone(),
        Value::Null => return Err("runtime error: invalid memory address or nil pointer dereference".into()),
        other => {
            let kind = other.kind().name();
            return Err(format!("list should be type of slice or array but {kind}").into());
        }
    };
    let length = list.len();
    if length == 0 {
        return Ok(Value::Null);
    }
    let whole = i64::try_from(length).unwrap_or(i64::MAX);
    let start = args.get(1).map_or(0, to_int64);
    let end = args.get(2).map_or(whole, to_int64);
    match (usize::try_from(start), usize::try_from(end)) {
        (Ok(from), Ok(to)) if from <= to && to <= length => {
            Ok(Value::List(List::typed(list.items()[from..to].to_vec(), list.kind())))
        }
        _ => Err("reflect.Value.Slice: slice index out of bounds".into()),
    }
}

fn chunk(args: &[Value]) -> Result<Value, Fault> {
    let list = match &args[1] {
        Value::List(list) => list.clone(),
        other => list_of(other, "chunk")?,
    };
    let size = super::int(args, 0);
    let Some(size) = usize::try_from(size).ok().filter(|n| *n > 0) else {
        // Sprig counts its chunks before it looks at the size: two elements are no chunks of size -1.
        let last = i64::try_from(list.len()).unwrap_or(i64::MAX) - 1;
        if (1..=size.saturating_neg()).contains(&last) {
            return Ok(Value::List(List::typed(Vec::new(), ListKind::Lists)));
        }
        return Err("runtime error: makeslice: len out of range".into());
    };
    let chunks = list.items().chunks(size).map(|c| Value::list(c.to_vec())).collect();
    Ok(Value::List(List::typed(chunks, ListKind::Lists)))
}

fn concat(args: &[Value]) -> Result<Value, Fault> {
    let mut out = Vec::new();
    for arg in args {
        match arg {
            Value::List(list) => out.extend_from_slice(list.items()),
            Value::Null => {
                return Err("runtime error: invalid memory address or nil pointer dereference".into());
            }
            other => {
                let kind = other.kind().name();
                return Err(format!("Cannot concat type {kind} as list").into());
            }
        }
        super::affordable(Some(out.len() * 32))?;
    }
    if out.is_empty() {
        return Ok(Value::List(List::nil(ListKind::Any)));
    }
    Ok(Value::list(out))
}
