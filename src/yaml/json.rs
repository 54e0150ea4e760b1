//! JSON as Go's encoding/json reads and writes it: sorted keys, HTML escapes, its error texts.

use super::read::json_kind;
use super::{Entries, Error, List, ListKind, Map, Text, Value, format_json_float};

/// Whether `<`, `>` and `&` are escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Html {
    /// As `json.Marshal` does.
    Escape,
    /// As an encoder with SetEscapeHTML(false) does.
    Keep,
}

/// Writes a value compactly.
///
/// # Errors
/// [`Error::Write`] for NaN, infinities and trees that contain themselves.
pub fn write(value: &Value, html: Html) -> Result<Text, Error> {
    let mut writer = Writer { out: Vec::new(), html, indent: None };
    writer.value(value, 0)?;
    Ok(writer.out.into())
}

/// Writes a value over several lines, indented by `indent` per level.
///
/// # Errors
/// As [`write`].
pub fn write_pretty(value: &Value, indent: &str) -> Result<Text, Error> {
    let mut writer = Writer { out: Vec::new(), html: Html::Escape, indent: Some(indent.to_owned()) };
    writer.value(value, 0)?;
    Ok(writer.out.into())
}

struct Writer {
    out: Vec<u8>,
    html: Html,
    indent: Option<String>,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > super::MAX_DEPTH {
            return Err(Error::Write(format!(
                "json: unsupported value: encountered a cycle via {}",
                value.type_name()
            )));
        }
        match value {
            Value::Null => self.out.extend_from_slice(b"null"),
            Value::Bool(b) => self.out.extend_from_slice(if *b { b"true" } else { b"false" }),
            Value::Int(n, _) => self.out.extend_from_slice(n.to_string().as_bytes()),
            Value::Uint(n, _) => self.out.extend_from_slice(n.to_string().as_bytes()),
            Value::Float(f) => match format_json_float(*f) {
                Some(text) => self.out.extend_from_slice(text.as_bytes()),
                None => {
                    return Err(Error::Write(format!(
                        "json: unsupported value: {}",
                        super::format_float(*f)
                    )));
                }
            },
            Value::Str(text) => self.string(text),
            Value::List(list) => return stacker::maybe_grow(65_536, 1 << 20, || self.list(list, depth)),
            Value::Map(map) => return stacker::maybe_grow(65_536, 1 << 20, || self.map(map, depth)),
            Value::Object(object) => {
                let plain = object.to_plain().map_err(Error::Write)?;
                return self.value(&plain, depth + 1);
            }
        }
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if let Some(indent) = &self.indent {
            self.out.push(b'\n');
            (0..depth).for_each(|_| self.out.extend_from_slice(indent.as_bytes()));
        }
    }

    fn list(&mut self, list: &List, depth: usize) -> Result<(), Error> {
        if list.is_nil() {
            self.out.extend_from_slice(b"null");
            return Ok(());
        }
        if list.kind() == ListKind::Byte {
            use base64::Engine as _;
            let text = base64::engine::general_purpose::STANDARD.encode(list.bytes().unwrap_or_default());
            self.string(&text.into());
            return Ok(());
        }
        self.out.push(b'[');
        for (i, item) in list.items().iter().enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            self.line(depth + 1);
            self.value(item, depth + 1)?;
        }
        if !list.is_empty() {
            self.line(depth);
        }
        self.out.push(b']');
        Ok(())
    }

    fn map(&mut self, map: &Map, depth: usize) -> Result<(), Error> {
        if map.is_nil() {
            self.out.extend_from_slice(b"null");
            return Ok(());
        }
        self.out.push(b'{');
        let entries = map.entries();
        for (i, (key, item)) in entries.iter().enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            self.line(depth + 1);
            self.string(key);
            self.out.push(b':');
            if self.indent.is_some() {
                self.out.push(b' ');
            }
            self.value(item, depth + 1)?;
        }
        if !entries.is_empty() {
            self.line(depth);
        }
        self.out.push(b'}');
        Ok(())
    }

    fn string(&mut self, text: &Text) {
        self.out.push(b'"');
        // U+FFFD that stands for a bad byte is written as an escape, a real one as itself.
        for chunk in text.as_bytes().utf8_chunks() {
            for c in chunk.valid().chars() {
                self.character(c);
            }
            chunk.invalid().iter().for_each(|_| self.out.extend_from_slice(b"\\ufffd"));
        }
        self.out.push(b'"');
    }

    fn character(&mut self, c: char) {
        let short = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '<' if self.html == Html::Escape => "\\u003c",
            '>' if self.html == Html::Escape => "\\u003e",
            '&' if self.html == Html::Escape => "\\u0026",
            '\u{2028}' => "\\u2028",
            '\u{2029}' => "\\u2029",
            c if (c as u32) < 0x20 => {
                self.out.extend_from_slice(format!("\\u{:04x}", c as u32).as_bytes());
                return;
            }
            c => {
                self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return;
            }
        };
        self.out.extend_from_slice(short.as_bytes());
    }
}

