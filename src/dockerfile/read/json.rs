//! JSON arrays of strings as Go's `encoding/json` reads them, every string with its place.

use std::ops::Range;

use crate::dockerfile::read::lex::Cut;

/// What a text is as a JSON array.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Json {
    /// An array of strings.
    Strings(Vec<Cut>),
    /// An array that holds something else than strings.
    Mixed,
    /// No JSON array: shell form.
    Malformed,
}

/// Reads the whole range; blanks around are allowed.
pub(super) fn array(text: &str, range: Range<usize>) -> Json {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    if !text[start..range.end].starts_with('[') {
        return Json::Malformed;
    }
    let mut reader = Reader { bytes: &text.as_bytes()[..range.end], at: start, open: Vec::new() };
    reader.top(text).unwrap_or(Json::Malformed)
}

/// Deepest nesting Go takes.
const DEEPEST: usize = 10_000;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Open brackets of nested values, without recursion.
    open: Vec<u8>,
}

impl Reader<'_> {
    fn top(&mut self, text: &str) -> Option<Json> {
        self.at += 1;
        let (mut strings, mut mixed) = (Vec::new(), false);
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                self.blanks();
                let start = self.at;
                if self.peek()? == b'"' {
                    let string = self.string(text)?;
                    strings.push(Cut { text: string, range: start..self.at });
                } else {
                    self.value(text)?;
                    mixed = true;
                }
                self.blanks();
                match self.take()? {
                    b',' => {}
                    b']' => break,
                    _ => return None,
                }
            }
        }
        self.blanks();
        (self.at == self.bytes.len()).then_some(if mixed { Json::Mixed } else { Json::Strings(strings) })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let found = self.bytes[self.at..].starts_with(word);
        self.at += word.len();
        found.then_some(())
    }

    /// Checks one value of any kind.
    fn value(&mut self, text: &str) -> Option<()> {
        self.open.clear();
        loop {
            self.blanks();
            match self.peek()? {
                bracket @ (b'[' | b'{') => {
                    self.at += 1;
                    self.blanks();
                    if self.peek()? == bracket + 2 {
                        self.at += 1;
                    } else {
                        self.open.push(bracket);
                        // The array around counts too.
                        if self.open.len() >= DEEPEST {
                            return None;
                        }
                        self.key(text)?;
                        continue;
                    }
                }
                b'"' => drop(self.string(text)?),
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                _ => self.number()?,
            }
            if self.close(text)? {
                return Some(());
            }
        }
    }

    /// Behind a nested value: closes what ends here; says whether the outermost value is complete.
    fn close(&mut self, text: &str) -> Option<bool> {
        while let Some(bracket) = self.open.last().copied() {
            self.blanks();
            match self.take()? {
                b',' => {
                    self.key(text)?;
                    return Some(false);
                }
                byte if byte == bracket + 2 => drop(self.open.pop()),
                _ => return None,
            }
        }
        Some(true)
    }

    /// Inside an object: the name and the colon.
    fn key(&mut self, text: &str) -> Option<()> {
        if self.open.last() != Some(&b'{') {
            return Some(());
        }
        self.blanks();
        if self.peek()? != b'"' {
            return None;
        }
        self.string(text)?;
        self.blanks();
        (self.take()? == b':').then_some(())
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let digits = |reader: &mut Self| {
            let from = reader.at;
            while matches!(reader.peek(), Some(b'0'..=b'9')) {
                reader.at += 1;
            }
            (reader.at > from).then_some(())
        };
        if self.peek()? == b'0' {
            self.at += 1;
        } else {
            digits(self)?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            digits(self)?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            digits(self)?;
        }
        // A number past the range of a float is an error in Go, hence no JSON.
        let text = std::str::from_utf8(&self.bytes[start..self.at]).ok()?;
        text.parse::<f64>().ok().filter(|number| number.is_finite()).map(drop)
    }

    fn string(&mut self, text: &str) -> Option<String> {
        self.at += 1;
        let mut decoded = String::new();
        loop {
            let start = self.at;
            while self.peek().is_some_and(|b| b != b'"' && b != b'\\' && b >= 0x20) {
                self.at += 1;
            }
            decoded.push_str(&text[start..self.at]);
            match self.take()? {
                b'"' => return Some(decoded),
                b'\\' => decoded.push(self.escaped()?),
                _ => return None,
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        Some(match self.take()? {
            byte @ (b'"' | b'\\' | b'/') => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode()?,
            _ => return None,
        })
    }

    /// `\uXXXX`; half a surrogate pair becomes U+FFFD.
    fn unicode(&mut self) -> Option<char> {
        let first = self.hex4()?;
        if !(0xD800..0xDC00).contains(&first) {
            return Some(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let back = self.at;
        if self.bytes[self.at..].starts_with(b"\\u") {
            self.at += 2;
            let second = self.hex4()?;
            if (0xDC00..0xE000).contains(&second) {
                return char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00));
            }
            self.at = back;
        }
        Some(char::REPLACEMENT_CHARACTER)
    }

    fn hex4(&mut self) -> Option<u32> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |number, digit| Some(number << 4 | char::from(*digit).to_digit(16)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(text: &str) -> Option<Vec<String>> {
        match array(text, 0..text.len()) {
            Json::Strings(cuts) => Some(cuts.into_iter().map(|cut| cut.text).collect()),
            _ => None,
        }
    }

    #[test]
    fn arrays_of_strings() {
        assert_eq!(strings(r#" ["a", "b\n\u00e9" ] "#).expect("JSON"), ["a", "b\né"]);
        assert_eq!(strings(r#"["\ud83d\ude00\ud800x\/"]"#).expect("JSON"), ["😀\u{FFFD}x/"]);
        assert!(strings("[]").expect("JSON").is_empty());
        for text in
            ["['a']", r#"["a"] x"#, r#"["a",]"#, "[", r#"["a""#, "[\"a\tb\"]", r#"["\x"]"#, "[1e999]", "[01]"]
        {
            assert_eq!(array(text, 0..text.len()), Json::Malformed, "{text}");
        }
    }

    #[test]
    fn arrays_of_other_things() {
        for text in ["[1]", r#"["a", null]"#, r#"[{"a":[1,{}],"b":-0.5e+3}]"#, "[[],[[true]],false]"] {
            assert_eq!(array(text, 0..text.len()), Json::Mixed, "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(array(&deep, 0..deep.len()), Json::Malformed);
    }
}
