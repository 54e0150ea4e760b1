//! Helm 4's functions for durations, and Go's `time.Duration` (`Helm 4: pkg/engine/funcs.go`).

use std::any::Any;

use super::super::error::Fault;
use super::super::function::{Function, fixed};
use super::super::number::parse_float;
use super::dates::{duration, read_duration};
use crate::yaml::{Kind, Method, Object, Param, Text, Value, format_float};

const ANY: Param = Param::Any;
const SECOND: i64 = 1_000_000_000;

/// The table.
pub(super) const FUNCTIONS: &[Function] = &[
    fixed("mustToDuration", &[ANY], |_, a| Ok(Duration(read(&a[0])?).value())),
    fixed("durationSeconds", &[ANY], |_, a| Ok(units(&a[0], SECOND).into())),
    fixed("durationMilliseconds", &[ANY], |_, a| Ok(Value::int64(whole(&a[0]) / 1_000_000))),
    fixed("durationMicroseconds", &[ANY], |_, a| Ok(Value::int64(whole(&a[0]) / 1_000))),
    fixed("durationNanoseconds", &[ANY], |_, a| Ok(Value::int64(whole(&a[0])))),
    fixed("durationMinutes", &[ANY], |_, a| Ok(units(&a[0], 60 * SECOND).into())),
    fixed("durationHours", &[ANY], |_, a| Ok(units(&a[0], 3600 * SECOND).into())),
    fixed("durationDays", &[ANY], |_, a| Ok((units(&a[0], 3600 * SECOND) / 24.0).into())),
    fixed("durationWeeks", &[ANY], |_, a| Ok((units(&a[0], 3600 * SECOND) / 24.0 / 7.0).into())),
    fixed("durationRoundTo", &[ANY, ANY], |_, a| Ok(to_multiple(a, round))),
    fixed("durationTruncateTo", &[ANY, ANY], |_, a| Ok(to_multiple(a, truncate))),
];

/// Go's `time.Duration`, in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Duration(i64);

impl Duration {
    fn value(self) -> Value {
        Value::Object(std::sync::Arc::new(self))
    }
}

impl Object for Duration {
    fn type_name(&self) -> &str {
        "time.Duration"
    }

    fn kind(&self) -> Kind {
        Kind::Int64
    }

    fn method(&self, name: &str) -> Option<Method> {
        const OTHER: &[Param] = &[Param::Named("time.Duration")];
        let params: &[Param] = match name {
            "String" | "Hours" | "Minutes" | "Seconds" | "Milliseconds" | "Microseconds" | "Nanoseconds"
            | "Abs" => &[],
            "Round" | "Truncate" => OTHER,
            _ => return None,
        };
        Some(Method { params, variadic: false })
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let other = || args.first().and_then(of).unwrap_or(0);
        Ok(match name {
            "Hours" => split(self.0, 3600 * SECOND).into(),
            "Minutes" => split(self.0, 60 * SECOND).into(),
            "Seconds" => split(self.0, SECOND).into(),
            "Milliseconds" => Value::int64(self.0 / 1_000_000),
            "Microseconds" => Value::int64(self.0 / 1_000),
            "Nanoseconds" => Value::int64(self.0),
            "Abs" => Self(self.0.saturating_abs()).value(),
            "Round" => Self(round(self.0, other())).value(),
            "Truncate" => Self(truncate(self.0, other())).value(),
            _ => self.print().to_string().into(),
        })
    }

    fn print(&self) -> Text {
        duration(i128::from(self.0)).into()
    }

    fn is_stringer(&self) -> bool {
        true
    }

    fn to_plain(&self) -> Result<Value, String> {
        Ok(Value::int64(self.0))
    }

    fn integer(&self) -> Option<i64> {
        Some(self.0)
    }

    fn is_true(&self) -> bool {
        self.0 != 0
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The nanoseconds of a duration.
fn of(value: &Value) -> Option<i64> {
    match value {
        Value::Object(object) => object.as_any().downcast_ref::<Duration>().map(|d| d.0),
        _ => None,
    }
}

/// A duration of whatever a template may have: text with units, or seconds.
fn read(value: &Value) -> Result<i64, Fault> {
    if let Some(nanos) = of(value) {
        return Ok(nanos);
    }
    match value {
        Value::Null => Err("invalid duration".into()),
        Value::Str(text) => {
            let whole = text.lossy();
            let trimmed = whole.trim();
            if trimmed.is_empty() {
                return Err("empty duration".into());
            }
            if let Ok(nanos) = read_duration(trimmed) {
                return Ok(i64::try_from(nanos).unwrap_or(i64::MAX));
            }
            match parse_float(trimmed) {
                Some(seconds) => of_float(seconds),
                None => {
                    let quoted = super::super::quote::quote(text.as_bytes());
                    Err(format!("could not parse duration {quoted}").into())
                }
            }
        }
        Value::Int(n, _) => {
            n.checked_mul(SECOND).ok_or_else(|| Fault::from(format!("duration seconds overflow: {n}")))
        }
        Value::Uint(n, _) => i64::try_from(*n)
            .ok()
            .and_then(|n| n.checked_mul(SECOND))
            .ok_or_else(|| Fault::from(format!("duration seconds overflow: {n}"))),
        Value::Float(f) => of_float(*f),
        other => Err(format!("unsupported duration type {}", other.type_name()).into()),
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the range is checked, as Go does"
)]
fn of_float(seconds: f64) -> Result<i64, Fault> {
    if !seconds.is_finite() {
        return Err(format!("invalid duration seconds: {}", format_float(seconds)).into());
    }
    if seconds.abs() > i64::MAX as f64 / SECOND as f64 {
        return Err(format!("duration seconds overflow: {}", format_float(seconds)).into());
    }
    Ok((seconds * SECOND as f64) as i64)
}

fn whole(value: &Value) -> i64 {
    read(value).unwrap_or(0)
}

fn units(value: &Value, unit: i64) -> f64 {
    split(whole(value), unit)
}

/// Whole units and the rest apart, as Go divides.
#[allow(clippy::cast_precision_loss, reason = "as Go converts")]
fn split(nanos: i64, unit: i64) -> f64 {
    (nanos / unit) as f64 + (nanos % unit) as f64 / unit as f64
}

fn to_multiple(a: &[Value], adjust: fn(i64, i64) -> i64) -> Value {
    let Ok(nanos) = read(&a[0]) else { return Duration(0).value() };
    let Ok(unit) = read(&a[1]) else { return Duration(nanos).value() };
    Duration(adjust(nanos, unit)).value()
}

fn truncate(nanos: i64, unit: i64) -> i64 {
    if unit <= 0 { nanos } else { nanos - nanos % unit }
}

/// Halves go away from zero.
fn round(nanos: i64, unit: i64) -> i64 {
    if unit <= 0 {
        return nanos;
    }
    let (rest, down) = (nanos % unit, nanos - nanos % unit);
    let half = i128::from(rest.unsigned_abs()) * 2 >= i128::from(unit);
    match (half, nanos < 0) {
        (false, _) => down,
        (true, false) => down.checked_add(unit).unwrap_or(i64::MAX),
        (true, true) => down.checked_sub(unit).unwrap_or(i64::MIN),
    }
}
