//! Provenance: a chart's archive signed with OpenPGP (`Helm: pkg/provenance`).
//!
//! A provenance file is clear-signed text: `Chart.yaml` as Helm writes it, a line of three dots, and the archive's
//! digest. [`sign`] makes one, [`verify`] checks one. The types of the OpenPGP library stop in this folder.

mod clear;
mod keybox;
mod keyring;

use sha2::{Digest as _, Sha256};

pub use keyring::{Keyring, Signer};

use super::{Error, Metadata};
use crate::yaml::{self, Options, Value};

/// What stands between the metadata and the digests.
const BORDER: &str = "\n...\n";

/// Who signed an archive, and what was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The names that the key carries, in the order of the keyring.
    pub signed_by: Vec<String>,
    /// The key's fingerprint in capital hexadecimal digits.
    pub fingerprint: String,
    /// The archive's digest: `sha256:…`.
    pub hash: String,
}

fn wrong(text: impl Into<String>) -> Error {
    Error::Provenance(text.into())
}

fn digest(archive: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(archive)))
}

/// The provenance file of an archive called `name`. `now` is in seconds since 1970.
///
/// # Errors
/// [`Error::Provenance`] if the passphrase is wrong or the key cannot sign.
pub fn sign(
    signer: &Signer<'_>,
    metadata: &Metadata,
    (name, archive): (&str, &[u8]),
    passphrase: &[u8],
    now: u64,
) -> Result<String, Error> {
    let broken = |e: yaml::Error| wrong(e.to_string());
    let mut text = yaml::write(&metadata.to_value()).map_err(broken)?;
    text.extend_from_slice(BORDER.as_bytes());
    let files = Value::map([(name, Value::from(digest(archive)))]);
    text.extend_from_slice(&yaml::write(&Value::map([("files", files)])).map_err(broken)?);
    // Helm signs an empty last line, too.
    text.push(b'\n');
    let text = String::from_utf8(text).map_err(|_| wrong("the metadata is not UTF-8"))?;
    let signature = signer.sign(clear::signed(&text).as_bytes(), passphrase, now)?;
    Ok(clear::write(&text, &signature))
}

/// Checks the provenance file of an archive called `name` at a time in seconds since 1970.
///
/// # Errors
/// [`Error::Provenance`] if nobody of the keyring signed it, or something else than this archive was signed.
pub fn verify(
    keyring: &Keyring,
    (name, archive): (&str, &[u8]),
    provenance: &[u8],
    now: u64,
) -> Result<Verification, Error> {
    let message = clear::read(provenance).ok_or_else(|| wrong("signature block not found"))?;
    let (signed_by, fingerprint) =
        keyring.check(clear::signed(&message.text).as_bytes(), &message.signature, now)?;
    let hash = digest(archive);
    match sum(&message.text, name)? {
        None => Err(wrong(format!("provenance does not contain a SHA for a file named {name:?}"))),
        Some(sum) if sum != hash => {
            Err(wrong(format!("sha256 sum does not match for {name}: {sum:?} != {hash:?}")))
        }
        Some(_) => Ok(Verification { signed_by, fingerprint, hash }),
    }
}

/// The digest that signed text has for a file.
fn sum(text: &str, name: &str) -> Result<Option<String>, Error> {
    let sums = text.split(BORDER).nth(1);
    let sums = sums.ok_or_else(|| wrong("message block must have at least two parts"))?;
    let sums = yaml::read(sums.as_bytes(), Options::default()).map_err(|e| wrong(e.to_string()))?;
    let found = sums.get("files").and_then(|files| files.get(name));
    Ok(found.and_then(|sum| sum.as_str().map(str::to_owned)))
}

#[cfg(test)]
mod tests;
