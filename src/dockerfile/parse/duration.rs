//! Durations as Go's `time.ParseDuration` reads them: `1h2m3.5s`.

/// Units and their nanoseconds.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Nanoseconds; the error is Go's message without `time: `.
pub(super) fn parse(text: &str) -> Result<i64, String> {
    let invalid = || format!("invalid duration {text:?}");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let length = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (name, after) = after.split_at(length);
        if name.is_empty() {
            return Err(format!("missing unit in duration {text:?}"));
        }
        let Some((_, unit)) = UNITS.iter().find(|(unit, _)| *unit == name) else {
            return Err(format!("unknown unit {name:?} in duration {text:?}"));
        };
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        let part = whole.checked_mul(*unit).and_then(|part| part.checked_add(share(fraction, *unit)));
        total = part.and_then(|part| total.checked_add(part)).ok_or_else(invalid)?;
        if total > 1 << 63 {
            return Err(invalid());
        }
        rest = after;
    }
    match (negative, i64::try_from(total)) {
        (false, Ok(total)) => Ok(total),
        (true, Ok(total)) => Ok(-total),
        (true, Err(_)) => Ok(i64::MIN),
        (false, Err(_)) => Err(invalid()),
    }
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// The part of a unit that the digits behind the point mean, cut to nanoseconds.
fn share(fraction: &str, unit: u64) -> u64 {
    let mut share = 0u128;
    let mut scale = 1u128;
    for digit in fraction.bytes().take(18) {
        share = share * 10 + u128::from(digit - b'0');
        scale *= 10;
    }
    u64::try_from(share * u128::from(unit) / scale).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(parse("1h2m3.5s"), Ok(3_723_500_000_000));
        assert_eq!(parse("-.5ms"), Ok(-500_000));
        assert_eq!(parse("0"), Ok(0));
        assert_eq!(parse("5"), Err("missing unit in duration \"5\"".to_owned()));
        assert_eq!(parse("5x"), Err("unknown unit \"x\" in duration \"5x\"".to_owned()));
        for text in ["", "+", ".s", "9223372036854775808ns", "99999999999999999999h"] {
            assert_eq!(parse(text), Err(format!("invalid duration {text:?}")), "{text}");
        }
    }
}
