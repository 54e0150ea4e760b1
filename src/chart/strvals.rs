//! The language of `--set` (`Helm: pkg/strvals`): `a.b[0]=x,c={1,2}`.

use crate::template::format;
use crate::yaml::quote::quote;
use crate::yaml::{self, Map, Value};

use super::Compat;

const MAX_INDEX: i64 = 65_536;
const MAX_LEVEL: usize = 30;

/// What becomes of the text behind `=`.
pub enum Meaning<'f> {
    /// `--set`: numbers, booleans and null are recognised.
    Typed,
    /// `--set-string`: text.
    Text,
    /// `--set-json`: a JSON value.
    Json,
    /// `--set-file`: a path, of which `.0` gives the content.
    File(&'f mut dyn FnMut(&str) -> Result<Value, String>),
}

/// Reads an argument into `values`.
///
/// # Errors
/// Helm's words; what stands before the error has been set.
pub fn parse_into(text: &str, values: &Map, meaning: Meaning<'_>, compat: Compat) -> Result<(), String> {
    run(Parser { text: text.chars().collect(), at: 0, meaning, compat, literal: false }, values)
}

/// Reads an argument of `--set-literal`: everything behind `=` is the value, `\` means nothing.
///
/// # Errors
/// Helm's words.
pub fn parse_literal_into(text: &str, values: &Map, compat: Compat) -> Result<(), String> {
    let parser =
        Parser { text: text.chars().collect(), at: 0, meaning: Meaning::Text, compat, literal: true };
    run(parser, values)
}

fn run(mut parser: Parser<'_>, values: &Map) -> Result<(), String> {
    loop {
        match parser.key(values, 0) {
            Ok(()) => {}
            Err(Stop::End) => return Ok(()),
            // Helm 4 takes an end inside brackets for the end of all.
            Err(Stop::EndWithin(_)) if !parser.compat.is_3() => return Ok(()),
            Err(Stop::EndWithin(text) | Stop::Wrong(text)) => return Err(text),
        }
    }
}

enum Stop {
    /// The text is over.
    End,
    /// The text is over where that is worth a word.
    EndWithin(String),
    /// It is wrong.
    Wrong(String),
}

impl Stop {
    fn within(self, words: &str) -> Self {
        match self {
            Self::End => Self::EndWithin(format!("{words}EOF")),
            Self::EndWithin(text) => Self::EndWithin(format!("{words}{text}")),
            Self::Wrong(text) => Self::Wrong(format!("{words}{text}")),
        }
    }
}

fn wrong<T>(text: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Wrong(text.into()))
}

/// Go's words for a failed type assertion, as the parser reports the panic.
fn conversion(value: &Value, wanted: &str) -> Stop {
    let found = match value {
        Value::Null => "nil",
        other => other.type_name(),
    };
    Stop::Wrong(format!("unable to parse key: interface conversion: interface {{}} is {found}, not {wanted}"))
}

