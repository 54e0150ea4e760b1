//! `Chart.yaml`: its fields, how they are read and what is refused (`Helm: pkg/chart/v2/metadata.go`).

use std::collections::{BTreeMap, BTreeSet};

use super::decode::{Decoder, Fields, read};
use super::{Compat, Error};
use crate::template::Version;
use crate::yaml::Value;
use crate::yaml::quote::is_print;

/// `apiVersion` of charts for Helm 2 and later.
pub const API_V1: &str = "v1";
/// `apiVersion` of charts for Helm 3 and later.
pub const API_V2: &str = "v2";

/// Who looks after a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintainer {
    /// Name or account.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// Address of a page.
    pub url: String,
}

/// A chart that another one declares to need.
#[derive(Clone, Debug, Default)]
pub struct Dependency {
    /// The chart's name; once dependencies were processed, the alias if there is one.
    pub name: String,
    /// A version constraint.
    pub version: String,
    /// Where it comes from; empty if it stands in `charts/`.
    pub repository: String,
    /// Value paths, separated by commas, that switch it.
    pub condition: String,
    /// Names that switch it through the `tags` table.
    pub tags: Vec<String>,
    /// Whether it was left in by the last processing.
    pub enabled: bool,
    /// What of its values the parent takes: names, or tables of `child` and `parent`.
    pub import_values: Vec<Value>,
    /// Another name for this copy of the chart.
    pub alias: String,
}

/// The content of `Chart.yaml`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the fields are those of the chart format, by their names")]
pub struct Metadata {
    pub name: String,
    pub home: String,
    pub sources: Vec<String>,
    pub version: String,
    pub description: String,
    pub keywords: Vec<String>,
    pub maintainers: Vec<Option<Maintainer>>,
    pub icon: String,
    pub api_version: String,
    pub condition: String,
    pub tags: String,
    pub app_version: String,
    pub deprecated: bool,
    pub annotations: BTreeMap<String, String>,
    pub kube_version: String,
    /// `None` if the key is missing, which is not the same as an empty list: then nothing below is processed either.
    pub dependencies: Option<Vec<Option<Dependency>>>,
    pub kind: String,
}

impl Metadata {
    /// Reads a document over what is known: fields it does not name stay.
    ///
    /// # Errors
    /// The words of the YAML library.
    pub fn read_over(&mut self, text: &[u8], compat: Compat) -> Result<(), String> {
        let document = read(text)?;
        let mut decoder = Decoder::default();
        let package = compat.package();
        decoder.object(&document, ("Metadata", &format!("{package}.Metadata")), |d, key, value| {
            self.field(d, key, value, package);
        });
        decoder.finish()
    }

    /// The metadata in a document that has been read, such as an entry of an index; other keys are passed over.
    ///
    /// # Errors
    /// The words of the YAML library.
    pub fn of(document: &Value, compat: Compat) -> Result<Self, String> {
        let mut metadata = Self::default();
        let mut decoder = Decoder::default();
        let package = compat.package();
        decoder.object(document, ("Metadata", &format!("{package}.Metadata")), |d, key, value| {
            metadata.field(d, key, value, package);
        });
        decoder.finish()?;
        Ok(metadata)
    }

    fn field(&mut self, d: &mut Decoder, key: &str, value: &Value, package: &str) {
        match key {
            "name" => d.at("name", |d| d.string(&mut self.name, value)),
            "home" => d.at("home", |d| d.string(&mut self.home, value)),
            "sources" => d.at("sources", |d| d.strings(&mut self.sources, value)),
            "version" => d.at("version", |d| d.string(&mut self.version, value)),
            "description" => d.at("description", |d| d.string(&mut self.description, value)),
            "keywords" => d.at("keywords", |d| d.strings(&mut self.keywords, value)),
            "icon" => d.at("icon", |d| d.string(&mut self.icon, value)),
            "apiversion" => d.at("apiVersion", |d| d.string(&mut self.api_version, value)),
            "condition" => d.at("condition", |d| d.string(&mut self.condition, value)),
            "tags" => d.at("tags", |d| d.string(&mut self.tags, value)),
            "appversion" => d.at("appVersion", |d| d.string(&mut self.app_version, value)),
            "deprecated" => d.at("deprecated", |d| d.bool(&mut self.deprecated, value)),
            "annotations" => d.at("annotations", |d| d.map(&mut self.annotations, value)),
            "kubeversion" => d.at("kubeVersion", |d| d.string(&mut self.kube_version, value)),
            "type" => d.at("type", |d| d.string(&mut self.kind, value)),
            "maintainers" => d.at("maintainers", |d| {
                let Some(list) = d.list(value, &format!("[]*{package}.Maintainer")) else { return };
                self.maintainers = list.items().iter().map(|item| maintainer(d, item, package)).collect();
            }),
            "dependencies" => d.at("dependencies", |d| {
                let list = d.list(value, &format!("[]*{package}.Dependency"));
                self.dependencies =
                    list.map(|list| list.items().iter().map(|item| dependency(d, item, package)).collect());
            }),
            _ => {}
        }
    }

