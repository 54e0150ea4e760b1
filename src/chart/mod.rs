//! Charts: what Helm loads, checks, renders and packs, as values.
//!
//! Files come in through a [`FileView`] or as an archive's bytes and become a [`Chart`] ([`Loader`]); [`Given`] makes the
//! user's values; [`process`] settles which dependencies take part; [`coalesce`] puts all values together; [`render`]
//! executes the templates and [`sort`] makes manifests and hooks of them. Nothing here touches the machine.
//!
//! Helm's two living versions differ in places; [`Compat`] says which one is meant. Where Helm walks a Go map, and so
//! in no order, we walk in the order of bytes.
//!
//! Invariants: texts of errors are Helm's; values are one tree per chart that its templates share and may change, so
//! that the order of rendering shows as it does in Helm. Rejected: a value model of its own (templates would have to
//! convert), rendering charts apart from each other (they share names and globals).

mod archive;
mod capabilities;
mod changes;
mod coalesce;
mod compat;
mod decode;
mod dependencies;
mod error;
pub mod explain;
mod file;
mod glob;
mod ignore;
pub mod lint;
mod load;
mod manifest;
mod metadata;
mod objects;
mod package;
pub mod pattern;
pub mod postrender;
pub mod provenance;
mod render;
mod rendered;
mod scaffold;
mod schema;
mod strvals;
mod values;
mod words;

use std::sync::Arc;

pub use archive::files as archive_files;
pub use capabilities::{Capabilities, KubeVersion, build_info};
pub use changes::{Change, ChangeKind, Changes, changes};
pub use compat::Compat;
pub use dependencies::{is_compatible, process};
pub use error::Error;
pub use file::{Entry, EntryKind, File, FileView, Files};
pub use load::{Loaded, Loader, Lock, folder_files};
pub use manifest::{Head, Hook, Manifest, Sorted, head, sort, split, trim_end, trim_start};
pub use metadata::{API_V1, API_V2, Dependency, Maintainer, Metadata, api_version};
pub use package::{lock_value, package};
pub use render::{Recorded, Release, Rendering, Request, render, render_recorded};
pub use rendered::Rendered;
pub use scaffold::scaffold;
pub use schema::{SCHEMA, validate};
pub use strvals::{Meaning, parse_into, parse_literal_into};
pub use values::{Given, merge_maps, read_values};

use crate::yaml::Map;
use coalesce::{Coalescer, Nulls};

/// A chart. Cloning is cheap; the values are not changed in place.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// `Chart.yaml`, with what `requirements.yaml` adds.
    pub metadata: Metadata,
    /// `Chart.lock` or `requirements.lock`.
    pub lock: Option<Lock>,
    /// `values.yaml`; once dependencies were processed, with theirs in it.
    pub values: Map,
    /// `values.schema.json`.
    pub schema: Option<File>,
    /// Files under `templates/`, in the order they were found in.
    pub templates: Arc<[File]>,
    /// Files that are nothing else.
    pub files: Arc<[File]>,
    /// All files as they were found.
    pub raw: Arc<[File]>,
    /// The charts in `charts/`.
    pub dependencies: Vec<Chart>,
    /// Seconds since 1970 of the last change of `Chart.yaml`.
    pub modified: u64,
    /// The old name of the parent, where the path still goes through it (Helm 3, aliases).
    path_below: Option<String>,
}

/// A custom resource definition that comes with a chart.
#[derive(Clone, Debug)]
pub struct Crd<'c> {
    /// Path from the outermost chart's name.
    pub path: String,
    /// The file.
    pub file: &'c File,
}

impl Chart {
    /// The files in `crds/` of this chart and then of its dependencies.
    pub fn crds(&self) -> Vec<Crd<'_>> {
        let mut found = Vec::new();
        self.collect_crds(&self.metadata.name, &mut found);
        found
    }

    fn forget_values(&mut self) {
        self.values = Map::new();
        self.dependencies.iter_mut().for_each(Chart::forget_values);
    }

    fn collect_crds<'c>(&'c self, path: &str, found: &mut Vec<Crd<'c>>) {
        let is_crd = |name: &str| {
            let ending = name.rsplit('/').next().and_then(|n| n.rsplit_once('.')).map(|n| n.1.to_lowercase());
            name.starts_with("crds/") && matches!(ending.as_deref(), Some("yaml" | "yml" | "json"))
        };
        for file in self.files.iter().filter(|file| is_crd(&file.name)) {
            found.push(Crd { path: format!("{path}/{}", file.name), file });
        }
        for dependency in &self.dependencies {
            dependency.collect_crds(&format!("{path}/charts/{}", dependency.metadata.name), found);
        }
    }
}

/// The values that a chart, its dependencies settled, is rendered with under those of the user. Warnings are added.
///
/// # Errors
/// [`Error::Values`] if a subchart's section is no table.
pub fn coalesce(chart: &Chart, user: &Map, compat: Compat, warnings: &mut Vec<String>) -> Result<Map, Error> {
    Coalescer { compat, warnings, owned: false }.values(chart, user, Nulls::Remove)
}

/// Coalesces as [`coalesce`] does and uses the charts' values up: no copy of them stays in memory.
///
/// # Errors
/// As [`coalesce`].
pub fn coalesce_last(
    chart: &mut Chart,
    user: &Map,
    compat: Compat,
    warnings: &mut Vec<String>,
) -> Result<Map, Error> {
    let values = Coalescer { compat, warnings, owned: true }.values(chart, user, Nulls::Remove)?;
    chart.forget_values();
    Ok(values)
}
