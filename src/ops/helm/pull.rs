//! `helm pull`: a chart from a repository or registry, as an archive or unpacked.

use std::path::{Path, PathBuf};

use super::source::{Fetched, Wanted, fetch};
use super::{Home, Settings, failed, verify};
use crate::base::Failure;
use crate::chart::Loader;
use crate::host::fs;
use crate::report::Context;

/// What is pulled, and where to.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Which chart.
    pub wanted: Wanted,
    /// The folder for it.
    pub destination: PathBuf,
    /// The folder to unpack it in, below `destination`; `None` leaves it packed.
    pub untar: Option<PathBuf>,
}

/// Pulls a chart and gives what Helm says about it.
///
/// # Errors
/// If there is no such chart, or it cannot be written.
pub async fn run(
    cx: &Context,
    home: &Home,
    settings: &Settings,
    request: &Request,
) -> Result<String, Failure> {
    let fetched = fetch(cx, home, &request.wanted).await?;
    match &request.untar {
        Some(folder) => unpack(settings, request, folder, &fetched)?,
        None => {
            fs::write_atomic(request.destination.join(&fetched.file), &fetched.archive)?;
            if let Some(provenance) = &fetched.provenance {
                fs::write_atomic(request.destination.join(format!("{}.prov", fetched.file)), provenance)?;
            }
        }
    }
    let verified = fetched.verified.as_ref().map(verify::said).unwrap_or_default();
    Ok(fetched.said + &verified)
}

fn unpack(settings: &Settings, request: &Request, folder: &Path, fetched: &Fetched) -> Result<(), Failure> {
    let below: PathBuf = if folder.is_absolute() {
        folder.to_owned()
    } else {
        request.destination.join(folder).components().filter(|c| c.as_os_str() != ".").collect()
    };
    let named = request.wanted.reference.rsplit('/').next().unwrap_or_default();
    let reserved = below.join(named);
    if fs::exists(&reserved) {
        let words = format!(
            "failed to untar: a file or directory with the name {} already exists",
            reserved.display()
        );
        return Err(failed("unpack the chart", words));
    }
    fs::create_dir_all(&reserved)?;
    // Loading has checked the paths: nothing leads out of the chart's folder.
    let loaded = (Loader { compat: settings.compat }).archive(&fetched.file, &fetched.archive)?;
    let root = below.join(&loaded.chart.metadata.name);
    for file in loaded.chart.raw.iter() {
        let path = root.join(&file.name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, file.data.as_bytes())?;
    }
    Ok(())
}
