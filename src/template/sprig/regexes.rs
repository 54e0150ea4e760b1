//! Sprig's regular expressions: Go's RE2 syntax, translated for the `regex` crate.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use regex::bytes::{Captures, Regex};

use super::super::error::Fault;
use super::super::function::{Function, fixed};
use super::{affordable, int, text};
use crate::yaml::{Param, Text, Value};

const STR: Param = Param::Str;
const INT: Param = Param::Int;

/// The table.
pub(super) const FUNCTIONS: &[Function] = &[
    fixed("regexMatch", &[STR, STR], |_, a| {
        Ok(Value::Bool(compile(&text(a, 0)).is_ok_and(|r| r.is_match(text(a, 1).as_bytes()))))
    }),
    fixed("mustRegexMatch", &[STR, STR], |_, a| {
        Ok(Value::Bool(compile(&text(a, 0))?.is_match(text(a, 1).as_bytes())))
    }),
    fixed("regexFind", &[STR, STR], |_, a| find(a, must(&text(a, 0))?)),
    fixed("mustRegexFind", &[STR, STR], |_, a| find(a, compile(&text(a, 0))?)),
    fixed("regexFindAll", &[STR, STR, INT], |_, a| find_all(a, must(&text(a, 0))?)),
    fixed("mustRegexFindAll", &[STR, STR, INT], |_, a| find_all(a, compile(&text(a, 0))?)),
    fixed("regexReplaceAll", &[STR, STR, STR], |_, a| replace(a, must(&text(a, 0))?, true)),
    fixed("mustRegexReplaceAll", &[STR, STR, STR], |_, a| replace(a, compile(&text(a, 0))?, true)),
    fixed("regexReplaceAllLiteral", &[STR, STR, STR], |_, a| replace(a, must(&text(a, 0))?, false)),
    fixed("mustRegexReplaceAllLiteral", &[STR, STR, STR], |_, a| replace(a, compile(&text(a, 0))?, false)),
    fixed("regexSplit", &[STR, STR, INT], |_, a| split(a, must(&text(a, 0))?)),
    fixed("mustRegexSplit", &[STR, STR, INT], |_, a| split(a, compile(&text(a, 0))?)),
    fixed("regexQuoteMeta", &[STR], |_, a| {
        let mut out = Vec::new();
        for byte in text(a, 0).as_bytes() {
            if b"\\.+*?()|[]{}^$".contains(byte) {
                out.push(b'\\');
            }
            out.push(*byte);
        }
        Ok(Value::str(out))
    }),
];

static COMPILED: LazyLock<Mutex<HashMap<Text, Arc<Regex>>>> = LazyLock::new(Mutex::default);

/// Compiles a pattern, or says what Go's compiler says.
fn compile(pattern: &Text) -> Result<Arc<Regex>, Fault> {
    let mut cache = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = cache.get(pattern) {
        return Ok(Arc::clone(regex));
    }
    let source = pattern.lossy();
    let translated = translate(&source).map_err(|e| Fault::Text(format!("error parsing regexp: {e}")))?;
    let regex = Regex::new(&translated).map_err(|_| {
        Fault::Text(format!("error parsing regexp: invalid or unsupported Perl syntax: `{source}`"))
    })?;
    if cache.len() >= 512 {
        cache.clear();
    }
    let regex = Arc::new(regex);
    cache.insert(pattern.clone(), Arc::clone(&regex));
    Ok(regex)
}

/// As [`compile`], with the words of a panic of MustCompile.
fn must(pattern: &Text) -> Result<Arc<Regex>, Fault> {
    compile(pattern).map_err(|fault| {
        let source = pattern.lossy();
        let quoted = if source.contains('`') || source.chars().any(|c| c < ' ' && c != '\t') {
            super::super::quote::quote(pattern.as_bytes())
        } else {
            format!("`{source}`")
        };
        fault.context(&format!("regexp: Compile({quoted}): "))
    })
}

