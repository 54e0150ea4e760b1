//! `index.yaml`: which charts a repository has (`Helm: pkg/repo/v1/index.go`).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use rayon::prelude::*;

use super::section::{Sections, cut, sections};
use super::{Error, Ordered, metadata_json};
use crate::chart::{API_V1, Compat, Metadata};
use crate::template::{Constraints, Version};
use crate::yaml::{self, Options, Value, json};

/// The time that Go prints where there is none.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// A version of a chart in an index.
#[derive(Clone, Debug, Default)]
pub struct ChartVersion {
    /// Its `Chart.yaml`.
    pub metadata: Metadata,
    /// Where it can be had, best first; may be relative to the repository.
    pub urls: Vec<String>,
    /// When it was put there, RFC 3339.
    pub created: String,
    /// Whether it has been taken away.
    pub removed: bool,
    /// SHA-256 of the archive, in hexadecimal, maybe with `sha256:` before it.
    pub digest: String,
}

/// An index.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// The versions of every chart, newest first once sorted.
    pub entries: BTreeMap<String, Vec<ChartVersion>>,
    /// When it was made, RFC 3339.
    pub generated: String,
    annotations: BTreeMap<String, String>,
    public_keys: Vec<String>,
    api_version: String,
    /// What was odd about it, in words.
    pub warnings: Vec<String>,
}

impl Index {
    /// An empty index, made at `generated`.
    pub fn new(generated: String) -> Self {
        Self { generated, api_version: API_V1.to_owned(), ..Self::default() }
    }

    /// Reads an index: JSON if it is JSON, else YAML in which no key may stand twice. Versions that are no charts are
    /// left out with a warning. `source` is what messages call it.
    ///
    /// # Errors
    /// [`Error::Invalid`] with Helm's words.
    pub fn parse(bytes: &[u8], source: &str) -> Result<Self, Error> {
        let (mut index, entries) = Self::each(bytes, source, |versions| versions)?;
        index.entries = entries;
        index.sort();
        Ok(index)
    }