struct Parser<'f> {
    text: Vec<char>,
    at: usize,
    meaning: Meaning<'f>,
    compat: Compat,
    literal: bool,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.text.get(self.at).copied();
        self.at += usize::from(c.is_some());
        c
    }

    /// Text up to one of `stops`, which is taken too; no stop is the end of the text.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut out = String::new();
        while let Some(c) = self.next() {
            if stops.contains(&c) {
                return (out, Some(c));
            }
            if c == '\\' && !self.literal {
                match self.next() {
                    Some(next) => out.push(next),
                    None => break,
                }
            } else {
                out.push(c);
            }
        }
        (out, None)
    }

    fn key(&mut self, data: &Map, level: usize) -> Result<(), Stop> {
        let stops: &[char] = if self.literal { &['=', '[', '.'] } else { &['=', '[', ',', '.'] };
        let (key, last) = self.until(stops);
        match last {
            None if key.is_empty() => Err(Stop::End),
            None => wrong(format!("key {} has no value", quote(key.as_bytes()))),
            Some('[') => self.indexed(data, &key, level),
            Some('=') => self.assigned(data, &key),
            Some(',') => {
                set(data, &key, "".into());
                wrong(format!("key {} has no value (cannot end with ,)", quote(key.as_bytes())))
            }
            Some(_) => self.nested(data, &key, level + 1),
        }
    }

    fn indexed(&mut self, data: &Map, key: &str, level: usize) -> Result<(), Stop> {
        let index = self.index()?;
        let list = match data.get(key.as_bytes()) {
            None => Vec::new(),
            Some(Value::List(list)) => list.items().to_vec(),
            Some(other) => return Err(conversion(&other, "[]interface {}")),
        };
        let (list, result) = self.item(list, index, level);
        set(data, key, Value::list(list));
        result
    }

    fn nested(&mut self, data: &Map, key: &str, level: usize) -> Result<(), Stop> {
        if level > MAX_LEVEL {
            return wrong(format!(
                "value name nested level is greater than maximum supported nested level of {MAX_LEVEL}"
            ));
        }
        let inner = match data.get(key.as_bytes()) {
            None => Map::new(),
            Some(Value::Map(map)) => map,
            Some(other) => return Err(conversion(&other, "map[string]interface {}")),
        };
        let result = self.key(&inner, level);
        if inner.is_empty() {
            result?;
            return wrong(format!("key map {} has no value", quote(key.as_bytes())));
        }
        set(data, key, Value::Map(inner));
        result
    }

    fn assigned(&mut self, data: &Map, key: &str) -> Result<(), Stop> {
        if self.literal {
            let (text, _) = self.until(&[]);
            set(data, key, text.into());
            return Ok(());
        }
        if matches!(self.meaning, Meaning::Json) {
            let (value, result) = self.json()?;
            set(data, key, value);
            return result;
        }
        match self.value() {
            Ok(Some(value)) => {
                set(data, key, value);
                Ok(())
            }
            Ok(None) => {
                set(data, key, "".into());
                Err(Stop::End)
            }
            Err((partial, stop)) => {
                if partial {
                    set(data, key, Value::Null);
                }
                Err(stop)
            }
        }
    }

    /// What stands behind `=`; `None` at the end of the text. An error says whether Go had set a nil before it.
    fn value(&mut self) -> Result<Option<Value>, (bool, Stop)> {
        match self.text.get(self.at) {
            None => return Ok(None),
            Some('{') => {
                self.at += 1;
                return self.list().map(|list| Some(Value::list(list))).map_err(|stop| (false, stop));
            }
            Some(_) => {}
        }
        let (text, _) = self.until(&[',']);
        self.meant(&text).map(Some).map_err(|stop| (true, stop))
    }

    fn list(&mut self) -> Result<Vec<Value>, Stop> {
        let mut list = Vec::new();
        loop {
            let (text, last) = self.until(&[',', '}']);
            match last {
                None => return wrong("list must terminate with '}'"),
                Some('}') => {
                    if self.text.get(self.at) == Some(&',') {
                        self.at += 1;
                    }
                    list.push(self.meant(&text)?);
                    return Ok(list);
                }
                Some(_) => list.push(self.meant(&text)?),
            }
        }
    }

    fn meant(&mut self, text: &str) -> Result<Value, Stop> {
        match &mut self.meaning {
            Meaning::Typed => Ok(typed(text)),
            Meaning::File(read) => read(text).map_err(Stop::Wrong),
            Meaning::Text | Meaning::Json => Ok(text.into()),
        }
    }

    /// A JSON value and the blanks and the comma behind it; nothing is null.
    fn json(&mut self) -> Result<(Value, Result<(), Stop>), Stop> {
        if self.skip_blank() {
            return Ok((Value::Null, Ok(())));
        }
        let rest: String = self.text[self.at..].iter().collect();
        let mut stream = serde_json::Deserializer::from_str(&rest).into_iter::<serde_json::Value>();
        match stream.next() {
            Some(Ok(_)) => {}
            Some(Err(e)) => return wrong(e.to_string()),
            None => return wrong("EOF"),
        }
        let length = stream.byte_offset();
        let value = yaml::json::read(&rest.as_bytes()[..length]).map_err(|e| Stop::Wrong(e.to_string()))?;
        self.at += rest[..length].chars().count();
        self.skip_blank();
        Ok((value, Ok(())))
    }

    /// Skips blanks and one comma; whether that ended an empty value.
    fn skip_blank(&mut self) -> bool {
        while let Some(c) = self.text.get(self.at) {
            match c {
                ',' => {
                    self.at += 1;
                    return true;
                }
                c if c.is_whitespace() => self.at += 1,
                _ => return false,
            }
        }
        true
    }

    fn index(&mut self) -> Result<i64, Stop> {
        let within = |stop: Stop| stop.within("error parsing index: ");
        let (text, last) = self.until(&[']']);
        if last.is_none() {
            return Err(within(Stop::End));
        }
        let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            let text = format!("strconv.Atoi: parsing {}: invalid syntax", quote(text.as_bytes()));
            return Err(within(Stop::Wrong(text)));
        }
        text.parse().map_err(|_| {
            within(Stop::Wrong(format!(
                "strconv.Atoi: parsing {}: value out of range",
                quote(text.as_bytes())
            )))
        })
    }

    /// Sets what the rest says at `index`; the list comes back whether or not that worked.
    fn item(&mut self, mut list: Vec<Value>, index: i64, level: usize) -> (Vec<Value>, Result<(), Stop>) {
        let result = self.item_value(&mut list, index, level).and_then(|value| match value {
            Some(value) => set_index(&mut list, index, value),
            None => Ok(()),
        });
        (list, result)
    }

    fn item_value(&mut self, list: &mut [Value], index: i64, level: usize) -> Result<Option<Value>, Stop> {
        if index < 0 {
            return wrong(format!("negative {index} index not allowed"));
        }
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        let (text, last) = self.until(&['[', '.', '=']);
        if !text.is_empty() {
            let runes: Vec<String> = text.chars().map(|c| format!("'{c}'")).collect();
            return wrong(format!("unexpected data at end of array index: [{}]", runes.join(" ")));
        }
        match last {
            None => Err(Stop::End),
            Some('=') => self.item_assigned(),
            Some('[') => {
                let next = self.index()?;
                let inner = match list.get(place) {
                    None | Some(Value::Null) => Vec::new(),
                    Some(Value::List(list)) => list.items().to_vec(),
                    Some(other) => return Err(conversion(other, "[]interface {}")),
                };
                let (inner, result) = self.item(inner, next, level);
                result?;
                Ok(Some(Value::list(inner)))
            }
            Some(_) => {
                let inner = match list.get_mut(place) {
                    None => Map::new(),
                    Some(Value::Map(map)) => map.clone(),
                    Some(other) => {
                        let map = Map::new();
                        *other = Value::Map(map.clone());
                        map
                    }
                };
                self.key(&inner, level)?;
                Ok(Some(Value::Map(inner)))
            }
        }
    }

    fn item_assigned(&mut self) -> Result<Option<Value>, Stop> {
        if self.literal {
            return Ok(Some(self.until(&[]).0.into()));
        }
        if matches!(self.meaning, Meaning::Json) {
            let (value, result) = self.json()?;
            return result.map(|()| Some(value));
        }
        match self.value() {
            Ok(value) => Ok(Some(value.unwrap_or_else(|| "".into()))),
            Err((_, stop)) => Err(stop),
        }
    }
}