/// Rewrites Go's syntax where the crate's differs.
fn translate(pattern: &str) -> Result<String, String> {
    let mut run = Translator {
        chars: pattern.chars().collect(),
        at: 0,
        out: String::new(),
        depth: 0,
        last: Last::None,
    };
    run.all(pattern)?;
    Ok(run.out)
}

/// What stands before a repetition operator.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    None,
    Atom,
    Repetition,
}

struct Translator {
    chars: Vec<char>,
    at: usize,
    out: String,
    depth: usize,
    last: Last,
}

impl Translator {
    fn rest(&self, from: usize) -> String {
        self.chars[from.min(self.chars.len())..].iter().collect()
    }

    fn slice(&self, from: usize, to: usize) -> String {
        self.chars[from..to.min(self.chars.len())].iter().collect()
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn literal(&mut self, c: char) {
        if c.is_ascii_punctuation() || c.is_whitespace() || c.is_control() {
            self.out.push_str(&format!("\\x{{{:X}}}", c as u32));
        } else {
            self.out.push(c);
        }
        self.last = Last::Atom;
    }

    fn all(&mut self, pattern: &str) -> Result<(), String> {
        while let Some(c) = self.peek(0) {
            match c {
                '\\' => self.escape(false)?,
                '[' => self.class()?,
                '(' => self.group()?,
                ')' => {
                    if self.depth == 0 {
                        return Err(format!("unexpected ): `{pattern}`"));
                    }
                    self.depth -= 1;
                    self.push(c, Last::Atom);
                }
                '|' => self.push(c, Last::None),
                '*' | '+' | '?' => self.repeat(self.at + 1)?,
                '{' => match self.counted()? {
                    Some(end) => self.repeat(end)?,
                    None => {
                        self.at += 1;
                        self.literal('{');
                    }
                },
                '.' | '^' | '$' => self.push(c, Last::Atom),
                other => {
                    self.at += 1;
                    self.literal(other);
                }
            }
        }
        if self.depth > 0 {
            return Err(format!("missing closing ): `{pattern}`"));
        }
        Ok(())
    }

    fn push(&mut self, c: char, last: Last) {
        self.out.push(c);
        self.at += 1;
        self.last = last;
    }

    /// The end of `{n}`, `{n,}` or `{n,m}` at this place; anything else is literal.
    fn counted(&self) -> Result<Option<usize>, String> {
        let mut end = self.at + 1;
        let number = |end: &mut usize| {
            let start = *end;
            while self.chars.get(*end).is_some_and(char::is_ascii_digit) {
                *end += 1;
            }
            let digits: String = self.chars[start..*end].iter().collect();
            let leading = digits.len() > 1 && digits.starts_with('0');
            (!digits.is_empty() && !leading).then(|| digits.parse::<u64>().unwrap_or(u64::MAX))
        };
        let Some(low) = number(&mut end) else { return Ok(None) };
        let mut high = Some(low);
        if self.chars.get(end) == Some(&',') {
            end += 1;
            high = if self.chars.get(end) == Some(&'}') {
                None
            } else {
                match number(&mut end) {
                    Some(high) => Some(high),
                    None => return Ok(None),
                }
            };
        }
        if self.chars.get(end) != Some(&'}') {
            return Ok(None);
        }
        end += 1;
        if low > 1000 || high.is_some_and(|h| h > 1000 || h < low) {
            return Err(format!("invalid repeat count: `{}`", self.slice(self.at, end)));
        }
        Ok(Some(end))
    }

    fn repeat(&mut self, end: usize) -> Result<(), String> {
        let start = self.at;
        let end = if self.chars.get(end) == Some(&'?') { end + 1 } else { end };
        match self.last {
            Last::None => {
                return Err(format!("missing argument to repetition operator: `{}`", self.slice(start, end)));
            }
            Last::Repetition => {
                // The operator before and this one, as far back as it is one.
                let mut from = start;
                while from > 0 && matches!(self.chars[from - 1], '*' | '+' | '?' | '}') && start - from < 2 {
                    from -= 1;
                }
                return Err(format!("invalid nested repetition operator: `{}`", self.slice(from, end)));
            }
            Last::Atom => {}
        }
        let text = self.slice(start, end);
        self.out.push_str(&text);
        self.at = end;
        self.last = Last::Repetition;
        Ok(())
    }

    fn group(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > 1000 {
            return Err(format!("expression nests too deeply: `{}`", self.rest(0)));
        }
        if self.peek(1) != Some('?') {
            self.push('(', Last::None);
            return Ok(());
        }
        let named = if self.peek(2) == Some('P') { 3 } else { 2 };
        if self.peek(named) == Some('<') && !matches!(self.peek(named + 1), Some('=' | '!')) {
            let end = self.chars[self.at..].iter().position(|c| *c == '>').map(|i| self.at + i);
            let Some(end) = end else {
                return Err(format!("invalid named capture: `{}`", self.rest(self.at)));
            };
            let name = self.slice(self.at + named + 1, end);
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(format!("invalid named capture: `{}`", self.slice(self.at, end + 1)));
            }
            // The crate wants a letter first; the name only matters for expansion, where groups are found by it.
            self.out.push_str(&format!("(?P<{name}>"));
            self.at = end + 1;
            self.last = Last::None;
            return Ok(());
        }
        let mut end = self.at + 2;
        while self.chars.get(end).is_some_and(|c| matches!(c, 'i' | 'm' | 's' | 'U' | '-')) {
            end += 1;
        }
        match self.chars.get(end) {
            Some(':') => {}
            Some(')') => self.depth -= 1,
            _ => {
                let shown = self.slice(self.at, end + 1);
                return Err(format!("invalid or unsupported Perl syntax: `{shown}`"));
            }
        }
        let text = self.slice(self.at, end + 1);
        self.out.push_str(&text);
        self.at = end + 1;
        self.last = Last::None;
        Ok(())
    }

