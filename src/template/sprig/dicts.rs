//! Sprig's dictionaries. `set`, `unset` and the merges change their map in place.

use super::super::error::Fault;
use super::super::function::{Function, fixed, variadic};
use super::types::is_empty;
use super::{strval, text};
use crate::yaml::{Map, MapKind, Param, Value, deep_copy};

const ANY: Param = Param::Any;
const MAP: Param = Param::Map;

/// The table.
pub(super) const FUNCTIONS: &[Function] = &[
    variadic("dict", &[ANY], |_, a| {
        let map = Map::new();
        for pair in a.chunks(2) {
            map.insert(strval(&pair[0]), pair.get(1).cloned().unwrap_or_else(|| "".into()));
        }
        Ok(Value::Map(map))
    }),
    fixed("get", &[MAP, Param::Str], |_, a| {
        Ok(map(a, 0).get(text(a, 1).as_bytes()).unwrap_or_else(|| "".into()))
    }),
    fixed("set", &[MAP, Param::Str, ANY], |_, a| {
        let map = map(a, 0);
        if map.is_nil() {
            return Err("assignment to entry in nil map".into());
        }
        map.insert(text(a, 1), a[2].clone());
        Ok(Value::Map(map))
    }),
    fixed("unset", &[MAP, Param::Str], |_, a| {
        let map = map(a, 0);
        map.remove(text(a, 1).as_bytes());
        Ok(Value::Map(map))
    }),
    fixed("hasKey", &[MAP, Param::Str], |_, a| Ok(Value::Bool(map(a, 0).contains(text(a, 1).as_bytes())))),
    variadic("pluck", &[Param::Str, MAP], |_, a| {
        let key = text(a, 0);
        Ok(Value::list((1..a.len()).filter_map(|i| map(a, i).get(key.as_bytes())).collect()))
    }),
    variadic("pick", &[MAP, Param::Str], |_, a| {
        let from = map(a, 0);
        let keys = (1..a.len()).map(|i| text(a, i));
        Ok(Value::Map(keys.filter_map(|k| from.get(k.as_bytes()).map(|v| (k, v))).collect()))
    }),
    variadic("omit", &[MAP, Param::Str], |_, a| {
        let out: Map = map(a, 0).entries().into_iter().collect();
        (1..a.len()).for_each(|i| {
            out.remove(text(a, i).as_bytes());
        });
        Ok(Value::Map(out))
    }),
    variadic("keys", &[MAP], |_, a| Ok(Value::strings((0..a.len()).flat_map(|i| map(a, i).keys())))),
    fixed("values", &[MAP], |_, a| {
        Ok(Value::list(map(a, 0).entries().into_iter().map(|(_, v)| v).collect()))
    }),
    variadic("merge", &[MAP, MAP], |_, a| merge_all(a, false).or_else(|_| Ok("".into()))),
    variadic("mustMerge", &[MAP, MAP], |_, a| merge_all(a, false)),
    variadic("mergeOverwrite", &[MAP, MAP], |_, a| merge_all(a, true).or_else(|_| Ok("".into()))),
    variadic("mustMergeOverwrite", &[MAP, MAP], |_, a| merge_all(a, true)),
    fixed("deepCopy", &[ANY], |_, a| copy(&a[0])),
    fixed("mustDeepCopy", &[ANY], |_, a| copy(&a[0])),
    variadic("dig", &[ANY], |_, a| dig(a)),
];

fn map(args: &[Value], index: usize) -> Map {
    args.get(index).and_then(Value::as_map).cloned().unwrap_or_default()
}

fn copy(value: &Value) -> Result<Value, Fault> {
    if value.is_null() {
        return Err("reflect: call of reflect.Value.Type on zero Value".into());
    }
    Ok(deep_copy(value))
}

fn merge_all(args: &[Value], overwrite: bool) -> Result<Value, Fault> {
    let given = map(args, 0);
    let target = if given.is_nil() { Map::new() } else { given };
    for i in 1..args.len() {
        merge(&target, &map(args, i), overwrite, 0)?;
    }
    Ok(Value::Map(target))
}

/// mergo's merge of maps: what the target lacks, or has empty, it gets; with `overwrite` whatever the source has.
fn merge(target: &Map, source: &Map, overwrite: bool, depth: usize) -> Result<(), Fault> {
    if target.same(source) {
        return Ok(());
    }
    if target.is_nil() {
        return if source.is_empty() { Ok(()) } else { Err("assignment to entry in nil map".into()) };
    }
    if depth > 500 {
        return Err("maps are nested too deeply to be merged".into());
    }
    for (key, value) in source.entries() {
        let old = target.get(key.as_bytes());
        match (&old, &value) {
            (Some(Value::Map(old)), Value::Map(new)) => merge(old, new, overwrite, depth + 1)?,
            (None, Value::Null) if !overwrite => {}
            (None, _) => target.insert(key, value),
            (Some(old), _) if overwrite || is_empty(old) => {
                let keeps = !overwrite && is_empty(&value) && !value.is_null() && old.kind() == value.kind();
                if !keeps {
                    target.insert(key, value);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn dig(args: &[Value]) -> Result<Value, Fault> {
    if args.len() < 3 {
        return Err("dig needs at least three arguments".into());
    }
    let (default, path) = (&args[args.len() - 2], &args[..args.len() - 2]);
    let conversion = |value: &Value, want: &str| {
        Fault::from(match value {
            Value::Null => format!("interface conversion: interface {{}} is nil, not {want}"),
            other => format!("interface conversion: interface {{}} is {}, not {want}", other.type_name()),
        })
    };
    let mut here = args[args.len() - 1].clone();
    for key in path {
        let map = match &here {
            Value::Map(map) if map.kind() == MapKind::Any => map.clone(),
            other => return Err(conversion(other, "map[string]interface {}")),
        };
        let Value::Str(key) = key else { return Err(conversion(key, "string")) };
        match map.get(key.as_bytes()) {
            Some(value) => here = value,
            None => return Ok(default.clone()),
        }
    }
    Ok(here)
}
