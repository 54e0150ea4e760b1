//! The lexer: text and the tokens inside actions (`text/template/parse: lex.go`).

use std::borrow::Cow;

use super::find;
use super::quote::{is_print, quote};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Error,
    Bool,
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

impl Token {
    fn is_keyword(self) -> bool {
        matches!(
            self,
            Self::Block
                | Self::Break
                | Self::Continue
                | Self::Dot
                | Self::Define
                | Self::Else
                | Self::End
                | Self::If
                | Self::Nil
                | Self::Range
                | Self::Template
                | Self::With
        )
    }
}

/// A token with its place and its text.
#[derive(Clone, Debug)]
pub(super) struct Item<'t> {
    pub(super) token: Token,
    pub(super) pos: usize,
    pub(super) line: usize,
    pub(super) text: Cow<'t, [u8]>,
}

impl Item<'_> {
    /// The token as an error message names it.
    pub(super) fn describe(&self) -> String {
        let text = String::from_utf8_lossy(&self.text);
        match self.token {
            Token::Eof => "EOF".to_owned(),
            Token::Error => text.into_owned(),
            token if token.is_keyword() => format!("<{text}>"),
            _ if self.text.len() > 10 => {
                let head: String = text.chars().take(10).collect();
                format!("{}...", quote(head.as_bytes()))
            }
            _ => quote(&self.text),
        }
    }
}

/// The tokens of a text. A large template has many: of each only its kind and its place are kept.
pub(super) struct Items<'t> {
    input: &'t [u8],
    all: Vec<Spot>,
    /// The text of [`Token::Error`].
    message: String,
}

/// A token's kind and where it stands.
struct Spot {
    token: Token,
    line: u32,
    from: usize,
    length: usize,
}

impl<'t> Items<'t> {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// One of them; behind the last one there is only the last one.
    pub(super) fn get(&self, index: usize) -> Item<'t> {
        let spot = &self.all[index.min(self.all.len() - 1)];
        let text = match spot.token {
            Token::Error => Cow::Owned(self.message.clone().into_bytes()),
            _ => Cow::Borrowed(&self.input[spot.from..spot.from + spot.length]),
        };
        Item { token: spot.token, pos: spot.from, line: spot.line as usize, text }
    }

    /// The kind and the line of one of them.
    pub(super) fn kind(&self, index: usize) -> (Token, usize) {
        let spot = &self.all[index.min(self.all.len() - 1)];
        (spot.token, spot.line as usize)
    }
}

/// Splits a template into tokens. The last one is [`Token::Eof`], or [`Token::Error`] with the message as its text.
pub(super) fn lex<'t>(input: &'t [u8], delims: (&'t str, &'t str)) -> Items<'t> {
    let mut lexer = Lexer {
        input,
        left: delims.0.as_bytes(),
        right: delims.1.as_bytes(),
        pos: 0,
        start: 0,
        line: 1,
        start_line: 1,
        parens: 0,
        items: Items { input, all: Vec::new(), message: String::new() },
    };
    if let Err(message) = lexer.run() {
        lexer.items.message = message;
        lexer.put(Token::Error, 0);
    }
    lexer.items
}

struct Lexer<'t> {
    input: &'t [u8],
    left: &'t [u8],
    right: &'t [u8],
    pos: usize,
    start: usize,
    line: usize,
    start_line: usize,
    parens: usize,
    items: Items<'t>,
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

/// Letters, digits and underscore, as Go's unicode tables have them.
pub(super) fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphabetic() || c.is_numeric() && (c.is_ascii_digit() || !c.is_ascii())
}

/// The character at the start of `bytes` and its length; bad bytes are U+FFFD of length one.
pub(super) fn decode(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    if first < 0x80 {
        return Some((first as char, 1));
    }
    let head = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or(""),
    };
    Some(valid.chars().next().map_or((char::REPLACEMENT_CHARACTER, 1), |c| (c, c.len_utf8())))
}