    /// Checks the fields and takes out what is no text.
    ///
    /// # Errors
    /// [`Error::Chart`] with Helm's words.
    pub fn validate(&mut self) -> Result<(), Error> {
        for text in [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ] {
            sanitize(text);
        }
        self.sources.iter_mut().chain(&mut self.keywords).for_each(sanitize);
        self.validate_identity()?;
        for maintainer in &mut self.maintainers {
            let Some(maintainer) = maintainer else {
                return invalid("maintainers must not contain empty or null nodes");
            };
            sanitize(&mut maintainer.name);
            sanitize(&mut maintainer.email);
            sanitize(&mut maintainer.url);
        }
        let mut names = BTreeSet::new();
        for dependency in self.dependencies.iter_mut().flatten() {
            let Some(dependency) = dependency else {
                return invalid("dependencies must not contain empty or null nodes");
            };
            dependency.validate()?;
            if !names.insert(dependency.key().to_owned()) {
                return invalid(&format!(
                    "more than one dependency with name or alias {:?}",
                    dependency.key()
                ));
            }
        }
        Ok(())
    }

    fn validate_identity(&self) -> Result<(), Error> {
        if self.api_version.is_empty() {
            return invalid("chart.metadata.apiVersion is required");
        }
        match self.name.as_str() {
            "" => return invalid("chart.metadata.name is required"),
            "." | ".." => return invalid(&format!("chart.metadata.name {:?} is not allowed", self.name)),
            name if name.contains('/') => {
                return invalid(&format!("chart.metadata.name {name:?} is invalid"));
            }
            _ => {}
        }
        if self.version.is_empty() {
            return invalid("chart.metadata.version is required");
        }
        if Version::parse(&self.version).is_err() {
            return invalid(&format!("chart.metadata.version {:?} is invalid", self.version));
        }
        if !matches!(self.kind.as_str(), "" | "application" | "library") {
            return invalid("chart.metadata.type must be application or library");
        }
        Ok(())
    }

    /// The declared dependencies.
    pub fn declared(&self) -> impl Iterator<Item = &Dependency> {
        self.dependencies.iter().flatten().flatten()
    }

    /// The fields as `Chart.yaml` has them, empty ones left out.
    pub fn to_value(&self) -> Value {
        let fields = Fields::default();
        for (name, text) in [
            ("name", &self.name),
            ("home", &self.home),
            ("version", &self.version),
            ("description", &self.description),
            ("icon", &self.icon),
            ("apiVersion", &self.api_version),
            ("condition", &self.condition),
            ("tags", &self.tags),
            ("appVersion", &self.app_version),
            ("kubeVersion", &self.kube_version),
            ("type", &self.kind),
        ] {
            fields.text(name, text);
        }
        fields.texts("sources", &self.sources);
        fields.texts("keywords", &self.keywords);
        fields.flag("deprecated", self.deprecated);
        fields.list("maintainers", self.maintainers.iter().flatten().map(Maintainer::to_value).collect());
        fields.list("dependencies", self.declared().map(Dependency::to_value).collect());
        if !self.annotations.is_empty() {
            let entries = self.annotations.iter().map(|(k, v)| (k.as_str(), v.as_str().into()));
            fields.value("annotations", Value::map(entries));
        }
        fields.done()
    }
}

impl Maintainer {
    fn to_value(&self) -> Value {
        let fields = Fields::default();
        fields.text("name", &self.name);
        fields.text("email", &self.email);
        fields.text("url", &self.url);
        fields.done()
    }
}

impl Dependency {
    /// What tells it from the others: its alias, else its name.
    pub fn key(&self) -> &str {
        if self.alias.is_empty() { &self.name } else { &self.alias }
    }

    fn validate(&mut self) -> Result<(), Error> {
        for text in [&mut self.name, &mut self.version, &mut self.repository, &mut self.condition] {
            sanitize(text);
        }
        self.tags.iter_mut().for_each(sanitize);
        if !self.alias.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
            return invalid(&format!("dependency {:?} has disallowed characters in the alias", self.name));
        }
        Ok(())
    }

    /// The fields as `Chart.yaml` has them, empty ones left out except the repository.
    pub fn to_value(&self) -> Value {
        let fields = Fields::default();
        fields.text("name", &self.name);
        fields.text("version", &self.version);
        fields.value("repository", self.repository.as_str().into());
        fields.text("condition", &self.condition);
        fields.texts("tags", &self.tags);
        fields.flag("enabled", self.enabled);
        fields.list("import-values", self.import_values.clone());
        fields.text("alias", &self.alias);
        fields.done()
    }
}

