//! `lap helm package`: charts as archives (`Helm: pkg/action/package.go`).

use std::path::{Path, PathBuf};

use super::chart::{check_dependencies, detect};
use super::{Settings, Source, failed, load, verify};
use crate::base::Failure;
use crate::chart::{Loader, package, provenance};
use crate::host::{env, fs};
use crate::report::Context;
use crate::template::Version;

/// What to pack.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Folders of charts.
    pub charts: Vec<String>,
    /// Another version than the chart's.
    pub version: Option<String>,
    /// Another application version than the chart's.
    pub app_version: Option<String>,
    /// Where the archives go.
    pub destination: PathBuf,
    /// Who signs them.
    pub signature: Option<Signature>,
}

/// Who signs an archive.
#[derive(Clone, Debug, Default)]
pub struct Signature {
    /// The name of the key, or a part of it.
    pub key: String,
    /// The file with the secret key.
    pub keyring: PathBuf,
}

/// Whom a passphrase is asked of (the argument is the key's name), and who is told the path of each archive.
pub type Talk<'t> =
    (&'t mut dyn FnMut(&str) -> Result<Vec<u8>, Failure>, &'t mut dyn FnMut(&Path) -> Result<(), Failure>);

/// Packs charts one after the other.
///
/// # Errors
/// If a chart is wrong, or its archive cannot be written or signed.
pub fn run(
    cx: &Context,
    settings: &Settings,
    request: &Request,
    (ask, done): Talk<'_>,
) -> Result<Vec<String>, Failure> {
    let time =
        match env::var("SOURCE_DATE_EPOCH") {
            Some(text) => Some(text.trim().parse::<u64>().map_err(|_| {
                failed("read SOURCE_DATE_EPOCH", format!("{text:?} is no number of seconds"))
            })?),
            None => None,
        };
    let mut warnings = Vec::new();
    for reference in &request.charts {
        let path = pack(settings, request, (reference, time), &mut warnings)?;
        if let Some(signature) = &request.signature {
            sign(cx, settings, (&path, signature), ask)?;
        }
        done(&path)?;
    }
    Ok(warnings)
}

/// Writes the provenance file of an archive beside it.
fn sign(
    cx: &Context,
    settings: &Settings,
    (path, signature): (&Path, &Signature),
    ask: &mut dyn FnMut(&str) -> Result<Vec<u8>, Failure>,
) -> Result<(), Failure> {
    let wrong = |e: crate::chart::Error| failed(format!("sign {}", path.display()), e.to_string());
    let keyring = verify::keyring(&signature.keyring)?;
    let signer = keyring.signer(&signature.key).map_err(wrong)?;
    let passphrase = signer.locked().map(|name| ask(&name)).transpose()?.unwrap_or_default();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let archive = fs::read(path)?;
    let loaded = (Loader { compat: settings.compat }).archive(&name, &archive)?;
    let metadata = &loaded.chart.metadata;
    let now = cx.clock.now().as_secs();
    let text = provenance::sign(&signer, metadata, (&name, &archive), &passphrase, now).map_err(wrong)?;
    fs::write_atomic(PathBuf::from(format!("{}.prov", path.display())), text)?;
    Ok(())
}

fn pack(
    settings: &Settings,
    request: &Request,
    (reference, time): (&str, Option<u64>),
    warnings: &mut Vec<String>,
) -> Result<PathBuf, Failure> {
    let doing = format!("pack the chart {reference}");
    let source = Source { reference: reference.to_owned(), path: PathBuf::from(reference) };
    if !fs::exists(&source.path) {
        return Err(failed(doing, format!("stat {reference}: no such file or directory")));
    }
    detect(&source, settings.compat)?;
    let loaded = load(&source, settings.compat)?;
    warnings.extend(loaded.warnings);
    let mut chart = loaded.chart;
    if let Some(version) = request.version.as_ref().filter(|v| !v.is_empty()) {
        chart.metadata.version.clone_from(version);
    }
    Version::parse(&chart.metadata.version).map_err(|e| failed(doing.as_str(), e))?;
    if let Some(version) = request.app_version.as_ref().filter(|v| !v.is_empty()) {
        chart.metadata.app_version.clone_from(version);
    }
    check_dependencies(&chart).map_err(|e| failed(doing.as_str(), e))?;
    let destination =
        if request.destination == Path::new(".") { env::current_dir()? } else { request.destination.clone() };
    let name = format!("{}-{}.tgz", chart.metadata.name, chart.metadata.version);
    let path = destination.join(name);
    let bytes = package(&chart, time).map_err(|e| failed(doing.as_str(), format!("failed to save: {e}")))?;
    fs::create_dir_all(&destination)?;
    fs::write_atomic(&path, bytes)?;
    Ok(path)
}
