//! What the root file system of a step is made of: said by the snapshot service, mounted by either side.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The root file system of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Root {
    /// An overlay to be mounted by [`crate::overlay::mount`]. All paths are absolute directories that exist.
    Overlay {
        /// Read-only layers, **topmost first** (the kernel's order); never empty.
        lowers: Vec<PathBuf>,
        /// Where changes go.
        upper: PathBuf,
        /// The kernel's scratch space, empty and on the file system of `upper`.
        work: PathBuf,
    },
    /// A plain directory that already holds the whole tree and takes the changes.
    Directory(PathBuf),
}
