//! `helm verify`: whether a chart's archive is what somebody signed (`Helm: pkg/downloader`, `pkg/provenance`).

use std::path::{Path, PathBuf};

use super::{Settings, failed};
use crate::base::Failure;
use crate::chart::provenance::{self, Keyring, Verification};
use crate::host::{env, fs};
use crate::report::Context;

/// What is to happen with a chart's provenance file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// Nothing.
    #[default]
    Never,
    /// It is checked with this keyring if there is one; if not, a warning says so.
    IfPossible(PathBuf),
    /// It is checked with this keyring, and must be there.
    Always(PathBuf),
    /// It is fetched for somebody who checks it later.
    Later,
}

/// The keyring that is used if none is named: GnuPG's. Version 4 also knows GnuPG's newer file.
pub fn default_keyring(settings: &Settings) -> PathBuf {
    let home = env::path("GNUPGHOME").unwrap_or_else(|| env::home().unwrap_or_default().join(".gnupg"));
    let (old, new) = (home.join("pubring.gpg"), home.join("pubring.kbx"));
    if !settings.compat.is_3() && !fs::exists(&old) && fs::exists(&new) { new } else { old }
}

/// Reads a keyring.
///
/// # Errors
/// If there is none, or it is something else.
pub fn keyring(path: &Path) -> Result<Keyring, Failure> {
    let doing = || format!("read the keyring {}", path.display());
    let bytes = fs::read(path).map_err(|_| {
        failed(doing(), format!("failed to load keyring: open {}: no such file or directory", path.display()))
            .hint("--keyring names the file; `gpg --export > FILE` writes one")
    })?;
    Keyring::read(&bytes).map_err(|e| failed(doing(), format!("failed to load keyring: {e}")))
}

/// Checks the archive at a path by the provenance file beside it.
///
/// # Errors
/// If one of the files is not there, or it is not what somebody of the keyring signed.
pub fn file(cx: &Context, path: &Path, ring: &Path) -> Result<Verification, Failure> {
    let shown = path.display();
    let wrong = |words: String| failed(format!("verify the chart {shown}"), words);
    let metadata = fs::metadata(path);
    match metadata {
        Err(_) => return Err(wrong(format!("stat {shown}: no such file or directory"))),
        Ok(metadata) if metadata.is_dir() => {
            return Err(wrong("unpacked charts cannot be verified".to_owned()));
        }
        Ok(_) => {}
    }
    if !path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tgz")) {
        return Err(wrong("chart must be a tgz file".to_owned()));
    }
    let signature = PathBuf::from(format!("{shown}.prov"));
    if !fs::exists(&signature) {
        let name = signature.display();
        let words = format!("could not load provenance file {name}: stat {name}: no such file or directory");
        return Err(wrong(words));
    }
    let keyring = keyring(ring)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (archive, signature) = (fs::read(path)?, fs::read(&signature)?);
    check(cx, &keyring, (&name, &archive), &signature)
}

/// Checks an archive in memory.
///
/// # Errors
/// If nobody of the keyring signed it, or something else was signed.
pub fn check(
    cx: &Context,
    keyring: &Keyring,
    (name, archive): (&str, &[u8]),
    signature: &[u8],
) -> Result<Verification, Failure> {
    let now = cx.clock.now().as_secs();
    provenance::verify(keyring, (name, archive), signature, now)
        .map_err(|e| failed(format!("verify the chart {name}"), e.to_string()))
}

/// What Helm says of an archive that is what was signed.
pub fn said(verification: &Verification) -> String {
    let mut out = String::new();
    verification.signed_by.iter().for_each(|name| out.push_str(&format!("Signed by: {name}\n")));
    out.push_str(&format!("Using Key With Fingerprint: {}\n", verification.fingerprint));
    out.push_str(&format!("Chart Hash Verified: {}\n", verification.hash));
    out
}
