//! From files to a chart (`Helm: pkg/chart/v2/loader`).

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::archive;
use super::decode::{Decoder, read};
use super::file::{EntryKind, File, FileView};
use super::ignore::Rules;
use super::metadata::{API_V1, Metadata, dependency};
use super::values::read_values;
use super::{Chart, Compat, Dependency, Error};

/// How charts may nest in each other.
const MAX_CHARTS: usize = 32;
/// How deep folders may nest; a link to a parent folder would have no end.
const MAX_FOLDERS: usize = 64;
/// How many files a chart may have.
const MAX_FILES: usize = 100_000;

/// More bytes of subcharts than this are worth several threads.
const LARGE: usize = 200_000;

/// The file that fixes the versions of dependencies.
#[derive(Clone, Debug, Default)]
pub struct Lock {
    /// When it was written, as it stands there.
    pub generated: String,
    /// A digest of what was declared and what was found.
    pub digest: String,
    /// What was found.
    pub dependencies: Vec<Dependency>,
}

/// A loaded chart and what was odd about it.
#[derive(Debug)]
pub struct Loaded {
    /// The chart.
    pub chart: Chart,
    /// Words for standard error.
    pub warnings: Vec<String>,
}

/// Loads charts.
#[derive(Clone, Copy, Debug)]
pub struct Loader {
    /// As which Helm.
    pub compat: Compat,
}

impl Loader {
    /// Loads the chart in a folder, without the files that its `.helmignore` names.
    ///
    /// # Errors
    /// If the files cannot be read or are no chart.
    pub fn folder(&self, files: &dyn FileView) -> Result<Loaded, Error> {
        let files = folder_files(files)?;
        self.files(files)
    }

    /// Loads the chart in a gzipped archive. `name` is what messages call it.
    ///
    /// # Errors
    /// If the archive is broken, too large or hostile, or is no chart.
    pub fn archive(&self, name: &str, bytes: &[u8]) -> Result<Loaded, Error> {
        archive::ensure(name, bytes)?;
        self.files(archive::files(bytes)?)
    }

    /// Loads the chart that consists of these files.
    ///
    /// # Errors
    /// If they are no chart.
    pub fn files(&self, files: Vec<File>) -> Result<Loaded, Error> {
        let mut warnings = Vec::new();
        let chart = self.build(files, &mut warnings, 0)?;
        Ok(Loaded { chart, warnings })
    }

    fn build(&self, files: Vec<File>, warnings: &mut Vec<String>, depth: usize) -> Result<Chart, Error> {
        if depth > MAX_CHARTS {
            return Err(Error::Chart(format!("charts are nested deeper than {MAX_CHARTS}")));
        }
        let metadata = self.metadata(&files)?;
        let has_metadata = metadata.is_some();
        let mut parts = Parts::new(metadata.unwrap_or_default(), self.compat);
        parts.raw = files.iter().cloned().collect();
        for file in files {
            parts.sort_in(file, warnings)?;
        }
        if !has_metadata && !parts.by_requirements {
            return Err(Error::Chart("Chart.yaml file is missing".to_owned()));
        }
        parts.metadata.validate()?;
        let subcharts = std::mem::take(&mut parts.subcharts);
        let mut chart = parts.finish();
        let subcharts: Vec<_> = subcharts.into_iter().filter(|(f, _)| !f.starts_with(['_', '.'])).collect();
        // They know nothing of each other; the first one that is wrong is told.
        let load = |(folder, files): (String, Vec<File>)| {
            let mut warnings = Vec::new();
            let loaded = self.subchart(&folder, files, &mut warnings, depth).map_err(|e| {
                e.within(&format!("error unpacking subchart {folder} in {}: ", chart.metadata.name))
            });
            (loaded, warnings)
        };
        let size: usize = subcharts.iter().flat_map(|(_, files)| files).map(|file| file.data.len()).sum();
        let loaded: Vec<_> = match size > LARGE {
            true => subcharts.into_par_iter().map(load).collect(),
            false => subcharts.into_iter().map(load).collect(),
        };
        for (subchart, mut words) in loaded {
            chart.dependencies.push(subchart?);
            warnings.append(&mut words);
        }
        Ok(chart)
    }

