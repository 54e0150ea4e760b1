//! Deep equality and deep copies, as Go's `reflect.DeepEqual` and Sprig's `deepCopy` do them.

use super::{List, Map, Value};

/// Go's `reflect.DeepEqual`: kinds must agree, so `1` and `1.0` differ, as do a nil and an empty slice.
pub fn deep_equal(a: &Value, b: &Value) -> bool {
    let mut pending = vec![(a.clone(), b.clone())];
    let mut steps = 0usize;
    while let Some((a, b)) = pending.pop() {
        steps += 1;
        // Two maps that contain themselves would be walked for ever.
        if steps > 50_000_000 {
            return false;
        }
        let equal = match (&a, &b) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a, ak), Value::Int(b, bk)) => a == b && ak == bk,
            (Value::Uint(a, ak), Value::Uint(b, bk)) => a == b && ak == bk,
            #[allow(clippy::float_cmp, reason = "Go compares bits too, save for NaN")]
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Str(a), Value::Str(b)) => a == b,
            (Value::List(a), Value::List(b)) => lists(a, b, &mut pending),
            (Value::Map(a), Value::Map(b)) => maps(a, b, &mut pending),
            (Value::Object(a), Value::Object(b)) => a.equals(&**b),
            _ => false,
        };
        if !equal {
            return false;
        }
    }
    true
}

fn lists(a: &List, b: &List, pending: &mut Vec<(Value, Value)>) -> bool {
    if a.kind() != b.kind() || a.is_nil() != b.is_nil() || a.len() != b.len() {
        return false;
    }
    if !a.same(b) {
        pending.extend(a.items().iter().cloned().zip(b.items().iter().cloned()));
    }
    true
}

fn maps(a: &Map, b: &Map, pending: &mut Vec<(Value, Value)>) -> bool {
    if a.same(b) {
        return true;
    }
    if a.kind() != b.kind() || a.is_nil() != b.is_nil() || a.len() != b.len() {
        return false;
    }
    for (key, left) in a.entries() {
        match b.get(key.as_bytes()) {
            Some(right) => pending.push((left, right)),
            None => return false,
        }
    }
    true
}

/// A copy that shares no map with the original. Trees deeper than [`super::MAX_DEPTH`] keep sharing below it.
pub fn deep_copy(value: &Value) -> Value {
    copy(value, 0)
}

fn copy(value: &Value, depth: usize) -> Value {
    if depth > 500 {
        return value.clone();
    }
    match value {
        Value::List(list) if !list.is_nil() => {
            Value::List(List::typed(list.items().iter().map(|v| copy(v, depth + 1)).collect(), list.kind()))
        }
        Value::Map(map) if !map.is_nil() => {
            let mut entries = map.read(Clone::clone);
            entries.change_values(|value| {
                if matches!(value, Value::List(_) | Value::Map(_)) {
                    *value = copy(value, depth + 1);
                }
            });
            Value::Map(Map::typed(entries, map.kind()))
        }
        other => other.clone(),
    }
}
