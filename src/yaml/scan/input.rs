//! Bytes to characters: encodings, and what YAML does not allow in a text (`go-yaml v2: readerc.go`).

use std::borrow::Cow;

/// A text ready to be scanned. What is wrong with its bytes is told when the scanner gets there.
pub(in crate::yaml) struct Input<'t> {
    /// The characters up to the block in which something is wrong.
    pub text: Cow<'t, str>,
    /// go-yaml's words for what is wrong behind them.
    pub fault: Option<&'static str>,
}

/// go-yaml decodes that many bytes at once and finds a bad one before it looks at the characters of the block.
const BLOCK: usize = 512;

impl<'t> Input<'t> {
    /// Decodes UTF-8, or UTF-16 behind a byte order mark.
    pub fn new(bytes: &'t [u8]) -> Self {
        match bytes {
            [0xff, 0xfe, rest @ ..] => Self::wide(rest, u16::from_le_bytes),
            [0xfe, 0xff, rest @ ..] => Self::wide(rest, u16::from_be_bytes),
            [0xef, 0xbb, 0xbf, ..] => Self::narrow(bytes, 3),
            _ => Self::narrow(bytes, 0),
        }
    }

    fn narrow(bytes: &'t [u8], start: usize) -> Self {
        let (end, fault) = match first_fault(bytes) {
            None => (bytes.len(), None),
            Some((at, fault)) => (block_of(bytes, at), Some(fault)),
        };
        let valid = bytes.get(start..end).unwrap_or_default();
        Self { text: Cow::Borrowed(std::str::from_utf8(valid).unwrap_or_default()), fault }
    }

    fn wide(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Self {
        let mut text = String::with_capacity(bytes.len());
        let mut fault = None;
        let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        for c in char::decode_utf16(units) {
            fault = match c {
                Ok(c) if allowed(c) => {
                    text.push(c);
                    continue;
                }
                Ok(_) => Some("control characters are not allowed"),
                Err(e) if e.unpaired_surrogate() & 0xfc00 == 0xdc00 => Some("unexpected low surrogate area"),
                Err(_) => Some("expected low surrogate area"),
            };
            break;
        }
        if fault.is_none() && !bytes.len().is_multiple_of(2) {
            fault = Some("incomplete UTF-16 character");
        }
        if fault.is_some() {
            text.clear();
        }
        Self { text: Cow::Owned(text), fault }
    }
}

/// The start of the block that go-yaml decodes when it meets the byte `at`: characters do not straddle blocks.
fn block_of(bytes: &[u8], at: usize) -> usize {
    let mut start = 0;
    loop {
        let mut end = (start + BLOCK).min(bytes.len());
        // A character cut off by the end of the block is decoded with the next one.
        while end < bytes.len() && end > start && bytes[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        if at < end || end <= start {
            // The cut-off character at the very end is only missed when it is needed.
            let cut = bytes.len() - at < 4 && width(bytes[at]) > bytes.len() - at;
            return if cut { at } else { start };
        }
        start = end;
    }
}

/// The first byte that YAML does not take, and why.
fn first_fault(bytes: &[u8]) -> Option<(usize, &'static str)> {
    let mut at = 0;
    while at < bytes.len() {
        if let Some(chunk) = bytes.get(at..at + 32)
            && chunk.iter().fold(true, |clean, b| clean & easy(*b))
        {
            at += 32;
            continue;
        }
        let end = (at + 32).min(bytes.len());
        while at < end {
            if easy(bytes[at]) {
                at += 1;
                continue;
            }
            match decode(&bytes[at..]) {
                Ok(n) => at += n,
                Err(fault) => return Some((at, fault)),
            }
        }
    }
    None
}

/// Printable ASCII and the blanks and breaks of a text.
fn easy(b: u8) -> bool {
    (0x20..0x7f).contains(&b) | (b == b'\n') | (b == b'\t') | (b == b'\r')
}

fn width(lead: u8) -> usize {
    match lead {
        0..=0x7f => 1,
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 0,
    }
}

/// The length of the character at the start of `bytes`.
fn decode(bytes: &[u8]) -> Result<usize, &'static str> {
    let width = width(bytes[0]);
    if width == 0 {
        return Err("invalid leading UTF-8 octet");
    }
    if width > bytes.len() {
        return Err("incomplete UTF-8 octet sequence");
    }
    let mut value = u32::from(bytes[0]) & (0x7f >> if width == 1 { 0 } else { width });
    for b in &bytes[1..width] {
        if b & 0xc0 != 0x80 {
            return Err("invalid trailing UTF-8 octet");
        }
        value = value << 6 | u32::from(b & 0x3f);
    }
    if value < [0, 0, 0x80, 0x800, 0x10000][width] {
        return Err("invalid length of a UTF-8 sequence");
    }
    match char::from_u32(value) {
        None => Err("invalid Unicode character"),
        Some(c) if allowed(c) => Ok(width),
        Some(_) => Err("control characters are not allowed"),
    }
}

/// Characters of a YAML 1.1 text.
fn allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_and_faults() {
        assert_eq!(Input::new(b"\xef\xbb\xbfa\xc3\xa9").text, "a\u{e9}");
        assert_eq!(Input::new(b"\xff\xfea\0:\0").text, "a:");
        assert_eq!(Input::new(b"\xfe\xff\0a").text, "a");
        for (bytes, fault) in [
            (&b"a\x01"[..], "control characters are not allowed"),
            (b"a\x7f", "control characters are not allowed"),
            (b"\xff", "invalid leading UTF-8 octet"),
            (b"\xc3(", "invalid trailing UTF-8 octet"),
            (b"\xe2\x82", "incomplete UTF-8 octet sequence"),
            (b"\xc0\x80", "invalid length of a UTF-8 sequence"),
            (b"\xed\xa0\x80", "invalid Unicode character"),
            (b"\xff\xfe\x00\xdc", "unexpected low surrogate area"),
        ] {
            assert_eq!(Input::new(bytes).fault, Some(fault));
        }
        // The block before the bad byte is read first.
        let late = [vec![b'x'; 600], vec![0]].concat();
        assert_eq!(Input::new(&late).text.len(), BLOCK);
    }
}
