//! Sprig's defaults, conditions and questions about types.

use super::super::error::Fault;
use super::super::function::{Function, fixed, variadic};
use super::text;
use crate::yaml::{Kind, Param, Value, deep_equal};

const ANY: Param = Param::Any;

/// The table.
pub(super) const FUNCTIONS: &[Function] = &[
    fixed("hello", &[], |_, _| Ok("Hello!".into())),
    variadic("default", &[ANY, ANY], |_, a| match a.get(1) {
        Some(given) if !is_empty(given) => Ok(given.clone()),
        _ => Ok(a[0].clone()),
    }),
    fixed("empty", &[ANY], |_, a| Ok(Value::Bool(is_empty(&a[0])))),
    variadic("coalesce", &[ANY], |_, a| Ok(a.iter().find(|v| !is_empty(v)).cloned().unwrap_or_default())),
    variadic("all", &[ANY], |_, a| Ok(Value::Bool(!a.iter().any(is_empty)))),
    variadic("any", &[ANY], |_, a| Ok(Value::Bool(a.iter().any(|v| !is_empty(v))))),
    fixed("ternary", &[ANY, ANY, Param::Bool], |_, a| Ok(a[usize::from(!a[2].is_true())].clone())),
    fixed("fail", &[Param::Str], |_, a| Err(Fault::Text(text(a, 0).to_string()))),
    fixed("typeOf", &[ANY], |_, a| Ok(a[0].type_name().into())),
    fixed("typeIs", &[Param::Str, ANY], |_, a| {
        Ok(Value::Bool(text(a, 0).as_bytes() == a[1].type_name().as_bytes()))
    }),
    fixed("typeIsLike", &[Param::Str, ANY], |_, a| {
        let (want, got) = (text(a, 0).to_string(), a[1].type_name());
        Ok(Value::Bool(want == got || got.strip_prefix('*') == Some(&want)))
    }),
    fixed("kindOf", &[ANY], |_, a| Ok(a[0].kind().name().into())),
    fixed("kindIs", &[Param::Str, ANY], |_, a| {
        Ok(Value::Bool(text(a, 0).as_bytes() == a[1].kind().name().as_bytes()))
    }),
    fixed("deepEqual", &[ANY, ANY], |_, a| Ok(Value::Bool(deep_equal(&a[0], &a[1])))),
];

/// Sprig's emptiness: the zero value of its type; structs never are.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(object) if object.kind() == Kind::Struct || object.kind() == Kind::Ptr => false,
        Value::Object(object) => object.collection().is_none_or(|inner| !inner.is_true()),
        other => !other.is_true(),
    }
}