/// Go's `%#U`.
fn unicode_name(c: Option<char>) -> String {
    match c {
        None => "U+FFFFFFFFFFFFFFFF".to_owned(),
        Some(c) if is_print(c) => format!("U+{:04X} '{c}'", c as u32),
        Some(c) => format!("U+{:04X}", c as u32),
    }
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t [u8] {
        &self.input[self.pos..]
    }

    fn count_lines(&mut self) {
        self.line += self.input[self.start..self.pos].iter().filter(|b| **b == b'\n').count();
    }

    fn emit(&mut self, token: Token) {
        self.put(token, self.pos - self.start);
        self.start = self.pos;
        self.start_line = self.line;
    }

    fn put(&mut self, token: Token, length: usize) {
        let line = u32::try_from(self.start_line).unwrap_or(u32::MAX);
        self.items.all.push(Spot { token, line, from: self.start, length });
    }

    fn ignore(&mut self) {
        self.count_lines();
        self.start = self.pos;
        self.start_line = self.line;
    }

    fn peek(&self) -> Option<char> {
        decode(self.rest()).map(|(c, _)| c)
    }

    fn next(&mut self) -> Option<char> {
        let (c, n) = decode(self.rest())?;
        self.pos += n;
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    fn left_trim_marker(&self, at: usize) -> bool {
        matches!(self.input.get(at..), Some([b'-', space, ..]) if is_space(*space))
    }

    /// Whether a right delimiter stands at `at`, and whether it trims.
    fn at_right_delim(&self, at: usize) -> (bool, bool) {
        match self.input.get(at..) {
            Some([space, b'-', tail @ ..]) if is_space(*space) && tail.starts_with(self.right) => {
                (true, true)
            }
            Some(tail) => (tail.starts_with(self.right), false),
            None => (false, false),
        }
    }

    fn run(&mut self) -> Result<(), String> {
        loop {
            let Some(x) = find(self.rest(), self.left) else {
                self.pos = self.input.len();
                if self.pos > self.start {
                    self.count_lines();
                    self.emit(Token::Text);
                }
                self.emit(Token::Eof);
                return Ok(());
            };
            self.text(x);
            if self.left_delim()? {
                while self.inside_action()? {}
            }
        }
    }

    /// Emits the text before a left delimiter that stands `length` bytes ahead.
    fn text(&mut self, length: usize) {
        let end = self.pos + length;
        let mut stop = end;
        if self.left_trim_marker(end + self.left.len()) {
            while stop > self.start && is_space(self.input[stop - 1]) {
                stop -= 1;
            }
        }
        self.pos = stop;
        if stop > self.start {
            self.count_lines();
            self.emit(Token::Text);
        }
        self.pos = end;
        self.ignore();
    }

    /// Handles a left delimiter; whether an action follows (and not a comment).
    fn left_delim(&mut self) -> Result<bool, String> {
        self.pos += self.left.len();
        let marker = if self.left_trim_marker(self.pos) { 2 } else { 0 };
        if self.input[self.pos + marker..].starts_with(b"/*") {
            self.pos += marker;
            self.ignore();
            self.comment()?;
            return Ok(false);
        }
        self.emit(Token::LeftDelim);
        self.pos += marker;
        self.ignore();
        self.parens = 0;
        Ok(true)
    }

    fn comment(&mut self) -> Result<(), String> {
        self.pos += 2;
        let Some(x) = find(self.rest(), b"*/") else { return Err("unclosed comment".to_owned()) };
        self.pos += x + 2;
        let (delim, trim) = self.at_right_delim(self.pos);
        if !delim {
            return Err("comment ends before closing delimiter".to_owned());
        }
        self.pos += self.right.len() + if trim { 2 } else { 0 };
        if trim {
            self.skip_space();
        }
        self.ignore();
        Ok(())
    }

    fn skip_space(&mut self) {
        while self.rest().first().is_some_and(|b| is_space(*b)) {
            self.pos += 1;
        }
    }

    fn right_delim(&mut self, trim: bool) {
        if trim {
            self.pos += 2;
            self.ignore();
        }
        self.pos += self.right.len();
        self.emit(Token::RightDelim);
        if trim {
            self.skip_space();
            self.ignore();
        }
    }

    /// Lexes one token of an action; whether the action goes on.
    fn inside_action(&mut self) -> Result<bool, String> {
        let (delim, trim) = self.at_right_delim(self.pos);
        if delim {
            if self.parens > 0 {
                return Err("unclosed left paren".to_owned());
            }
            self.right_delim(trim);
            return Ok(false);
        }
        let Some(c) = self.peek() else { return Err("unclosed action".to_owned()) };
        if c.is_ascii() && is_space(c as u8) {
            return Ok(self.space());
        }
        let follows = self.input.get(self.pos + 1).copied();
        match c {
            '+' | '-' | '0'..='9' => self.number()?,
            '.' if follows.is_some_and(|b| b.is_ascii_digit()) || follows.is_none() => self.number()?,
            c if is_alphanumeric(c) => self.identifier()?,
            _ => {
                self.next();
                self.sign(c)?;
            }
        }
        Ok(true)
    }

    fn sign(&mut self, c: char) -> Result<(), String> {
        match c {
            '=' => self.emit(Token::Assign),
            ':' => {
                if self.next() != Some('=') {
                    return Err("expected :=".to_owned());
                }
                self.emit(Token::Declare);
            }
            '|' => self.emit(Token::Pipe),
            '"' => self.quoted('"', "unterminated quoted string", Token::String)?,
            '`' => {
                loop {
                    match self.next() {
                        None => return Err("unterminated raw quoted string".to_owned()),
                        Some('`') => break,
                        Some(_) => {}
                    }
                }
                self.emit(Token::RawString);
            }
            '\'' => self.quoted('\'', "unterminated character constant", Token::CharConstant)?,
            '$' => self.field_or_variable(Token::Variable, Token::Variable)?,
            '.' => self.field_or_variable(Token::Dot, Token::Field)?,
            '(' => {
                self.parens += 1;
                self.emit(Token::LeftParen);
            }
            ')' => {
                if self.parens == 0 {
                    return Err("unexpected right paren".to_owned());
                }
                self.parens -= 1;
                self.emit(Token::RightParen);
            }
            c if c.is_ascii() && is_print(c) => self.emit(Token::Char),
            c => return Err(format!("unrecognized character in action: {}", unicode_name(Some(c)))),
        }
        Ok(())
    }

    /// A run of spaces; whether the action goes on behind it.
    fn space(&mut self) -> bool {
        let from = self.pos;
        while self.rest().first().is_some_and(|b| is_space(*b)) {
            self.next();
        }
        let (delim, trim) = self.at_right_delim(self.pos - 1);
        if delim && trim {
            self.pos -= 1;
            if self.input[self.pos] == b'\n' {
                self.line -= 1;
            }
            if self.pos == from {
                self.right_delim(true);
                return false;
            }
        }
        self.emit(Token::Space);
        true
    }

    fn at_terminator(&self) -> bool {
        match self.rest().first() {
            None => true,
            Some(b) if is_space(*b) => true,
            Some(b'.' | b',' | b'|' | b':' | b')' | b'(') => true,
            _ => self.rest().starts_with(self.right),
        }
    }

    fn word(&mut self) -> Result<(), String> {
        self.pos += self.rest().iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
        while self.peek().is_some_and(is_alphanumeric) {
            self.next();
        }
        if self.at_terminator() {
            Ok(())
        } else {
            Err(format!("bad character {}", unicode_name(self.peek())))
        }
    }

    fn identifier(&mut self) -> Result<(), String> {
        self.word()?;
        let token = match &self.input[self.start..self.pos] {
            b"block" => Token::Block,
            b"break" => Token::Break,
            b"continue" => Token::Continue,
            b"define" => Token::Define,
            b"else" => Token::Else,
            b"end" => Token::End,
            b"if" => Token::If,
            b"range" => Token::Range,
            b"nil" => Token::Nil,
            b"template" => Token::Template,
            b"with" => Token::With,
            b"true" | b"false" => Token::Bool,
            _ => Token::Identifier,
        };
        self.emit(token);
        Ok(())
    }

    fn field_or_variable(&mut self, alone: Token, named: Token) -> Result<(), String> {
        if self.at_terminator() {
            self.emit(alone);
            return Ok(());
        }
        self.word()?;
        self.emit(named);
        Ok(())
    }

    fn quoted(&mut self, mark: char, unterminated: &str, token: Token) -> Result<(), String> {
        loop {
            match self.next() {
                Some('\\') => {
                    if matches!(self.next(), None | Some('\n')) {
                        return Err(unterminated.to_owned());
                    }
                }
                None | Some('\n') => return Err(unterminated.to_owned()),
                Some(c) if c == mark => break,
                Some(_) => {}
            }
        }
        self.emit(token);
        Ok(())
    }

    fn accept(&mut self, valid: &[u8]) -> bool {
        let found = self.rest().first().is_some_and(|b| valid.contains(b));
        if found {
            self.pos += 1;
        }
        found
    }

    fn number(&mut self) -> Result<(), String> {
        let bad = |s: &Self| format!("bad number syntax: {}", quote(&s.input[s.start..s.pos]));
        if !self.scan_number() {
            return Err(bad(self));
        }
        if matches!(self.rest().first(), Some(b'+' | b'-')) {
            if !self.scan_number() || self.input[self.pos - 1] != b'i' {
                return Err(bad(self));
            }
            self.emit(Token::Complex);
        } else {
            self.emit(Token::Number);
        }
        Ok(())
    }

    fn scan_number(&mut self) -> bool {
        const DECIMAL: &[u8] = b"0123456789_";
        self.accept(b"+-");
        let mut digits = DECIMAL;
        if self.accept(b"0") {
            if self.accept(b"xX") {
                digits = b"0123456789abcdefABCDEF_";
            } else if self.accept(b"oO") {
                digits = b"01234567_";
            } else if self.accept(b"bB") {
                digits = b"01_";
            }
        }
        while self.accept(digits) {}
        if self.accept(b".") {
            while self.accept(digits) {}
        }
        let exponent: &[u8] = match digits.len() {
            11 => b"eE",
            23 => b"pP",
            _ => b"",
        };
        if self.accept(exponent) {
            self.accept(b"+-");
            while self.accept(DECIMAL) {}
        }
        self.accept(b"i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.next();
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_token_stays_the_last() {
        let items = lex(b"a\n{{ .b }}c", ("{{", "}}"));
        let kinds: Vec<Token> = (0..items.len()).map(|at| items.kind(at).0).collect();
        use Token::{Eof, Field, LeftDelim, RightDelim, Space, Text};
        assert_eq!(kinds, [Text, LeftDelim, Space, Field, Space, RightDelim, Text, Eof]);
        let field = items.get(3);
        assert_eq!((field.pos, field.line, &*field.text), (5, 2, &b".b"[..]));
        assert_eq!(items.get(100).token, Eof);
        let broken = lex(b"a{{ \"b", ("{{", "}}"));
        let last = broken.get(broken.len());
        assert_eq!((last.token, &*last.text), (Token::Error, &b"unterminated quoted string"[..]));
        assert_eq!(broken.kind(100), (Token::Error, 1));
    }
}
