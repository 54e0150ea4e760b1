//! The scanner: characters to tokens, as go-yaml's port of libyaml finds them (`go-yaml v2: scannerc.go`).
//!
//! A key without `?` is only known to be one when its `:` comes, so tokens wait in a queue while the first of them may
//! still turn out to be a key. Nothing here recurses; flow levels and indents are bounded.

mod block;
mod fetch;
mod input;
mod plain;
mod property;
mod quoted;

use std::borrow::Cow;
use std::collections::VecDeque;

pub(super) use input::Input;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    StreamEnd,
    Version,
    TagDirective,
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias,
    Anchor,
    Tag,
    /// A scalar whose text decides its type.
    Plain,
    /// A quoted or block scalar.
    Quoted,
}

/// A token with its line, counted from 0.
#[derive(Debug)]
pub(super) struct Token<'t> {
    pub kind: Kind,
    pub line: usize,
    /// The text of a scalar, anchor or alias; the handle of a tag or its directive; `major.minor` of a version.
    pub text: Cow<'t, str>,
    /// The suffix of a tag or the prefix of its directive.
    pub suffix: Option<Box<str>>,
}

/// What is wrong with a text, before it is known on which line the library would see it.
#[derive(Debug)]
pub(super) struct Trouble {
    pub message: Cow<'static, str>,
    /// The number that go-yaml tells for the line, 0 for none.
    pub line: usize,
}

/// A place that may turn out to begin a key.
#[derive(Clone, Copy, Default)]
struct SimpleKey {
    possible: bool,
    required: bool,
    /// Whether the queue waits for it.
    awaited: bool,
    token: usize,
    line: usize,
    column: isize,
    index: usize,
}

/// Deepest nesting of flow collections, and of indents.
const MAX_LEVEL: usize = 10_000;

pub(super) struct Scanner<'t> {
    text: &'t str,
    bytes: &'t [u8],
    fault: Option<&'static str>,
    ascii: bool,
    pos: usize,
    line: usize,
    line_start: usize,
    /// Bytes that continue a character: before `pos` on this line, and in all.
    wide_line: usize,
    wide: usize,
    flow_level: usize,
    indent: isize,
    indents: Vec<isize>,
    key_allowed: bool,
    keys: Vec<SimpleKey>,
    queue: VecDeque<Token<'t>>,
    /// Tokens that have been taken from the queue.
    taken: usize,
    ready: bool,
}

impl<'t> Scanner<'t> {
    /// A scanner at the beginning of the text.
    pub fn new(input: &'t Input<'_>) -> Self {
        let text: &str = &input.text;
        Self {
            text,
            bytes: text.as_bytes(),
            fault: input.fault,
            ascii: text.is_ascii(),
            pos: 0,
            line: 0,
            line_start: 0,
            wide_line: 0,
            wide: 0,
            flow_level: 0,
            indent: -1,
            indents: Vec::new(),
            key_allowed: true,
            keys: vec![SimpleKey::default()],
            queue: VecDeque::with_capacity(16),
            taken: 0,
            ready: false,
        }
    }

    /// The kind of the next token, and its line.
    pub fn peek(&mut self) -> Result<(Kind, usize), Trouble> {
        if !self.ready {
            while self.queue.is_empty() || self.head_may_be_key()? {
                self.fetch()?;
            }
            self.ready = true;
        }
        Ok(self.queue.front().map_or((Kind::StreamEnd, self.line), |t| (t.kind, t.line)))
    }

