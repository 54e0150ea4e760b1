//! `helm dependency`: the charts that a chart declares to need.

mod list;
mod lock;
mod resolve;
mod update;

use std::path::{Path, PathBuf};

pub use list::list;
pub use update::{build, complete, update};

use super::folder::Folder;
use super::verify::Check;
use super::{Settings, failed};
use crate::base::Failure;
use crate::chart::{Chart, Loader};
use crate::chartrepo::Trust;
use crate::host::fs;

/// Whose dependencies, and how their servers are spoken to.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The chart's folder.
    pub chart: PathBuf,
    /// Whether indexes are used as they are in the cache.
    pub skip_refresh: bool,
    /// User, password and certificates for all servers.
    pub trust: Trust,
    /// What is to happen with signatures.
    pub check: Check,
    /// Whether registries may be spoken to in plain HTTP.
    pub plain_http: bool,
}

/// The chart in a folder.
fn open(settings: &Settings, path: &Path) -> Result<Chart, Failure> {
    let shown = path.display();
    match fs::metadata(path) {
        Err(_) => {
            let words = format!("could not find {shown}: stat {shown}: no such file or directory");
            return Err(failed("open the chart", words));
        }
        Ok(metadata) if !metadata.is_dir() => {
            return Err(failed("open the chart", "only unpacked charts can be updated"));
        }
        Ok(_) => {}
    }
    let loader = Loader { compat: settings.compat };
    Ok(loader.folder(&Folder(path.to_owned()))?.chart)
}

/// The folder that a `file://` repository means, from the chart's folder.
fn local(repository: &str, chart: &Path) -> Result<PathBuf, Failure> {
    let path = repository.strip_prefix("file://").unwrap_or(repository);
    let joined = if path.starts_with('/') { PathBuf::from(path) } else { chart.join(path) };
    let mut clean = PathBuf::new();
    for part in joined.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir if clean.file_name().is_some() => drop(clean.pop()),
            part => clean.push(part),
        }
    }
    if !fs::exists(&clean) {
        return Err(failed("open a dependency", format!("directory {} not found", clean.display())));
    }
    Ok(clean)
}
