//! Values that only Go has: complex numbers, methods of named map types, zero values of elements.

use std::any::Any;

use super::error::Fault;
use crate::yaml::{self, Kind, Map, MapKind, Method, Object, Param, Text, Value};

/// A complex constant.
pub(super) fn complex(real: f64, imaginary: f64) -> Value {
    Value::Object(std::sync::Arc::new(Complex { real, imaginary }))
}

#[derive(Debug)]
struct Complex {
    real: f64,
    imaginary: f64,
}

impl Object for Complex {
    fn type_name(&self) -> &str {
        "complex128"
    }
    fn kind(&self) -> Kind {
        Kind::Struct
    }
    fn print(&self) -> Text {
        let sign = if self.imaginary.is_sign_negative() { "" } else { "+" };
        format!("({}{sign}{}i)", yaml::format_float(self.real), yaml::format_float(self.imaginary)).into()
    }
    fn is_true(&self) -> bool {
        self.real != 0.0 || self.imaginary != 0.0
    }
    fn to_plain(&self) -> Result<Value, String> {
        Err("json: unsupported type: complex128".to_owned())
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The zero value of a map's elements, unless that is a nil `interface {}`.
pub(super) fn zero_entry(kind: MapKind) -> Option<Value> {
    match kind {
        MapKind::Strings => Some("".into()),
        MapKind::Named(&"engine.files") => {
            Some(Value::List(yaml::List::typed(Vec::new(), yaml::ListKind::Byte)))
        }
        MapKind::Any | MapKind::Named(_) => None,
    }
}

/// The method of a named map type (`Helm: chartutil.Values`).
pub(super) fn map_method(map: &Map, name: &str) -> Option<Method> {
    if !matches!(map.kind(), MapKind::Named(kind) if kind.ends_with(".Values")) {
        return None;
    }
    let params: &'static [Param] = match name {
        "AsMap" | "YAML" => &[],
        "Table" | "PathValue" => &[Param::Str],
        _ => return None,
    };
    Some(Method { params, variadic: false })
}

/// Calls a method that [`map_method`] knows.
pub(super) fn call_map_method(map: &Map, name: &str, args: &[Value]) -> Result<Value, Fault> {
    let path = args.first().and_then(Value::as_text).map(|t| t.lossy().into_owned()).unwrap_or_default();
    match name {
        "AsMap" => Ok(Value::Map(map.retyped(MapKind::Any))),
        "YAML" => Ok(Value::str(yaml::write(&Value::Map(map.clone()))?)),
        "Table" => table(map, &path).map(Value::Map),
        _ => path_value(map, &path),
    }
}

fn table(map: &Map, path: &str) -> Result<Map, Fault> {
    let mut here = map.clone();
    for part in path.split('.') {
        here = match here.get(part.as_bytes()) {
            Some(Value::Map(next)) => next,
            _ => return Err(Fault::Text(format!("{} is not a table", super::quote::quote(part.as_bytes())))),
        };
    }
    Ok(here.retyped(map.kind()))
}

fn path_value(map: &Map, path: &str) -> Result<Value, Fault> {
    let missing = || Fault::Text(format!("{} is not a value", super::quote::quote(path.as_bytes())));
    if path.is_empty() {
        return Err("YAML path cannot be empty".into());
    }
    let (parent, key) = match path.rsplit_once('.') {
        Some((parent, key)) => (table(map, parent).map_err(|_| missing())?, key),
        None => (map.clone(), path),
    };
    match parent.get(key.as_bytes()) {
        Some(Value::Map(_)) | None => Err(missing()),
        Some(value) => Ok(value),
    }
}