/// The `apiVersion` of a `Chart.yaml`, the only thing that Helm 4 looks at first.
///
/// # Errors
/// The words of the YAML library.
pub fn api_version(text: &[u8]) -> Result<String, String> {
    let document = read(text)?;
    let (mut version, mut decoder) = (String::new(), Decoder::default());
    decoder.object(&document, ("chartBase", "loader.chartBase"), |d, key, value| {
        if key == "apiversion" {
            d.at("apiVersion", |d| d.string(&mut version, value));
        }
    });
    decoder.finish()?;
    Ok(version)
}

fn maintainer(d: &mut Decoder, value: &Value, package: &str) -> Option<Maintainer> {
    let mut into = Maintainer::default();
    d.object(value, ("Maintainer", &format!("{package}.Maintainer")), |d, key, value| match key {
        "name" => d.at("name", |d| d.string(&mut into.name, value)),
        "email" => d.at("email", |d| d.string(&mut into.email, value)),
        "url" => d.at("url", |d| d.string(&mut into.url, value)),
        _ => {}
    });
    (!value.is_null()).then_some(into)
}

/// Decodes a dependency; null is none.
pub(super) fn dependency(d: &mut Decoder, value: &Value, package: &str) -> Option<Dependency> {
    let mut into = Dependency::default();
    d.object(value, ("Dependency", &format!("{package}.Dependency")), |d, key, value| match key {
        "name" => d.at("name", |d| d.string(&mut into.name, value)),
        "version" => d.at("version", |d| d.string(&mut into.version, value)),
        "repository" => d.at("repository", |d| d.string(&mut into.repository, value)),
        "condition" => d.at("condition", |d| d.string(&mut into.condition, value)),
        "tags" => d.at("tags", |d| d.strings(&mut into.tags, value)),
        "enabled" => d.at("enabled", |d| d.bool(&mut into.enabled, value)),
        "alias" => d.at("alias", |d| d.string(&mut into.alias, value)),
        "import-values" => d.at("import-values", |d| {
            if let Some(list) = d.list(value, "[]interface {}") {
                into.import_values = list.items().to_vec();
            }
        }),
        _ => {}
    });
    (!value.is_null()).then_some(into)
}

fn invalid(message: &str) -> Result<(), Error> {
    Err(Error::Chart(format!("validation: {message}")))
}

/// White space becomes spaces, what cannot be printed goes.
fn sanitize(text: &mut String) {
    if text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return;
    }
    *text = text
        .chars()
        .filter_map(|c| if c.is_whitespace() { Some(' ') } else { is_print(c).then_some(c) })
        .collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Metadata, String> {
        let mut metadata = Metadata::default();
        metadata.read_over(text.as_bytes(), Compat::Helm4)?;
        metadata.validate().map_err(|e| e.to_string())?;
        Ok(metadata)
    }

    #[test]
    fn scalars_become_strings_and_names_ignore_case() {
        let metadata = read(
            "ApiVersion: v2\nname: a\nversion: 1\nappVersion: 1.10\nannotations: {a: true, b: 2}\n\
             description: \"a\\tb\\u0007\"\nkeywords: [1, x]\n",
        )
        .unwrap();
        assert_eq!((metadata.version.as_str(), metadata.app_version.as_str()), ("1", "1.1"));
        assert_eq!(metadata.annotations["a"], "true");
        assert_eq!(metadata.description, "a b");
        assert_eq!(metadata.keywords, ["1", "x"]);
    }

    #[test]
    fn what_is_refused() {
        let table = [
            ("name: a", "validation: chart.metadata.apiVersion is required"),
            ("apiVersion: v2", "validation: chart.metadata.name is required"),
            ("apiVersion: v2\nname: a/b", "validation: chart.metadata.name \"a/b\" is invalid"),
            ("apiVersion: v2\nname: ..", "validation: chart.metadata.name \"..\" is not allowed"),
            ("apiVersion: v2\nname: a", "validation: chart.metadata.version is required"),
            ("apiVersion: v2\nname: a\nversion: x", "validation: chart.metadata.version \"x\" is invalid"),
            (
                "apiVersion: v2\nname: a\nversion: 1\ntype: x",
                "validation: chart.metadata.type must be application or library",
            ),
            (
                "name: [x]",
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go struct field \
                 Metadata.name of type string",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(read(text).unwrap_err(), expected, "{text}");
        }
        let two = "apiVersion: v2\nname: a\nversion: 1\ndependencies: [{name: b}, {name: c, alias: b}]";
        assert_eq!(read(two).unwrap_err(), "validation: more than one dependency with name or alias \"b\"");
    }
}
