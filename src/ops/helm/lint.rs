//! `lap helm lint`: what is wrong with charts (`Helm: pkg/action/lint.go`).

use std::fmt::Write as _;
use std::path::Path;

use super::chart::values;
use super::folder::{Folder, words};
use super::{Settings, clean, failed};
use crate::base::Failure;
use crate::chart::lint::{Finding, Severity, Subject, lint};
use crate::chart::{FileView, Files, Given, KubeVersion, archive_files};
use crate::host::{env, fs};
use crate::ops::door::Live;
use crate::report::Context;
use crate::yaml::Map;

/// What to look at, and how strictly.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Folders and archives.
    pub paths: Vec<String>,
    /// The user's values.
    pub values: Given,
    /// `--strict`: warnings fail too.
    pub strict: bool,
    /// `--quiet`: only warnings and errors.
    pub quiet: bool,
    /// `--with-subcharts`.
    pub with_subcharts: bool,
    /// `--skip-schema-validation`.
    pub skip_schema: bool,
    /// `--kube-version`.
    pub kube_version: Option<String>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// For standard output.
    pub output: String,
    /// For standard error.
    pub warnings: Vec<String>,
    /// If a chart failed.
    pub failure: Option<Failure>,
}

/// Looks at charts.
///
/// # Errors
/// If the values or flags are wrong.
pub fn run(cx: &Context, settings: &Settings, request: &Request) -> Result<Report, Failure> {
    let compat = settings.compat;
    let kube_version = request.kube_version.as_deref().filter(|v| !v.is_empty()).map(|text| {
        KubeVersion::parse(text, compat)
            .map_err(|e| failed("read --kube-version", format!("invalid kube version '{text}': {e}")))
    });
    let kube_version = kube_version.transpose()?;
    let mut paths = request.paths.clone();
    if request.with_subcharts {
        for path in &request.paths {
            subcharts(&Path::new(path).join("charts"), 0, &mut paths);
        }
    }
    let user = values(&request.values, compat)?;
    let mut report = Report::default();
    let mut linter = Linter { cx, settings, request, user: &user, kube_version, bad: 0, notable: 0 };
    for path in &paths {
        linter.one(path, &mut report)?;
    }
    let summary = format!("{} chart(s) linted, {} chart(s) failed", paths.len(), linter.bad);
    if linter.bad > 0 {
        report.failure = Some(failed("find nothing wrong with the charts", summary));
    } else if !request.quiet || linter.notable > 0 {
        let _ = writeln!(report.output, "{summary}");
    }
    Ok(report)
}

/// The charts below a folder, in the order a walk finds them.
fn subcharts(folder: &Path, depth: usize, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if name == "Chart.yaml" {
            found.push(folder.to_string_lossy().into_owned());
        } else if name.ends_with(".tgz") || name.ends_with(".tar.gz") {
            found.push(path.to_string_lossy().into_owned());
        }
        if depth < 64 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            subcharts(&path, depth + 1, found);
        }
    }
}

struct Linter<'l> {
    cx: &'l Context,
    settings: &'l Settings,
    request: &'l Request,
    user: &'l Map,
    kube_version: Option<KubeVersion>,
    bad: usize,
    notable: usize,
}

impl Linter<'_> {
    fn one(&mut self, path: &str, report: &mut Report) -> Result<(), Failure> {
        let found = self.findings(path, &mut report.warnings)?;
        let notable = found.as_ref().map_or(true, |f| f.iter().any(|f| f.severity > Severity::Info));
        self.notable += usize::from(notable);
        if self.request.quiet && !notable {
            return Ok(());
        }
        let out = &mut report.output;
        let _ = writeln!(out, "==> Linting {path}");
        let worst = if self.request.strict { Severity::Warning } else { Severity::Error };
        match found {
            Err(words) => {
                let _ = writeln!(out, "Error {words}");
                self.bad += 1;
            }
            Ok(found) => {
                for finding in &found {
                    if !self.request.quiet || finding.severity > Severity::Info {
                        let _ = writeln!(out, "{finding}");
                    }
                }
                self.bad += usize::from(found.iter().any(|f| f.severity >= worst));
            }
        }
        out.push('\n');
        Ok(())
    }

    fn findings(
        &self,
        path: &str,
        warnings: &mut Vec<String>,
    ) -> Result<Result<Vec<Finding>, String>, Failure> {
        if path.ends_with(".tgz") || path.ends_with(".tar.gz") {
            let bytes = match fs::read(path) {
                Ok(bytes) => bytes,
                Err(error) => return Ok(Err(format!("unable to open tarball: {}", words(&error)))),
            };
            return Ok(match archive_files(&bytes) {
                Ok(files) => Ok(self.look(&Files(files), path, warnings)),
                Err(error) => Err(format!("unable to extract tarball: {error}")),
            });
        }
        let chart = Path::new(path).join("Chart.yaml");
        if !fs::exists(&chart) {
            let chart = clean(&chart);
            return Ok(Err(format!(
                "unable to check Chart.yaml file in chart: stat {}: no such file or directory",
                chart.display()
            )));
        }
        let absolute = clean(&env::current_dir()?.join(path));
        let name = absolute.to_string_lossy().into_owned();
        Ok(Ok(self.look(&Folder(absolute), &name, warnings)))
    }

    fn look(&self, files: &dyn FileView, folder: &str, warnings: &mut Vec<String>) -> Vec<Finding> {
        let namespace = self.settings.namespace();
        let subject = Subject {
            files,
            folder,
            values: self.user,
            namespace: &namespace,
            kube_version: self.kube_version.clone(),
            skip_schema: self.request.skip_schema,
            compat: self.settings.compat,
        };
        lint(&subject, &Live::new(self.cx.clock.clone(), false), warnings)
    }
}
