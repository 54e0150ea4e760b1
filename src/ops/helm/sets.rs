//! `lap helm template --value-sets`: one chart rendered with many sets of values in one run.

use std::path::Path;

use super::template::{self, Report, Request};
use super::{Settings, failed};
use crate::base::Failure;
use crate::host::fs;
use crate::report::Context;

/// A set: its name and its files, which come behind those of `-f`.
struct Set {
    name: String,
    files: Vec<String>,
}

/// Renders the chart once for every set in `folder`: a file `NAME.yaml` is a set, and so is a folder with such files, which
/// are put over each other in the order of their names. Each result stands behind a line `# Values: NAME`, or in a folder
/// NAME below `--output-dir`. A set that fails does not stop the others.
///
/// # Errors
/// If there are no sets.
pub fn run(cx: &Context, settings: &Settings, request: &Request, folder: &Path) -> Result<Report, Failure> {
    let sets = sets(folder)?;
    if sets.is_empty() {
        let words = format!("{} has no files that end in .yaml", folder.display());
        return Err(failed("find sets of values", words));
    }
    let count = sets.len();
    let mut report = Report::default();
    let mut failures = Vec::new();
    for set in sets {
        let mut request = request.clone();
        request.values.files.extend(set.files);
        request.output_dir = request.output_dir.map(|folder| folder.join(&set.name));
        let done = template::run(cx, settings, &request);
        let done = done.unwrap_or_else(|failure| Report { failure: Some(failure), ..Report::default() });
        let named = |words: String| format!("{}: {words}", set.name);
        report.warnings.extend(done.warnings.into_iter().map(named));
        report.output.push(format!("# Values: {}\n", set.name));
        report.output.append(done.output);
        failures
            .extend(done.failure.map(|failure| failure.while_doing(format!("use the values {}", set.name))));
    }
    if !failures.is_empty() {
        let words = format!("{} of {count} failed", failures.len());
        let failure = failed("render the chart with every set of values", words);
        report.failure = Some(failures.into_iter().fold(failure, Failure::with_child));
    }
    Ok(report)
}

fn sets(folder: &Path) -> Result<Vec<Set>, Failure> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if fs::metadata(&path)?.is_dir() {
            let mut files: Vec<String> = Vec::new();
            for entry in fs::read_dir(&path)? {
                let file = entry.path().to_string_lossy().into_owned();
                files.extend(stem(&file).is_some().then_some(file));
            }
            files.sort();
            if !files.is_empty() {
                found.push(Set { name, files });
            }
        } else if let Some(stem) = stem(&name) {
            found.push(Set { name: stem.to_owned(), files: vec![path.to_string_lossy().into_owned()] });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn stem(name: &str) -> Option<&str> {
    name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).filter(|stem| !stem.is_empty())
}
