//! One verb with its flags, applied to a value (`fmt: print.go, format.go`).

use super::super::quote::{Quoting, quote_rune, quote_with};
use super::{float, is_bytes, too_deep};
use crate::yaml::{List, Map, Value};

/// A verb and the flags in front of it.
#[derive(Clone, Debug)]
pub(super) struct Verb {
    pub(super) verb: char,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    pub(super) plus_v: bool,
    pub(super) sharp_v: bool,
}

impl Verb {
    pub(super) fn plain() -> Self {
        Self {
            verb: 'v',
            width: None,
            precision: None,
            minus: false,
            plus: false,
            sharp: false,
            space: false,
            zero: false,
            plus_v: false,
            sharp_v: false,
        }
    }

    /// Writes a value; `depth` is how deep it is nested.
    pub(super) fn write(&self, out: &mut Vec<u8>, value: &Value, depth: usize) {
        if self.verb == 'T' && depth == 0 {
            return self.pad(out, value.type_name().as_bytes());
        }
        if too_deep(depth) {
            return out.extend_from_slice(b"...");
        }
        match value {
            Value::Null if self.verb == 'v' && depth == 0 => self.pad(out, b"<nil>"),
            Value::Null if depth > 0 && self.sharp_v => out.extend_from_slice(b"interface {}(nil)"),
            Value::Null if depth > 0 => out.extend_from_slice(b"<nil>"),
            Value::Null => self.bad(out, value),
            Value::Bool(b) => match self.verb {
                't' | 'v' => self.pad(out, if *b { b"true" } else { b"false" }),
                _ => self.bad(out, value),
            },
            Value::Int(n, _) => self.integer(out, value, n.unsigned_abs(), *n < 0),
            Value::Uint(n, _) => self.integer(out, value, *n, false),
            Value::Float(f) => self.float(out, value, *f),
            Value::Str(text) => self.string(out, value, text.as_bytes()),
            Value::List(list) => self.list(out, value, list, depth),
            Value::Map(map) => stacker::maybe_grow(64 << 10, 1 << 20, || self.map(out, value, map, depth)),
            Value::Object(object) => match self.verb {
                'v' if !self.sharp_v => self.pad(out, object.print().as_bytes()),
                's' | 'x' | 'X' | 'q' if object.is_stringer() => {
                    self.string(out, value, object.print().as_bytes());
                }
                _ => match (object.integer(), object.collection()) {
                    (Some(n), _) => self.integer(out, &Value::int64(n), n.unsigned_abs(), n < 0),
                    (_, Some(inner)) => self.write(out, &inner, depth + 1),
                    _ => out.extend_from_slice(object.print().as_bytes()),
                },
            },
        }
    }

    /// `%!d(string=hi)`.
    pub(super) fn bad(&self, out: &mut Vec<u8>, value: &Value) {
        out.extend_from_slice(format!("%!{}(", self.verb).as_bytes());
        if value.is_null() {
            out.extend_from_slice(b"<nil>");
        } else {
            out.extend_from_slice(value.type_name().as_bytes());
            out.push(b'=');
            let inner = Self { verb: 'v', plus_v: false, sharp_v: false, ..self.clone() };
            inner.write(out, value, 0);
        }
        out.push(b')');
    }

    /// Pads by runes.
    fn pad(&self, out: &mut Vec<u8>, text: &[u8]) {
        let Some(width) = self.width else { return out.extend_from_slice(text) };
        let length: usize = text.utf8_chunks().map(|c| c.valid().chars().count() + c.invalid().len()).sum();
        let fill = width.saturating_sub(length);
        if self.minus {
            out.extend_from_slice(text);
            out.extend(std::iter::repeat_n(b' ', fill));
        } else {
            let byte = if self.zero { b'0' } else { b' ' };
            out.extend(std::iter::repeat_n(byte, fill));
            out.extend_from_slice(text);
        }
    }