    fn escape(&mut self, class: bool) -> Result<(), String> {
        let Some(c) = self.peek(1) else {
            return Err("trailing backslash at end of expression: ``".to_owned());
        };
        let start = self.at;
        self.at += 2;
        let simple = match (c, class) {
            ('d', false) => "[0-9]",
            ('D', _) => "[^0-9]",
            ('w', false) => "[0-9A-Za-z_]",
            ('W', _) => "[^0-9A-Za-z_]",
            ('s', false) => r"[\t\n\x0C\r ]",
            ('S', _) => r"[^\t\n\x0C\r ]",
            ('d', true) => "0-9",
            ('w', true) => "0-9A-Za-z_",
            ('s', true) => r"\t\n\x0C\r\x20",
            ('b', false) => r"(?-u:\b)",
            ('B', false) => r"(?-u:\B)",
            ('A', false) => r"\A",
            ('z', false) => r"\z",
            ('C', false) => r"(?s-u:.)",
            ('a', _) => r"\x07",
            ('f', _) => r"\x0C",
            ('n', _) => r"\n",
            ('r', _) => r"\r",
            ('t', _) => r"\t",
            ('v', _) => r"\x0B",
            ('Q', false) => {
                while self.at < self.chars.len() && !(self.peek(0) == Some('\\') && self.peek(1) == Some('E'))
                {
                    let c = self.chars[self.at];
                    self.at += 1;
                    self.literal(c);
                }
                self.at = (self.at + 2).min(self.chars.len());
                return Ok(());
            }
            ('p' | 'P', _) => return self.property(start),
            ('x', _) => return self.hex(start),
            ('0'..='7', _) => return self.octal(start, c),
            (c, _) if c.is_ascii_punctuation() => {
                self.literal(c);
                return Ok(());
            }
            _ => return Err(format!("invalid escape sequence: `{}`", self.slice(start, self.at))),
        };
        self.out.push_str(simple);
        self.last = Last::Atom;
        Ok(())
    }

