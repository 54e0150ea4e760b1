//! `RUN --mount`: one CSV record of `key=value`. Source of the rules: BuildKit `instructions/commands_runmount.go`,
//! measured.

use crate::dockerfile::command::{ExpandField, Mount, MountFlag, MountType, Sharing};
use crate::dockerfile::read::csv;
use crate::dockerfile::read::directives::go_bool;
use crate::dockerfile::{Error, Problem, Word, nearest};

/// Every key, aliases included.
const KEYS: [&str; 19] = [
    "type",
    "from",
    "source",
    "target",
    "readonly",
    "id",
    "sharing",
    "required",
    "size",
    "mode",
    "uid",
    "gid",
    "src",
    "dst",
    "destination",
    "ro",
    "rw",
    "readwrite",
    "env",
];

/// What can be known before expansion.
pub(super) fn flag(word: &Word) -> Result<MountFlag, Problem> {
    let mut from = None;
    for field in fields(word)? {
        if let Some((key, value)) = field.split_once('=')
            && key.to_lowercase() == "from"
        {
            // A `$` at the very end is no variable.
            if value.find('$').is_some_and(|at| at + 1 < value.len()) {
                return Err(Problem::MountFromVariable);
            }
            from = Some(value.to_owned()).filter(|value| !value.is_empty());
        }
    }
    Ok(MountFlag { word: word.clone(), from })
}

/// The whole mount.
pub(in crate::dockerfile) fn resolve(word: &Word, expand: &mut ExpandField<'_>) -> Result<Mount, Error> {
    let wrong = |problem| Error::parse(word.span.clone(), problem);
    let mut reader = Reader::default();
    for field in fields(word).map_err(wrong)? {
        match field.split_once('=') {
            None => reader.bare(&field).map_err(wrong)?,
            Some((key, value)) => {
                let value = expand(value).map_err(|error| error.at(&word.span))?;
                reader.field(&key.to_lowercase(), value, &field).map_err(wrong)?;
            }
        }
    }
    reader.finish().map_err(wrong)
}

fn fields(word: &Word) -> Result<Vec<String>, Problem> {
    csv::fields(&word.text).map_err(|why| wrong(format!("failed to parse csv mounts: {why}")))
}

fn wrong(message: impl Into<String>) -> Problem {
    Problem::Mount { message: message.into(), near: None }
}

/// The fields read so far; a field is judged by the type known when it is read, as in BuildKit.
#[derive(Default)]
struct Reader {
    kind: MountType,
    from: Option<String>,
    source: Option<String>,
    target: Option<String>,
    read_only: Option<bool>,
    size: u64,
    id: Option<String>,
    sharing: Option<Sharing>,
    required: bool,
    env: Option<String>,
    mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
}

impl Reader {
    fn bare(&mut self, field: &str) -> Result<(), Problem> {
        match field.to_lowercase().as_str() {
            "readonly" | "ro" => self.read_only = Some(true),
            "readwrite" | "rw" => self.read_only = Some(false),
            key @ "required" => {
                self.only_for(key, &[MountType::Secret, MountType::Ssh])?;
                self.required = true;
            }
            _ => return Err(wrong(format!("invalid field '{field}' must be a key=value pair"))),
        }
        Ok(())
    }

    fn field(&mut self, key: &str, value: String, field: &str) -> Result<(), Problem> {
        let some = |value: String| Some(value).filter(|value| !value.is_empty());
        match key {
            "type" => self.kind = named(&MountType::ALL, &value, "unsupported mount type")?,
            "sharing" => self.sharing = Some(named(&Sharing::ALL, &value, "unsupported sharing value")?),
            "from" => self.from = some(value),
            "source" | "src" => self.source = some(value),
            "target" | "dst" | "destination" => self.target = some(value),
            "id" => self.id = some(value),
            "env" => self.env = Some(value),
            "readonly" | "ro" => self.read_only = Some(truth(key, &value)?),
            "readwrite" | "rw" => self.read_only = Some(!truth(key, &value)?),
            "required" => {
                self.only_for(key, &[MountType::Secret, MountType::Ssh])?;
                self.required = truth(key, &value)?;
            }
            "size" => {
                self.only_for(key, &[MountType::Tmpfs])?;
                self.size = size(&value).ok_or_else(|| wrong(format!("invalid value for {key}: {value}")))?;
            }
            "mode" => self.mode = Some(number(key, &value, 8)?),
            "uid" => self.uid = Some(number(key, &value, 10)?),
            "gid" => self.gid = Some(number(key, &value, 10)?),
            _ => {
                let message = format!("unexpected key '{key}' in '{field}'");
                return Err(Problem::Mount { message, near: nearest(key, &KEYS, true) });
            }
        }
        Ok(())
    }