    /// The names of the charts in an index that is all right. What is said of them is read and not kept.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn names(bytes: &[u8], source: &str) -> Result<Vec<String>, Error> {
        Ok(Self::each(bytes, source, drop)?.1.into_keys().collect())
    }

    /// Reads an index and gives it without its entries, and what `take` makes of each chart's versions.
    fn each<T: Send>(
        bytes: &[u8],
        source: &str,
        take: impl Fn(Vec<ChartVersion>) -> T + Sync,
    ) -> Result<(Self, BTreeMap<String, T>), Error> {
        if bytes.is_empty() {
            return Err(Error::Invalid("empty index.yaml file".to_owned()));
        }
        let parted = std::str::from_utf8(bytes).ok().and_then(sections);
        let (index, entries) = match parted.and_then(|parted| Self::parted(&parted, source, &take)) {
            Some(all) => all,
            // Written in another way, or wrong: then the whole tells where.
            None => {
                let mut index = Self::of(&read(bytes)?, source)?;
                let entries = std::mem::take(&mut index.entries);
                (index, entries.into_iter().map(|(name, versions)| (name, take(versions))).collect())
            }
        };
        if index.api_version.is_empty() {
            return Err(Error::Invalid("no API version specified".to_owned()));
        }
        Ok((index, entries))
    }

    /// Reads an index chart by chart, so that never more than a few are in memory as trees. `None` if anything is wrong.
    fn parted<T: Send>(
        parted: &Sections<'_>,
        source: &str,
        take: &(impl Fn(Vec<ChartVersion>) -> T + Sync),
    ) -> Option<(Self, BTreeMap<String, T>)> {
        let rest = read(parted.rest.as_bytes()).ok()?;
        if rest.get("entries").is_some() {
            return None;
        }
        let mut index = Self::of(&rest, source).ok()?;
        let one = |text: &&str| {
            let document = Value::map([("entries", read(text.as_bytes()).ok()?)]);
            let mut one = Self::of(&document, source).ok()?;
            let (name, versions) = one.entries.pop_first()?;
            one.entries.is_empty().then(|| (name, (take(versions), one.warnings)))
        };
        let read: Option<Vec<_>> = parted.charts.par_iter().map(one).collect();
        let (count, mut entries) = (parted.charts.len(), BTreeMap::new());
        for (name, (taken, warnings)) in read?.into_iter().collect::<BTreeMap<_, _>>() {
            index.warnings.extend(warnings);
            entries.insert(name, taken);
        }
        // A name that stands twice is an error.
        (entries.len() == count).then_some((index, entries))
    }

    /// The versions of one chart in an index that has been read as a whole before, such as one in the cache. Large
    /// indexes are not read again as a whole.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn lookup(bytes: &[u8], chart: &str, source: &str) -> Result<Vec<ChartVersion>, Error> {
        if let Ok(text) = std::str::from_utf8(bytes) {
            match cut(text, chart) {
                Some(None) => return Ok(Vec::new()),
                Some(Some(section)) => {
                    let found = read(section.as_bytes()).and_then(|document| Self::of(&document, source));
                    if let Ok(mut index) = found {
                        index.sort();
                        return Ok(index.entries.remove(chart).unwrap_or_default());
                    }
                }
                None => {}
            }
        }
        Ok(Self::parse(bytes, source)?.entries.remove(chart).unwrap_or_default())
    }

    fn of(document: &Value, source: &str) -> Result<Self, Error> {
        let text =
            |key: &str| document.get(key).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let mut index = Self {
            generated: text("generated"),
            api_version: text("apiVersion"),
            public_keys: texts(document.get("publicKeys")),
            ..Self::default()
        };
        if let Some(Value::Map(map)) = document.get("annotations") {
            let entries = map.entries().into_iter();
            index.annotations =
                entries.map(|(k, v)| (k.to_string(), v.as_str().unwrap_or("").to_owned())).collect();
        }
        match document.get("entries") {
            None | Some(Value::Null) => {}
            Some(Value::Map(map)) => {
                for (name, list) in map.entries() {
                    let name = name.to_string();
                    let versions = index.versions(&name, &list, source)?;
                    index.entries.insert(name, versions);
                }
            }
            Some(_) => {
                let words = "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal into Go struct field \
                             IndexFile.entries of type map[string]repo.ChartVersions";
                return Err(Error::Invalid(words.to_owned()));
            }
        }
        Ok(index)
    }

    fn versions(&mut self, name: &str, list: &Value, source: &str) -> Result<Vec<ChartVersion>, Error> {
        let Value::List(list) = list else { return Ok(Vec::new()) };
        let mut versions = Vec::with_capacity(list.len());
        for item in list.items() {
            if item.is_null() {
                let words =
                    format!("skipping loading invalid entry for chart {name:?} from {source}: empty entry");
                self.warnings.push(words);
                continue;
            }
            let mut version = ChartVersion::read(item).map_err(Error::Invalid)?;
            if version.metadata.api_version.is_empty() {
                version.metadata.api_version = API_V1.to_owned();
            }
            if let Err(error) = version.metadata.validate() {
                let words = error.to_string();
                if !words.starts_with("validation: more than one dependency with name or alias") {
                    let number = &version.metadata.version;
                    self.warnings.push(format!(
                        "skipping loading invalid entry for chart {name:?} {number:?} from {source}: {words}"
                    ));
                    continue;
                }
            }
            versions.push(version);
        }
        Ok(versions)
    }

    /// Sorts the versions of each chart, newest first; what is no version comes last.
    pub fn sort(&mut self) {
        for versions in self.entries.values_mut() {
            let keyed =
                std::mem::take(versions).into_iter().map(|v| (Version::parse(&v.metadata.version).ok(), v));
            let mut keyed: Vec<_> = keyed.collect();
            keyed.sort_by(|(a, _), (b, _)| match (a, b) {
                (Some(a), Some(b)) => b.compare(a),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            });
            versions.extend(keyed.into_iter().map(|(_, v)| v));
        }
    }

    /// Adds a version of a chart.
    pub fn add(&mut self, version: ChartVersion) {
        self.entries.entry(version.metadata.name.clone()).or_default().push(version);
    }

    /// Takes in what another index has and this one has not.
    pub fn merge(&mut self, other: Self) {
        for version in other.entries.into_values().flatten() {
            let known = self.entries.get(&version.metadata.name);
            if !known
                .is_some_and(|versions| pick(versions, &version.metadata.version).is_ok_and(|v| v.is_some()))
            {
                self.add(version);
            }
        }
    }

    fn ordered(&self) -> Ordered {
        let mut out = Ordered::object();
        out.put("apiVersion", self.api_version.as_str().into());
        out.put("generated", time(&self.generated).into());
        let mut entries = Ordered::object();
        for (name, versions) in &self.entries {
            entries.put_ordered(name, Ordered::List(versions.iter().map(ChartVersion::ordered).collect()));
        }
        out.put_ordered("entries", entries);
        out.texts("publicKeys", &self.public_keys);
        if !self.annotations.is_empty() {
            let entries = self.annotations.iter().map(|(k, v)| (k.as_str(), Value::from(v.as_str())));
            out.put("annotations", Value::map(entries));
        }
        out
    }

    /// The file as YAML.
    ///
    /// # Errors
    /// If a text cannot be written.
    pub fn to_yaml(&self) -> Result<Vec<u8>, Error> {
        yaml::write(&self.ordered().to_value()).map_err(|e| Error::Invalid(e.to_string()))
    }

    /// The file as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        self.ordered().pretty().into_bytes()
    }
}

