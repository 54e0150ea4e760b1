//! Finding and loading the chart that a command names.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::failed;
use super::folder::{Folder, words};
use crate::base::Failure;
use crate::chart::{API_V1, API_V2, Chart, Compat, Given, Loaded, Loader, api_version};
use crate::host::{env, fs};
use crate::yaml::Map;

/// Where a chart is.
#[derive(Clone, Debug)]
pub struct Source {
    /// What the user wrote.
    pub reference: String,
    /// The folder or archive.
    pub path: PathBuf,
}

impl Source {
    /// Finds a chart on this machine.
    ///
    /// # Errors
    /// If there is none.
    pub fn locate(reference: &str) -> Result<Self, Failure> {
        let reference = reference.trim();
        let path = PathBuf::from(reference);
        if fs::exists(&path) {
            return Ok(Self { reference: reference.to_owned(), path });
        }
        let doing = format!("find the chart {reference}");
        if path.is_absolute() || reference.starts_with('.') {
            return Err(failed(doing, format!("path {reference:?} not found")));
        }
        Err(failed(doing, format!("{reference}: no such chart on this machine")))
    }
}

/// Loads a chart from a folder or an archive.
///
/// # Errors
/// If it cannot be read or is no chart.
pub fn load(source: &Source, compat: Compat) -> Result<Loaded, Failure> {
    let loader = Loader { compat };
    let doing = || format!("load the chart {}", source.reference);
    let loaded = if fs::metadata(&source.path)?.is_dir() {
        loader.folder(&Folder(absolute(&source.path)?))
    } else {
        let bytes = fs::read(&source.path).map_err(|e| failed(doing(), words(&e)))?;
        loader.archive(&absolute(&source.path)?.to_string_lossy(), &bytes)
    };
    loaded.map_err(|e| failed(doing(), e.to_string()))
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    Ok(if path.is_absolute() { path.to_owned() } else { super::clean(&env::current_dir()?.join(path)) })
}

/// Looks at a folder's `Chart.yaml` as Helm 4 does before it decides how to load the chart.
///
/// # Errors
/// If there is none, or it is for charts of another generation.
pub fn detect(source: &Source, compat: Compat) -> Result<(), Failure> {
    if compat.is_3() || !fs::metadata(&source.path)?.is_dir() {
        return Ok(());
    }
    let doing = format!("load the chart {}", source.reference);
    let path = absolute(&source.path)?.join("Chart.yaml");
    let text = fs::read(&path).map_err(|e| {
        failed(doing.as_str(), format!("unable to detect chart at {}: {}", path.display(), words(&e)))
    })?;
    let version =
        api_version(&text).map_err(|e| failed(doing.as_str(), format!("cannot load Chart.yaml: {e}")))?;
    match version.as_str() {
        "" | API_V1 | API_V2 => Ok(()),
        "v3" => Err(failed(doing, "invalid chart apiVersion")),
        _ => Err(failed(doing, "unsupported chart version")),
    }
}

/// The values that the user gives.
///
/// # Errors
/// If a file cannot be read, or a flag cannot be understood.
pub fn values(given: &Given, compat: Compat) -> Result<Map, Failure> {
    given.merge(compat, &mut read).map_err(|e| failed("read the values", e.to_string()))
}

/// What a path of the command line names; `-` is standard input.
pub(super) fn read(path: &str) -> Result<Vec<u8>, String> {
    if path.trim() == "-" {
        let mut text = Vec::new();
        std::io::stdin().read_to_end(&mut text).map_err(|e| e.to_string())?;
        return Ok(text);
    }
    fs::read(Path::new(path)).map_err(|e| words(&e))
}

/// Refuses a chart whose declared dependencies are not all in `charts/`.
///
/// # Errors
/// With the names of those that are missing.
pub fn check_dependencies(chart: &Chart) -> Result<(), String> {
    let missing: Vec<&str> = chart
        .metadata
        .declared()
        .map(|d| d.name.as_str())
        .filter(|name| !chart.dependencies.iter().any(|chart| chart.metadata.name == *name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("found in Chart.yaml, but missing in charts/ directory: {}", missing.join(", ")))
}