    /// Takes the token that [`peek`](Self::peek) has shown.
    pub fn take(&mut self) -> Option<Token<'t>> {
        self.ready = false;
        self.taken += 1;
        self.queue.pop_front()
    }

    fn head_may_be_key(&mut self) -> Result<bool, Trouble> {
        // Deeper levels begin at later tokens, so the keys are in order.
        let mut at = self.keys.partition_point(|k| k.token < self.taken);
        while let Some(key) = self.keys.get(at).filter(|k| k.token == self.taken) {
            if key.awaited {
                return self.is_valid(at);
            }
            at += 1;
        }
        Ok(false)
    }

    /// Whether a place may still begin a key: it must stand on this line, and not far back.
    fn is_valid(&mut self, at: usize) -> Result<bool, Trouble> {
        let key = self.keys[at];
        if !key.possible {
            return Ok(false);
        }
        if key.line < self.line || key.index + 1024 < self.index() {
            if key.required {
                return Err(self.trouble("could not find expected ':'"));
            }
            self.keys[at].possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    fn next_number(&self) -> usize {
        self.taken + self.queue.len()
    }

    fn save_key(&mut self) -> Result<(), Trouble> {
        if !self.key_allowed {
            return Ok(());
        }
        let key = SimpleKey {
            possible: true,
            required: self.flow_level == 0 && self.indent == self.column(),
            awaited: true,
            token: self.next_number(),
            line: self.line,
            column: self.column(),
            index: self.index(),
        };
        self.remove_key()?;
        if let Some(last) = self.keys.last_mut() {
            *last = key;
        }
        Ok(())
    }

    fn remove_key(&mut self) -> Result<(), Trouble> {
        let key = self.keys.last().copied().unwrap_or_default();
        if key.possible && key.required {
            return Err(self.trouble("could not find expected ':'"));
        }
        if let Some(last) = self.keys.last_mut().filter(|k| k.possible) {
            (last.possible, last.awaited) = (false, false);
        }
        Ok(())
    }

    fn column(&self) -> isize {
        (self.pos - self.line_start - self.wide_line).cast_signed()
    }

    /// Characters before this place.
    fn index(&self) -> usize {
        self.pos - self.wide
    }

    /// The byte `n` places on; 0 behind the end.
    fn byte(&self, n: usize) -> u8 {
        self.bytes.get(self.pos + n).copied().unwrap_or(0)
    }

    /// Goes to `end`, which is on this line.
    fn advance_to(&mut self, end: usize) {
        if !self.ascii {
            let wide = self.bytes[self.pos..end].iter().filter(|b| *b & 0xc0 == 0x80).count();
            self.wide += wide;
            self.wide_line += wide;
        }
        self.pos = end;
    }

    /// The length of the line break at `at`, or 0.
    fn break_at(&self, at: usize) -> usize {
        let next = |n: usize| self.bytes.get(at + n).copied().unwrap_or(0);
        match (next(0), next(1)) {
            (b'\r', b'\n') | (0xc2, 0x85) => 2,
            (b'\n' | b'\r', _) => 1,
            (0xe2, 0x80) if matches!(next(2), 0xa8 | 0xa9) => 3,
            _ => 0,
        }
    }

    fn is_break(&self) -> bool {
        self.break_at(self.pos) > 0
    }

    fn is_blank(&self) -> bool {
        matches!(self.byte(0), b' ' | b'\t')
    }

    fn at_end(&self) -> bool {
        self.pos >= self.bytes.len()
    }

    /// Whether a blank, a line break or the end is `n` bytes on.
    fn blank_or_end(&self, n: usize) -> bool {
        match self.bytes.get(self.pos + n) {
            None | Some(b' ' | b'\t' | b'\n' | b'\r') => true,
            Some(0xc2 | 0xe2) => self.break_at(self.pos + n) > 0,
            Some(_) => false,
        }
    }

    /// Takes a line break and gives what it is read as: a line feed, or a separator as it is.
    fn line_break(&mut self) -> &'t str {
        let length = self.break_at(self.pos);
        let text = self.text;
        let read = if length == 3 { &text[self.pos..self.pos + 3] } else { "\n" };
        if length > 0 {
            self.pos += length;
            if self.bytes[self.pos - 1] >= 0x80 {
                self.wide += length - 1;
            }
            self.line += 1;
            self.line_start = self.pos;
            self.wide_line = 0;
        }
        read
    }

    /// Goes behind spaces and tabs.
    fn skip_blanks(&mut self) {
        while self.is_blank() {
            self.pos += 1;
        }
    }

    /// Goes to the end of the line.
    fn skip_line_rest(&mut self) {
        let mut end = self.pos;
        loop {
            let rest = self.bytes[end..].iter();
            end += rest.take_while(|b| !matches!(b, b'\n' | b'\r' | 0xc2 | 0xe2)).count();
            if end >= self.bytes.len() || self.break_at(end) > 0 {
                break;
            }
            end += 1;
        }
        self.advance_to(end);
    }

    /// `---` or `...` at the start of a line.
    fn at_document_mark(&self) -> bool {
        self.pos == self.line_start
            && matches!(self.bytes.get(self.pos..self.pos + 3), Some(b"---" | b"..."))
            && self.blank_or_end(3)
    }

    /// Bytes that are needed next must have been decoded.
    fn need(&self, bytes: usize) -> Result<(), Trouble> {
        match self.fault {
            Some(fault) if self.pos + bytes > self.bytes.len() => Err(reader(fault)),
            _ => Ok(()),
        }
    }

    fn trouble(&self, message: &'static str) -> Trouble {
        match self.fault {
            Some(fault) if self.pos + 2 > self.bytes.len() => reader(fault),
            // What is wrong on the first line has no number.
            _ => Trouble { message: message.into(), line: if self.line == 0 { 0 } else { self.line + 1 } },
        }
    }

    fn push(&mut self, kind: Kind) {
        self.push_text(kind, self.line, Cow::Borrowed(""));
    }

    fn push_text(&mut self, kind: Kind, line: usize, text: Cow<'t, str>) {
        self.queue.push_back(Token { kind, line, text, suffix: None });
    }
}

fn reader(fault: &'static str) -> Trouble {
    Trouble { message: fault.into(), line: 0 }
}
