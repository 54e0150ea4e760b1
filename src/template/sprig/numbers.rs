//! Sprig's arithmetic.

use super::super::error::Fault;
use super::super::format;
use super::super::function::{Function, fixed, variadic};
use super::cast::{to_float64, to_int64};
use super::int;
use crate::yaml::{List, ListKind, Param, Value};

const ANY: Param = Param::Any;

/// The table.
pub(super) const FUNCTIONS: &[Function] = &[
    fixed("atoi", &[Param::Str], |_, a| {
        let text = super::text(a, 0);
        // Out of range, strconv gives the nearest number beside its error.
        let number = text.as_str().map_or(0, |t| match t.parse::<i64>() {
            Ok(n) => n,
            Err(e) if *e.kind() == std::num::IntErrorKind::PosOverflow => i64::MAX,
            Err(e) if *e.kind() == std::num::IntErrorKind::NegOverflow => i64::MIN,
            Err(_) => 0,
        });
        Ok(Value::int(number))
    }),
    fixed("int", &[ANY], |_, a| Ok(Value::int(to_int64(&a[0])))),
    fixed("int64", &[ANY], |_, a| Ok(Value::int64(to_int64(&a[0])))),
    fixed("float64", &[ANY], |_, a| Ok(Value::Float(to_float64(&a[0])))),
    fixed("toDecimal", &[ANY], |_, a| {
        let text = format::print(&a[0]);
        let value = text.as_str().and_then(|t| i64::from_str_radix(t, 8).ok());
        Ok(Value::int64(value.unwrap_or(0)))
    }),
    fixed("add1", &[ANY], |_, a| Ok(Value::int64(to_int64(&a[0]).wrapping_add(1)))),
    variadic("add", &[ANY], |_, a| Ok(Value::int64(a.iter().fold(0, |n, v| n.wrapping_add(to_int64(v)))))),
    fixed("sub", &[ANY, ANY], |_, a| Ok(Value::int64(to_int64(&a[0]).wrapping_sub(to_int64(&a[1]))))),
    fixed("div", &[ANY, ANY], |_, a| divide(a, i64::wrapping_div)),
    fixed("mod", &[ANY, ANY], |_, a| divide(a, i64::wrapping_rem)),
    variadic("mul", &[ANY, ANY], |_, a| {
        Ok(Value::int64(a.iter().fold(1, |n, v| n.wrapping_mul(to_int64(v)))))
    }),
    variadic("max", &[ANY, ANY], |_, a| Ok(Value::int64(a.iter().map(to_int64).max().unwrap_or(0)))),
    variadic("biggest", &[ANY, ANY], |_, a| Ok(Value::int64(a.iter().map(to_int64).max().unwrap_or(0)))),
    variadic("min", &[ANY, ANY], |_, a| Ok(Value::int64(a.iter().map(to_int64).min().unwrap_or(0)))),
    variadic("maxf", &[ANY, ANY], |_, a| Ok(Value::Float(fold(a, f64::max)))),
    variadic("minf", &[ANY, ANY], |_, a| Ok(Value::Float(fold(a, f64::min)))),
    fixed("ceil", &[ANY], |_, a| Ok(Value::Float(to_float64(&a[0]).ceil()))),
    fixed("floor", &[ANY], |_, a| Ok(Value::Float(to_float64(&a[0]).floor()))),
    variadic("round", &[ANY, Param::Int, Param::Float], round),
    fixed("add1f", &[ANY], |_, a| decimal(&[a[0].clone(), Value::Float(1.0)], '+')),
    variadic("addf", &[ANY], |_, a| decimal(&[&[Value::Float(0.0)], a].concat(), '+')),
    variadic("subf", &[ANY, ANY], |_, a| decimal(a, '-')),
    variadic("mulf", &[ANY, ANY], |_, a| decimal(a, '*')),
    variadic("divf", &[ANY, ANY], |_, a| decimal(a, '/')),
    fixed("until", &[Param::Int], |_, a| {
        let n = int(a, 0);
        steps(0, n, if n < 0 { -1 } else { 1 }).map(list)
    }),
    fixed("untilStep", &[Param::Int, Param::Int, Param::Int], |_, a| {
        steps(int(a, 0), int(a, 1), int(a, 2)).map(list)
    }),
    variadic("seq", &[Param::Int], seq),
];

fn divide(args: &[Value], run: fn(i64, i64) -> i64) -> Result<Value, Fault> {
    match to_int64(&args[1]) {
        0 => Err("runtime error: integer divide by zero".into()),
        by => Ok(Value::int64(run(to_int64(&args[0]), by))),
    }
}

fn fold(args: &[Value], run: fn(f64, f64) -> f64) -> f64 {
    let numbers: Vec<f64> = args.iter().map(to_float64).collect();
    if numbers.iter().any(|f| f.is_nan()) {
        return f64::NAN;
    }
    numbers.into_iter().reduce(run).unwrap_or(0.0)
}

