//! Sprig's paths (Go's `path`; on Linux `filepath` is the same) .

use super::super::function::{Function, fixed};
use super::text;
use crate::yaml::{Param, Value};

const STR: Param = Param::Str;

/// The table.
pub(super) const FUNCTIONS: &[Function] = &[
    fixed("base", &[STR], |_, a| Ok(base(&text(a, 0).lossy()).into())),
    fixed("osBase", &[STR], |_, a| Ok(base(&text(a, 0).lossy()).into())),
    fixed("dir", &[STR], |_, a| Ok(dir(&text(a, 0).lossy()).into())),
    fixed("osDir", &[STR], |_, a| Ok(dir(&text(a, 0).lossy()).into())),
    fixed("clean", &[STR], |_, a| Ok(clean(&text(a, 0).lossy()).into())),
    fixed("osClean", &[STR], |_, a| Ok(clean(&text(a, 0).lossy()).into())),
    fixed("ext", &[STR], |_, a| Ok(ext(&text(a, 0).lossy()).into())),
    fixed("osExt", &[STR], |_, a| Ok(ext(&text(a, 0).lossy()).into())),
    fixed("isAbs", &[STR], |_, a| Ok(Value::Bool(text(a, 0).as_bytes().starts_with(b"/")))),
    fixed("osIsAbs", &[STR], |_, a| Ok(Value::Bool(text(a, 0).as_bytes().starts_with(b"/")))),
];

fn base(path: &str) -> String {
    if path.is_empty() {
        return ".".to_owned();
    }
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/".to_owned() } else { trimmed.rsplit('/').next().unwrap_or(trimmed).to_owned() }
}

fn dir(path: &str) -> String {
    clean(path.rfind('/').map_or("", |at| &path[..=at]))
}

fn ext(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rfind('.').map_or("", |at| &name[at..]).to_owned()
}

/// Go's `path.Clean`.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            other => parts.push(other),
        }
    }
    match (rooted, parts.join("/")) {
        (true, joined) => format!("/{joined}"),
        (false, joined) if joined.is_empty() => ".".to_owned(),
        (false, joined) => joined,
    }
}
