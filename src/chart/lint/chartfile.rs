//! Rules about `Chart.yaml`.

use super::address::{is_mail, is_page, is_request};
use super::{Linter, Severity};
use crate::chart::file::EntryKind;
use crate::chart::{API_V1, API_V2, Compat, Metadata};
use crate::template::Version;
use crate::yaml::quote::quote;
use crate::yaml::{self, Map, Options, Value};

const FILE: &str = "Chart.yaml";

/// The fields that a chart may have, and those of what it lists.
const FIELDS: &[&str] = &[
    "name",
    "home",
    "sources",
    "version",
    "description",
    "keywords",
    "maintainers",
    "icon",
    "apiVersion",
    "condition",
    "tags",
    "appVersion",
    "deprecated",
    "annotations",
    "kubeVersion",
    "dependencies",
    "type",
];
const MAINTAINER: &[&str] = &["name", "email", "url"];
const DEPENDENCY: &[&str] =
    &["name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias"];

impl Linter<'_> {
    pub(super) fn chartfile(&mut self) {
        let folder = self.kind_of(FILE) == Some(EntryKind::Folder);
        let file = if folder { Err("should be a file, not a directory".to_owned()) } else { Ok(()) };
        self.rule(Severity::Error, FILE, file);
        let compat = self.subject.compat;
        let text = self.subject.files.read(FILE);
        let mut metadata = Metadata::default();
        let read = text.as_ref().map_err(Clone::clone).and_then(|text| metadata.read_over(text, compat));
        let parsed =
            self.rule(Severity::Error, FILE, read.map_err(|e| format!("unable to parse YAML\n\t{e}")));
        let (true, Ok(text)) = (parsed, text) else { return };
        if !compat.is_3() {
            let strict =
                strict(&text).map_err(|e| format!("failed to strictly parse chart metadata file\n\t{e}"));
            self.rule(Severity::Warning, FILE, strict);
        }
        let raw = yaml::read_map(&text, Options::default()).unwrap_or_default();
        self.fields(&metadata, &raw);
    }

    fn fields(&mut self, metadata: &Metadata, raw: &Map) {
        use Severity::{Error, Info, Warning};
        self.rule(Error, FILE, name(metadata));
        self.rule(Error, FILE, api_version(metadata));
        self.rule(Error, FILE, is_string(raw, "version"));
        self.rule(Error, FILE, version(metadata));
        self.rule(Error, FILE, is_string(raw, "appVersion"));
        self.rule(Error, FILE, maintainers(metadata));
        let source = metadata.sources.iter().find(|s| s.is_empty() || !is_request(s));
        self.rule(Error, FILE, source.map_or(Ok(()), |s| Err(format!("invalid source URL '{s}'"))));
        let icon = &metadata.icon;
        let present = if icon.is_empty() { Err("icon is recommended".to_owned()) } else { Ok(()) };
        self.rule(Info, FILE, present);
        let good = icon.is_empty() || is_request(icon);
        self.rule(Error, FILE, if good { Ok(()) } else { Err(format!("invalid icon URL '{icon}'")) });
        let api = &metadata.api_version;
        let second = api == API_V2;
        let kind = if metadata.kind.is_empty() || second {
            Ok(())
        } else {
            Err(format!(
                "chart type is not valid in apiVersion '{api}'. It is valid in apiVersion '{API_V2}'"
            ))
        };
        self.rule(Error, FILE, kind);
        let dependencies = if metadata.declared().next().is_none() || second {
            Ok(())
        } else {
            Err(format!(
                "dependencies are not valid in the Chart file with apiVersion '{api}'. They are valid in apiVersion \
                 '{API_V2}'"
            ))
        };
        self.rule(Error, FILE, dependencies);
        if self.subject.compat == Compat::Helm4 {
            let strict = if is_strict(&metadata.version) {
                Ok(())
            } else {
                Err(format!("version '{}' is not a valid SemVerV2", metadata.version))
            };
            self.rule(Warning, FILE, strict);
        }
    }
}

fn name(metadata: &Metadata) -> Result<(), String> {
    match metadata.name.as_str() {
        "" => Err("name is required".to_owned()),
        name if name.contains('/') => Err(format!("chart name {} is invalid", quote(name.as_bytes()))),
        _ => Ok(()),
    }
}

fn api_version(metadata: &Metadata) -> Result<(), String> {
    match metadata.api_version.as_str() {
        API_V1 | API_V2 => Ok(()),
        "" => Err("apiVersion is required. The value must be either \"v1\" or \"v2\"".to_owned()),
        other => Err(format!("apiVersion '{other}' is not valid. The value must be either \"v1\" or \"v2\"")),
    }
}

fn is_string(raw: &Map, key: &str) -> Result<(), String> {
    match raw.get(key.as_bytes()) {
        None | Some(Value::Str(_)) => Ok(()),
        Some(other) => Err(format!("{key} should be of type string but it's of type {}", other.type_name())),
    }
}

fn version(metadata: &Metadata) -> Result<(), String> {
    let text = &metadata.version;
    if text.is_empty() {
        return Err("version is required".to_owned());
    }
    let version = Version::parse(text).map_err(|_| format!("version '{text}' is not a valid SemVer"))?;
    let positive = version.numbers != [0, 0, 0] || version.pre.is_empty() || version.pre.as_str() > "0";
    if positive { Ok(()) } else { Err(format!("version {version} is less than or equal to 0.0.0-0")) }
}

/// Three numbers without zeros in front, no `v`.
fn is_strict(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let parts: Vec<&str> = core.split('.').collect();
    parts.len() == 3
        && parts.iter().all(|p| {
            !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()) && (p.len() == 1 || !p.starts_with('0'))
        })
        && Version::parse(text).is_ok()
}

fn maintainers(metadata: &Metadata) -> Result<(), String> {
    for maintainer in &metadata.maintainers {
        let Some(maintainer) = maintainer else { return Err("a maintainer entry is empty".to_owned()) };
        let (name, email, url) = (&maintainer.name, &maintainer.email, &maintainer.url);
        if name.is_empty() {
            return Err("each maintainer requires a name".to_owned());
        }
        if !email.is_empty() && !is_mail(email) {
            return Err(format!("invalid email '{email}' for maintainer '{name}'"));
        }
        if !url.is_empty() && !is_page(url) {
            return Err(format!("invalid url '{url}' for maintainer '{name}'"));
        }
    }
    Ok(())
}

/// Refuses fields that nobody knows, and keys that stand twice.
fn strict(text: &[u8]) -> Result<(), String> {
    let document =
        yaml::read_map(text, Options { strict: true, ..Options::default() }).map_err(|e| e.to_string())?;
    let unknown = |map: &Map, known: &[&str]| {
        map.keys().into_iter().find(|key| !known.iter().any(|k| k.eq_ignore_ascii_case(&key.lossy())))
    };
    let mut found = unknown(&document, FIELDS);
    for (list, known) in [("maintainers", MAINTAINER), ("dependencies", DEPENDENCY)] {
        let Some(Value::List(items)) = document.get(list.as_bytes()) else { continue };
        for item in items.items().iter().filter_map(Value::as_map) {
            found = found.or_else(|| unknown(item, known));
        }
    }
    match found {
        Some(key) => Err(format!(
            "error unmarshaling JSON: while decoding JSON: json: unknown field {}",
            quote(key.as_bytes())
        )),
        None => Ok(()),
    }
}
