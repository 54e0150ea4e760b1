//! Go's `fmt.Sprintf`: the format string and its arguments.

use super::super::lex::decode;
use super::verb::Verb;
use crate::yaml::{Text, Value};

/// Formats `args`; what does not fit is said in the text, as Go does: `%!d(string=hi)`.
pub fn printf(format: &[u8], args: &[Value]) -> Text {
    let mut run = Run { format, at: 0, args, next: 0, reordered: false, good: true, out: Vec::new() };
    run.all();
    run.out.into()
}

/// Go's limit for widths and precisions.
const MAX_WIDTH: i64 = 1_000_000;

struct Run<'f> {
    format: &'f [u8],
    at: usize,
    args: &'f [Value],
    next: usize,
    reordered: bool,
    /// Whether the last argument index was good.
    good: bool,
    out: Vec<u8>,
}

impl Run<'_> {
    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    fn all(&mut self) {
        while self.at < self.format.len() {
            let text =
                self.format[self.at..].iter().position(|b| *b == b'%').unwrap_or(self.format.len() - self.at);
            self.out.extend_from_slice(&self.format[self.at..self.at + text]);
            self.at += text;
            if self.at < self.format.len() {
                self.at += 1;
                self.directive();
            }
        }
        if !self.reordered && self.next < self.args.len() {
            self.out.extend_from_slice(b"%!(EXTRA ");
            for (i, arg) in self.args[self.next..].iter().enumerate() {
                if i > 0 {
                    self.out.extend_from_slice(b", ");
                }
                if arg.is_null() {
                    self.out.extend_from_slice(b"<nil>");
                } else {
                    self.out.extend_from_slice(arg.type_name().as_bytes());
                    self.out.push(b'=');
                    Verb::plain().write(&mut self.out, arg, 0);
                }
            }
            self.out.push(b')');
        }
    }

    fn directive(&mut self) {
        let mut verb = Verb::plain();
        self.good = true;
        loop {
            match self.peek() {
                Some(b'#') => verb.sharp = true,
                Some(b'0') => verb.zero = true,
                Some(b'+') => verb.plus = true,
                Some(b'-') => verb.minus = true,
                Some(b' ') => verb.space = true,
                _ => break,
            }
            self.at += 1;
        }
        let mut after_index = self.index();
        self.width(&mut verb, &mut after_index);
        self.precision(&mut verb, &mut after_index);
        if !after_index {
            self.index();
        }
        let Some((c, n)) = decode(&self.format[self.at..]) else {
            return self.out.extend_from_slice(b"%!(NOVERB)");
        };
        self.at += n;
        self.apply(verb, c);
    }

    fn width(&mut self, verb: &mut Verb, after_index: &mut bool) {
        if self.peek() == Some(b'*') {
            self.at += 1;
            match self.star() {
                Some(n) => {
                    verb.minus |= n < 0;
                    verb.width = usize::try_from(n.unsigned_abs()).ok();
                }
                None => self.out.extend_from_slice(b"%!(BADWIDTH)"),
            }
            *after_index = false;
        } else if let Some(n) = self.number() {
            verb.width = Some(n);
            if *after_index {
                self.good = false;
            }
        }
    }

    fn precision(&mut self, verb: &mut Verb, after_index: &mut bool) {
        if self.peek() != Some(b'.') || self.at + 1 >= self.format.len() {
            return;
        }
        self.at += 1;
        if *after_index {
            self.good = false;
        }
        *after_index = self.index();
        if self.peek() == Some(b'*') {
            self.at += 1;
            match self.star() {
                Some(n) if n >= 0 => verb.precision = usize::try_from(n).ok(),
                _ => self.out.extend_from_slice(b"%!(BADPREC)"),
            }
            *after_index = false;
        } else {
            verb.precision = Some(self.number().unwrap_or(0));
        }
    }

    fn apply(&mut self, mut verb: Verb, c: char) {
        verb.verb = c;
        if c == '%' {
            return self.out.push(b'%');
        }
        if !self.good {
            return self.out.extend_from_slice(format!("%!{c}(BADINDEX)").as_bytes());
        }
        let Some(arg) = self.args.get(self.next) else {
            return self.out.extend_from_slice(format!("%!{c}(MISSING)").as_bytes());
        };
        self.next += 1;
        if c == 'v' {
            verb.sharp_v = std::mem::take(&mut verb.sharp);
            verb.plus_v = std::mem::take(&mut verb.plus);
        }
        if verb.minus {
            verb.zero = false;
        }
        if c == 'w' {
            return verb.bad(&mut self.out, arg);
        }
        verb.write(&mut self.out, arg, 0);
    }

    fn number(&mut self) -> Option<usize> {
        let n = self.format[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        if n == 0 {
            return None;
        }
        let text = std::str::from_utf8(&self.format[self.at..self.at + n]).ok()?;
        let value: i64 = text.parse().unwrap_or(i64::MAX);
        if value > MAX_WIDTH {
            return None;
        }
        self.at += n;
        usize::try_from(value).ok()
    }

    /// The argument of a `*`.
    fn star(&mut self) -> Option<i64> {
        let value = match self.args.get(self.next)? {
            Value::Int(n, _) => Some(*n),
            Value::Uint(n, _) => i64::try_from(*n).ok(),
            _ => None,
        };
        self.next += 1;
        value.filter(|n| n.abs() <= MAX_WIDTH)
    }

    /// An explicit argument index such as `[2]`; whether there was one.
    fn index(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let Some(end) = self.format[self.at..].iter().position(|b| *b == b']') else {
            self.good = false;
            self.at += 1;
            return true;
        };
        let inner = std::str::from_utf8(&self.format[self.at + 1..self.at + end]).unwrap_or("");
        self.at += end + 1;
        match inner.parse::<usize>() {
            Ok(n) if n >= 1 && n <= self.args.len() => self.next = n - 1,
            _ => self.good = false,
        }
        true
    }
}
