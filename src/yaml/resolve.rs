//! What a plain scalar means (`go-yaml v2: resolve.go`, YAML 1.1 with 1.2's octal prefix).

/// A scalar with its type decided.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    /// Text that reads as a time; it stays text but is quoted when written.
    Timestamp,
    /// `<<`.
    Merge,
    Str,
}

/// The meaning of `text` without a tag.
pub(super) fn resolve(text: &str) -> Scalar {
    let Some(first) = text.bytes().next() else { return Scalar::Null };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => word(text),
        b'<' if text == "<<" => Scalar::Merge,
        b'.' => special_float(text).or_else(|| float(text, false)).map_or(Scalar::Str, Scalar::Float),
        b'+' | b'-' | b'0'..=b'9' => special_float(text).map_or_else(|| number(text), Scalar::Float),
        _ => Scalar::Str,
    }
}

fn word(text: &str) -> Scalar {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        _ => Scalar::Str,
    }
}

fn special_float(text: &str) -> Option<f64> {
    match text {
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

fn number(text: &str) -> Scalar {
    if is_timestamp(text) {
        return Scalar::Timestamp;
    }
    let stripped;
    let plain = if text.contains('_') {
        stripped = text.replace('_', "");
        stripped.as_str()
    } else {
        text
    };
    if let Some((negative, magnitude)) = integer(plain) {
        if let Some(n) = signed(negative, magnitude) {
            return Scalar::Int(n);
        }
        if !negative && !plain.starts_with('+') {
            return Scalar::Uint(magnitude);
        }
    }
    float(plain, true).map_or(Scalar::Str, Scalar::Float)
}

fn signed(negative: bool, magnitude: u64) -> Option<i64> {
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Go's `strconv.ParseInt(text, 0, 64)`: sign, base prefix (`0x`, `0o`, `0b`, `0`), digits; magnitude as unsigned.
pub(super) fn integer(text: &str) -> Option<(bool, u64)> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower =
        |p: &str| digits.len() > 2 && digits.is_char_boundary(2) && digits[..2].eq_ignore_ascii_case(p);
    let (radix, digits) = if lower("0x") {
        (16, &digits[2..])
    } else if lower("0o") {
        (8, &digits[2..])
    } else if lower("0b") {
        (2, &digits[2..])
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, &digits[1..])
    } else {
        (10, digits)
    };
    if !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok().map(|n| (negative, n))
}

/// A float: by YAML's own pattern if `strict`, else by whatever Go's ParseFloat takes after a leading point.
fn float(text: &str, strict: bool) -> Option<f64> {
    if strict || !text.contains('_') {
        if !float_pattern(text) {
            return None;
        }
        let value: f64 = text.parse().ok()?;
        return value.is_finite().then_some(value);
    }
    None
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn float_pattern(text: &str) -> bool {
    let mut rest = text.as_bytes();
    let digits = |rest: &mut &[u8]| {
        let n = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        *rest = &rest[n..];
        n
    };
    if let [b'+' | b'-', tail @ ..] = rest {
        rest = tail;
    }
    let whole = digits(&mut rest);
    if let [b'.', tail @ ..] = rest {
        rest = tail;
        if digits(&mut rest) + whole == 0 {
            return false;
        }
    } else if whole == 0 {
        return false;
    }
    if let [b'e' | b'E', tail @ ..] = rest {
        rest = tail;
        if let [b'+' | b'-', tail @ ..] = rest {
            rest = tail;
        }
        if digits(&mut rest) == 0 {
            return false;
        }
    }
    rest.is_empty()
}

/// Whether go-yaml takes the text for a time: a date, or a date and a time with `T` and zone, or a space and none.
pub(super) fn is_timestamp(text: &str) -> bool {
    let b = text.as_bytes();
    if b.len() < 8 || !b[..4].iter().all(u8::is_ascii_digit) || b[4] != b'-' {
        return false;
    }
    let mut scan = Scan { rest: &b[5..] };
    let year = b[..4].iter().fold(0u32, |n, d| n * 10 + u32::from(d - b'0'));
    let Some(month) = scan.short(1, 12) else { return false };
    if !scan.take(b'-') {
        return false;
    }
    let Some(day) = scan.short(1, 31) else { return false };
    if day > days_in(year, month) {
        return false;
    }
    if scan.rest.is_empty() {
        return true;
    }
    let zoned = match scan.rest[0] {
        b'T' | b't' => true,
        b' ' => false,
        _ => return false,
    };
    scan.rest = &scan.rest[1..];
    // Go takes spaces in the value where the layout has one.
    while !zoned && scan.take(b' ') {}
    scan.clock() && if zoned { scan.zone() } else { scan.rest.is_empty() }
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

struct Scan<'a> {
    rest: &'a [u8],
}

impl Scan<'_> {
    fn take(&mut self, byte: u8) -> bool {
        let found = self.rest.first() == Some(&byte);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    /// One or two digits within the bounds.
    fn short(&mut self, low: u32, high: u32) -> Option<u32> {
        let n = self.rest.iter().take(2).take_while(|b| b.is_ascii_digit()).count();
        if n == 0 {
            return None;
        }
        let value = self.rest[..n].iter().fold(0, |v, d| v * 10 + u32::from(d - b'0'));
        self.rest = &self.rest[n..];
        (low..=high).contains(&value).then_some(value)
    }

    fn clock(&mut self) -> bool {
        let time = self.short(0, 23).is_some()
            && self.take(b':')
            && self.short(0, 59).is_some()
            && self.take(b':')
            && self.short(0, 59).is_some();
        if time && matches!(self.rest, [b'.' | b',', d, ..] if d.is_ascii_digit()) {
            let n = self.rest[1..].iter().take_while(|b| b.is_ascii_digit()).count();
            self.rest = &self.rest[1 + n..];
        }
        time
    }

    fn zone(&self) -> bool {
        match self.rest {
            [b'Z'] => true,
            [b'+' | b'-', a, b, b':', c, d] => {
                let two = |x: &u8, y: &u8| {
                    (x.is_ascii_digit() && y.is_ascii_digit()).then(|| (x - b'0') * 10 + (y - b'0'))
                };
                two(a, b).is_some_and(|h| h <= 24) && two(c, d).is_some_and(|m| m <= 60)
            }
            _ => false,
        }
    }
}

/// `[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?`: YAML 1.1's base 60, never read but quoted when written.
pub(super) fn is_base60(text: &str) -> bool {
    let b = text.as_bytes();
    let b = if let [b'+' | b'-', tail @ ..] = b { tail } else { b };
    let Some(first) = b.iter().position(|c| *c == b':') else { return false };
    let head = &b[..first];
    if !head.first().is_some_and(u8::is_ascii_digit) || !head.iter().all(|c| c.is_ascii_digit() || *c == b'_')
    {
        return false;
    }
    let rest = &b[first..];
    let (groups, tail) = match rest.iter().position(|c| *c == b'.') {
        Some(dot) => (&rest[..dot], &rest[dot + 1..]),
        None => (rest, &rest[..0]),
    };
    tail.iter().all(|c| c.is_ascii_digit() || *c == b'_')
        && groups[1..].split(|c| *c == b':').all(|g| match g {
            [d] => d.is_ascii_digit(),
            [t, d] => (b'0'..=b'5').contains(t) && d.is_ascii_digit(),
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_go_yaml_reads_them() {
        for (text, want) in [
            ("0755", Scalar::Int(493)),
            ("0o17", Scalar::Int(15)),
            ("08", Scalar::Float(8.0)),
            ("1_000", Scalar::Int(1000)),
            ("0b101", Scalar::Int(5)),
            ("-0x1F", Scalar::Int(-31)),
            ("18446744073709551615", Scalar::Uint(u64::MAX)),
            ("1e3", Scalar::Float(1000.0)),
            (".5", Scalar::Float(0.5)),
            ("1.", Scalar::Float(1.0)),
            ("1e400", Scalar::Str),
            ("1:30", Scalar::Str),
            ("2024-01-02", Scalar::Timestamp),
            ("2024-02-30", Scalar::Str),
            ("1.2.3", Scalar::Str),
            ("+", Scalar::Str),
            ("Off", Scalar::Bool(false)),
            ("oFF", Scalar::Str),
            ("", Scalar::Null),
        ] {
            assert_eq!(resolve(text), want, "{text}");
        }
        assert!(is_base60("1:30:59.5") && !is_base60("1:60") && !is_base60("a:1"));
    }
}