    fn metadata(&self, files: &[File]) -> Result<Option<Metadata>, Error> {
        let mut metadata: Option<Metadata> = None;
        for file in files.iter().filter(|f| f.name == "Chart.yaml") {
            let metadata = metadata.get_or_insert_default();
            metadata
                .read_over(file.data.as_bytes(), self.compat)
                .map_err(|e| Error::Chart(format!("cannot load Chart.yaml: {e}")))?;
            if metadata.api_version.is_empty() {
                metadata.api_version = API_V1.to_owned();
            }
        }
        Ok(metadata)
    }

    fn subchart(
        &self,
        folder: &str,
        files: Vec<File>,
        warnings: &mut Vec<String>,
        depth: usize,
    ) -> Result<Chart, Error> {
        if folder.ends_with(".tgz") {
            let first = files.first().ok_or_else(|| Error::Chart("no files".to_owned()))?;
            if first.name != folder {
                return Err(Error::Chart(format!("expected {folder}, got {}", first.name)));
            }
            return self.build(archive::files(first.data.as_bytes())?, warnings, depth + 1);
        }
        let files = files
            .into_iter()
            .filter_map(|file| {
                let (_, name) = file.name.split_once('/')?;
                Some(File { name: name.to_owned(), ..file })
            })
            .collect();
        self.build(files, warnings, depth + 1)
    }
}

/// A chart's files, being sorted by what they are.
struct Parts {
    compat: Compat,
    metadata: Metadata,
    by_requirements: bool,
    lock: Option<Lock>,
    chart: Chart,
    templates: Vec<File>,
    files: Vec<File>,
    raw: Arc<[File]>,
    subcharts: BTreeMap<String, Vec<File>>,
}

impl Parts {
    fn new(metadata: Metadata, compat: Compat) -> Self {
        Self {
            compat,
            metadata,
            by_requirements: false,
            lock: None,
            chart: Chart::default(),
            templates: Vec::new(),
            files: Vec::new(),
            raw: Arc::new([]),
            subcharts: BTreeMap::new(),
        }
    }

    fn sort_in(&mut self, file: File, warnings: &mut Vec<String>) -> Result<(), Error> {
        let cannot = |name: &str, e: String| Error::Chart(format!("cannot load {name}: {e}"));
        match file.name.as_str() {
            "Chart.yaml" => self.chart.modified = file.modified,
            "Chart.lock" => {
                self.lock = Some(lock(&file, self.compat).map_err(|e| cannot("Chart.lock", e))?);
            }
            "values.yaml" => {
                self.chart.values =
                    read_values(file.data.as_bytes(), self.compat).map_err(|e| cannot("values.yaml", e))?;
            }
            "values.schema.json" => self.chart.schema = Some(file),
            "requirements.yaml" => {
                self.by_requirements = true;
                if self.metadata.api_version != API_V1 {
                    warnings.push(
                        "Warning: Dependencies are handled in Chart.yaml since apiVersion \"v2\". We recommend \
                         migrating dependencies to Chart.yaml."
                            .to_owned(),
                    );
                }
                self.metadata
                    .read_over(file.data.as_bytes(), self.compat)
                    .map_err(|e| cannot("requirements.yaml", e))?;
                self.keep_for_v1(file);
            }
            "requirements.lock" => {
                self.by_requirements = true;
                self.lock = Some(lock(&file, self.compat).map_err(|e| cannot("requirements.lock", e))?);
                if self.metadata.api_version != API_V1 {
                    warnings.push(
                        "Warning: Dependency locking is handled in Chart.lock since apiVersion \"v2\". We recommend \
                         migrating to Chart.lock."
                            .to_owned(),
                    );
                }
                self.keep_for_v1(file);
            }
            name if name.starts_with("templates/") => self.templates.push(file),
            name if name.starts_with("charts/") && !name.ends_with(".prov") => {
                let name = name.trim_start_matches("charts/").to_owned();
                let folder = name.split('/').next().unwrap_or_default().to_owned();
                self.subcharts.entry(folder).or_default().push(File { name, ..file });
            }
            _ => self.files.push(file),
        }
        Ok(())
    }

