//! `helm repo`: the chart repositories the user has added.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::Home;
use crate::base::{Failure, Kind};
use crate::chart::{Compat, Loader};
use crate::chartrepo::{ChartVersion, Entry, Error, Fetcher, Index, Repositories, join};
use crate::host::fs;
use crate::host::lock::{FileLock, Sharing};
use crate::report::Context;

/// Repositories that are gone for good, and what took their place.
const GONE: [(&str, &str); 2] = [
    ("//kubernetes-charts.storage.googleapis.com", "https://charts.helm.sh/stable"),
    ("//kubernetes-charts-incubator.storage.googleapis.com", "https://charts.helm.sh/incubator"),
];

/// What `repo add` is asked for.
#[derive(Clone, Debug)]
pub struct Add {
    /// The repository.
    pub entry: Entry,
    /// Whether one of that name is replaced.
    pub force: bool,
    /// Whether one is taken that is known to be gone.
    pub allow_gone: bool,
    /// How long its index may take.
    pub timeout: Duration,
}

/// Adds a repository after its index has been read; gives the line to show.
///
/// # Errors
/// If the name is taken or not allowed, or there is no index.
pub async fn add(cx: &Context, home: &Home, request: Add) -> Result<String, Failure> {
    let Add { entry, force, allow_gone, timeout } = request;
    if !allow_gone && let Some((_, better)) = GONE.iter().find(|(gone, _)| entry.url.contains(gone)) {
        let words = format!("repo {:?} is no longer available; try {better:?} instead", entry.url);
        return Err(Error::Invalid(words).into());
    }
    cx.report.secrets().register(&entry.password);
    let _lock = locked(&home.repository_config)?;
    let mut list = Repositories::load(&home.repository_config)?.unwrap_or_default();
    if entry.name.contains('/') {
        let words = format!(
            "repository name ({}) contains '/', please specify a different name without '/'",
            entry.name
        );
        return Err(Error::Invalid(words).into());
    }
    if let Some(known) = list.get(&entry.name).filter(|_| !force) {
        if *known != entry {
            let words =
                format!("repository name ({}) already exists, please specify a different name", entry.name);
            return Err(Error::Invalid(words).into());
        }
        return Ok(format!("{:?} already exists with the same configuration, skipping\n", entry.name));
    }
    let refreshed = match Fetcher::new(&entry.url, &entry.trust(), timeout) {
        Ok(fetcher) => home.cache.refresh(&entry, &fetcher).await.map_err(|error| {
            error.within(&format!(
                "looks like {:?} is not a valid chart repository or cannot be reached: ",
                entry.url
            ))
        }),
        Err(error) => Err(error),
    };
    refreshed?;
    let line = format!("{:?} has been added to your repositories\n", entry.name);
    list.update(entry);
    list.save(&home.repository_config)?;
    Ok(line)
}

/// Two that add at once must not lose one of the entries. The file is the one Helm locks.
fn locked(config: &Path) -> Result<FileLock, Failure> {
    if let Some(folder) = config.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(FileLock::wait(config.with_extension("lock"), Sharing::Exclusive)?)
}

/// The repositories, in the order in which they were added; none if there is no file.
///
/// # Errors
/// If the file cannot be read.
pub fn list(home: &Home) -> Result<Vec<Entry>, Failure> {
    Ok(Repositories::load(&home.repository_config)?.unwrap_or_default().entries)
}

/// Takes repositories out and forgets their indexes. `said` gets a line for each.
///
/// # Errors
/// If there is none of a name; those before it are gone then.
pub fn remove(home: &Home, names: &[String], said: &mut String) -> Result<(), Failure> {
    let mut list = some(home)?;
    for name in names {
        if !list.remove(name) {
            return Err(Error::Missing(format!("no repo named {name:?} found")).into());
        }
        list.save(&home.repository_config)?;
        home.cache.forget(name)?;
        said.push_str(&format!("{name:?} has been removed from your repositories\n"));
    }
    Ok(())
}

/// The repositories; at least one.
pub(super) fn some(home: &Home) -> Result<Repositories, Failure> {
    Repositories::load(&home.repository_config)?
        .filter(|list| !list.entries.is_empty())
        .ok_or_else(|| Error::Missing("no repositories configured".to_owned()).into())
}

/// What became of one repository.
#[derive(Debug)]
pub struct Updated {
    /// Name and address.
    pub entry: Entry,
    /// Why its index could not be had.
    pub error: Option<Error>,
}

