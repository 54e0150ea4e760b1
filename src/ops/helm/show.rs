//! `lap helm show`: parts of a chart as they are (`Helm: pkg/action/show.go`).

use super::{Settings, Source, failed, load};
use crate::base::Failure;
use crate::chart::{Chart, Compat};
use crate::template::jsonpath::JsonPath;
use crate::yaml;

/// Which part of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything.
    All,
    /// `Chart.yaml`, as it is understood.
    Chart,
    /// `values.yaml`, byte for byte.
    Values,
    /// The README.
    Readme,
    /// The custom resource definitions.
    Crds,
}

/// Shows a part of the chart that `reference` names.
///
/// # Errors
/// If there is no such chart.
pub fn run(settings: &Settings, reference: &str, part: Part) -> Result<(Vec<u8>, Vec<String>), Failure> {
    let source = Source::locate(reference)?;
    let loaded = load(&source, settings.compat)?;
    let out = show(&loaded.chart, part, settings.compat)
        .map_err(|e| failed(format!("show the chart {reference}"), e))?;
    Ok((out, loaded.warnings))
}

/// What a JSONPath template makes of a chart's values. A path that finds nothing gives nothing and a warning.
///
/// # Errors
/// If there is no such chart, or the template is none.
pub fn path(settings: &Settings, reference: &str, path: &str) -> Result<(Vec<u8>, Vec<String>), Failure> {
    let doing = || format!("show values of the chart {reference}");
    let source = Source::locate(reference)?;
    let loaded = load(&source, settings.compat)?;
    let template =
        JsonPath::parse(path).map_err(|e| failed(doing(), format!("error parsing jsonpath {path}, {e}")))?;
    let mut warnings = loaded.warnings;
    let out = template.execute(&yaml::Value::Map(loaded.chart.values)).unwrap_or_else(|error| {
        warnings.push(format!("{path}: {error}"));
        Vec::new()
    });
    Ok((out, warnings))
}

fn show(chart: &Chart, part: Part, compat: Compat) -> Result<Vec<u8>, String> {
    let wants = |wanted: Part| part == wanted || part == Part::All;
    let mut out = Vec::new();
    if wants(Part::Chart) {
        out.extend(yaml::write(&chart.metadata.to_value()).map_err(|e| e.to_string())?);
        out.push(b'\n');
    }
    let values = chart.raw.iter().filter(|file| file.name == "values.yaml");
    if wants(Part::Values) && values.clone().next().is_some() {
        if part == Part::All {
            out.extend_from_slice(b"---\n");
        }
        for file in values {
            out.extend_from_slice(file.data.as_bytes());
            out.push(b'\n');
        }
    }
    let is_readme =
        |name: &str| matches!(name.to_lowercase().as_str(), "readme.md" | "readme.txt" | "readme");
    let readme = chart.files.iter().find(|file| is_readme(&file.name));
    if let (true, Some(readme)) = (wants(Part::Readme), readme) {
        if part == Part::All {
            out.extend_from_slice(b"---\n");
        }
        out.extend_from_slice(readme.data.as_bytes());
        out.push(b'\n');
    }
    if wants(Part::Crds) {
        for (i, crd) in chart.crds().into_iter().enumerate() {
            let data = crd.file.data.as_bytes();
            let separated = !compat.is_3() || part == Part::All && i == 0;
            if separated && !data.starts_with(b"---") {
                out.extend_from_slice(b"---\n");
            }
            out.extend_from_slice(data);
            out.push(b'\n');
        }
    }
    Ok(out)
}
