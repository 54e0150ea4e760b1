//! Rules about what templates render.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Linter, Severity, deprecations, names};
use crate::chart::decode::{Decoder, read};
use crate::chart::file::EntryKind;
use crate::chart::{
    Capabilities, Chart, Compat, KubeVersion, Release, Rendered, Request, coalesce, process, render, validate,
};
use crate::template::{Door, Fault, Function};
use crate::yaml::quote::quote;
use crate::yaml::{Param, Value};

const FOLDER: &str = "templates/";

/// What rules look at of an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Object {
    pub(super) api_version: String,
    pub(super) kind: String,
    name: String,
}

impl Linter<'_> {
    pub(super) fn templates(&mut self, door: &dyn Door, warnings: &mut Vec<String>) {
        let kind = self.kind_of("templates");
        if kind.is_none() && !self.subject.compat.is_3() {
            self.rule(Severity::Warning, FOLDER, Err("directory does not exist".to_owned()));
            return;
        }
        let severity = if self.subject.compat.is_3() { Severity::Warning } else { Severity::Error };
        let folder = matches!(kind, None | Some(EntryKind::Folder));
        let folder = if folder { Ok(()) } else { Err("not a directory".to_owned()) };
        if !self.rule(severity, FOLDER, folder) {
            return;
        }
        let mut chart = match self.load() {
            Ok(chart) => chart,
            Err(error) => {
                self.rule(Severity::Error, FOLDER, Err(error.to_string()));
                return;
            }
        };
        if let Some(rendered) = self.render(&mut chart, door, warnings) {
            self.files(&chart, &rendered);
        }
    }

    fn render(
        &mut self,
        chart: &mut Chart,
        door: &dyn Door,
        warnings: &mut Vec<String>,
    ) -> Option<BTreeMap<String, Rendered>> {
        let (compat, user) = (self.subject.compat, self.subject.values);
        process(chart, user, compat, warnings).ok()?;
        // Helm coalesces twice here, which takes nulls away that rendering alone would leave.
        let values = coalesce(chart, user, compat, warnings).ok()?;
        let values = coalesce(chart, &values, compat, warnings).map_err(|e| e.to_string());
        let values = values.and_then(|values| match self.subject.skip_schema {
            true => Ok(values),
            false => validate(chart, &values, door).map(|()| values).map_err(|e| e.to_string()),
        });
        let values = match values {
            Ok(values) => values,
            Err(text) => {
                self.rule(Severity::Error, FOLDER, Err(text));
                return None;
            }
        };
        let release = Release {
            name: "test-release".to_owned(),
            namespace: self.subject.namespace.to_owned(),
            revision: 0,
            is_upgrade: false,
        };
        let capabilities = Arc::new(Capabilities::offline(compat, self.subject.kube_version.clone(), &[]));
        let request = Request { chart, values: &values, release: &release, capabilities, compat };
        let mut functions = compat.functions();
        functions.add(LENIENT);
        match render(&request, Arc::new(functions), door) {
            Ok(rendered) => Some(rendered),
            Err(error) => {
                self.rule(Severity::Error, FOLDER, Err(error.to_string()));
                None
            }
        }
    }

    fn files(&mut self, chart: &Chart, rendered: &BTreeMap<String, Rendered>) {
        let none = Rendered::default();
        for template in chart.templates.iter() {
            let path = template.name.as_str();
            self.rule(Severity::Error, path, extension(path));
            if self.subject.compat.is_3() {
                self.old_words(path, &template.data.lossy());
            }
            let ending = path.rsplit('/').next().and_then(|n| n.rsplit_once('.')).map_or("", |n| n.1);
            let is_yaml = match self.subject.compat.is_3() {
                true => ending == "yaml",
                false => ending.eq_ignore_ascii_case("yaml") || ending.eq_ignore_ascii_case("yml"),
            };
            let content = rendered.get(&format!("{}/{path}", chart.metadata.name)).unwrap_or(&none);
            if !is_yaml || content.as_bytes().trim_ascii().is_empty() {
                continue;
            }
            self.rule(Severity::Warning, path, indent(content));
            for document in documents(content.as_bytes()) {
                match document.and_then(|text| head(text, self.subject.compat)) {
                    Err(text) => {
                        self.rule(Severity::Error, path, Err(format!("unable to parse YAML: {text}")));
                        return;
                    }
                    Ok(Some(object)) => self.object(path, &object, content),
                    Ok(None) => {}
                }
            }
        }
    }

    /// What Helm 3 says to those who come from Helm 2.
    fn old_words(&mut self, path: &str, text: &str) {
        let install = text.match_indices("helm.sh/hook").any(|(at, word)| {
            let rest = &text[at + word.len()..];
            let rest = rest.strip_prefix('"').unwrap_or(rest);
            rest.strip_prefix(':').is_some_and(|rest| {
                rest.starts_with(char::is_whitespace) && rest.trim_start().starts_with("crd-install")
            })
        });
        if install {
            let text = "manifest is a crd-install hook. This hook is no longer supported in v3 and all CRDs should also \
                        exist the crds/ directory at the top level of the chart";
            self.rule(Severity::Warning, path, Err(text.to_owned()));
        }
        if text.contains(".Release.Time") {
            let text = ".Release.Time has been removed in v3, please replace with the `now` function in your templates";
            self.rule(Severity::Error, path, Err(text.to_owned()));
        }
    }

    fn object(&mut self, path: &str, object: &Object, content: &Rendered) {
        let said = |text: Option<String>| text.map_or(Ok(()), Err);
        self.rule(Severity::Warning, path, said(names::complaint(&object.kind, &object.name)));
        let assumed = || KubeVersion::assumed(self.subject.compat);
        let cluster = self.subject.kube_version.clone().unwrap_or_else(assumed);
        let old = deprecations::complaint(&object.api_version, &object.kind, &cluster);
        self.rule(Severity::Warning, path, said(old));
        let text = content.lossy();
        let selects =
            matches!(object.kind.as_str(), "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet");
        if selects && !text.contains("matchLabels") && !text.contains("matchExpressions") {
            let text = format!(
                "a {} must contain matchLabels or matchExpressions, and {} does not",
                object.kind,
                quote(object.name.as_bytes())
            );
            self.rule(Severity::Error, path, Err(text));
        }
        if object.kind == "List" && keeps_in_list(content) {
            let first = if self.subject.compat.is_3() { "Annotation" } else { "annotation" };
            let text = format!("{first} 'helm.sh/resource-policy' within List objects are ignored");
            self.rule(Severity::Error, path, Err(text));
        }
    }
}

