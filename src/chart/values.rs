//! Values that users give: files over files, then each kind of `--set` in its fixed order (`Helm: pkg/cli/values`).

use crate::yaml::{self, Map, Options, Value};

use super::explain::Source;
use super::strvals::{Meaning, parse_into, parse_literal_into};
use super::{Compat, Error};

/// Reads a values file: nothing and null are an empty map.
///
/// Helm 3 takes the first document, Helm 4 merges all of them.
///
/// # Errors
/// The words of the YAML library.
pub fn read_values(text: &[u8], compat: Compat) -> Result<Map, String> {
    if compat.is_3() {
        return yaml::read_map(text, Options::default()).map_err(|e| e.to_string());
    }
    let mut values = Map::new();
    for document in documents(text)? {
        let next = yaml::read_map(document, Options::default())
            .map_err(|e| format!("cannot unmarshal yaml document: {e}"))?;
        values = if values.is_empty() { next } else { merge_maps(&values, &next) };
    }
    Ok(values)
}

/// The documents of a stream as Kubernetes' reader cuts it: at lines that begin with `---`, behind which only a comment
/// may stand.
fn documents(text: &[u8]) -> Result<Vec<&[u8]>, String> {
    let mut documents = Vec::new();
    let (mut from, mut at) = (0, 0);
    while at < text.len() {
        let end = text[at..].iter().position(|b| *b == b'\n').map_or(text.len(), |n| at + n + 1);
        if let Some(rest) = text[at..end].strip_prefix(b"---") {
            let rest = rest.trim_ascii();
            if !rest.is_empty() && !rest.starts_with(b"#") {
                let rest = String::from_utf8_lossy(rest);
                return Err(format!("error reading yaml document: invalid Yaml document separator: {rest}"));
            }
            if at > from {
                documents.push(&text[from..at]);
                from = end;
            }
        }
        at = end;
    }
    if from < text.len() {
        documents.push(&text[from..]);
    }
    Ok(documents)
}

/// Both maps in one; where both have a map these are merged, else `b` wins, be it with null.
pub fn merge_maps(a: &Map, b: &Map) -> Map {
    let out: Map = a.entries().into_iter().collect();
    for (key, value) in b.entries() {
        let merged = match (&value, out.get(key.as_bytes())) {
            (Value::Map(new), Some(Value::Map(old))) => Value::Map(merge_maps(&old, new)),
            _ => value,
        };
        out.insert(key, merged);
    }
    out
}

/// Values as the command line gives them.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `-f`: paths.
    pub files: Vec<String>,
    /// `--set-json`.
    pub json: Vec<String>,
    /// `--set`.
    pub set: Vec<String>,
    /// `--set-string`.
    pub set_string: Vec<String>,
    /// `--set-file`.
    pub set_file: Vec<String>,
    /// `--set-literal`.
    pub set_literal: Vec<String>,
}

impl Given {
    /// The values that all of these make together. `read` gives the content of what a path or address names.
    ///
    /// # Errors
    /// [`Error::Values`] with Helm's words.
    pub fn merge(
        &self,
        compat: Compat,
        read: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
    ) -> Result<Map, Error> {
        let mut values = Map::new();
        for path in &self.files {
            let text = read(path).map_err(Error::Values)?;
            let next = read_values(&text, compat)
                .map_err(|e| Error::Values(format!("failed to parse {path}: {e}")))?;
            values = if values.is_empty() { next } else { merge_maps(&values, &next) };
        }
        self.flags_into(values, compat, read)
    }

    /// What every file and every flag gives by itself, weakest first.
    ///
    /// # Errors
    /// As [`merge`](Self::merge).
    pub fn sources(
        &self,
        compat: Compat,
        read: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
    ) -> Result<Vec<Source>, Error> {
        let mut sources = Vec::new();
        for path in &self.files {
            let text = read(path).map_err(Error::Values)?;
            let source = Source::file(path, &text, compat);
            sources.push(source.map_err(|e| Error::Values(format!("failed to parse {path}: {e}")))?);
        }
        let one = |flag: &str| match flag {
            "set-json" => |text: String| Self { json: vec![text], ..Self::default() },
            "set" => |text: String| Self { set: vec![text], ..Self::default() },
            "set-string" => |text: String| Self { set_string: vec![text], ..Self::default() },
            "set-file" => |text: String| Self { set_file: vec![text], ..Self::default() },
            _ => |text: String| Self { set_literal: vec![text], ..Self::default() },
        };
        for (flag, arguments) in [
            ("set-json", &self.json),
            ("set", &self.set),
            ("set-string", &self.set_string),
            ("set-file", &self.set_file),
            ("set-literal", &self.set_literal),
        ] {
            for argument in arguments {
                let values = one(flag)(argument.clone()).flags_into(Map::new(), compat, read)?;
                sources.push(Source::flag(format!("--{flag} {argument}"), values));
            }
        }
        Ok(sources)
    }

    fn flags_into(
        &self,
        mut values: Map,
        compat: Compat,
        read: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
    ) -> Result<Map, Error> {
        for argument in &self.json {
            values = json(&values, argument, compat)?;
        }
        let wrong = |flag: &str, e: String| Error::Values(format!("failed parsing --{flag} data: {e}"));
        for argument in &self.set {
            parse_into(argument, &values, Meaning::Typed, compat).map_err(|e| wrong("set", e))?;
        }
        for argument in &self.set_string {
            parse_into(argument, &values, Meaning::Text, compat).map_err(|e| wrong("set-string", e))?;
        }
        for argument in &self.set_file {
            let mut content = |path: &str| read(path).map(Value::str);
            parse_into(argument, &values, Meaning::File(&mut content), compat)
                .map_err(|e| wrong("set-file", e))?;
        }
        for argument in &self.set_literal {
            parse_literal_into(argument, &values, compat).map_err(|e| wrong("set-literal", e))?;
        }
        Ok(values)
    }
}

fn json(values: &Map, argument: &str, compat: Compat) -> Result<Map, Error> {
    if !compat.is_3() && argument.trim().starts_with('{') {
        let map = yaml::json::read_map(argument.trim().as_bytes())
            .map_err(|_| Error::Values(format!("failed parsing --set-json data JSON: {argument}")))?;
        return Ok(merge_maps(values, &map));
    }
    parse_into(argument, values, Meaning::Json, compat)
        .map_err(|_| Error::Values(format!("failed parsing --set-json data {argument}")))?;
    Ok(values.clone())
}
