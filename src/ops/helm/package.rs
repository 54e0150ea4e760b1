//! `lap helm package`: charts as archives (`Helm: pkg/action/package.go`).

use std::path::{Path, PathBuf};

use super::chart::{check_dependencies, detect};
use super::{Settings, Source, failed, load};
use crate::base::Failure;
use crate::chart::package;
use crate::host::{env, fs};
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
}

/// Packs charts one after the other; `done` is told each path.
///
/// # Errors
/// If a chart is wrong or its archive cannot be written.
pub fn run(
    settings: &Settings,
    request: &Request,
    done: &mut dyn FnMut(&Path) -> Result<(), Failure>,
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
        done(&path)?;
    }
    Ok(warnings)
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
