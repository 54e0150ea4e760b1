//! Number constants: one spelling, all the types it can be (`text/template/parse: newNumber`).

use super::quote::unquote_rune;

/// A number constant; which of its values counts depends on what is wanted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Number {
    pub(super) text: Box<str>,
    pub(super) int: Option<i64>,
    pub(super) uint: Option<u64>,
    pub(super) float: Option<f64>,
    /// Real and imaginary part, of a constant that ends in `i`.
    pub(super) complex: Option<(f64, f64)>,
}

impl Number {
    /// Reads a number token.
    ///
    /// # Errors
    /// The message of the parser.
    pub(super) fn read(text: &str, is_char: bool, is_complex: bool) -> Result<Self, String> {
        let mut number = Self { text: text.into(), int: None, uint: None, float: None, complex: None };
        if is_char {
            let code = unquote_rune(text.as_bytes()).ok_or_else(|| {
                if text == "''" || text.starts_with("'\\") {
                    "invalid syntax".to_owned()
                } else {
                    format!("malformed character constant: {text}")
                }
            })?;
            number.int = Some(code);
            number.uint = u64::try_from(code).ok();
            #[allow(clippy::cast_precision_loss, reason = "a character's code is small")]
            let float = code as f64;
            number.float = Some(float);
            return Ok(number);
        }
        if is_complex || text.ends_with('i') {
            return number.imaginary(is_complex);
        }
        number.uint = parse_uint(text);
        number.int = parse_int(text);
        if number.int == Some(0) {
            // A negative zero is an unsigned one too.
            number.uint = Some(0);
        }
        #[allow(clippy::cast_precision_loss, reason = "as Go converts")]
        if let Some(n) = number.int {
            number.float = Some(n as f64);
        } else if let Some(n) = number.uint {
            number.float = Some(n as f64);
        } else if let Some(f) = parse_float(text) {
            // A float that was written as an integer was too big for one.
            if !text.contains(['.', 'e', 'E', 'p', 'P']) {
                return Err(format!("integer overflow: {}", super::quote::quote(text.as_bytes())));
            }
            number.float = Some(f);
            number.whole(f);
        }
        if number.int.is_none() && number.uint.is_none() && number.float.is_none() {
            return Err(format!("illegal number syntax: {}", super::quote::quote(text.as_bytes())));
        }
        Ok(number)
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "checked by the way back"
    )]
    fn whole(&mut self, f: f64) {
        if f as i64 as f64 == f && f.abs() < 9.3e18 {
            self.int = Some(f as i64);
        }
        if f >= 0.0 && f as u64 as f64 == f && f < 1.8e19 {
            self.uint = Some(f as u64);
        }
    }

    fn imaginary(mut self, is_complex: bool) -> Result<Self, String> {
        let illegal = || format!("illegal number syntax: {}", super::quote::quote(self.text.as_bytes()));
        let body = &self.text[..self.text.len() - 1];
        let (real, imaginary) = if is_complex {
            let split = body.rfind(['+', '-']).filter(|i| *i > 0).ok_or_else(illegal)?;
            (
                parse_float(&body[..split]).ok_or_else(illegal)?,
                parse_float(&body[split..]).ok_or_else(illegal)?,
            )
        } else {
            (0.0, parse_float(body).ok_or_else(illegal)?)
        };
        self.complex = Some((real, imaginary));
        if imaginary == 0.0 {
            self.float = Some(real);
            self.whole(real);
        }
        Ok(self)
    }
}

/// Whether underscores stand only between digits or behind the base prefix.
fn underscores_ok(text: &str) -> bool {
    let body = text.trim_start_matches(['+', '-']);
    let mut previous = '^';
    let rest = if body.len() >= 2 && body.starts_with('0') && !body.as_bytes()[1].is_ascii_digit() {
        let prefix = body.as_bytes()[1].to_ascii_lowercase();
        if matches!(prefix, b'x' | b'o' | b'b') {
            previous = '0';
            &body[2..]
        } else {
            body
        }
    } else {
        body
    };
    let hex = body.len() > 1 && body.as_bytes()[1].eq_ignore_ascii_case(&b'x');
    for c in rest.chars() {
        let class = if c.is_ascii_digit() || hex && c.is_ascii_hexdigit() {
            '0'
        } else if c == '_' {
            if previous != '0' {
                return false;
            }
            '_'
        } else {
            if previous == '_' {
                return false;
            }
            '!'
        };
        previous = class;
    }
    previous != '_'
}

fn parse_uint(text: &str) -> Option<u64> {
    if text.starts_with(['+', '-']) || !underscores_ok(text) {
        return None;
    }
    let plain = text.replace('_', "");
    let lower = plain.to_ascii_lowercase();
    let (radix, digits) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// Go's `strconv.ParseInt(text, 0, 64)`.
pub(super) fn parse_int(text: &str) -> Option<i64> {
    let (negative, body) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = parse_uint(body)?;
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Go's `strconv.ParseFloat(text, 64)` for finite results: decimal and hexadecimal floats, underscores between
/// digits, `inf` and `nan` too.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    let (sign, body) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    let lower = body.to_ascii_lowercase();
    if matches!(lower.as_str(), "inf" | "infinity") {
        return Some(sign * f64::INFINITY);
    }
    if lower == "nan" {
        return Some(f64::NAN);
    }
    if let Some(hex) = lower.strip_prefix("0x") {
        return underscores_ok(&lower).then(|| hex_float(&hex.replace('_', ""))).flatten().map(|f| sign * f);
    }
    if !lower.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'+' | b'-' | b'_')) {
        return None;
    }
    if lower.contains('_') && !underscores_ok(&lower) {
        return None;
    }
    let lower = lower.replace('_', "");
    lower.parse::<f64>().ok().filter(|f| f.is_finite()).map(|f| sign * f)
}

fn hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let exponent: i32 = exponent.parse().ok()?;
    let shift = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    Some(value * 2f64.powi(exponent.checked_sub(shift)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        let int = |t: &str| Number::read(t, false, false).map(|n| n.int);
        assert_eq!(int("0x1F"), Ok(Some(31)));
        assert_eq!(int("0o17"), Ok(Some(15)));
        assert_eq!(int("017"), Ok(Some(15)));
        assert_eq!(int("0b101"), Ok(Some(5)));
        assert_eq!(int("1_000"), Ok(Some(1000)));
        assert_eq!(int("1e3"), Ok(Some(1000)));
        assert_eq!(int("-5"), Ok(Some(-5)));
        assert!(int("08").is_err());
        assert!(int("1_").is_err());
        assert_eq!(Number::read("'a'", true, false).unwrap().int, Some(97));
        assert_eq!(Number::read("0x1p-2", false, false).unwrap().float, Some(0.25));
        assert_eq!(int("99999999999999999999"), Err("integer overflow: \"99999999999999999999\"".into()));
    }
}