    fn integer(&self, out: &mut Vec<u8>, value: &Value, magnitude: u64, negative: bool) {
        let signed = matches!(value, Value::Int(..));
        match self.verb {
            'v' if self.sharp_v && !signed => self.digits(out, magnitude, false, (16, false, true)),
            'v' | 'd' => self.digits(out, magnitude, negative, (10, false, false)),
            'b' => self.digits(out, magnitude, negative, (2, false, self.sharp)),
            'o' | 'O' => self.digits(out, magnitude, negative, (8, false, self.sharp)),
            'x' => self.digits(out, magnitude, negative, (16, false, self.sharp)),
            'X' => self.digits(out, magnitude, negative, (16, true, self.sharp)),
            'c' => {
                let c = code(magnitude, negative);
                self.pad(out, c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            'q' => {
                let c = i64::from(u32::from(code(magnitude, negative)));
                self.pad(out, quote_rune(c, self.plus).as_bytes());
            }
            'U' => self.unicode(out, if negative { magnitude.wrapping_neg() } else { magnitude }),
            _ => self.bad(out, value),
        }
    }

    fn unicode(&self, out: &mut Vec<u8>, code: u64) {
        let mut text = format!("U+{:0width$X}", code, width = self.precision.unwrap_or(4).max(4));
        if self.sharp
            && let Some(c) = u32::try_from(code).ok().and_then(char::from_u32)
            && super::super::quote::is_print(c)
        {
            text.push_str(&format!(" '{c}'"));
        }
        Self { zero: false, ..self.clone() }.pad(out, text.as_bytes());
    }

    /// An integer in (base, upper case, with prefix).
    fn digits(&self, out: &mut Vec<u8>, magnitude: u64, negative: bool, form: (u32, bool, bool)) {
        let (base, upper, prefix) = form;
        let mut digits = match base {
            2 => format!("{magnitude:b}"),
            8 => format!("{magnitude:o}"),
            16 if upper => format!("{magnitude:X}"),
            16 => format!("{magnitude:x}"),
            _ => magnitude.to_string(),
        };
        let mut pad = self.clone();
        if let Some(precision) = self.precision {
            pad.zero = false;
            if precision == 0 && magnitude == 0 {
                let width = self.width.unwrap_or(0);
                return out.extend(std::iter::repeat_n(b' ', width));
            }
            digits = format!("{}{digits}", "0".repeat(precision.saturating_sub(digits.len())));
        } else if self.zero && !self.minus && self.width.is_some() {
            let width = self.width.unwrap_or(0);
            let sign = usize::from(negative || self.plus || self.space);
            digits = format!("{}{digits}", "0".repeat(width.saturating_sub(digits.len() + sign)));
            pad.zero = false;
        }
        if prefix {
            digits = match base {
                2 => format!("0b{digits}"),
                8 if digits.starts_with('0') => digits,
                8 => format!("0{digits}"),
                16 => format!("0{}{digits}", if upper { 'X' } else { 'x' }),
                _ => digits,
            };
        }
        if self.verb == 'O' {
            digits = format!("0o{digits}");
        }
        let sign = if negative {
            "-"
        } else if self.plus {
            "+"
        } else if self.space {
            " "
        } else {
            ""
        };
        pad.pad(out, format!("{sign}{digits}").as_bytes());
    }

    fn float(&self, out: &mut Vec<u8>, value: &Value, f: f64) {
        let text = match (self.verb, self.precision) {
            ('v' | 'g' | 'G', None) => float(f),
            ('g' | 'G' | 'v', Some(p)) => general(f, p),
            ('e' | 'E', p) => exponent(f, p.unwrap_or(6)),
            ('f' | 'F', p) => fixed(f, p.unwrap_or(6)),
            ('x' | 'X', p) => hexadecimal(f, p),
            ('b', _) => binary(f),
            _ => return self.bad(out, value),
        };
        let text = if self.sharp && self.verb != 'b' { self.sharpened(&text) } else { text };
        let text = if matches!(self.verb, 'E' | 'G' | 'X') { text.to_uppercase() } else { text };
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("+", text.strip_prefix('+').unwrap_or(&text)),
        };
        let finite = f.is_finite();
        let shown = match sign {
            "-" => "-",
            _ if self.plus || f == f64::INFINITY && !self.space => "+",
            _ if self.space => " ",
            _ => "",
        };
        let zero = self.zero && finite && !self.minus;
        if zero && let Some(width) = self.width {
            out.extend_from_slice(shown.as_bytes());
            out.extend(std::iter::repeat_n(b'0', width.saturating_sub(shown.len() + digits.len())));
            return out.extend_from_slice(digits.as_bytes());
        }
        Self { zero: false, ..self.clone() }.pad(out, format!("{shown}{digits}").as_bytes());
    }

    /// The decimal point and trailing zeros that `#` asks for.
    fn sharpened(&self, text: &str) -> String {
        let hex = matches!(self.verb, 'x' | 'X');
        let mut digits = match self.verb {
            'v' | 'g' | 'G' | 'x' | 'X' => i64::try_from(self.precision.unwrap_or(6)).unwrap_or(6),
            _ => 0,
        };
        let (sign, body) = text.split_at(usize::from(text.starts_with(['-', '+'])));
        let end = body.find(if hex { ['p', 'P'] } else { ['e', 'E'] }).unwrap_or(body.len());
        let (number, tail) = body.split_at(end);
        let mut nonzero = false;
        for c in number.chars().filter(|c| *c != '.') {
            nonzero |= c != '0';
            digits -= i64::from(nonzero);
        }
        let point = number.contains('.');
        if !point && number.len() == 1 && number.starts_with('0') && !hex {
            digits -= 1;
        }
        if !body.starts_with(|c: char| c.is_ascii_digit()) {
            return text.to_owned();
        }
        let zeros = "0".repeat(usize::try_from(digits).unwrap_or(0));
        format!("{sign}{number}{}{zeros}{tail}", if point { "" } else { "." })
    }

    fn truncated<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let Some(precision) = self.precision else { return text };
        let mut at = 0;
        for _ in 0..precision {
            match super::super::lex::decode(&text[at..]) {
                Some((_, n)) => at += n,
                None => break,
            }
        }
        &text[..at]
    }

