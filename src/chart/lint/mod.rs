//! Looking for what is wrong with a chart (`Helm: pkg/chart/v2/lint`): rules in Helm's order, with Helm's words.

mod address;
mod chartfile;
mod deprecations;
mod names;
mod templates;
mod undefined;

use super::coalesce::{Coalescer, Nulls, copy};
use super::file::{EntryKind, FileView};
use super::{Chart, Compat, Error, KubeVersion, Loader};
use crate::template::Door;
use crate::yaml::{self, Map, Options};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Against a convention.
    Warning,
    /// It will not work.
    Error,
}

/// A finding. Displays as Helm prints it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// The file or folder.
    pub path: String,
    /// What is wrong.
    pub text: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let severity = match self.severity {
            Severity::Info => "INFO",
            Severity::Warning => "WARNING",
            Severity::Error => "ERROR",
        };
        write!(f, "[{severity}] {}: {}", self.path, self.text)
    }
}

/// What to look at.
pub struct Subject<'s> {
    /// The chart's folder.
    pub files: &'s dyn FileView,
    /// What messages call the folder.
    pub folder: &'s str,
    /// The user's values.
    pub values: &'s Map,
    /// The namespace that templates see.
    pub namespace: &'s str,
    /// The Kubernetes version that templates see and deprecations are judged for.
    pub kube_version: Option<KubeVersion>,
    /// Whether schemas are left alone.
    pub skip_schema: bool,
    /// As which Helm.
    pub compat: Compat,
}

/// Looks at a chart. Warnings that are no findings are added.
pub fn lint(subject: &Subject<'_>, door: &dyn Door, warnings: &mut Vec<String>) -> Vec<Finding> {
    let mut linter = Linter { subject, findings: Vec::new() };
    linter.chartfile();
    linter.values(door, warnings);
    linter.templates(door, warnings);
    linter.dependencies();
    linter.crds();
    linter.undefined(warnings);
    linter.findings
}

struct Linter<'s> {
    subject: &'s Subject<'s>,
    findings: Vec<Finding>,
}

impl Linter<'_> {
    /// Notes what a rule found; whether it found nothing.
    fn rule(&mut self, severity: Severity, path: &str, result: Result<(), String>) -> bool {
        match result {
            Ok(()) => true,
            Err(text) => {
                self.findings.push(Finding { severity, path: path.to_owned(), text });
                false
            }
        }
    }

    fn kind_of(&self, name: &str) -> Option<EntryKind> {
        let entries = self.subject.files.entries("").ok()?;
        entries.into_iter().find(|entry| entry.name == name).map(|entry| entry.kind)
    }

    fn load(&self) -> Result<Chart, Error> {
        let loader = Loader { compat: self.subject.compat };
        Ok(loader.folder(self.subject.files)?.chart)
    }

    fn values(&mut self, door: &dyn Door, warnings: &mut Vec<String>) {
        const FILE: &str = "values.yaml";
        let exists = match self.kind_of(FILE) {
            Some(_) => Ok(()),
            None => Err("file does not exist".to_owned()),
        };
        if !self.rule(Severity::Info, FILE, exists) {
            return;
        }
        let result = self.check_values(door, warnings);
        self.rule(Severity::Error, FILE, result);
    }

    fn check_values(&self, door: &dyn Door, warnings: &mut Vec<String>) -> Result<(), String> {
        let text = self.subject.files.read("values.yaml")?;
        let values = yaml::read_map(&text, Options::default()).map_err(|e| {
            let kind = self.subject.compat.values_kind().type_name();
            format!("unable to parse YAML: {e}").replace("map[string]interface {}", kind)
        })?;
        let merged = Map::new();
        let mut coalescer = Coalescer { compat: self.subject.compat, warnings, owned: false };
        coalescer.tables(&merged, &copy(self.subject.values), "", Nulls::Remove);
        coalescer.tables(&merged, &values, "", Nulls::Remove);
        if self.kind_of("values.schema.json").is_none() || self.subject.skip_schema {
            return Ok(());
        }
        let schema = self.subject.files.read("values.schema.json")?;
        if schema.is_empty() { Ok(()) } else { super::schema::single(&schema, &merged, door) }
    }

    fn dependencies(&mut self) {
        let chart = match self.load() {
            Ok(chart) => chart,
            Err(error) => {
                self.rule(Severity::Error, "", Err(format!("unable to load chart\n\t{error}")));
                return;
            }
        };
        let declared: Vec<&str> = chart.metadata.declared().map(|d| d.name.as_str()).collect();
        let loaded: Vec<&str> = chart.dependencies.iter().map(|c| c.metadata.name.as_str()).collect();
        let without = |these: &[&str], those: &[&str]| -> Vec<String> {
            these.iter().filter(|name| !those.contains(name)).map(ToString::to_string).collect()
        };
        let folder = self.subject.folder;
        let said = |names: Vec<String>, words: &str| match names.as_slice() {
            [] => Ok(()),
            names => Err(format!("{words}: {}", names.join(","))),
        };
        let undeclared = said(without(&loaded, &declared), "chart metadata is missing these dependencies");
        self.rule(Severity::Error, folder, undeclared);
        let mut keys = Vec::new();
        let mut twice = Vec::new();
        for dependency in chart.metadata.declared() {
            if keys.contains(&dependency.key()) {
                twice.push(dependency.key().to_owned());
            }
            keys.push(dependency.key());
        }
        self.rule(Severity::Error, folder, said(twice, "multiple dependencies with name or alias"));
        let missing = said(without(&declared, &loaded), "chart directory is missing these dependencies");
        self.rule(Severity::Warning, folder, missing);
    }

    fn crds(&mut self) {
        let folder = match self.kind_of("crds") {
            None => return,
            Some(EntryKind::Folder) => Ok(()),
            Some(_) => Err("not a directory".to_owned()),
        };
        if self.subject.compat.is_3() || !self.rule(Severity::Error, "crds/", folder) {
            return;
        }
        let chart = match self.load() {
            Ok(chart) => chart,
            Err(error) => {
                self.rule(Severity::Error, "crds/", Err(error.to_string()));
                return;
            }
        };
        for crd in chart.crds() {
            let path = crd.file.name.as_str();
            for document in templates::documents(crd.file.data.as_bytes()) {
                let object = document.and_then(|text| templates::head(text, self.subject.compat));
                let object = match object {
                    Ok(object) => object,
                    Err(text) => {
                        self.rule(Severity::Error, path, Err(format!("unable to parse YAML: {text}")));
                        return;
                    }
                };
                let Some(object) = object else { continue };
                let good = object.api_version.starts_with("apiextensions.k8s.io");
                let api =
                    if good { Ok(()) } else { Err("apiVersion is not in 'apiextensions.k8s.io'".to_owned()) };
                self.rule(Severity::Error, path, api);
                let good = object.kind == "CustomResourceDefinition";
                let kind = if good {
                    Ok(())
                } else {
                    Err("object kind is not 'CustomResourceDefinition'".to_owned())
                };
                self.rule(Severity::Error, path, kind);
            }
        }
    }
}