    fn keep_for_v1(&mut self, file: File) {
        if self.metadata.api_version == API_V1 {
            self.files.push(file);
        }
    }

    fn finish(self) -> Chart {
        Chart {
            metadata: self.metadata,
            lock: self.lock,
            templates: self.templates.into(),
            files: self.files.into(),
            raw: self.raw,
            ..self.chart
        }
    }
}

fn lock(file: &File, compat: Compat) -> Result<Lock, String> {
    let document = read(file.data.as_bytes())?;
    let mut lock = Lock::default();
    let mut decoder = Decoder::default();
    let package = compat.package();
    decoder.object(&document, ("Lock", &format!("{package}.Lock")), |d, key, value| match key {
        "generated" => d.at("generated", |d| d.string(&mut lock.generated, value)),
        "digest" => d.at("digest", |d| d.string(&mut lock.digest, value)),
        "dependencies" => d.at("dependencies", |d| {
            let list = d.list(value, &format!("[]*{package}.Dependency"));
            let items = list.iter().flat_map(|list| list.items());
            lock.dependencies = items.filter_map(|item| dependency(d, item, package)).collect();
        }),
        _ => {}
    });
    decoder.finish()?;
    Ok(lock)
}

/// Reads the files of a folder that its `.helmignore` leaves.
///
/// # Errors
/// If one cannot be read, or all together are too large.
pub fn folder_files(view: &dyn FileView) -> Result<Vec<File>, Error> {
    let mut walk = Walk { view, rules: rules(view)?, files: Vec::new(), left: archive::MAX_CHART };
    walk.folder("", 0)?;
    Ok(walk.files)
}

fn rules(view: &dyn FileView) -> Result<Rules, Error> {
    let entries = view.entries("").map_err(Error::Chart)?;
    let text = match entries.iter().any(|e| e.name == ".helmignore" && e.kind == EntryKind::File) {
        true => view.read(".helmignore").map_err(Error::Chart)?,
        false => Vec::new(),
    };
    Rules::parse(&text).map_err(Error::Chart)
}

struct Walk<'v> {
    view: &'v dyn FileView,
    rules: Rules,
    files: Vec<File>,
    left: u64,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &str, depth: usize) -> Result<(), Error> {
        if depth > MAX_FOLDERS {
            return Err(Error::Chart(format!("{folder}: folders are nested deeper than {MAX_FOLDERS}")));
        }
        for entry in self.view.entries(folder).map_err(Error::Chart)? {
            let path = if folder.is_empty() { entry.name } else { format!("{folder}/{}", entry.name) };
            if self.rules.ignores(&path, entry.kind == EntryKind::Folder) {
                continue;
            }
            match entry.kind {
                EntryKind::Folder => self.folder(&path, depth + 1)?,
                EntryKind::Irregular => {
                    return Err(Error::Chart(format!(
                        "cannot load irregular file {path} as it has file mode type bits set"
                    )));
                }
                EntryKind::File => {
                    let too_large = || archive::too_large(archive::MAX_CHART);
                    self.left = self.left.checked_sub(entry.size).ok_or_else(too_large)?;
                    if self.files.len() >= MAX_FILES {
                        return Err(Error::Chart(format!("the chart has more than {MAX_FILES} files")));
                    }
                    let data = self.view.read(&path).map_err(Error::Chart)?;
                    self.files.push(File::new(path, &data, entry.modified));
                }
            }
        }
        Ok(())
    }
}