    fn only_for(&self, key: &str, kinds: &[MountType]) -> Result<(), Problem> {
        match kinds.contains(&self.kind) {
            true => Ok(()),
            false => Err(wrong(format!("unexpected key '{key}' for mount type '{}'", self.kind.name()))),
        }
    }

    fn finish(self) -> Result<Mount, Problem> {
        let name = self.kind.name();
        if matches!(self.kind, MountType::Bind | MountType::Tmpfs) {
            for (key, value) in [("mode", self.mode), ("uid", self.uid), ("gid", self.gid)] {
                if value.is_some() {
                    return Err(wrong(format!("{key} not allowed for {name:?} type mounts")));
                }
            }
        }
        if self.kind == MountType::Secret {
            if self.from.is_some() {
                return Err(wrong("secret mount should not have a from"));
            }
            if self.sharing.is_some() {
                return Err(wrong("secret mount should not define sharing"));
            }
            if self.source.is_none() && self.target.is_none() && self.id.is_none() {
                return Err(wrong("invalid secret mount. one of source, target required"));
            }
            if self.source.is_some() && self.id.is_some() {
                return Err(wrong("both source and id can't be set"));
            }
        }
        if self.sharing.is_some() && self.kind != MountType::Cache {
            return Err(wrong(format!("invalid cache sharing set for {name} mount")));
        }
        let read_only = self.read_only.unwrap_or(!matches!(self.kind, MountType::Cache | MountType::Tmpfs));
        Ok(Mount {
            kind: self.kind,
            from: self.from,
            source: self.source,
            target: self.target,
            read_only,
            size: self.size,
            id: self.id,
            sharing: self.sharing,
            required: self.required,
            env: self.env,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
        })
    }
}

fn named<T: Clone>(all: &[(&'static str, T)], value: &str, what: &str) -> Result<T, Problem> {
    let wanted = value.to_lowercase();
    if let Some((_, found)) = all.iter().find(|(name, _)| *name == wanted) {
        return Ok(found.clone());
    }
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    Err(Problem::Mount { message: format!("{what} {value:?}"), near: nearest(value, &names, true) })
}

fn truth(key: &str, value: &str) -> Result<bool, Problem> {
    go_bool(value).ok_or_else(|| wrong(format!("invalid value for {key}: {value}")))
}

fn number(key: &str, value: &str, radix: u32) -> Result<u32, Problem> {
    let digits = !value.is_empty() && value.chars().all(|c| c.is_digit(radix));
    let parsed = u32::from_str_radix(value, radix).ok().filter(|_| digits);
    parsed.ok_or_else(|| wrong(format!("invalid value {value} for {key}")))
}

/// Bytes of a size like `64m`, `1.5 GiB`, `100`; units are powers of 1024.
fn size(text: &str) -> Option<u64> {
    let last = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ')?;
    let (number, unit) = text.split_at(last + 1);
    let number: f64 = number.strip_suffix(' ').unwrap_or(number).parse().ok()?;
    let power = match unit.to_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        "p" | "pb" | "pib" => 5,
        _ => return None,
    };
    // Casting cuts towards zero and stops at the largest number, which no machine has.
    (number >= 0.0).then_some((number * 1024f64.powi(power)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let cases = [("100", 100), ("1k", 1024), ("1.5 GiB", 1_610_612_736), ("2MB", 2_097_152), ("7b", 7)];
        for (text, expected) in cases {
            assert_eq!(size(text), Some(expected), "{text}");
        }
        for text in ["", "m", "-1", "1x", "1bb", "1mbi", "x1"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
