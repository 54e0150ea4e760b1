//! The functions Helm adds to Sprig's (`Helm: pkg/engine/funcs.go, engine.go`).

use super::super::door::Question;
use super::super::error::Fault;
use super::super::exec::Caller;
use super::super::function::{Function, fixed};
use super::{text, toml};
use crate::yaml::json::{self, Html};
use crate::yaml::{self, Map, Options, Param, Style, Text, Value, find};

const ANY: Param = Param::Any;
const STR: Param = Param::Str;

/// What Helm puts around the message of `fail` and `required`, so that it can find it again.
pub const WARNING_START: &str = "HELM_ERR_START";
/// The end of such a message.
pub const WARNING_END: &str = "HELM_ERR_END";

/// The table.
pub(super) const FUNCTIONS: &[Function] = &[
    fixed("include", &[STR, ANY], |caller, a| caller.include(&text(a, 0), &a[1]).map(Value::str)),
    fixed("tpl", &[STR, ANY], tpl),
    fixed("required", &[STR, ANY], |_, a| match &a[1] {
        Value::Null => Err(warning(&text(a, 0))),
        Value::Str(value) if value.is_empty() => Err(warning(&text(a, 0))),
        other => Ok(other.clone()),
    }),
    fixed("fail", &[STR], |_, a| Err(warning(&text(a, 0)))),
    fixed("lookup", &[STR, STR, STR, STR], |caller, a| outside(caller, "lookup", a)),
    fixed("getHostByName", &[STR], |caller, a| {
        let name = text(a, 0);
        Ok(caller.door().ask(&Question::Host(&name.lossy()))?)
    }),
    fixed("toYaml", &[ANY], |_, a| Ok(yaml_text(&a[0], Style::Kubernetes).unwrap_or_else(|_| "".into()))),
    fixed("toYamlPretty", &[ANY], |_, a| Ok(yaml_text(&a[0], Style::Pretty).unwrap_or_else(|_| "".into()))),
    fixed("fromYaml", &[STR], |_, a| Ok(or_error(yaml::read_map(text(a, 0).as_bytes(), Options::default())))),
    fixed("fromYamlArray", &[STR], |_, a| {
        let read = yaml::read(text(a, 0).as_bytes(), Options::default());
        Ok(list_or_error(read.map_err(|e| e.to_string()), "error unmarshaling JSON: while decoding JSON: "))
    }),
    fixed("toJson", &[ANY], |_, a| Ok(Value::Str(json::write(&a[0], Html::Escape).unwrap_or_default()))),
    fixed("mustToJson", &[ANY], |_, a| Ok(Value::Str(json::write(&a[0], Html::Escape)?))),
    fixed("fromJson", &[STR], |_, a| Ok(or_error(json::read_map(text(a, 0).as_bytes())))),
    fixed("fromJsonArray", &[STR], |_, a| {
        let read = json::read(text(a, 0).as_bytes());
        Ok(list_or_error(read.map_err(|e| e.to_string()), ""))
    }),
    fixed("toToml", &[ANY], |_, a| match &a[0] {
        // The library asks for the type of nothing before it can tell an error.
        Value::Null => Err("reflect: call of reflect.Value.Type on zero Value".into()),
        value => Ok(toml::write(value).unwrap_or_else(|e| e).into()),
    }),
    fixed("fromToml", &[STR], |_, a| {
        Ok(match toml::read(&text(a, 0).lossy()) {
            Ok(map) => Value::Map(map),
            Err(message) => Value::map([("Error", message.into())]),
        })
    }),
];

/// What only Helm 4 adds.
pub(super) const FUNCTIONS_4: &[Function] = &[
    fixed("mustToYaml", &[ANY], |_, a| yaml_text(&a[0], Style::Kubernetes)),
    fixed("mustToToml", &[ANY], |_, a| Ok(toml::write(&a[0])?.into())),
];

fn warning(message: &Text) -> Fault {
    Fault::Text(format!("{WARNING_START}{message}{WARNING_END}"))
}

fn outside(caller: &mut Caller<'_, '_>, function: &str, args: &[Value]) -> Result<Value, Fault> {
    Ok(caller.door().ask(&Question::Call { function, args })?)
}

fn tpl(caller: &mut Caller<'_, '_>, args: &[Value]) -> Result<Value, Fault> {
    let out = caller.tpl(&text(args, 0), &args[1])?;
    Ok(Value::str(without_no_value(out)))
}

/// Takes `<no value>` out, as Helm does with every rendered file.
pub fn without_no_value(out: Vec<u8>) -> Vec<u8> {
    const MARK: &[u8] = b"<no value>";
    let Some(mut at) = find(&out, MARK) else { return out };
    let mut clean = Vec::with_capacity(out.len());
    let mut rest = out.as_slice();
    loop {
        clean.extend_from_slice(&rest[..at]);
        rest = &rest[at + MARK.len()..];
        match find(rest, MARK) {
            Some(next) => at = next,
            None => break,
        }
    }
    clean.extend_from_slice(rest);
    clean
}

fn yaml_text(value: &Value, style: Style) -> Result<Value, Fault> {
    let mut out = yaml::write_with(value, style)?;
    if out.last() == Some(&b'\n') {
        out.pop();
    }
    Ok(Value::str(out))
}

fn or_error(read: Result<Map, yaml::Error>) -> Value {
    match read {
        Ok(map) => Value::Map(map),
        Err(error) => Value::map([("Error", error.to_string().into())]),
    }
}

fn list_or_error(read: Result<Value, String>, prefix: &str) -> Value {
    match read {
        Ok(list @ Value::List(_)) => list,
        Ok(Value::Null) => Value::list(Vec::new()),
        Ok(other) => {
            let kind = match other {
                Value::Bool(_) => "bool",
                Value::Str(_) => "string",
                Value::Map(_) => "object",
                _ => "number",
            };
            let message =
                format!("{prefix}json: cannot unmarshal {kind} into Go value of type []interface {{}}");
            Value::list(vec![message.into()])
        }
        Err(message) => Value::list(vec![message.into()]),
    }
}
