//! `lap helm create`: the folder of a new chart (`Helm: pkg/chart/v2/util/create.go`).

use std::path::{Path, PathBuf};

use super::{Settings, Source, failed, load};
use crate::base::Failure;
use crate::chart::{API_V2, Metadata, scaffold};
use crate::host::{env, fs};
use crate::yaml;

/// What Helm writes in place of a chart's name in starters.
const PLACEHOLDER: &str = "<CHARTNAME>";

/// Writes a chart named after the last part of `path` there. Existing files are overwritten, and named.
///
/// # Errors
/// If the name cannot be a chart's, or the files cannot be written.
pub fn run(settings: &Settings, path: &str, starter: Option<&str>) -> Result<Vec<String>, Failure> {
    let path = Path::new(path);
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let doing = format!("create the chart {name}");
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || !name.chars().all(fits) {
        let words = format!("chart name must match the regular expression {:?}", "^[a-zA-Z0-9._-]+$");
        return Err(failed(doing, words));
    }
    if name.len() > 250 {
        return Err(failed(doing, "chart name must be less than or equal to 250 characters"));
    }
    let files = match starter {
        Some(starter) => from_starter(settings, &name, starter)?,
        None => scaffold(&name),
    };
    if fs::exists(path) && !fs::metadata(path)?.is_dir() {
        return Err(failed(doing, format!("file {} already exists and is not a directory", path.display())));
    }
    let mut overwritten = Vec::new();
    fs::create_dir_all(path.join("charts"))?;
    for (file, text) in files {
        let target = path.join(&file);
        if fs::exists(&target) {
            overwritten.push(format!(
                "WARNING: File {:?} already exists. Overwriting.",
                target.display().to_string()
            ));
        }
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&target, text)?;
    }
    Ok(overwritten)
}

fn from_starter(settings: &Settings, name: &str, starter: &str) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut place = PathBuf::from(starter);
    if !place.is_absolute() {
        let data = env::path("HELM_DATA_HOME").or_else(|| env::data_home().map(|home| home.join("helm")));
        place = data.unwrap_or_default().join("starters").join(starter);
    }
    let source = Source { reference: starter.to_owned(), path: place };
    let chart = load(&source, settings.compat)?.chart;
    let metadata = Metadata {
        name: name.to_owned(),
        description: "A Helm chart for Kubernetes".to_owned(),
        kind: "application".to_owned(),
        version: "0.1.0".to_owned(),
        app_version: "0.1.0".to_owned(),
        api_version: API_V2.to_owned(),
        ..Metadata::default()
    };
    let about = yaml::write(&metadata.to_value()).map_err(|e| failed("write Chart.yaml", e.to_string()))?;
    let mut files = vec![("Chart.yaml".to_owned(), about)];
    for file in chart.raw.iter().filter(|file| file.name != "Chart.yaml") {
        let named = file.name == "values.yaml" || file.name.starts_with("templates/");
        let data = match (named, file.data.as_str()) {
            (true, Some(text)) => text.replace(PLACEHOLDER, name).into_bytes(),
            _ => file.data.as_bytes().to_vec(),
        };
        files.push((file.name.clone(), data));
    }
    Ok(files)
}