/// Brings the indexes of repositories up to date, all at once; of all if none is named.
///
/// # Errors
/// If there are none, or one is named that is not there.
pub async fn update(home: &Home, names: &[String], timeout: Duration) -> Result<Vec<Updated>, Failure> {
    let none = || {
        Failure::from(Error::Missing("no repositories found. You must add one before updating".to_owned()))
    };
    let list = Repositories::load(&home.repository_config)?.ok_or_else(none)?;
    if list.entries.is_empty() {
        return Err(none());
    }
    if let Some(unknown) = names.iter().find(|name| list.get(name).is_none()) {
        let words = format!("no repositories found matching '{unknown}'.  Nothing will be updated");
        return Err(Error::Missing(words).into());
    }
    let wanted = list.entries.into_iter().filter(|e| names.is_empty() || names.contains(&e.name));
    Ok(refresh(home, wanted.collect(), timeout).await)
}

/// Brings indexes up to date; the answers come in the order of the entries.
pub(super) async fn refresh(home: &Home, entries: Vec<Entry>, timeout: Duration) -> Vec<Updated> {
    let tasks = entries.into_iter().map(|entry| async {
        let fetched = match Fetcher::new(&entry.url, &entry.trust(), timeout) {
            Ok(fetcher) => home.cache.refresh(&entry, &fetcher).await,
            Err(error) => Err(error),
        };
        Updated { entry, error: fetched.err() }
    });
    futures_util::future::join_all(tasks).await
}

/// What `repo index` is asked for.
#[derive(Clone, Debug)]
pub struct MakeIndex {
    /// The folder with the charts.
    pub folder: PathBuf,
    /// What the addresses begin with; empty for relative ones.
    pub url: String,
    /// An index whose entries are kept.
    pub merge: Option<PathBuf>,
    /// Whether it is written as JSON.
    pub json: bool,
}

/// Writes the index of a folder of charts. Warnings come back.
///
/// # Errors
/// If a file cannot be read or written.
pub fn index(cx: &Context, request: &MakeIndex) -> Result<Vec<String>, Failure> {
    let now = now(cx);
    let mut index = Index::new(now.clone());
    let mut warnings = Vec::new();
    for path in archives(&request.folder)? {
        let bytes = fs::read(request.folder.join(&path))?;
        let Ok(loaded) = (Loader { compat: Compat::Helm4 }).archive(&path, &bytes) else {
            warnings.push(format!("{path} is no chart"));
            continue;
        };
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", &path));
        let base = join(&request.url, folder);
        let url = if base.is_empty() || base == "." { file.to_owned() } else { join(&base, file) };
        let mut metadata = loaded.chart.metadata;
        if metadata.api_version.is_empty() {
            metadata.api_version = crate::chart::API_V1.to_owned();
        }
        index.add(ChartVersion {
            metadata,
            urls: vec![url],
            created: now.clone(),
            removed: false,
            digest: hex::encode(Sha256::digest(&bytes)),
        });
    }
    if let Some(path) = &request.merge {
        if fs::exists(path) {
            let other = Index::parse(&fs::read(path)?, &path.display().to_string())
                .map_err(|e| e.within(&format!("merge failed: error loading {}: ", path.display())))?;
            warnings.extend(other.warnings.iter().cloned());
            index.merge(other);
        } else {
            write(&Index::new(now), path, request.json)?;
        }
    }
    index.sort();
    write(&index, &request.folder.join("index.yaml"), request.json)?;
    Ok(warnings)
}

/// The time as Go writes it into such files.
pub(super) fn now(cx: &Context) -> String {
    let now = cx.clock.now();
    let seconds = i64::try_from(now.as_secs()).unwrap_or(0);
    let text = jiff::Timestamp::new(seconds, i32::try_from(now.subsec_nanos()).unwrap_or(0));
    text.map(|t| t.to_string()).unwrap_or_default()
}

fn write(index: &Index, path: &Path, json: bool) -> Result<(), Failure> {
    let bytes = if json { index.to_json() } else { index.to_yaml()? };
    Ok(fs::write_atomic(path, bytes)?)
}

/// The archives in a folder and in the folders below it, one level deep, sorted as Helm finds them.
fn archives(folder: &Path) -> Result<Vec<String>, Failure> {
    let entries = fs::read_dir(folder).map_err(|e| Failure::of(Kind::Input, &e))?;
    let (mut here, mut below) = (Vec::new(), Vec::new());
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".tgz") {
            here.push(name.clone());
        }
        if fs::metadata(entry.path()).is_ok_and(|m| m.is_dir()) {
            for inner in fs::read_dir(entry.path())? {
                let file = inner.file_name().to_string_lossy().into_owned();
                if file.ends_with(".tgz") {
                    below.push(format!("{name}/{file}"));
                }
            }
        }
    }
    here.sort();
    below.sort();
    here.extend(below);
    Ok(here)
}