/// `fail` and `required` that let a rendering go on.
const LENIENT: &[Function] = &[
    Function {
        name: "required",
        params: &[Param::Str, Param::Any],
        variadic: false,
        run: |_, args| {
            let value = args.get(1).cloned().unwrap_or_default();
            Ok::<_, Fault>(if value.is_null() { "".into() } else { value })
        },
    },
    Function { name: "fail", params: &[Param::Str], variadic: false, run: |_, _| Ok::<_, Fault>("".into()) },
];

fn extension(path: &str) -> Result<(), String> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let ending = name.rfind('.').map_or("", |at| &name[at..]);
    match ending {
        ".yaml" | ".yml" | ".tpl" | ".txt" => Ok(()),
        other => Err(format!(
            "file extension '{other}' not valid. Valid extensions are .yaml, .yml, .tpl, or .txt"
        )),
    }
}

fn indent(content: &Rendered) -> Result<(), String> {
    let text = content.lossy();
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if first.starts_with([' ', '\t']) {
        let line = quote(first.as_bytes());
        return Err(format!(
            "document starts with an illegal indent: {line}, which may cause parsing problems"
        ));
    }
    Ok(())
}

/// The documents of a file as Kubernetes' reader cuts it.
pub(super) fn documents(text: &[u8]) -> Vec<Result<&[u8], String>> {
    let mut documents = Vec::new();
    let (mut from, mut at) = (0, 0);
    while at < text.len() {
        let end = text[at..].iter().position(|b| *b == b'\n').map_or(text.len(), |n| at + n + 1);
        if let Some(rest) = text[at..end].strip_prefix(b"---") {
            let rest = rest.trim_ascii();
            if !rest.is_empty() && !rest.starts_with(b"#") {
                let rest = String::from_utf8_lossy(rest);
                documents.push(Err(format!("invalid Yaml document separator: {rest}")));
                return documents;
            }
            if at > from {
                documents.push(Ok(&text[from..at]));
                from = end;
            }
        }
        at = end;
    }
    if from < text.len() {
        documents.push(Ok(&text[from..]));
    }
    documents
}

/// Reads what rules look at; `None` if there is no object.
pub(super) fn head(document: &[u8], compat: Compat) -> Result<Option<Object>, String> {
    let document = read(document)?;
    if document.is_null() {
        return Ok(None);
    }
    let mut object = Object::default();
    let mut decoder = Decoder::default();
    let names = match compat {
        Compat::Helm3 => ("K8sYamlStruct", "rules.K8sYamlStruct"),
        Compat::Helm4 => ("k8sYamlStruct", "rules.k8sYamlStruct"),
    };
    decoder.object(&document, names, |d, key, value| match key {
        "apiversion" => d.at("apiVersion", |d| d.string(&mut object.api_version, value)),
        "kind" => d.at("Kind", |d| d.string(&mut object.kind, value)),
        "metadata" => d.at("Metadata", |d| {
            d.object(value, ("k8sYamlMetadata", "rules.k8sYamlMetadata"), |d, key, value| {
                let mut namespace = String::new();
                match key {
                    "name" => d.at("Name", |d| d.string(&mut object.name, value)),
                    "namespace" => d.at("Namespace", |d| d.string(&mut namespace, value)),
                    _ => {}
                }
            });
        }),
        _ => {}
    });
    decoder.finish()?;
    Ok(Some(object))
}

fn keeps_in_list(content: &Rendered) -> bool {
    let Ok(document) = read(content.as_bytes()) else { return false };
    let Some(Value::List(items)) = document.get("items") else { return false };
    let policy = |item: &Value| {
        item.get("metadata").and_then(|m| m.get("annotations")).and_then(|a| a.get("helm.sh/resource-policy"))
    };
    items.items().iter().any(|item| policy(item).is_some())
}