    fn string(&self, out: &mut Vec<u8>, value: &Value, text: &[u8]) {
        match self.verb {
            'v' if self.sharp_v => {
                self.pad(out, quote_with(text, Quoting { mark: '"', ascii: false }).as_bytes())
            }
            'v' | 's' => self.pad(out, self.truncated(text)),
            'x' | 'X' => self.hex(out, text),
            'q' => {
                let text = self.truncated(text);
                let raw = self.sharp && can_backquote(text);
                if raw {
                    let quoted = [b"`", text, b"`"].concat();
                    return self.pad(out, &quoted);
                }
                self.pad(out, quote_with(text, Quoting { mark: '"', ascii: self.plus }).as_bytes());
            }
            _ => self.bad(out, value),
        }
    }

    fn hex(&self, out: &mut Vec<u8>, text: &[u8]) {
        let text = &text[..self.precision.unwrap_or(text.len()).min(text.len())];
        let upper = self.verb == 'X';
        let mut shown = String::new();
        for (i, byte) in text.iter().enumerate() {
            if self.space && i > 0 {
                shown.push(' ');
            }
            if self.sharp && (self.space || i == 0) {
                shown.push_str(if upper { "0X" } else { "0x" });
            }
            shown.push_str(&if upper { format!("{byte:02X}") } else { format!("{byte:02x}") });
        }
        Self { zero: false, ..self.clone() }.pad(out, shown.as_bytes());
    }

    fn list(&self, out: &mut Vec<u8>, value: &Value, list: &List, depth: usize) {
        if is_bytes(value) && matches!(self.verb, 's' | 'x' | 'X' | 'q') {
            return self.string(out, value, &list.bytes().unwrap_or_default());
        }
        if self.sharp_v {
            out.extend_from_slice(list.kind().type_name().as_bytes());
            if list.is_nil() {
                return out.extend_from_slice(b"(nil)");
            }
        }
        let (open, close, between) = if self.sharp_v { (b'{', b'}', ", ") } else { (b'[', b']', " ") };
        out.push(open);
        for (i, item) in list.items().iter().enumerate() {
            if i > 0 {
                out.extend_from_slice(between.as_bytes());
            }
            stacker::maybe_grow(64 << 10, 1 << 20, || self.write(out, item, depth + 1));
        }
        out.push(close);
    }

    fn map(&self, out: &mut Vec<u8>, _value: &Value, map: &Map, depth: usize) {
        if self.sharp_v {
            out.extend_from_slice(map.kind().type_name().as_bytes());
            if map.is_nil() {
                return out.extend_from_slice(b"(nil)");
            }
            out.push(b'{');
        } else {
            out.extend_from_slice(b"map[");
        }
        for (i, (key, item)) in map.entries().into_iter().enumerate() {
            if i > 0 {
                out.extend_from_slice(if self.sharp_v { b", " } else { b" " });
            }
            self.write(out, &Value::Str(key), depth + 1);
            out.push(b':');
            self.write(out, &item, depth + 1);
        }
        out.push(if self.sharp_v { b'}' } else { b']' });
    }
}

