//! The emitter: columns, indentation, folding (`libyaml: emitter.c`, as go-yaml carries it).

use super::Style;
use super::scalar::{Presentation, is_break, is_ordinary, is_printable};

/// Writes indicators and scalars, keeping what libyaml keeps: the column, the indent, and whether the last thing
/// written was white space or only indentation.
pub(super) struct Emitter {
    out: Vec<u8>,
    column: usize,
    indent: isize,
    whitespace: bool,
    indention: bool,
    width: usize,
    style: Style,
}

impl Emitter {
    pub(super) fn new(style: Style) -> Self {
        let width = if style == Style::Kubernetes { 80 } else { usize::MAX };
        Self { out: Vec::new(), column: 0, indent: -1, whitespace: true, indention: true, width, style }
    }

    /// Ends the document.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.indent = -1;
        self.write_indent();
        self.out
    }

    fn put(&mut self, c: char) {
        self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        self.column += 1;
    }

    /// Writes text without a break in it.
    fn put_all(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
        self.column += text.chars().count();
    }

    fn put_break(&mut self) {
        self.out.push(b'\n');
        self.column = 0;
        if self.style == Style::Pretty {
            self.indention = true;
        }
    }

    fn write_break(&mut self, c: char) {
        if c == '\n' {
            self.put_break();
        } else {
            self.put(c);
            self.column = 0;
            if self.style == Style::Pretty {
                self.indention = true;
            }
        }
    }

    fn write_indent(&mut self) {
        let indent = usize::try_from(self.indent).unwrap_or(0);
        if !self.indention || self.column > indent || self.column == indent && !self.whitespace {
            self.put_break();
        }
        if self.column < indent {
            self.out.resize(self.out.len() + indent - self.column, b' ');
            self.column = indent;
        }
        self.whitespace = true;
        if self.style == Style::Kubernetes {
            self.indention = true;
        }
    }

    /// Starts the line of a key.
    pub(super) fn next_line(&mut self) {
        self.write_indent();
    }

    /// Writes a mark such as `-` or `:`.
    pub(super) fn indicator(&mut self, mark: &str, need_space: bool, is_space: bool, is_indention: bool) {
        if need_space && !self.whitespace {
            self.put(' ');
        }
        self.put_all(mark);
        self.whitespace = is_space;
        self.indention = self.indention && is_indention;
    }

    fn deeper(&mut self, flow: bool) -> isize {
        let before = self.indent;
        self.indent = match (before < 0, flow) {
            (true, true) => 2,
            (true, false) => 0,
            _ => before + 2,
        };
        before
    }

    /// Opens a list and gives the indent to go back to. In a map's value the version 2 library does not indent it.
    pub(super) fn open_list(&mut self, in_map: bool, _in_list: bool) -> isize {
        if in_map && !self.indention && self.style == Style::Kubernetes {
            return self.indent;
        }
        self.deeper(false)
    }

    /// Opens a map and gives the indent to go back to.
    pub(super) fn open_map(&mut self) -> isize {
        self.deeper(false)
    }

    /// Goes back to the indent before the collection.
    pub(super) fn close(&mut self, indent: isize) {
        self.indent = indent;
    }

    /// Starts an item of a list.
    pub(super) fn dash(&mut self) {
        self.write_indent();
        self.indicator("-", true, false, true);
    }

    /// Writes an empty collection.
    pub(super) fn empty(&mut self, open: &str, close: &str) {
        self.indicator(open, true, true, false);
        self.indicator(close, false, false, false);
    }

    /// Writes a word that needs no thought.
    pub(super) fn plain(&mut self, text: &str) {
        self.scalar(text, Presentation::Plain, false, "");
    }

    /// Writes a scalar; `key` for a simple key, which never folds.
    pub(super) fn scalar(&mut self, text: &str, presentation: Presentation, key: bool, tag: &str) {
        if !tag.is_empty() {
            self.indicator(tag.trim_end(), true, false, false);
        }
        let before = self.deeper(true);
        match presentation {
            Presentation::Plain => self.write_plain(text, !key),
            Presentation::Single => self.write_single(text, !key),
            Presentation::Double => self.write_double(text, !key),
            Presentation::Literal => self.write_literal(text),
        }
        self.indent = before;
    }

    fn write_plain(&mut self, text: &str, fold: bool) {
        if !(self.whitespace || text.is_empty() && self.style == Style::Pretty) {
            self.put(' ');
        }
        if !fold || self.column.saturating_add(text.len()) <= self.width {
            // Plain text that was chosen has no break in it.
            self.put_all(text);
        } else {
            let mut spaces = false;
            let mut chars = text.chars().peekable();
            while let Some(c) = chars.next() {
                if c == ' ' {
                    if !spaces && self.column > self.width && chars.peek() != Some(&' ') {
                        self.write_indent();
                    } else {
                        self.put(c);
                    }
                    spaces = true;
                } else {
                    self.put(c);
                    self.indention = false;
                    spaces = false;
                }
            }
        }
        self.whitespace = false;
        self.indention = false;
    }

    fn write_single(&mut self, text: &str, fold: bool) {
        self.indicator("'", true, false, false);
        let quotes = text.bytes().filter(|b| *b == b'\'').count();
        let end = self.column.saturating_add(text.len() + quotes);
        if is_ordinary(text.as_bytes()) && (!fold || end <= self.width) {
            for (n, part) in text.split('\'').enumerate() {
                self.put_all(if n > 0 { "''" } else { "" });
                self.put_all(part);
            }
            self.indicator("'", false, false, false);
            (self.whitespace, self.indention) = (false, false);
            return;
        }
        let (mut spaces, mut breaks) = (false, false);
        for (i, c) in text.char_indices() {
            if c == ' ' {
                let inside = i > 0 && i < text.len() - 1;
                if fold && !spaces && self.column > self.width && inside && !text[i + 1..].starts_with(' ') {
                    self.write_indent();
                } else {
                    self.put(c);
                }
                spaces = true;
            } else if is_break(c) {
                if !breaks && c == '\n' {
                    self.put_break();
                }
                self.write_break(c);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if c == '\'' {
                    self.put('\'');
                }
                self.put(c);
                self.indention = false;
                (spaces, breaks) = (false, false);
            }
        }
        self.indicator("'", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn write_double(&mut self, text: &str, fold: bool) {
        self.indicator("\"", true, false, false);
        // go-yaml asks whether the *text* begins with a byte order mark, at every character.
        let bom = text.starts_with('\u{feff}');
        let mut spaces = false;
        for (i, c) in text.char_indices() {
            if !is_printable(c) || bom || is_break(c) || matches!(c, '"' | '\\') {
                escape(c).chars().for_each(|e| self.put(e));
                spaces = false;
            } else if c == ' ' {
                let inside = i > 0 && i < text.len() - 1;
                if fold && !spaces && self.column > self.width && inside {
                    self.write_indent();
                    if text[i + 1..].starts_with(' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(c);
                }
                spaces = true;
            } else {
                self.put(c);
                spaces = false;
            }
        }
        self.indicator("\"", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn write_literal(&mut self, text: &str) {
        self.indicator("|", true, false, false);
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.indicator("2", false, false, false);
        }
        let mut tail = text.chars().rev();
        match (tail.next(), tail.next()) {
            (Some(last), _) if !is_break(last) => self.indicator("-", false, false, false),
            (Some(_), None) => self.indicator("+", false, false, false),
            (Some(_), Some(before)) if is_break(before) => self.indicator("+", false, false, false),
            _ => {}
        }
        self.put_break();
        self.indention = true;
        self.whitespace = true;
        for line in text.split_inclusive(is_break) {
            let words = line.trim_end_matches(is_break);
            if !words.is_empty() {
                self.write_indent();
                self.put_all(words);
                self.indention = false;
            }
            if let Some(c) = line[words.len()..].chars().next() {
                self.write_break(c);
                self.indention = true;
            }
        }
    }
}

fn escape(c: char) -> String {
    match c {
        '\0' => "\\0".to_owned(),
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\t' => "\\t".to_owned(),
        '\n' => "\\n".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\r' => "\\r".to_owned(),
        '\u{1b}' => "\\e".to_owned(),
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\u{85}' => "\\N".to_owned(),
        '\u{a0}' => "\\_".to_owned(),
        '\u{2028}' => "\\L".to_owned(),
        '\u{2029}' => "\\P".to_owned(),
        c if (c as u32) <= 0xff => format!("\\x{:02X}", c as u32),
        c if (c as u32) <= 0xffff => format!("\\u{:04X}", c as u32),
        c => format!("\\U{:08X}", c as u32),
    }
}
