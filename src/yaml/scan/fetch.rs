//! Finding the next token: indents, indicators, keys.

use std::borrow::Cow;

use super::{Kind, MAX_LEVEL, Scanner, SimpleKey, Token, Trouble};

impl Scanner<'_> {
    /// Puts at least one more token into the queue.
    pub(super) fn fetch(&mut self) -> Result<(), Trouble> {
        self.need(1)?;
        self.skip_to_token();
        self.unroll(self.column());
        self.need(4)?;
        if self.at_end() {
            return self.stream_end();
        }
        let at_start = self.pos == self.line_start;
        let (byte, next_blank) = (self.byte(0), self.blank_or_end(1));
        let flow = self.flow_level > 0;
        match byte {
            b'%' if at_start => self.directive(),
            b'-' | b'.' if self.at_document_mark() => {
                let kind = if byte == b'-' { Kind::DocumentStart } else { Kind::DocumentEnd };
                self.document_mark(kind)
            }
            b'[' => self.flow_start(Kind::FlowSequenceStart),
            b'{' => self.flow_start(Kind::FlowMappingStart),
            b']' => self.flow_end(Kind::FlowSequenceEnd),
            b'}' => self.flow_end(Kind::FlowMappingEnd),
            b',' => self.flow_entry(),
            b'-' if next_blank => self.block_entry(),
            b'?' if flow || next_blank => self.explicit_key(),
            b':' if flow || next_blank => self.value(),
            b'*' => self.anchor(Kind::Alias),
            b'&' => self.anchor(Kind::Anchor),
            b'!' => self.tag(),
            b'|' | b'>' if !flow => self.block_scalar(byte == b'|'),
            b'\'' | b'"' => self.quoted_scalar(byte == b'\''),
            b'-' | b'?' | b':' => self.plain_scalar(),
            b'\t' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`' => {
                Err(self.trouble("found character that cannot start any token"))
            }
            _ => self.plain_scalar(),
        }
    }

    /// Goes behind blanks, comments and line breaks. A tab may not indent a block.
    fn skip_to_token(&mut self) {
        loop {
            while self.byte(0) == b' ' || self.byte(0) == b'\t' && (self.flow_level > 0 || !self.key_allowed)
            {
                self.pos += 1;
            }
            if self.byte(0) == b'#' {
                self.skip_line_rest();
            }
            if !self.is_break() {
                return;
            }
            self.line_break();
            if self.flow_level == 0 {
                self.key_allowed = true;
            }
        }
    }

    fn insert(&mut self, number: Option<usize>, kind: Kind, line: usize) {
        let token = Token { kind, line, text: Cow::Borrowed(""), suffix: None };
        // A place that has been taken already cannot get anything before it any more.
        match number.and_then(|n| n.checked_sub(self.taken)).filter(|at| *at <= self.queue.len()) {
            Some(at) => self.queue.insert(at, token),
            None => self.queue.push_back(token),
        }
    }

    fn roll(&mut self, column: isize, number: Option<usize>, kind: Kind, line: usize) -> Result<(), Trouble> {
        if self.flow_level > 0 || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        if self.indents.len() > MAX_LEVEL {
            return Err(self.trouble("exceeded max depth of 10000"));
        }
        self.insert(number, kind, line);
        Ok(())
    }

    pub(super) fn unroll(&mut self, column: isize) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > column {
            self.push(Kind::BlockEnd);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn stream_end(&mut self) -> Result<(), Trouble> {
        if self.column() != 0 {
            self.line += 1;
            (self.line_start, self.wide_line) = (self.pos, 0);
        }
        self.unroll(-1);
        self.remove_key()?;
        self.key_allowed = false;
        self.push(Kind::StreamEnd);
        Ok(())
    }

    fn document_mark(&mut self, kind: Kind) -> Result<(), Trouble> {
        self.unroll(-1);
        self.remove_key()?;
        self.key_allowed = false;
        self.pos += 3;
        self.push(kind);
        Ok(())
    }

    fn flow_start(&mut self, kind: Kind) -> Result<(), Trouble> {
        self.save_key()?;
        self.keys.push(SimpleKey { token: self.next_number(), ..SimpleKey::default() });
        self.flow_level += 1;
        if self.flow_level > MAX_LEVEL {
            return Err(self.trouble("exceeded max depth of 10000"));
        }
        self.key_allowed = true;
        self.push(kind);
        self.pos += 1;
        Ok(())
    }

    fn flow_end(&mut self, kind: Kind) -> Result<(), Trouble> {
        self.remove_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            let inner = self.keys.pop().unwrap_or_default();
            // An empty collection takes the wait for its own place along: `[]: x` is not a key in go-yaml.
            if let Some(outer) = self.keys.last_mut().filter(|k| !inner.awaited && k.token == inner.token) {
                outer.awaited = false;
            }
        }
        self.key_allowed = false;
        self.push(kind);
        self.pos += 1;
        Ok(())
    }

    fn flow_entry(&mut self) -> Result<(), Trouble> {
        self.remove_key()?;
        self.key_allowed = true;
        self.push(Kind::FlowEntry);
        self.pos += 1;
        Ok(())
    }

    fn block_entry(&mut self) -> Result<(), Trouble> {
        if self.flow_level == 0 {
            if !self.key_allowed {
                let message = "block sequence entries are not allowed in this context";
                return Err(self.trouble(message));
            }
            self.roll(self.column(), None, Kind::BlockSequenceStart, self.line)?;
        }
        self.remove_key()?;
        self.key_allowed = true;
        self.push(Kind::BlockEntry);
        self.pos += 1;
        Ok(())
    }

    fn explicit_key(&mut self) -> Result<(), Trouble> {
        if self.flow_level == 0 {
            if !self.key_allowed {
                return Err(self.trouble("mapping keys are not allowed in this context"));
            }
            self.roll(self.column(), None, Kind::BlockMappingStart, self.line)?;
        }
        self.remove_key()?;
        self.key_allowed = self.flow_level == 0;
        self.push(Kind::Key);
        self.pos += 1;
        Ok(())
    }

    fn value(&mut self) -> Result<(), Trouble> {
        let last = self.keys.len() - 1;
        if self.is_valid(last)? {
            let key = self.keys[last];
            self.insert(Some(key.token), Kind::Key, key.line);
            self.roll(key.column, Some(key.token), Kind::BlockMappingStart, key.line)?;
            (self.keys[last].possible, self.keys[last].awaited) = (false, false);
            self.key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.key_allowed {
                    return Err(self.trouble("mapping values are not allowed in this context"));
                }
                self.roll(self.column(), None, Kind::BlockMappingStart, self.line)?;
            }
            self.key_allowed = self.flow_level == 0;
        }
        self.push(Kind::Value);
        self.pos += 1;
        Ok(())
    }
}
