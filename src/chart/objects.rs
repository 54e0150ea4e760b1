//! What templates see of a chart: `.Chart`, `.Files` (`Helm: pkg/engine/files.go`).

use std::any::Any;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;

use super::glob::Glob;
use super::{Chart, Compat, Dependency, File, Metadata};
use crate::yaml::{
    self, Entries, Kind, List, ListKind, Map, MapKind, Method, Object, Param, Text, UintKind, Value,
};

/// The Go type of `.Files`.
const FILES: &str = "engine.files";

/// `.Files`: the files of a chart that are nothing else.
#[derive(Debug)]
pub(super) struct Files {
    files: Vec<File>,
    collection: OnceLock<Value>,
}

impl Files {
    /// The files, as a value.
    pub(super) fn value(files: &[File]) -> Value {
        // A later file of a name replaces an earlier one, as in a map.
        let mut sorted: Vec<File> = Vec::with_capacity(files.len());
        for file in files {
            sorted.retain(|f| f.name != file.name);
            sorted.push(file.clone());
        }
        sorted.sort_by(|a, b| a.name.cmp(&b.name));
        Value::Object(Arc::new(Self { files: sorted, collection: OnceLock::new() }))
    }

    fn get(&self, name: &str) -> Option<&File> {
        self.files.binary_search_by(|f| f.name.as_str().cmp(name)).ok().map(|at| &self.files[at])
    }

    fn glob(&self, pattern: &str) -> Value {
        let glob = Glob::parse(pattern);
        let files: Vec<File> = self.files.iter().filter(|f| glob.matches(&f.name)).cloned().collect();
        Self::value(&files)
    }

    /// The files by their last names, as the data of a ConfigMap or Secret.
    fn data(&self, encode: fn(&Text) -> Value) -> Value {
        let map = Map::new();
        for file in &self.files {
            let base = file.name.rsplit('/').next().unwrap_or_default();
            map.insert(base, encode(&file.data));
        }
        let mut text = yaml::write(&Value::Map(map)).unwrap_or_default();
        if text.last() == Some(&b'\n') {
            text.pop();
        }
        Value::str(text)
    }

    fn lines(&self, name: &str) -> Value {
        let data = self.get(name).map(|f| f.data.clone()).unwrap_or_default();
        if data.is_empty() {
            return Value::strings(Vec::<Text>::new());
        }
        let bytes = data.as_bytes();
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        Value::strings(bytes.split(|b| *b == b'\n').map(Text::from))
    }
}

/// A `[]byte`.
fn bytes(data: &[u8]) -> Value {
    let items = data.iter().map(|b| Value::Uint(u64::from(*b), UintKind::Uint8)).collect();
    Value::List(List::typed(items, ListKind::Byte))
}

