//! Sprig's dates. The time of day is asked through the door; the local zone is UTC.

use super::super::door::Question;
use super::super::error::Fault;
use super::super::exec::Caller;
use super::super::function::{Function, fixed};
use super::text;
use super::time::{Time, Zone, parse};
use crate::yaml::{IntKind, Param, Value};

const ANY: Param = Param::Any;
const STR: Param = Param::Str;
const TIME: Param = Param::Named("time.Time");
const SECOND: i128 = 1_000_000_000;

/// The table.
pub(super) const FUNCTIONS: &[Function] = &[
    fixed("now", &[], |caller, _| now(caller).map(Time::value)),
    fixed("date", &[STR, ANY], |caller, a| in_zone(caller, &text(a, 0).lossy(), &a[1], "Local")),
    fixed("htmlDate", &[ANY], |caller, a| in_zone(caller, "2006-01-02", &a[0], "Local")),
    fixed("htmlDateInZone", &[ANY, STR], |caller, a| {
        in_zone(caller, "2006-01-02", &a[0], &text(a, 1).lossy())
    }),
    fixed("dateInZone", &[STR, ANY, STR], date_in_zone),
    fixed("date_in_zone", &[STR, ANY, STR], date_in_zone),
    fixed("dateModify", &[STR, TIME], |_, a| modify(a).or_else(|_| Ok(a[1].clone()))),
    fixed("date_modify", &[STR, TIME], |_, a| modify(a).or_else(|_| Ok(a[1].clone()))),
    fixed("mustDateModify", &[STR, TIME], |_, a| modify(a)),
    fixed("must_date_modify", &[STR, TIME], |_, a| modify(a)),
    fixed("ago", &[ANY], |caller, a| {
        let now = now(caller)?;
        let then = match &a[0] {
            Value::Int(n, IntKind::Int | IntKind::Int64) => i128::from(*n) * SECOND,
            other => time_of(other).map_or(now.nanos, |t| t.nanos),
        };
        let nanos = now.nanos - then;
        let rounded = (nanos.abs() + SECOND / 2) / SECOND * SECOND * nanos.signum();
        Ok(duration(rounded).into())
    }),
    fixed("duration", &[ANY], |_, a| {
        let seconds = match &a[0] {
            Value::Str(text) => text.as_str().and_then(|t| t.parse::<i64>().ok()).unwrap_or(0),
            Value::Int(n, IntKind::Int64) => *n,
            _ => 0,
        };
        Ok(duration(i128::from(seconds.wrapping_mul(1_000_000_000))).into())
    }),
    fixed("durationRound", &[ANY], |caller, a| {
        let nanos = match &a[0] {
            Value::Str(text) => read_duration(&text.lossy()).unwrap_or(0),
            Value::Int(n, IntKind::Int64) => i128::from(*n),
            other => match time_of(other) {
                Some(time) => now(caller)?.nanos - time.nanos,
                None => 0,
            },
        };
        Ok(rounded(nanos.unsigned_abs()).into())
    }),
    fixed("toDate", &[STR, STR], |_, a| {
        Ok(parse(&text(a, 0).lossy(), &text(a, 1).lossy()).unwrap_or_else(|_| Time::zero()).value())
    }),
    fixed("mustToDate", &[STR, STR], |_, a| Ok(parse(&text(a, 0).lossy(), &text(a, 1).lossy())?.value())),
    fixed("unixEpoch", &[TIME], |_, a| Ok(time_of(&a[0]).map_or(0, |t| t.unix()).to_string().into())),
];

fn now(caller: &mut Caller<'_, '_>) -> Result<Time, Fault> {
    match caller.door().ask(&Question::Now)? {
        Value::Int(nanos, _) => Ok(Time::utc(i128::from(nanos))),
        _ => Err("the time is not a number".into()),
    }
}

fn time_of(value: &Value) -> Option<Time> {
    match value {
        Value::Object(object) => object.as_any().downcast_ref::<Time>().cloned(),
        _ => None,
    }
}

