//! What became of each declared dependency (`Helm: pkg/action/dependency.go`).

use std::path::{Path, PathBuf};

use crate::base::Failure;
use crate::chart::{Chart, Dependency, is_compatible};
use crate::host::fs;
use crate::ops::helm::{Settings, Source, load};
use crate::template::{Constraints, Version};

/// A declared dependency and whether it is there.
#[derive(Clone, Debug)]
pub struct Row {
    /// As it is declared.
    pub dependency: Dependency,
    /// Helm's word for its state.
    pub status: &'static str,
}

/// The declared dependencies, `None` if the chart says nothing about any; and warnings about what else is there.
///
/// # Errors
/// If there is no chart.
pub fn list(settings: &Settings, chart: &Path) -> Result<(Option<Vec<Row>>, Vec<String>), Failure> {
    let source = Source { reference: chart.display().to_string(), path: chart.to_owned() };
    let parent = load(&source, settings.compat)?.chart;
    if parent.metadata.dependencies.is_none() {
        return Ok((None, Vec::new()));
    }
    let declared: Vec<Dependency> = parent.metadata.declared().cloned().collect();
    let rows = declared.iter().map(|dependency| Row {
        dependency: dependency.clone(),
        status: status(settings, chart, dependency, &parent),
    });
    Ok((Some(rows.collect()), others(settings, chart, &declared)))
}

fn entries(chart: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(chart.join("charts")).unwrap_or_default().iter().map(|e| e.path()).collect();
    paths.retain(|p| p.file_name().is_some_and(|n| !n.to_string_lossy().starts_with('.')));
    paths.sort();
    paths
}

fn others(settings: &Settings, chart: &Path, declared: &[Dependency]) -> Vec<String> {
    let mut warnings = Vec::new();
    for path in entries(chart) {
        let is_folder = fs::metadata(&path).is_ok_and(|m| m.is_dir());
        if !is_folder && path.extension().is_none_or(|e| e != "tgz") {
            continue;
        }
        let shown = path.display().to_string();
        match open(settings, &path) {
            None => warnings.push(format!("WARNING: {shown:?} is not a chart.")),
            Some(found) if !declared.iter().any(|d| d.name == found.metadata.name) => {
                warnings.push(format!("WARNING: {shown:?} is not in Chart.yaml."));
            }
            Some(_) => {}
        }
    }
    warnings
}

fn open(settings: &Settings, path: &Path) -> Option<Chart> {
    let source = Source { reference: path.display().to_string(), path: path.to_owned() };
    load(&source, settings.compat).ok().map(|loaded| loaded.chart)
}

fn status(settings: &Settings, chart: &Path, dependency: &Dependency, parent: &Chart) -> &'static str {
    let prefix = format!("{}-", dependency.name);
    let name = |p: &PathBuf| p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let archives: Vec<PathBuf> = entries(chart)
        .into_iter()
        .filter(|p| name(p).starts_with(&prefix) && name(p).ends_with(".tgz"))
        .collect();
    let strict = |p: &PathBuf| {
        let name = name(p);
        let version = name.strip_prefix(&prefix).and_then(|v| v.strip_suffix(".tgz")).unwrap_or_default();
        version.split(['-', '+']).next().is_some_and(|core| core.split('.').count() == 3)
            && version.starts_with(|c: char| c.is_ascii_digit())
            && Version::parse(version).is_ok()
    };
    let chosen: Vec<&PathBuf> = match archives.as_slice() {
        [one] => vec![one],
        many => many.iter().filter(|p| strict(p)).collect(),
    };
    match chosen.as_slice() {
        [] => {}
        [one] => return archive_status(settings, one, dependency),
        _ => return "too many matches",
    }
    let found = parent.dependencies.iter().rfind(|c| c.metadata.name == dependency.name);
    let Some(found) = found else { return "missing" };
    version_status(&found.metadata.version, dependency).unwrap_or("unpacked")
}

fn archive_status(settings: &Settings, path: &Path, dependency: &Dependency) -> &'static str {
    match open(settings, path) {
        None => "corrupt",
        Some(chart) if chart.metadata.name != dependency.name => "misnamed",
        Some(chart) => version_status(&chart.metadata.version, dependency).unwrap_or("ok"),
    }
}

fn version_status(version: &str, dependency: &Dependency) -> Option<&'static str> {
    if version == dependency.version {
        return None;
    }
    if Constraints::parse(&dependency.version).is_err() || Version::parse(version).is_err() {
        return Some("invalid version");
    }
    (!is_compatible(&dependency.version, version)).then_some("wrong version")
}
