//! Anchors, aliases, tags and directives.

use std::borrow::Cow;

use super::{Kind, Scanner, Token, Trouble};

impl Scanner<'_> {
    /// The word from here: letters, digits, `_` and `-`.
    fn word_end(&self) -> usize {
        let word = self.bytes[self.pos..].iter();
        self.pos + word.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')).count()
    }

    pub(super) fn anchor(&mut self, kind: Kind) -> Result<(), Trouble> {
        self.save_key()?;
        self.key_allowed = false;
        let line = self.line;
        self.pos += 1;
        let (start, end) = (self.pos, self.word_end());
        self.pos = end;
        let ends = self.blank_or_end(0)
            || matches!(self.byte(0), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if start == end || !ends {
            return Err(self.trouble("did not find expected alphabetic or numeric character"));
        }
        let text = self.text;
        self.push_text(kind, line, Cow::Borrowed(&text[start..end]));
        Ok(())
    }

    pub(super) fn tag(&mut self) -> Result<(), Trouble> {
        self.save_key()?;
        self.key_allowed = false;
        let line = self.line;
        let (handle, suffix) = if self.byte(1) == b'<' {
            self.pos += 2;
            let suffix = self.tag_uri(None)?;
            if self.byte(0) != b'>' {
                return Err(self.trouble("did not find the expected '>'"));
            }
            self.pos += 1;
            (String::new(), suffix)
        } else {
            let handle = self.tag_handle();
            if handle.len() > 1 && handle.ends_with('!') {
                let suffix = self.tag_uri(None)?;
                (handle, suffix)
            } else {
                let suffix = self.tag_uri(Some(&handle))?;
                if suffix.is_empty() { (suffix, handle) } else { ("!".to_owned(), suffix) }
            }
        };
        if !self.blank_or_end(0) {
            return Err(self.trouble("did not find expected whitespace or line break"));
        }
        self.push_pair(Kind::Tag, line, handle, suffix);
        Ok(())
    }

    fn push_pair(&mut self, kind: Kind, line: usize, handle: String, suffix: String) {
        self.queue.push_back(Token { kind, line, text: Cow::Owned(handle), suffix: Some(suffix.into()) });
    }

    /// `!`, `!!` or `!name!`; without the second mark it is the beginning of a tag.
    fn tag_handle(&mut self) -> String {
        let start = self.pos;
        self.pos += 1;
        self.pos = self.word_end();
        if self.byte(0) == b'!' {
            self.pos += 1;
        }
        self.text[start..self.pos].to_owned()
    }

    /// The rest of a tag, with its escapes read; `head` is what has been taken for a handle.
    fn tag_uri(&mut self, head: Option<&str>) -> Result<String, Trouble> {
        let mut out = head.unwrap_or("").strip_prefix('!').unwrap_or("").as_bytes().to_vec();
        let mut found = head.is_some();
        loop {
            match self.byte(0) {
                b'%' => self.uri_escape(&mut out)?,
                b if b.is_ascii_alphanumeric() || b"_-;/?:@&=+$,.!~*'()[]".contains(&b) => {
                    out.push(b);
                    self.pos += 1;
                }
                _ => break,
            }
            found = true;
        }
        if !found {
            return Err(self.trouble("did not find expected tag URI"));
        }
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    fn uri_escape(&mut self, out: &mut Vec<u8>) -> Result<(), Trouble> {
        let mut left = None;
        while left != Some(0) {
            let digits = (char::from(self.byte(1)).to_digit(16), char::from(self.byte(2)).to_digit(16));
            let (b'%', (Some(high), Some(low))) = (self.byte(0), digits) else {
                return Err(self.trouble("did not find URI escaped octet"));
            };
            let octet = (high << 4 | low) as u8;
            let width = match octet {
                0..=0x7f => 1,
                0xc0..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf7 => 4,
                _ => 0,
            };
            match left {
                None if width == 0 => {
                    return Err(self.trouble("found an incorrect leading UTF-8 octet"));
                }
                None => left = Some(width - 1),
                Some(_) if octet & 0xc0 != 0x80 => {
                    return Err(self.trouble("found an incorrect trailing UTF-8 octet"));
                }
                Some(n) => left = Some(n - 1),
            }
            out.push(octet);
            self.pos += 3;
        }
        Ok(())
    }

    pub(super) fn directive(&mut self) -> Result<(), Trouble> {
        self.unroll(-1);
        self.remove_key()?;
        self.key_allowed = false;
        let line = self.line;
        self.pos += 1;
        let (start, end) = (self.pos, self.word_end());
        self.pos = end;
        if start == end {
            return Err(self.trouble("could not find expected directive name"));
        }
        if !self.blank_or_end(0) {
            return Err(self.trouble("found unexpected non-alphabetical character"));
        }
        self.skip_blanks();
        match &self.text[start..end] {
            "YAML" => self.version(line)?,
            "TAG" => self.tag_directive(line)?,
            _ => return Err(self.trouble("found unknown directive name")),
        }
        self.skip_blanks();
        if self.byte(0) == b'#' {
            self.skip_line_rest();
        }
        if !(self.at_end() || self.is_break()) {
            return Err(self.trouble("did not find expected comment or line break"));
        }
        self.line_break();
        Ok(())
    }

    fn version(&mut self, line: usize) -> Result<(), Trouble> {
        let start = self.pos;
        self.version_number()?;
        if self.byte(0) != b'.' {
            return Err(self.trouble("did not find expected digit or '.' character"));
        }
        self.pos += 1;
        self.version_number()?;
        let text = self.text;
        self.push_text(Kind::Version, line, Cow::Borrowed(&text[start..self.pos]));
        Ok(())
    }

    fn version_number(&mut self) -> Result<(), Trouble> {
        let digits = self.bytes[self.pos..].iter().take_while(|b| b.is_ascii_digit()).count();
        match digits {
            0 => Err(self.trouble("did not find expected version number")),
            1 | 2 => {
                self.pos += digits;
                Ok(())
            }
            _ => Err(self.trouble("found extremely long version number")),
        }
    }

    fn tag_directive(&mut self, line: usize) -> Result<(), Trouble> {
        if self.byte(0) != b'!' {
            return Err(self.trouble("did not find expected '!'"));
        }
        let handle = self.tag_handle();
        if handle != "!" && !(handle.len() > 1 && handle.ends_with('!')) {
            return Err(self.trouble("did not find expected '!'"));
        }
        if !self.is_blank() {
            return Err(self.trouble("did not find expected whitespace"));
        }
        self.skip_blanks();
        let prefix = self.tag_uri(None)?;
        if !self.blank_or_end(0) {
            return Err(self.trouble("did not find expected whitespace or line break"));
        }
        self.push_pair(Kind::TagDirective, line, handle, prefix);
        Ok(())
    }
}