fn read(bytes: &[u8]) -> Result<Value, Error> {
    let first = bytes.iter().find(|b| !b.is_ascii_whitespace());
    if first == Some(&b'{')
        && let Ok(value) = json::read(bytes)
    {
        return Ok(value);
    }
    let options = Options { strict: true, ..Options::default() };
    yaml::read(bytes, options).map_err(|e| Error::Invalid(e.to_string()))
}

fn texts(value: Option<Value>) -> Vec<String> {
    match value {
        Some(Value::List(list)) => {
            list.items().iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

/// A time as Go prints it again: a fraction without zeros at its end.
fn time(text: &str) -> &str {
    if text.is_empty() { NO_TIME } else { text }
}

impl ChartVersion {
    fn read(value: &Value) -> Result<Self, String> {
        let text = |key: &str| value.get(key).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        Ok(Self {
            metadata: Metadata::of(value, Compat::Helm4)?,
            urls: texts(value.get("urls")),
            created: text("created"),
            removed: matches!(value.get("removed"), Some(Value::Bool(true))),
            digest: text("digest"),
        })
    }

    fn ordered(&self) -> Ordered {
        let mut out = metadata_json(&self.metadata);
        let urls = self.urls.iter().map(|u| Ordered::Plain(u.as_str().into())).collect();
        out.put_ordered("urls", Ordered::List(urls));
        out.put("created", time(&self.created).into());
        if self.removed {
            out.put("removed", true.into());
        }
        out.text("digest", &self.digest);
        out
    }
}

/// The version that is meant: the very text first, else the newest that the constraint takes; an empty text is any
/// stable one. `versions` must be sorted.
///
/// # Errors
/// The words for a constraint that is none.
pub fn pick<'v>(versions: &'v [ChartVersion], wanted: &str) -> Result<Option<&'v ChartVersion>, String> {
    let constraint = if wanted.is_empty() { "*" } else { wanted };
    let constraint = Constraints::parse(constraint)?;
    if let Some(exact) = versions.iter().find(|v| !wanted.is_empty() && v.metadata.version == wanted) {
        return Ok(Some(exact));
    }
    Ok(versions.iter().find(|v| Version::parse(&v.metadata.version).is_ok_and(|v| constraint.allow(&v))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "apiVersion: v1\nentries:\n  a:\n  - {name: a, version: 1.0.0, urls: [a-1.tgz]}\n  - {name: a, version: 2.0.0-rc1, urls: [x]}\n  - {name: a, version: 1.5.0, urls: [y], digest: d}\n  - null\n  - {name: a}\n  b: []\n";

    #[test]
    fn newest_first_and_lookups() {
        let index = Index::parse(TEXT.as_bytes(), "t").unwrap();
        let versions = &index.entries["a"];
        assert_eq!(
            versions.iter().map(|v| v.metadata.version.as_str()).collect::<Vec<_>>(),
            ["2.0.0-rc1", "1.5.0", "1.0.0"]
        );
        assert_eq!(index.warnings.len(), 2);
        let version = |wanted: &str| pick(versions, wanted).unwrap().map(|v| v.metadata.version.clone());
        assert_eq!(version("").as_deref(), Some("1.5.0"));
        assert_eq!(version("2.0.0-rc1").as_deref(), Some("2.0.0-rc1"));
        assert_eq!(version(">0.0.0-0").as_deref(), Some("2.0.0-rc1"));
        assert_eq!(version("^1.0.0").as_deref(), Some("1.5.0"));
        assert_eq!(version("9"), None);
        assert!(pick(versions, "x.y.z.q").is_err());
        assert_eq!(Index::lookup(TEXT.as_bytes(), "a", "t").unwrap().len(), 3);
        assert!(Index::lookup(TEXT.as_bytes(), "z", "t").unwrap().is_empty());
        assert_eq!(Index::parse(b"", "t").unwrap_err().to_string(), "empty index.yaml file");
        assert_eq!(Index::parse(b"entries: {}", "t").unwrap_err().to_string(), "no API version specified");
        assert!(
            Index::parse(b"apiVersion: v1\napiVersion: v1\n", "t")
                .unwrap_err()
                .to_string()
                .contains("already set")
        );
    }

    #[test]
    fn read_in_parts_and_as_a_whole() {
        let block = "apiVersion: v1\nentries:\n  b:\n  - {name: b, version: 1.0.0}\n  - null\n  a:\n  - name: a\n    \
                     version: 2.0.0\n  - version: 3.0.0\ngenerated: now\n";
        let parted = Index::parse(block.as_bytes(), "t").unwrap();
        let whole = Index::parse(block.replace("entries:\n", "entries: &x\n").as_bytes(), "t").unwrap();
        assert!(sections(block).is_some());
        assert_eq!(format!("{parted:?}"), format!("{whole:?}"));
        assert_eq!((parted.generated.as_str(), parted.warnings.len()), ("now", 2));
        assert_eq!(Index::names(block.as_bytes(), "t").unwrap(), ["a", "b"]);
        let twice = block.replace("  a:\n", "  b:\n");
        let error = Index::names(twice.as_bytes(), "t").unwrap_err().to_string();
        assert!(error.contains("key \"b\" already set in map"), "{error}");
        let wrong = block.replace("version: 2.0.0", "version: [");
        assert!(Index::parse(wrong.as_bytes(), "t").unwrap_err().to_string().contains("line "));
        let again = format!("{block}entries: {{}}\n");
        assert!(Index::parse(again.as_bytes(), "t").unwrap_err().to_string().contains("already set"));
        let shared = block
            .replace("{name: b, version: 1.0.0}", "&v {name: b, version: 1.0.0}")
            .replace("- version: 3.0.0", "- *v");
        assert_eq!(Index::parse(shared.as_bytes(), "t").unwrap().entries["a"].len(), 2);
    }

    #[test]
    fn written_as_helm_does() {
        let mut index = Index::new("2024-01-02T03:04:05Z".to_owned());
        let mut version =
            ChartVersion { urls: vec!["a-1.tgz".into()], digest: "ab".into(), ..ChartVersion::default() };
        (version.metadata.name, version.metadata.version) = ("a".into(), "1.0.0".into());
        version.metadata.api_version = "v2".into();
        index.add(version);
        assert_eq!(
            String::from_utf8(index.to_yaml().unwrap()).unwrap(),
            "apiVersion: v1\nentries:\n  a:\n  - apiVersion: v2\n    created: \"0001-01-01T00:00:00Z\"\n    digest: ab\n    \
             name: a\n    urls:\n    - a-1.tgz\n    version: 1.0.0\ngenerated: \"2024-01-02T03:04:05Z\"\n"
        );
        assert!(
            String::from_utf8(index.to_json())
                .unwrap()
                .contains("\"name\": \"a\",\n        \"version\": \"1.0.0\"")
        );
    }
}
