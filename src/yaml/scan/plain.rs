//! Plain scalars.

use std::borrow::Cow;

use super::{Kind, Scanner, Trouble};

/// Bytes inside a plain scalar that need a look: blanks, breaks, `:`, the marks of flow collections, lead bytes of
/// wide line breaks.
const SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let marks = b" \t\r\n:,?[]{}\xc2\xe2";
    let mut i = 0;
    while i < marks.len() {
        table[marks[i] as usize] = true;
        i += 1;
    }
    table
};

impl<'t> Scanner<'t> {
    pub(super) fn plain_scalar(&mut self) -> Result<(), Trouble> {
        self.save_key()?;
        self.key_allowed = false;
        let start_line = self.line;
        let indent = self.indent + 1;
        let text = self.text;
        // The scalar is a slice of the text while it stands on one line.
        let mut folded: Option<String> = None;
        let (mut run, mut end) = (self.pos, self.pos);
        let mut fold = Fold::default();
        while !(self.at_document_mark() || self.byte(0) == b'#') {
            let stop = self.plain_run();
            if stop > self.pos {
                if fold.lines {
                    let out = folded.get_or_insert_default();
                    out.push_str(&text[run..end]);
                    fold.apply(out);
                    run = self.pos;
                }
                self.advance_to(stop);
                end = stop;
            }
            if !(self.is_blank() || self.is_break()) {
                break;
            }
            self.plain_blanks(&mut fold, indent)?;
            if self.flow_level == 0 && self.column() < indent {
                break;
            }
        }
        if fold.lines {
            self.key_allowed = true;
        }
        let last = &text[run..end];
        let value = match folded {
            None => Cow::Borrowed(last),
            Some(out) => Cow::Owned(out + last),
        };
        self.push_text(Kind::Plain, start_line, value);
        Ok(())
    }

    /// The end of the characters from here that belong to a plain scalar and are no blanks.
    fn plain_run(&self) -> usize {
        let flow = self.flow_level > 0;
        let mut at = self.pos;
        while let Some(byte) = self.bytes.get(at) {
            if SPECIAL[usize::from(*byte)] {
                let ends = match byte {
                    b':' => match self.bytes.get(at + 1) {
                        None | Some(b' ' | b'\t' | b'\n' | b'\r') => true,
                        Some(0xc2 | 0xe2) => self.break_at(at + 1) > 0,
                        Some(_) => false,
                    },
                    b',' | b'?' | b'[' | b']' | b'{' | b'}' => flow,
                    0xc2 | 0xe2 => self.break_at(at) > 0,
                    _ => true,
                };
                if ends {
                    break;
                }
            }
            at += 1;
        }
        at
    }

    fn plain_blanks(&mut self, fold: &mut Fold<'t>, indent: isize) -> Result<(), Trouble> {
        loop {
            if self.is_blank() {
                if fold.lines && self.column() < indent && self.byte(0) == b'\t' {
                    return Err(self.trouble("found a tab character that violates indentation"));
                }
                self.pos += 1;
            } else if self.is_break() {
                let found = self.line_break();
                fold.push(found);
            } else {
                return Ok(());
            }
        }
    }
}

/// Line breaks between the lines of a scalar.
#[derive(Default)]
pub(super) struct Fold<'t> {
    /// Whether a line has ended.
    pub lines: bool,
    first: &'t str,
    more: Vec<&'t str>,
}

impl<'t> Fold<'t> {
    /// Takes in a line break.
    pub fn push(&mut self, found: &'t str) {
        if self.lines {
            self.more.push(found);
        } else {
            self.first = found;
            self.lines = true;
        }
    }

    /// Writes what the breaks are read as: one is a space, more are one less, separators stay.
    pub fn apply(&mut self, out: &mut String) {
        if self.first == "\n" {
            if self.more.is_empty() {
                out.push(' ');
            }
        } else {
            out.push_str(self.first);
        }
        self.more.drain(..).for_each(|found| out.push_str(found));
        (self.first, self.lines) = ("", false);
    }
}