fn code(magnitude: u64, negative: bool) -> char {
    let code = if negative { None } else { u32::try_from(magnitude).ok() };
    code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn can_backquote(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|t| {
        t.chars().all(|c| c != '`' && c != '\u{feff}' && c != '\u{7f}' && (c >= ' ' || c == '\t'))
    })
}

fn exponent(f: f64, precision: usize) -> String {
    if !f.is_finite() {
        return float(f);
    }
    let text = format!("{f:.precision$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    }
}

fn fixed(f: f64, precision: usize) -> String {
    if f.is_finite() { format!("{f:.precision$}") } else { float(f) }
}

/// Mantissa and binary exponent of a finite number.
fn parts(f: f64) -> (u64, i32) {
    let bits = f.to_bits();
    let raw = i32::try_from((bits >> 52) & 0x7ff).unwrap_or(0);
    let fraction = bits & ((1 << 52) - 1);
    if raw == 0 { (fraction, -1074) } else { (fraction | 1 << 52, raw - 1075) }
}

/// `%b`: decimal mantissa, power of two.
fn binary(f: f64) -> String {
    if !f.is_finite() {
        return float(f);
    }
    let (mantissa, exponent) = parts(f);
    format!("{}{mantissa}p{exponent:+}", if f.is_sign_negative() { "-" } else { "" })
}

/// `%x`: hexadecimal mantissa, power of two.
fn hexadecimal(f: f64, precision: Option<usize>) -> String {
    if !f.is_finite() {
        return float(f);
    }
    let (mut mantissa, mut exponent) = parts(f);
    if mantissa == 0 {
        exponent = 0;
    } else {
        let shift = mantissa.leading_zeros() - 11;
        mantissa <<= shift;
        exponent += 52 - i32::try_from(shift).unwrap_or(0);
    }
    if let Some(precision) = precision.filter(|p| *p < 13) {
        let drop = u32::try_from(52 - precision * 4).unwrap_or(0);
        let (half, rest) = (1u64 << (drop - 1), mantissa & ((1 << drop) - 1));
        mantissa >>= drop;
        if rest > half || rest == half && mantissa & 1 == 1 {
            mantissa += 1;
        }
        mantissa <<= drop;
        if mantissa >> 53 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let digits = format!("{:013x}", mantissa & ((1 << 52) - 1));
    let fraction = match precision {
        None => digits.trim_end_matches('0').to_owned(),
        Some(p) if p <= 13 => digits[..p].to_owned(),
        Some(p) => format!("{digits}{}", "0".repeat(p - 13)),
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let sign = if f.is_sign_negative() { "-" } else { "" };
    let mark = if exponent < 0 { '-' } else { '+' };
    format!("{sign}0x{}{point}{fraction}p{mark}{:02}", mantissa >> 52, exponent.unsigned_abs())
}

/// `%.{precision}g`.
fn general(f: f64, precision: usize) -> String {
    if !f.is_finite() || f == 0.0 {
        return float(f);
    }
    let precision = precision.max(1);
    let rounded = exponent(f, precision - 1);
    let Some((mantissa, power)) = rounded.split_once('e') else { return rounded };
    let power: i32 = power.parse().unwrap_or(0);
    // Go counts only the digits it needs when it decides on the exponent form.
    let digits = mantissa.trim_start_matches('-').replace('.', "").trim_end_matches('0').len().max(1);
    let threshold =
        i32::try_from(if precision > digits && digits as i32 > power { digits } else { precision });
    if power < -4 || power >= threshold.unwrap_or(i32::MAX) {
        let mantissa = if mantissa.contains('.') {
            mantissa.trim_end_matches('0').trim_end_matches('.')
        } else {
            mantissa
        };
        let sign = if power < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", power.unsigned_abs());
    }
    let decimals = usize::try_from(i32::try_from(precision).unwrap_or(i32::MAX) - 1 - power).unwrap_or(0);
    let text = fixed(f, decimals);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