    fn property(&mut self, start: usize) -> Result<(), String> {
        let mut end = self.at + 1;
        if self.peek(0) == Some('{') {
            while self.chars.get(end - 1).is_some_and(|c| *c != '}') {
                end += 1;
            }
        }
        let text = self.slice(start, end);
        let text = text.replacen("p{^", "P{", 1);
        if Regex::new(&text).is_err() {
            return Err(format!("invalid character class range: `{}`", self.slice(start, end)));
        }
        self.out.push_str(&text);
        self.at = end;
        self.last = Last::Atom;
        Ok(())
    }

    fn code(&mut self, code: Option<u32>, start: usize) -> Result<(), String> {
        let Some(c) = code.filter(|c| *c <= 0x0010_ffff) else {
            return Err(format!("invalid escape sequence: `{}`", self.slice(start, self.at)));
        };
        self.out.push_str(&format!("\\x{{{c:X}}}"));
        self.last = Last::Atom;
        Ok(())
    }

    fn hex(&mut self, start: usize) -> Result<(), String> {
        let digits;
        if self.peek(0) == Some('{') {
            let end = self.chars[self.at..]
                .iter()
                .position(|c| *c == '}')
                .map_or(self.chars.len(), |i| self.at + i);
            digits = self.slice(self.at + 1, end);
            self.at = (end + 1).min(self.chars.len());
        } else {
            digits = self.slice(self.at, self.at + 2);
            self.at = (self.at + 2).min(self.chars.len());
            if digits.len() < 2 {
                return Err(format!("invalid escape sequence: `{}`", self.slice(start, self.at)));
            }
        }
        self.code(u32::from_str_radix(&digits, 16).ok(), start)
    }

    fn octal(&mut self, start: usize, first: char) -> Result<(), String> {
        let next = |s: &Self| s.peek(0).filter(|c| ('0'..='7').contains(c));
        if first != '0' && next(self).is_none() {
            return Err(format!("invalid escape sequence: `{}`", self.slice(start, self.at)));
        }
        let mut digits = String::from(first);
        while digits.len() < 3
            && let Some(c) = next(self)
        {
            digits.push(c);
            self.at += 1;
        }
        self.code(u32::from_str_radix(&digits, 8).ok(), start)
    }

    fn class(&mut self) -> Result<(), String> {
        let start = self.at;
        self.out.push('[');
        self.at += 1;
        if self.peek(0) == Some('^') {
            self.push('^', Last::Atom);
        }
        let mut first = true;
        loop {
            let Some(c) = self.peek(0) else {
                return Err(format!("missing closing ]: `{}`", self.rest(start)));
            };
            if c == ']' && !first {
                break;
            }
            first = false;
            if c == '[' && self.peek(1) == Some(':') {
                let rest = self.rest(self.at);
                if let Some(end) = rest.find(":]") {
                    let name = &rest[..end + 2];
                    const NAMES: &str = " alnum alpha ascii blank cntrl digit graph lower print punct space upper word xdigit ";
                    let inner = name.trim_matches(['[', ']', ':']).trim_start_matches('^');
                    if !NAMES.contains(&format!(" {inner} ")) {
                        return Err(format!("invalid character class range: `{name}`"));
                    }
                    self.out.push_str(name);
                    self.at += name.chars().count();
                    continue;
                }
            }
            match c {
                '\\' => self.escape(true)?,
                '-' => {
                    let (low, high) = (self.chars[self.at - 1], self.peek(1));
                    let range = self.at > start + 1 && !matches!(low, '[' | '^' | '\\');
                    if let Some(high) = high.filter(|h| range && !matches!(h, ']' | '\\' | '[') && *h < low) {
                        return Err(format!("invalid character class range: `{low}-{high}`"));
                    }
                    self.push('-', Last::Atom);
                }
                other => {
                    self.at += 1;
                    self.literal(other);
                }
            }
        }
        self.push(']', Last::Atom);
        Ok(())
    }
}

