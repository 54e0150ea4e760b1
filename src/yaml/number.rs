//! Floats as Go's strconv prints them: the shortest digits that read back equal.

use std::fmt::Write as _;

/// The shortest digits of a finite number, without sign, and its decimal exponent (of the first digit).
fn shortest(value: f64) -> (String, i32) {
    let text = format!("{:e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
}

/// Go's `strconv.FormatFloat(value, 'g', -1, 64)`, which is also `%v`: `1e+06`, `0.0001`, `+Inf`.
pub fn format_float(value: f64) -> String {
    special(value).unwrap_or_else(|| {
        let (digits, exponent) = shortest(value);
        let sign = if value.is_sign_negative() { "-" } else { "" };
        if !(-4..6).contains(&exponent) {
            scientific(sign, &digits, exponent)
        } else {
            positional(sign, &digits, exponent)
        }
    })
}

/// A number as Go's encoding/json writes it: positional between 1e-6 and 1e21. `None` for NaN and infinities.
pub fn format_json_float(value: f64) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    let (digits, exponent) = shortest(value);
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value != 0.0 && (value.abs() < 1e-6 || value.abs() >= 1e21) {
        let mut text = scientific(sign, &digits, exponent);
        // encoding/json cleans e-09 to e-9.
        let n = text.len();
        if n >= 4 && text[..n - 1].ends_with("e-0") {
            text.remove(n - 2);
        }
        return Some(text);
    }
    Some(positional(sign, &digits, exponent))
}

fn special(value: f64) -> Option<String> {
    if value.is_nan() {
        Some("NaN".to_owned())
    } else if value.is_infinite() {
        Some(if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned())
    } else {
        None
    }
}

fn scientific(sign: &str, digits: &str, exponent: i32) -> String {
    let mut out = format!("{sign}{}", &digits[..1]);
    if digits.len() > 1 {
        let _ = write!(out, ".{}", &digits[1..]);
    }
    let _ = write!(out, "e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.unsigned_abs());
    out
}

fn positional(sign: &str, digits: &str, exponent: i32) -> String {
    let mut out = sign.to_owned();
    if exponent < 0 {
        out.push_str("0.");
        (1..-exponent).for_each(|_| out.push('0'));
        out.push_str(digits);
        return out;
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        out.push_str(digits);
        (digits.len()..whole).for_each(|_| out.push('0'));
    } else {
        let _ = write!(out, "{}.{}", &digits[..whole], &digits[whole..]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortest_forms() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (999_999.0, "999999"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1e100, "1e+100"),
            (-1.5, "-1.5"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(format_float(value), text);
        }
        assert_eq!(format_float(1_000_000.0), "1e+06");
        assert_eq!(format_float(12_345_678.0), "1.2345678e+07");
        assert_eq!(format_json_float(1_000_000.0).unwrap(), "1000000");
        assert_eq!(format_json_float(1e21).unwrap(), "1e+21");
        assert_eq!(format_json_float(1e-9).unwrap(), "1e-9");
        assert_eq!(format_json_float(f64::NAN), None);
    }
}