/// Reads one JSON text; numbers become floats.
///
/// # Errors
/// [`Error::Json`] with encoding/json's words.
pub fn read(text: &[u8]) -> Result<Value, Error> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    reader.space();
    let value = reader.value("looking for beginning of value")?;
    reader.space();
    if reader.at < text.len() {
        return Err(reader.unexpected("after top-level value"));
    }
    Ok(value)
}

/// Reads one JSON text into a map; `null` gives an empty one.
///
/// # Errors
/// [`Error::Json`] with encoding/json's words, also for other types.
pub fn read_map(text: &[u8]) -> Result<Map, Error> {
    match read(text)? {
        Value::Map(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        other => Err(Error::Json(format!(
            "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            json_kind(&other)
        ))),
    }
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn space(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn unexpected(&self, context: &str) -> Error {
        Error::Json(match self.text.get(self.at) {
            None => "unexpected end of JSON input".to_owned(),
            Some(b'\'') => format!(r"invalid character '\'' {context}"),
            Some(b'"') => format!("invalid character '\"' {context}"),
            Some(b) => format!("invalid character {} {context}", quote_byte(*b)),
        })
    }

    fn value(&mut self, context: &str) -> Result<Value, Error> {
        match self.text.get(self.at) {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(|t| Value::Str(t.into())),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected(context)),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, Error>) -> Result<Value, Error> {
        self.depth += 1;
        if self.depth > 10_000 {
            return Err(Error::Json("exceeded max depth".to_owned()));
        }
        self.at += 1;
        self.space();
        let value = stacker::maybe_grow(65_536, 1 << 20, || read(self))?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value, Error> {
        let mut entries = Entries::new();
        if self.text.get(self.at) == Some(&b'}') {
            self.at += 1;
            return Ok(Value::Map(Map::new()));
        }
        loop {
            if self.text.get(self.at) != Some(&b'"') {
                return Err(self.unexpected("looking for beginning of object key string"));
            }
            let key = self.string()?;
            self.space();
            if self.text.get(self.at) != Some(&b':') {
                return Err(self.unexpected("after object key"));
            }
            self.at += 1;
            self.space();
            let value = self.value("looking for beginning of value")?;
            entries.insert(key.into(), value);
            self.space();
            match self.text.get(self.at) {
                Some(b',') => {
                    self.at += 1;
                    self.space();
                }
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Map(Map::from_entries(entries)));
                }
                _ => return Err(self.unexpected("after object key:value pair")),
            }
        }
    }

    fn array(&mut self) -> Result<Value, Error> {
        let mut items = Vec::new();
        if self.text.get(self.at) == Some(&b']') {
            self.at += 1;
            return Ok(Value::list(items));
        }
        loop {
            items.push(self.value("looking for beginning of value")?);
            self.space();
            match self.text.get(self.at) {
                Some(b',') => {
                    self.at += 1;
                    self.space();
                }
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::list(items));
                }
                _ => return Err(self.unexpected("after array element")),
            }
        }
    }

    fn literal(&mut self, word: &'static str, value: Value) -> Result<Value, Error> {
        for (i, want) in word.bytes().enumerate() {
            if self.text.get(self.at) != Some(&want) {
                debug_assert!(i > 0, "the first letter chose the word");
                return Err(self.unexpected(&format!("in literal {word} (expecting '{}')", want as char)));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn digits(&mut self) -> usize {
        let n = self.text[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += n;
        n
    }

    fn number(&mut self) -> Result<Value, Error> {
        let start = self.at;
        if self.text[self.at] == b'-' {
            self.at += 1;
        }
        if self.text.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else if self.digits() == 0 {
            return Err(self.unexpected("in numeric literal"));
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.unexpected("after decimal point in numeric literal"));
            }
        }
        if matches!(self.text.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.text.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.unexpected("in exponent of numeric literal"));
            }
        }
        let text = String::from_utf8_lossy(&self.text[start..self.at]).into_owned();
        match text.parse::<f64>() {
            Ok(f) if f.is_finite() => Ok(Value::Float(f)),
            _ => Err(Error::Json(format!(
                "json: cannot unmarshal number {text} into Go value of type float64"
            ))),
        }
    }

    fn string(&mut self) -> Result<String, Error> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            match self.text.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Text::from(out).lossy().into_owned());
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut out)?;
                }
                Some(b) if *b >= 0x20 => {
                    out.push(*b);
                    self.at += 1;
                }
                _ => return Err(self.unexpected("in string literal")),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        let byte = match self.text.get(self.at) {
            Some(b @ (b'"' | b'\\' | b'/')) => *b,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                self.at += 1;
                let c = self.unicode()?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(self.unexpected("in string escape code")),
        };
        out.push(byte);
        self.at += 1;
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, Error> {
        let mut value = 0;
        for _ in 0..4 {
            match self.text.get(self.at).and_then(|b| (*b as char).to_digit(16)) {
                Some(digit) => value = value * 16 + digit,
                None => return Err(self.unexpected("in \\u hexadecimal character escape")),
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn unicode(&mut self) -> Result<char, Error> {
        let high = self.hex()?;
        if (0xD800..0xDC00).contains(&high) && self.text[self.at..].starts_with(b"\\u") {
            let back = self.at;
            self.at += 2;
            let low = self.hex()?;
            if (0xDC00..0xE000).contains(&low) {
                let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }
}

/// A byte between single quotes, as encoding/json names it: the byte as a Latin-1 rune, quoted as Go does.
fn quote_byte(byte: u8) -> String {
    match byte {
        b'\n' => r"'\n'".to_owned(),
        b'\r' => r"'\r'".to_owned(),
        b'\t' => r"'\t'".to_owned(),
        b'\\' => r"'\\'".to_owned(),
        7 => r"'\a'".to_owned(),
        8 => r"'\b'".to_owned(),
        11 => r"'\v'".to_owned(),
        12 => r"'\f'".to_owned(),
        0..0x20 | 0x7f => format!(r"'\x{byte:02x}'"),
        0x80..=0x9f | 0xa0 | 0xad => format!(r"'\u{byte:04x}'"),
        _ => format!("'{}'", byte as char),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_fails_as_go() {
        let value = read(br#" {"b":[1,2.5,"\u00e9\ud83d\ude00"],"a":null} "#).unwrap();
        assert_eq!(write(&value, Html::Escape).unwrap().to_string(), r#"{"a":null,"b":[1,2.5,"é😀"]}"#);
        for (text, error) in [
            ("", "unexpected end of JSON input"),
            ("{a:1}", "invalid character 'a' looking for beginning of object key string"),
            ("[1 2]", "invalid character '2' after array element"),
            ("tru", "unexpected end of JSON input"),
            ("trux", "invalid character 'x' in literal true (expecting 'e')"),
            ("1 2", "invalid character '2' after top-level value"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("\"\n\"", "invalid character '\\n' in string literal"),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap_err().to_string(), error, "{text}");
        }
    }
}