impl Object for Files {
    fn type_name(&self) -> &str {
        FILES
    }
    fn kind(&self) -> Kind {
        Kind::Map
    }
    fn method(&self, name: &str) -> Option<Method> {
        let params: &'static [Param] = match name {
            "Get" | "GetBytes" | "Glob" | "Lines" => &[Param::Str],
            "AsConfig" | "AsSecrets" => &[],
            _ => return None,
        };
        Some(Method { params, variadic: false })
    }
    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let text = args.first().and_then(Value::as_text).map(|t| t.lossy().into_owned()).unwrap_or_default();
        Ok(match name {
            "Get" => Value::Str(self.get(&text).map(|f| f.data.clone()).unwrap_or_default()),
            "GetBytes" => bytes(self.get(&text).map_or(&[][..], |f| f.data.as_bytes())),
            "Glob" => self.glob(&text),
            "Lines" => self.lines(&text),
            "AsConfig" => self.data(|data| Value::Str(data.lossy().as_ref().into())),
            _ => self.data(|data| base64::engine::general_purpose::STANDARD.encode(data.as_bytes()).into()),
        })
    }
    fn print(&self) -> Text {
        self.collection().map(|map| crate::template::format::print(&map)).unwrap_or_default()
    }
    fn to_plain(&self) -> Result<Value, String> {
        Ok(self.collection().unwrap_or_default())
    }
    fn is_true(&self) -> bool {
        !self.files.is_empty()
    }
    fn collection(&self) -> Option<Value> {
        let entries = || self.files.iter().map(|f| (Text::from(f.name.as_str()), bytes(f.data.as_bytes())));
        let kind = MapKind::Named(&FILES);
        Some(self.collection.get_or_init(|| Value::Map(Map::typed(entries().collect(), kind))).clone())
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `.Chart` of a chart.
pub(super) fn chart_value(chart: &Chart, is_root: bool, compat: Compat) -> Value {
    let map = metadata_map(&chart.metadata, compat);
    map.insert("IsRoot", is_root.into());
    match compat {
        Compat::Helm4 => Value::Map(map),
        Compat::Helm3 => {
            let plain = chart.metadata.to_value();
            if let Value::Map(plain) = &plain {
                plain.insert("IsRoot", is_root.into());
            }
            let kind = "struct { chart.Metadata; IsRoot bool }".to_owned();
            Value::Object(Arc::new(Struct { kind, fields: map, order: CHART_FIELDS, plain }))
        }
    }
}

const CHART_FIELDS: &[&str] = &[
    "Name",
    "Home",
    "Sources",
    "Version",
    "Description",
    "Keywords",
    "Maintainers",
    "Icon",
    "APIVersion",
    "Condition",
    "Tags",
    "AppVersion",
    "Deprecated",
    "Annotations",
    "KubeVersion",
    "Dependencies",
    "Type",
];
const MAINTAINER_FIELDS: &[&str] = &["Name", "Email", "URL"];
const DEPENDENCY_FIELDS: &[&str] =
    &["Name", "Version", "Repository", "Condition", "Tags", "Enabled", "ImportValues", "Alias"];

fn texts(texts: &[String], compat: Compat) -> Value {
    match compat {
        Compat::Helm3 => Value::strings(texts.iter().map(String::as_str)),
        Compat::Helm4 => Value::list(texts.iter().map(|t| t.as_str().into()).collect()),
    }
}

/// A chart's fields by their Go names.
fn metadata_map(metadata: &Metadata, compat: Compat) -> Map {
    let map = Map::new();
    for (name, text) in [
        ("Name", &metadata.name),
        ("Home", &metadata.home),
        ("Version", &metadata.version),
        ("Description", &metadata.description),
        ("Icon", &metadata.icon),
        ("APIVersion", &metadata.api_version),
        ("Condition", &metadata.condition),
        ("Tags", &metadata.tags),
        ("AppVersion", &metadata.app_version),
        ("KubeVersion", &metadata.kube_version),
        ("Type", &metadata.kind),
    ] {
        map.insert(name, text.as_str().into());
    }
    map.insert("Sources", texts(&metadata.sources, compat));
    map.insert("Keywords", texts(&metadata.keywords, compat));
    map.insert("Deprecated", metadata.deprecated.into());
    map.insert("Annotations", annotations(metadata));
    let maintainers = metadata.maintainers.iter().flatten().map(|m| {
        let map: Map = [("Name", &m.name), ("Email", &m.email), ("URL", &m.url)]
            .into_iter()
            .map(|(k, v)| (Text::from(k), Value::from(v.as_str())))
            .collect();
        nested(map, ("*chart.Maintainer", MAINTAINER_FIELDS), compat)
    });
    map.insert("Maintainers", Value::list(maintainers.collect()));
    let dependencies = metadata
        .declared()
        .map(|d| nested(dependency(d, compat), ("*chart.Dependency", DEPENDENCY_FIELDS), compat));
    map.insert("Dependencies", Value::list(dependencies.collect()));
    map
}

fn annotations(metadata: &Metadata) -> Value {
    if metadata.annotations.is_empty() {
        return Value::Map(Map::nil(MapKind::Strings));
    }
    let entries: Entries =
        metadata.annotations.iter().map(|(k, v)| (k.as_str().into(), v.as_str().into())).collect();
    Value::Map(Map::typed(entries, MapKind::Strings))
}

fn dependency(dependency: &Dependency, compat: Compat) -> Map {
    let map = Map::new();
    for (name, text) in [
        ("Name", &dependency.name),
        ("Version", &dependency.version),
        ("Repository", &dependency.repository),
        ("Condition", &dependency.condition),
        ("Alias", &dependency.alias),
    ] {
        map.insert(name, text.as_str().into());
    }
    map.insert("Tags", texts(&dependency.tags, compat));
    map.insert("Enabled", dependency.enabled.into());
    map.insert("ImportValues", Value::list(dependency.import_values.clone()));
    map
}

fn nested(map: Map, (kind, order): (&str, &'static [&'static str]), compat: Compat) -> Value {
    match compat {
        Compat::Helm4 => Value::Map(map),
        Compat::Helm3 => {
            let plain = Value::Map(map.clone());
            Value::Object(Arc::new(Struct { kind: kind.to_owned(), fields: map, order, plain }))
        }
    }
}

/// A Go struct, or a pointer to one.
#[derive(Debug)]
struct Struct {
    kind: String,
    fields: Map,
    order: &'static [&'static str],
    plain: Value,
}

impl Object for Struct {
    fn type_name(&self) -> &str {
        &self.kind
    }
    fn kind(&self) -> Kind {
        if self.kind.starts_with('*') { Kind::Ptr } else { Kind::Struct }
    }
    fn field(&self, name: &str) -> Option<Value> {
        self.fields.get(name.as_bytes())
    }
    fn print(&self) -> Text {
        let field = |name: &&str| {
            let value = self.fields.get(name.as_bytes()).unwrap_or_default();
            crate::template::format::print(&value).lossy().into_owned()
        };
        let inner = self.order.iter().map(field).collect::<Vec<_>>().join(" ");
        match self.fields.get(b"IsRoot") {
            Some(Value::Bool(root)) => format!("{{{{{inner}}} {root}}}").into(),
            _ => format!("&{{{inner}}}").into(),
        }
    }
    fn to_plain(&self) -> Result<Value, String> {
        Ok(self.plain.clone())
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}
