//! How JSON is read and written here.
//!
//! Read as Go reads it: `null` is the empty value and the last of two equal keys wins. Written compact with sorted keys.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::oci::Error;

/// Reads `bytes`, at most `limit` of them, as `what`.
pub fn parse(what: &str, bytes: &[u8], limit: u64) -> Result<Value, Error> {
    if bytes.len() as u64 > limit {
        return Err(Error::TooLarge { what: what.to_owned(), limit });
    }
    serde_json::from_slice(bytes).map_err(|e| Error::json(what, e))
}

/// The value as a type.
pub fn typed<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|e| Error::json(what, e))
}

/// Compact JSON with sorted keys.
pub fn canonical<T: Serialize>(value: &T) -> Vec<u8> {
    // `Value` keeps objects sorted; the types of this folder have text keys only, so neither step can fail.
    let value = serde_json::to_value(value).expect("types of the image model have text keys");
    serde_json::to_vec(&value).expect("a JSON value can be written")
}

/// Takes `null` for the empty value.
pub fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Whether Go's `omitempty` leaves the value out.
pub fn is_false(value: &bool) -> bool {
    !*value
}

/// Whether Go's `omitempty` leaves the value out.
pub fn is_zero(value: &i64) -> bool {
    *value == 0
}
