//! Conversions that never fail (`spf13/cast`): what is no number is zero.

use super::super::number::parse_int;
use crate::yaml::Value;

/// `cast.ToInt64`.
pub(super) fn to_int64(value: &Value) -> i64 {
    match value {
        Value::Int(n, _) => *n,
        #[allow(clippy::cast_possible_wrap, reason = "Go wraps too")]
        Value::Uint(n, _) => *n as i64,
        Value::Float(f) => float_to_int(*f),
        Value::Bool(b) => i64::from(*b),
        Value::Str(text) => text.as_str().and_then(|t| parse_int(trim_zero_decimal(t))).unwrap_or(0),
        _ => 0,
    }
}

/// Go's conversion on amd64: what does not fit is the smallest integer.
#[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
pub(super) fn float_to_int(f: f64) -> i64 {
    if f.is_nan() || !(-9.223_372_036_854_776e18..9.223_372_036_854_776e18).contains(&f) {
        return i64::MIN;
    }
    f as i64
}

/// `cast.ToFloat64`.
#[allow(clippy::cast_precision_loss, reason = "as Go converts")]
pub(super) fn to_float64(value: &Value) -> f64 {
    match value {
        Value::Int(n, _) => *n as f64,
        Value::Uint(n, _) => *n as f64,
        Value::Float(f) => *f,
        Value::Bool(b) => f64::from(u8::from(*b)),
        Value::Str(text) => text.as_str().and_then(super::super::number::parse_float).unwrap_or(0.0),
        _ => 0.0,
    }
}

/// Drops a fraction that is all zeros: `1.00` is `1`.
fn trim_zero_decimal(text: &str) -> &str {
    match text.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|b| b == b'0') && !zeros.is_empty() => whole,
        _ => text,
    }
}