fn date_in_zone(caller: &mut Caller<'_, '_>, a: &[Value]) -> Result<Value, Fault> {
    in_zone(caller, &text(a, 0).lossy(), &a[1], &text(a, 2).lossy())
}

fn in_zone(caller: &mut Caller<'_, '_>, layout: &str, value: &Value, zone: &str) -> Result<Value, Fault> {
    let time = match value {
        Value::Int(n, _) => Time::utc(i128::from(*n) * SECOND),
        other => match time_of(other) {
            Some(time) => time,
            None => now(caller)?,
        },
    };
    let zone = Zone::named(zone).unwrap_or_else(Zone::utc);
    Ok(time.within(zone).format(layout).into())
}

fn modify(a: &[Value]) -> Result<Value, Fault> {
    let by = read_duration(&text(a, 0).lossy())?;
    let Some(mut time) = time_of(&a[1]) else { return Err("not a time".into()) };
    time.nanos += by;
    Ok(time.value())
}

/// Go's `time.ParseDuration`.
pub(super) fn read_duration(source: &str) -> Result<i128, Fault> {
    let quoted = super::super::quote::quote(source.as_bytes());
    let invalid = || Fault::Text(format!("time: invalid duration {quoted}"));
    let (sign, mut rest) = match source.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, source.strip_prefix('+').unwrap_or(source)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0i128;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (digits, tail) = rest.split_at(number);
        if digits.is_empty() || digits == "." || digits.matches('.').count() > 1 {
            return Err(invalid());
        }
        let unit = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, after) = tail.split_at(unit);
        let scale: i128 = match unit {
            "" => return Err(format!("time: missing unit in duration {quoted}").into()),
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => SECOND,
            "m" => 60 * SECOND,
            "h" => 3600 * SECOND,
            other => {
                let unit = super::super::quote::quote(other.as_bytes());
                return Err(format!("time: unknown unit {unit} in duration {quoted}").into());
            }
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        let fraction = &fraction[..fraction.len().min(18)];
        let part: i128 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| invalid())? };
        let power = 10i128.pow(u32::try_from(fraction.len()).unwrap_or(0));
        total = whole
            .checked_mul(scale)
            .and_then(|n| n.checked_add(part * scale / power))
            .and_then(|n| n.checked_add(total))
            .filter(|n| *n <= i128::from(i64::MAX))
            .ok_or_else(invalid)?;
        rest = after;
    }
    Ok(sign * total)
}

/// Go's `Duration.String`.
pub(super) fn duration(nanos: i128) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let n = nanos.unsigned_abs();
    if n == 0 {
        return "0s".to_owned();
    }
    let trimmed = |value: u128, scale: u128| {
        let (whole, rest) = (value / scale, value % scale);
        let width = scale.to_string().len() - 1;
        let fraction = format!("{rest:0width$}");
        let fraction = fraction.trim_end_matches('0');
        if rest == 0 { whole.to_string() } else { format!("{whole}.{fraction}") }
    };
    if n < 1_000 {
        return format!("{sign}{n}ns");
    }
    if n < 1_000_000 {
        return format!("{sign}{}µs", trimmed(n, 1_000));
    }
    if n < 1_000_000_000 {
        return format!("{sign}{}ms", trimmed(n, 1_000_000));
    }
    let (hours, minutes) = (n / 3_600_000_000_000, n / 60_000_000_000 % 60);
    let seconds = trimmed(n % 60_000_000_000, 1_000_000_000);
    if hours > 0 {
        return format!("{sign}{hours}h{minutes}m{seconds}s");
    }
    if minutes > 0 {
        return format!("{sign}{minutes}m{seconds}s");
    }
    format!("{sign}{seconds}s")
}

/// The largest unit only.
fn rounded(nanos: u128) -> String {
    const HOUR: u128 = 3_600_000_000_000;
    for (unit, size) in [
        ("y", HOUR * 24 * 365),
        ("mo", HOUR * 24 * 30),
        ("d", HOUR * 24),
        ("h", HOUR),
        ("m", HOUR / 60),
        ("s", 1_000_000_000),
    ] {
        if nanos > size {
            return format!("{}{unit}", nanos / size);
        }
    }
    "0s".to_owned()
}
