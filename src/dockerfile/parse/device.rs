//! `RUN --device`.

use crate::dockerfile::command::Device;
use crate::dockerfile::read::csv;
use crate::dockerfile::read::directives::go_bool;
use crate::dockerfile::{Problem, Word, nearest};

/// Source of the rules: BuildKit `instructions/commands_rundevice.go`, measured.
pub(super) fn parse(word: &Word) -> Result<Device, Problem> {
    let wrong = |message: String| Problem::Mount { message, near: None };
    let fields =
        csv::fields(&word.text).map_err(|why| wrong(format!("failed to parse csv devices: {why}")))?;
    let mut device = Device { name: String::new(), required: false, word: word.clone() };
    for field in fields {
        let (key, value) =
            field.split_once('=').map_or((field.as_str(), None), |(key, value)| (key, Some(value)));
        let key = key.to_lowercase();
        match (key.as_str(), value) {
            ("required", None) => device.required = true,
            ("required", Some(value)) => {
                let message = || wrong(format!("invalid value for {key}: {value}"));
                device.required = go_bool(value).ok_or_else(message)?;
            }
            ("name", Some(value)) => {
                if !device.name.is_empty() {
                    return Err(wrong(format!("device name already set to {}", device.name)));
                }
                device.name = value.to_owned();
            }
            _ if device.name.is_empty() => device.name = field,
            (_, None) => return Err(wrong(format!("invalid field '{field}' must be a key=value pair"))),
            (_, Some(_)) => {
                return Err(Problem::Mount {
                    message: format!("unexpected key '{key}' in '{field}'"),
                    near: nearest(&key, &["name", "required"], true),
                });
            }
        }
    }
    Ok(device)
}
