//! Literal and folded block scalars.

use std::borrow::Cow;

use super::{Kind, Scanner, Trouble};

impl<'t> Scanner<'t> {
    pub(super) fn block_scalar(&mut self, literal: bool) -> Result<(), Trouble> {
        self.remove_key()?;
        self.key_allowed = true;
        let line = self.line;
        self.pos += 1;
        let (chomp, increment) = self.block_header()?;
        self.skip_blanks();
        if self.byte(0) == b'#' {
            self.skip_line_rest();
        }
        if !(self.at_end() || self.is_break()) {
            return Err(self.trouble("did not find expected comment or line break"));
        }
        self.line_break_if_any();
        let mut indent = if increment > 0 { self.indent.max(0) + increment } else { 0 };
        let mut out = String::new();
        let mut breaks = Vec::new();
        let mut leading: &'t str = "";
        let mut was_blank = false;
        self.block_breaks(&mut indent, &mut breaks)?;
        while self.column() == indent && !self.at_end() {
            let blank = self.is_blank();
            if !literal && !was_blank && !blank && leading == "\n" {
                if breaks.is_empty() {
                    out.push(' ');
                }
            } else {
                out.push_str(leading);
            }
            breaks.drain(..).for_each(|found| out.push_str(found));
            was_blank = blank;
            let start = self.pos;
            self.skip_line_rest();
            out.push_str(&self.text[start..self.pos]);
            leading = self.line_break_if_any();
            self.block_breaks(&mut indent, &mut breaks)?;
        }
        if chomp != Chomp::Strip {
            out.push_str(leading);
        }
        if chomp == Chomp::Keep {
            breaks.iter().for_each(|found| out.push_str(found));
        }
        self.push_text(Kind::Quoted, line, Cow::Owned(out));
        Ok(())
    }

    fn line_break_if_any(&mut self) -> &'t str {
        if self.is_break() { self.line_break() } else { "" }
    }

    /// The signs behind `|` or `>`, in either order.
    fn block_header(&mut self) -> Result<(Chomp, isize), Trouble> {
        let mut chomp = self.chomping();
        let mut increment = 0;
        if self.byte(0).is_ascii_digit() {
            if self.byte(0) == b'0' {
                return Err(self.trouble("found an indentation indicator equal to 0"));
            }
            increment = isize::from(self.byte(0) - b'0');
            self.pos += 1;
            if chomp.is_none() {
                chomp = self.chomping();
            }
        }
        Ok((chomp.unwrap_or(Chomp::Clip), increment))
    }

    fn chomping(&mut self) -> Option<Chomp> {
        let chomp = match self.byte(0) {
            b'+' => Chomp::Keep,
            b'-' => Chomp::Strip,
            _ => return None,
        };
        self.pos += 1;
        Some(chomp)
    }

    /// Goes behind empty lines and the indentation of the next one; finds the indent if it is not known yet.
    fn block_breaks(&mut self, indent: &mut isize, breaks: &mut Vec<&'t str>) -> Result<(), Trouble> {
        let mut deepest = 0;
        loop {
            while (*indent == 0 || self.column() < *indent) && self.byte(0) == b' ' {
                self.pos += 1;
            }
            deepest = deepest.max(self.column());
            if (*indent == 0 || self.column() < *indent) && self.byte(0) == b'\t' {
                let message = "found a tab character where an indentation space is expected";
                return Err(self.trouble(message));
            }
            if !self.is_break() {
                break;
            }
            let found = self.line_break();
            breaks.push(found);
        }
        if *indent == 0 {
            *indent = deepest.max(self.indent + 1).max(1);
        }
        Ok(())
    }
}

/// What becomes of the line breaks at the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomp {
    Strip,
    Clip,
    Keep,
}
