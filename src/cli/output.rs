//! What commands print on standard output: data, as a table for people or as JSON for programs.

use std::io::{self, Write as _};
use std::str::FromStr;

use serde::Serialize;

use crate::base::{Failure, Kind};

/// `-o`, `--output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "table" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            _ => Err(format!("`{text}` is neither table nor json")),
        }
    }
}

/// Writes text to standard output. A reader that went away is no error.
///
/// # Errors
/// If standard output cannot be written for another reason (a full disk behind it).
pub fn text(text: impl AsRef<str>) -> Result<(), Failure> {
    bytes(text.as_ref().as_bytes())
}

/// Writes bytes to standard output. A reader that went away is no error.
///
/// # Errors
/// See [`text`].
pub fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    pieces(std::iter::once(bytes))
}

/// Writes bytes to standard output, piece by piece. A reader that went away is no error.
///
/// # Errors
/// See [`text`].
pub fn pieces<'p>(mut pieces: impl Iterator<Item = &'p [u8]>) -> Result<(), Failure> {
    let mut out = io::BufWriter::with_capacity(64 << 10, io::stdout().lock());
    match pieces.try_for_each(|piece| out.write_all(piece)).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Kind::Environment, "write to standard output").caused_by(&e))
        }
        _ => Ok(()),
    }
}

/// Writes a line to standard output.
///
/// # Errors
/// See [`text`].
pub fn line(line: impl AsRef<str>) -> Result<(), Failure> {
    text(format!("{}\n", line.as_ref()))
}

/// Writes a value as JSON, with indentation and a final line end.
///
/// # Errors
/// See [`text`].
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value).map_err(|e| Failure::of(Kind::Bug, &e))?;
    line(json)
}
