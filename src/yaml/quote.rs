//! Go's string quoting, both ways (`strconv`: Quote, Unquote, QuoteRune).

use std::fmt::Write as _;

/// Whether Go's `strconv.IsPrint` holds.
pub(crate) fn is_print(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    if c.is_whitespace() || matches!(c, '\u{ad}' | '\u{fffe}' | '\u{ffff}') {
        return false;
    }
    // Behind a letter, Rust's own escaping leaves exactly the printable characters as they are.
    let mut text = String::from("a");
    text.push(c);
    text.escape_debug().count() == 2
}

/// How [`quote_with`] treats what is beyond ASCII, and which quote stands around.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quoting {
    /// `"` or `'`.
    pub(crate) mark: char,
    /// Escape everything beyond ASCII.
    pub(crate) ascii: bool,
}

/// Go's `strconv.Quote`.
pub(crate) fn quote(bytes: &[u8]) -> String {
    quote_with(bytes, Quoting { mark: '"', ascii: false })
}

/// Go's quoting in one of its forms.
pub(crate) fn quote_with(bytes: &[u8], quoting: Quoting) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push(quoting.mark);
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| escape(&mut out, c, quoting));
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push(quoting.mark);
    out
}

/// Go's `strconv.QuoteRune`; what is no character becomes U+FFFD.
pub(crate) fn quote_rune(code: i64, ascii: bool) -> String {
    let c = u32::try_from(code).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    let quoting = Quoting { mark: '\'', ascii };
    let mut out = String::from("'");
    escape(&mut out, c, quoting);
    out.push('\'');
    out
}

fn escape(out: &mut String, c: char, quoting: Quoting) {
    if c == quoting.mark || c == '\\' {
        out.push('\\');
        out.push(c);
        return;
    }
    if c.is_ascii() && is_print(c) || !c.is_ascii() && !quoting.ascii && is_print(c) {
        out.push(c);
        return;
    }
    let _ = match c {
        '\u{7}' => write!(out, "\\a"),
        '\u{8}' => write!(out, "\\b"),
        '\u{c}' => write!(out, "\\f"),
        '\n' => write!(out, "\\n"),
        '\r' => write!(out, "\\r"),
        '\t' => write!(out, "\\t"),
        '\u{b}' => write!(out, "\\v"),
        c if (c as u32) < 0x20 || c == '\u{7f}' => write!(out, "\\x{:02x}", c as u32),
        c if (c as u32) < 0x10000 => write!(out, "\\u{:04x}", c as u32),
        c => write!(out, "\\U{:08x}", c as u32),
    };
}

/// Go's `strconv.Unquote` for a string in double quotes or backquotes; `None` for invalid syntax.
pub(crate) fn unquote(source: &[u8]) -> Option<Vec<u8>> {
    let inner = source.get(1..source.len().checked_sub(1)?)?;
    if source[0] == b'`' {
        return Some(inner.iter().copied().filter(|b| *b != b'\r').collect());
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(first) = rest.first() {
        if *first == b'\\' {
            rest = unescape(&rest[1..], b'"', &mut out)?;
        } else if matches!(first, b'\n' | b'"') {
            return None;
        } else {
            out.push(*first);
            rest = &rest[1..];
        }
    }
    Some(out)
}

/// The value of a character constant between single quotes.
pub(crate) fn unquote_rune(source: &[u8]) -> Option<i64> {
    let inner = source.get(1..source.len().checked_sub(1)?)?;
    if inner.first() == Some(&b'\\') {
        let mut out = Vec::new();
        let rest = unescape(&inner[1..], b'\'', &mut out)?;
        if !rest.is_empty() {
            return None;
        }
        // A byte escape gives the byte's own number.
        return match std::str::from_utf8(&out).ok().and_then(|s| s.chars().next()) {
            Some(c) => Some(i64::from(u32::from(c))),
            None => out.first().map(|b| i64::from(*b)),
        };
    }
    let text = std::str::from_utf8(inner).ok()?;
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if c != '\'' && c != '\n' => Some(i64::from(u32::from(c))),
        _ => None,
    }
}

fn unescape<'t>(rest: &'t [u8], mark: u8, out: &mut Vec<u8>) -> Option<&'t [u8]> {
    let (first, tail) = rest.split_first()?;
    let hex = |n: usize| {
        let digits = std::str::from_utf8(tail.get(..n)?).ok()?;
        if digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            u32::from_str_radix(digits, 16).ok()
        } else {
            None
        }
    };
    let simple = match first {
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b'\\' => b'\\',
        b'\'' | b'"' if *first == mark => mark,
        b'x' => {
            out.push(u8::try_from(hex(2)?).ok()?);
            return tail.get(2..);
        }
        b'u' | b'U' => {
            let n = if *first == b'u' { 4 } else { 8 };
            let c = char::from_u32(hex(n)?)?;
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            return tail.get(n..);
        }
        b'0'..=b'7' => {
            let digits = std::str::from_utf8(rest.get(..3)?).ok()?;
            out.push(u8::from_str_radix(digits, 8).ok()?);
            return rest.get(3..);
        }
        _ => return None,
    };
    out.push(simple);
    Some(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        assert_eq!(quote("a\"\\\n\u{7f}é\u{a0}😀\u{200b}".as_bytes()), r#""a\"\\\n\x7fé\u00a0😀\u200b""#);
        assert_eq!(quote(b"\xff"), r#""\xff""#);
        assert_eq!(quote_rune(0x41, false), "'A'");
        assert_eq!(unquote(br#""a\x41\101\u00e9\n""#).unwrap(), "aAAé\n".as_bytes());
        assert_eq!(unquote(br#""\q""#), None);
        assert_eq!(unquote(b"`a\\n\r`").unwrap(), b"a\\n");
        assert_eq!(unquote_rune(b"'\\n'"), Some(10));
    }
}