type Compiled = Arc<Regex>;

/// Whether a match counts: an empty one inside a character does not.
fn whole(text: &[u8], start: usize, end: usize) -> bool {
    start != end || text.get(start).is_none_or(|b| b & 0xc0 != 0x80)
}

fn find(args: &[Value], regex: Compiled) -> Result<Value, Fault> {
    let from = text(args, 1);
    Ok(Value::str(regex.find(from.as_bytes()).map_or(&b""[..], |m| m.as_bytes())))
}

fn find_all(args: &[Value], regex: Compiled) -> Result<Value, Fault> {
    let from = text(args, 1);
    let limit = usize::try_from(int(args, 2)).unwrap_or(usize::MAX);
    let found: Vec<Text> = regex
        .find_iter(from.as_bytes())
        .filter(|m| whole(from.as_bytes(), m.start(), m.end()))
        .take(limit)
        .map(|m| m.as_bytes().into())
        .collect();
    if found.is_empty() {
        return Ok(Value::List(crate::yaml::List::nil(crate::yaml::ListKind::String)));
    }
    Ok(Value::strings(found))
}

fn replace(args: &[Value], regex: Compiled, expand: bool) -> Result<Value, Fault> {
    let (from, with) = (text(args, 1), text(args, 2));
    let mut out = Vec::with_capacity(from.len());
    let mut at = 0;
    for found in regex.captures_iter(from.as_bytes()) {
        let Some(all) = found.get(0) else { continue };
        if !whole(from.as_bytes(), all.start(), all.end()) {
            continue;
        }
        out.extend_from_slice(&from.as_bytes()[at..all.start()]);
        if expand {
            expanded(&mut out, with.as_bytes(), &found)
        } else {
            out.extend_from_slice(with.as_bytes())
        }
        affordable(Some(out.len()))?;
        at = all.end();
    }
    out.extend_from_slice(&from.as_bytes()[at..]);
    Ok(Value::str(out))
}

/// Go's template expansion: `$1`, `${1}`, `$name`, `$$`; the longest name counts.
fn expanded(out: &mut Vec<u8>, template: &[u8], found: &Captures<'_>) {
    let mut rest = template;
    while let Some(dollar) = rest.iter().position(|b| *b == b'$') {
        out.extend_from_slice(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if rest.first() == Some(&b'$') {
            out.push(b'$');
            rest = &rest[1..];
            continue;
        }
        let braced = rest.first() == Some(&b'{');
        let body = if braced { &rest[1..] } else { rest };
        let n = body.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
        if n == 0 || braced && body.get(n) != Some(&b'}') {
            out.push(b'$');
            continue;
        }
        let name = std::str::from_utf8(&body[..n]).unwrap_or("");
        rest = &body[n + usize::from(braced)..];
        let group = match name.parse::<usize>() {
            Ok(index) => found.get(index),
            Err(_) => found.name(name),
        };
        out.extend_from_slice(group.map_or(&b""[..], |m| m.as_bytes()));
    }
    out.extend_from_slice(rest);
}

fn split(args: &[Value], regex: Compiled) -> Result<Value, Fault> {
    let (from, limit) = (text(args, 1), int(args, 2));
    let bytes = from.as_bytes();
    if limit == 0 {
        return Ok(Value::List(crate::yaml::List::nil(crate::yaml::ListKind::String)));
    }
    if bytes.is_empty() && !text(args, 0).is_empty() {
        return Ok(Value::strings([""]));
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut out, mut begin, mut end): (Vec<Text>, _, _) = (Vec::new(), 0, 0);
    for found in regex.find_iter(bytes).filter(|m| whole(bytes, m.start(), m.end())) {
        if out.len() + 1 == limit {
            break;
        }
        end = found.start();
        if found.end() != 0 {
            out.push(bytes[begin..end].into());
        }
        begin = found.end();
    }
    if end != bytes.len() {
        out.push(bytes[begin..].into());
    }
    Ok(Value::strings(out))
}