fn round(_: &mut super::super::Caller<'_, '_>, args: &[Value]) -> Result<Value, Fault> {
    let on = args.get(2).map_or(0.5, to_float64);
    #[allow(clippy::cast_precision_loss, reason = "as Go converts")]
    let pow = 10f64.powf(int(args, 1) as f64);
    let digit = pow * to_float64(&args[0]);
    let rounded = if digit.fract() >= on { digit.ceil() } else { digit.floor() };
    Ok(Value::Float(rounded / pow))
}

/// Sprig's decimal arithmetic: on the shortest decimal digits of the floats, division to 16 places.
fn decimal(args: &[Value], op: char) -> Result<Value, Fault> {
    let mut total = Decimal::of(to_float64(&args[0]))?;
    for arg in &args[1..] {
        let next = Decimal::of(to_float64(arg))?;
        total = match op {
            '+' => total.plus(&next),
            '-' => total.plus(&Decimal { digits: next.digits.and_then(i128::checked_neg), ..next }),
            '*' => Decimal {
                digits: match (total.digits, next.digits) {
                    (Some(a), Some(b)) => a.checked_mul(b),
                    _ => None,
                },
                scale: total.scale + next.scale,
                float: total.float * next.float,
            },
            _ if next.float == 0.0 => return Err("decimal division by 0".into()),
            _ => total.over(&next),
        };
        total = total.with_float();
    }
    Ok(Value::Float(total.float))
}

/// A decimal number, exact while it fits 128 bits and a float beyond that.
#[derive(Clone, Copy)]
struct Decimal {
    digits: Option128,
    scale: i32,
    float: f64,
}

type Option128 = Option<i128>;

impl Decimal {
    fn of(float: f64) -> Result<Self, Fault> {
        if !float.is_finite() {
            return Err(format!("Cannot create a Decimal from {}", crate::yaml::format_float(float)).into());
        }
        let text = format!("{float:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let places = mantissa.split_once('.').map_or(0, |(_, f)| i32::try_from(f.len()).unwrap_or(0));
        let scale = exponent.parse::<i32>().unwrap_or(0) - places;
        Ok(Self { digits: mantissa.replace('.', "").parse().ok(), scale, float })
    }

    fn aligned(&self, scale: i32) -> Option128 {
        let shift = u32::try_from(self.scale - scale).ok()?;
        self.digits?.checked_mul(10i128.checked_pow(shift)?)
    }

    fn plus(&self, other: &Self) -> Self {
        let scale = self.scale.min(other.scale);
        let digits = match (self.aligned(scale), other.aligned(scale)) {
            (Some(a), Some(b)) => a.checked_add(b),
            _ => None,
        };
        let sign = if other.digits.is_some_and(|d| (d < 0) != (other.float < 0.0)) { -1.0 } else { 1.0 };
        Self { digits, scale, float: self.float + sign * other.float }
    }

    /// Division rounded half away from zero at 16 decimal places.
    fn over(&self, other: &Self) -> Self {
        let exact = || {
            let shift = self.scale - other.scale + 16;
            let (mut a, mut b) = (self.digits?, other.digits?);
            let power = 10i128.checked_pow(shift.unsigned_abs())?;
            if shift >= 0 {
                a = a.checked_mul(power)?;
            } else {
                b = b.checked_mul(power)?;
            }
            let (quotient, rest) = (a / b, a % b);
            let away = if rest.checked_mul(2)?.abs() >= b.abs() { (a.signum()) * (b.signum()) } else { 0 };
            Some(quotient + away)
        };
        Self { digits: exact(), scale: -16, float: self.float / other.float }
    }

    fn with_float(self) -> Self {
        let float = self
            .digits
            .and_then(|digits| format!("{digits}e{}", self.scale).parse().ok())
            .unwrap_or(self.float);
        Self { float, ..self }
    }
}

fn steps(start: i64, stop: i64, step: i64) -> Result<Vec<i64>, Fault> {
    let mut out = Vec::new();
    if start > stop && step >= 0 || start <= stop && step <= 0 {
        return Ok(out);
    }
    let mut at = start;
    while if step > 0 { at < stop } else { at > stop } {
        super::affordable(Some(out.len() * 64))?;
        out.push(at);
        match at.checked_add(step) {
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(out)
}

fn list(numbers: Vec<i64>) -> Value {
    Value::List(List::typed(numbers.into_iter().map(Value::int).collect(), ListKind::Int))
}

fn seq(_: &mut super::super::Caller<'_, '_>, args: &[Value]) -> Result<Value, Fault> {
    let n: Vec<i64> = (0..args.len()).map(|i| int(args, i)).collect();
    let toward = |start: i64, end: i64| if end < start { -1 } else { 1 };
    let numbers = match n.as_slice() {
        [end] => steps(1, end.saturating_add(toward(1, *end)), toward(1, *end))?,
        [start, end] => steps(*start, end.saturating_add(toward(*start, *end)), toward(*start, *end))?,
        [start, step, end] if end < start && *step > 0 => {
            let _ = (start, step, end);
            Vec::new()
        }
        [start, step, end] => steps(*start, end.saturating_add(toward(*start, *end)), *step)?,
        _ => Vec::new(),
    };
    let texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    Ok(texts.join(" ").into())
}