fn set(data: &Map, key: &str, value: Value) {
    if !key.is_empty() {
        data.insert(key, value);
    }
}

fn set_index(list: &mut Vec<Value>, index: i64, value: Value) -> Result<(), Stop> {
    if index > MAX_INDEX {
        return wrong(format!("index of {index} is greater than maximum supported index of {MAX_INDEX}"));
    }
    let place = usize::try_from(index).unwrap_or(0);
    if list.len() <= place {
        list.resize(place + 1, Value::Null);
    }
    list[place] = value;
    Ok(())
}

/// What `--set` makes of a text.
fn typed(text: &str) -> Value {
    if text.eq_ignore_ascii_case("true") {
        return true.into();
    }
    if text.eq_ignore_ascii_case("false") {
        return false.into();
    }
    if text.eq_ignore_ascii_case("null") {
        return Value::Null;
    }
    if text == "0" {
        return Value::int64(0);
    }
    if !text.starts_with('0')
        && let Ok(number) = text.parse::<i64>()
    {
        return Value::int64(number);
    }
    text.into()
}

/// `%v` of a value, for warnings.
pub(super) fn shown(value: &Value) -> String {
    format::print(value).lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::json::{Html, write};

    fn parsed(text: &str, compat: Compat) -> String {
        let values = Map::new();
        match parse_into(text, &values, Meaning::Typed, compat) {
            Ok(()) => write(&Value::Map(values), Html::Escape).unwrap().to_string(),
            Err(error) => error,
        }
    }

    #[test]
    fn the_language_of_set() {
        let table = [
            ("a=1", r#"{"a":1}"#),
            ("a=+5,b=-0,c=007,d=1.5,e=0", r#"{"a":5,"b":0,"c":"007","d":"1.5","e":0}"#),
            ("a=True,b=nULL,c=", r#"{"a":true,"b":null,"c":""}"#),
            ("a={}", r#"{"a":[""]}"#),
            ("a=[]", r#"{"a":"[]"}"#),
            ("a={1,true,null,x}", r#"{"a":[1,true,null,"x"]}"#),
            ("a={1,2}x", "key \"x\" has no value"),
            ("a={1", "list must terminate with '}'"),
            ("a[0][1]=x", r#"{"a":[[null,"x"]]}"#),
            ("a[2]=1", r#"{"a":[null,null,1]}"#),
            (r"a\.b=c,d=b\,c", r#"{"a.b":"c","d":"b,c"}"#),
            ("a=x=y", r#"{"a":"x=y"}"#),
            ("a=1,", r#"{"a":1}"#),
            ("a=1,,b=2", "key \"\" has no value (cannot end with ,)"),
            ("a", "key \"a\" has no value"),
            ("a.b", "key \"b\" has no value"),
            ("=v", "{}"),
            ("a=1, b=2", r#"{" b":2,"a":1}"#),
            ("a[-1]=1", "negative -1 index not allowed"),
            ("a[65537]=1", "index of 65537 is greater than maximum supported index of 65536"),
            ("a[x]=1", "error parsing index: strconv.Atoi: parsing \"x\": invalid syntax"),
            ("a[0]x=1", "unexpected data at end of array index: ['x']"),
            (
                "a=s,a.b=1",
                "unable to parse key: interface conversion: interface {} is string, not map[string]interface {}",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(parsed(text, Compat::Helm4), expected, "{text}");
        }
        assert_eq!(parsed("a[b=1", Compat::Helm3), "error parsing index: EOF");
        assert_eq!(parsed("a[b=1", Compat::Helm4), "{}");
    }

    #[test]
    fn json_files_and_literals() {
        let values = Map::new();
        parse_into("a=[1, 2] ,b={\"x\":1e3},c=", &values, Meaning::Json, Compat::Helm4).unwrap();
        let mut read = |path: &str| Ok(format!("<{path}>").into());
        parse_into("f=a/b,g[1]=c", &values, Meaning::File(&mut read), Compat::Helm4).unwrap();
        parse_literal_into(r"l.m=a,b=\n", &values, Compat::Helm4).unwrap();
        assert_eq!(
            write(&Value::Map(values), Html::Keep).unwrap().to_string(),
            r#"{"a":[1,2],"b":{"x":1000},"c":null,"f":"<a/b>","g":[null,"<c>"],"l":{"m":"a,b=\\n"}}"#
        );
    }
}
