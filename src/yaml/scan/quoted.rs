//! Scalars in single and double quotes.

use std::borrow::Cow;

use super::plain::Fold;
use super::{Kind, Scanner, Trouble};

impl<'t> Scanner<'t> {
    pub(super) fn quoted_scalar(&mut self, single: bool) -> Result<(), Trouble> {
        self.save_key()?;
        self.key_allowed = false;
        let line = self.line;
        let text = self.text;
        let quote = if single { b'\'' } else { b'"' };
        let body = &self.bytes[self.pos + 1..];
        // Most are short, on one line and without escapes.
        let easy = body.iter().position(|b| *b == quote || matches!(b, b'\n' | b'\r' | b'\\' | 0xc2 | 0xe2));
        if let Some(n) = easy
            && body[n] == quote
            && !(single && body.get(n + 1) == Some(&quote))
            && self.fault.is_none()
        {
            let start = self.pos + 1;
            self.advance_to(start + n + 1);
            self.push_text(Kind::Quoted, line, Cow::Borrowed(&text[start..start + n]));
            return Ok(());
        }
        self.pos += 1;
        let mut out = String::new();
        loop {
            if self.at_document_mark() {
                return Err(self.trouble("found unexpected document indicator"));
            }
            if self.at_end() {
                return Err(self.trouble("found unexpected end of stream"));
            }
            let escaped_break = self.quoted_run(single, &mut out)?;
            if self.byte(0) == quote {
                break;
            }
            self.quoted_blanks(escaped_break, &mut out);
        }
        self.pos += 1;
        self.push_text(Kind::Quoted, line, Cow::Owned(out));
        Ok(())
    }

    /// Reads characters up to a blank, a break or the closing quote; whether it stopped behind an escaped break.
    fn quoted_run(&mut self, single: bool, out: &mut String) -> Result<bool, Trouble> {
        loop {
            let mut end = self.pos;
            while let Some(byte) = self.bytes.get(end) {
                let stop = match byte {
                    b' ' | b'\t' | b'\n' | b'\r' => true,
                    b'\'' => single,
                    b'"' | b'\\' => !single,
                    0xc2 | 0xe2 => self.break_at(end) > 0,
                    _ => false,
                };
                if stop {
                    break;
                }
                end += 1;
            }
            out.push_str(&self.text[self.pos..end]);
            self.advance_to(end);
            match self.byte(0) {
                b'\'' if single && self.byte(1) == b'\'' => {
                    out.push('\'');
                    self.pos += 2;
                }
                b'\\' if !single && self.break_at(self.pos + 1) > 0 => {
                    self.pos += 1;
                    self.line_break();
                    return Ok(true);
                }
                b'\\' if !single => self.escape(out)?,
                _ => return Ok(false),
            }
        }
    }

    fn quoted_blanks(&mut self, escaped_break: bool, out: &mut String) {
        let mut fold = Fold::default();
        let start = self.pos;
        let mut end = start;
        let mut lines = escaped_break;
        loop {
            if self.is_blank() {
                self.pos += 1;
                if !lines {
                    end = self.pos;
                }
            } else if self.is_break() {
                if escaped_break && !fold.lines {
                    // The escaped break was the first one and is read as nothing.
                    fold.push("");
                }
                let found = self.line_break();
                fold.push(found);
                lines = true;
            } else {
                break;
            }
        }
        if fold.lines {
            fold.apply(out);
        } else {
            out.push_str(&self.text[start..end]);
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), Trouble> {
        let (c, digits) = match self.byte(1) {
            b'0' => ('\0', 0),
            b'a' => ('\u{7}', 0),
            b'b' => ('\u{8}', 0),
            b't' | b'\t' => ('\t', 0),
            b'n' => ('\n', 0),
            b'v' => ('\u{b}', 0),
            b'f' => ('\u{c}', 0),
            b'r' => ('\r', 0),
            b'e' => ('\u{1b}', 0),
            b' ' => (' ', 0),
            b'"' => ('"', 0),
            b'\'' => ('\'', 0),
            b'\\' => ('\\', 0),
            b'N' => ('\u{85}', 0),
            b'_' => ('\u{a0}', 0),
            b'L' => ('\u{2028}', 0),
            b'P' => ('\u{2029}', 0),
            b'x' => ('\0', 2),
            b'u' => ('\0', 4),
            b'U' => ('\0', 8),
            _ => return Err(self.trouble("found unknown escape character")),
        };
        self.pos += 2;
        if digits == 0 {
            out.push(c);
            return Ok(());
        }
        let mut value = 0u32;
        for k in 0..digits {
            let Some(digit) = char::from(self.byte(k)).to_digit(16) else {
                return Err(self.trouble("did not find expected hexdecimal number"));
            };
            value = value << 4 | digit;
        }
        let Some(c) = char::from_u32(value) else {
            return Err(self.trouble("found invalid Unicode character escape code"));
        };
        out.push(c);
        self.pos += digits;
        Ok(())
    }
}
