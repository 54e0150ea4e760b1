//! Sprig's JSON functions.

use super::super::error::Fault;
use super::super::function::{Function, fixed};
use super::text;
use crate::yaml::json::{self, Html};
use crate::yaml::{Param, Value};

const ANY: Param = Param::Any;

/// The table.
pub(super) const FUNCTIONS: &[Function] = &[
    fixed("fromJson", &[Param::Str], |_, a| Ok(json::read(text(a, 0).as_bytes()).unwrap_or_default())),
    fixed("mustFromJson", &[Param::Str], |_, a| Ok(json::read(text(a, 0).as_bytes())?)),
    fixed("toJson", &[ANY], |_, a| Ok(Value::Str(json::write(&a[0], Html::Escape).unwrap_or_default()))),
    fixed("mustToJson", &[ANY], |_, a| Ok(Value::Str(json::write(&a[0], Html::Escape)?))),
    fixed("toPrettyJson", &[ANY], |_, a| Ok(Value::Str(json::write_pretty(&a[0], "  ").unwrap_or_default()))),
    fixed("mustToPrettyJson", &[ANY], |_, a| Ok(Value::Str(json::write_pretty(&a[0], "  ")?))),
    fixed("toRawJson", &[ANY], |_, a| raw(a)),
    fixed("mustToRawJson", &[ANY], |_, a| raw(a)),
];

fn raw(args: &[Value]) -> Result<Value, Fault> {
    Ok(Value::Str(json::write(&args[0], Html::Keep)?))
}
