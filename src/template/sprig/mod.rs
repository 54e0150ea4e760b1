//! Sprig's functions, and those that Helm adds.

mod cast;
mod chance;
mod data;
mod dates;
mod dicts;
mod durations;
mod encode;
mod helm;
mod lists;
mod numbers;
mod paths;
mod regexes;
mod secrets;
mod semver;
mod strings;
mod time;
mod toml;
mod types;
mod urls;
mod words;

pub use helm::{WARNING_END, WARNING_START, without_no_value};
pub use semver::{Constraints, Version};

use super::error::Fault;
use super::function::Functions;
use crate::yaml::{Text, Value};

impl Functions {
    /// Go's functions and all of Sprig's.
    pub fn sprig() -> Self {
        let mut table = Self::builtin();
        for functions in [
            strings::FUNCTIONS,
            numbers::FUNCTIONS,
            lists::FUNCTIONS,
            dicts::FUNCTIONS,
            types::FUNCTIONS,
            data::FUNCTIONS,
            encode::FUNCTIONS,
            paths::FUNCTIONS,
            regexes::FUNCTIONS,
            semver::FUNCTIONS,
            dates::FUNCTIONS,
            urls::FUNCTIONS,
            chance::FUNCTIONS,
            secrets::FUNCTIONS,
        ] {
            table.add(functions);
        }
        table
    }

    /// What Helm 4's engine gives to charts: Sprig's without `env` and `expandenv`, and its own.
    pub fn helm() -> Self {
        let mut table = Self::helm3();
        table.add(helm::FUNCTIONS_4);
        table.add(durations::FUNCTIONS);
        table
    }

    /// What Helm 3's engine gives to charts.
    pub fn helm3() -> Self {
        let mut table = Self::sprig();
        table.remove(&["env", "expandenv"]);
        table.add(helm::FUNCTIONS);
        table
    }
}

/// The text of an argument that the signature has checked.
fn text(args: &[Value], index: usize) -> Text {
    args.get(index).and_then(Value::as_text).cloned().unwrap_or_default()
}

/// The integer of an argument that the signature has checked.
fn int(args: &[Value], index: usize) -> i64 {
    match args.get(index) {
        Some(Value::Int(n, _)) => *n,
        _ => 0,
    }
}

/// Go's `%v` with strings, bytes, errors and Stringers as they are: what Sprig calls strval.
fn strval(value: &Value) -> Text {
    match value {
        Value::Str(text) => text.clone(),
        Value::List(list) => list.bytes().map_or_else(|| super::format::print(value), Text::from),
        other => super::format::print(other),
    }
}

/// Joins texts.
fn join(parts: &[Text], separator: &[u8]) -> Text {
    let mut out = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            out.extend_from_slice(separator);
        }
        out.extend_from_slice(part.as_bytes());
    }
    out.into()
}

/// The largest text or list a function may make: an allocation that no chart wants, but an attack does.
const MAX_MADE: usize = 256 << 20;

/// Refuses what would be larger than memory should hold.
fn affordable(size: Option<usize>) -> Result<usize, Fault> {
    size.filter(|n| *n <= MAX_MADE).ok_or_else(|| Fault::from("result is too large"))
}
