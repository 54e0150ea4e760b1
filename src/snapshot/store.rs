//! The store of unpacked layers.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::base::DiffId;
use crate::snapshot::{Result, View, Writable};

/// How merged trees are to be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// Overlays if they work here, else copies.
    #[default]
    Auto,
    /// Overlays, or an error that says why they do not work.
    Overlay,
    /// Copies.
    Copy,
}

/// How merged trees are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// The kernel's overlay.
    Overlay,
    /// Copies, and why.
    Copy {
        /// `chosen`, or what overlays did wrong here.
        reason: String,
    },
}

/// Unpacked layers below one directory. Cheap to clone; several processes may use one directory at once.
#[derive(Clone)]
pub struct Snapshots {}

/// Where a layer directory comes from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Origin {
    /// Unpacked from an archive.
    Unpacked,
    /// Committed here; its archive can be made again.
    Committed {
        /// The clamp it was committed with.
        source_date_epoch: Option<i64>,
    },
}

/// What is known of a layer.
#[derive(Clone, Debug)]
pub struct LayerInfo {
    /// Which.
    pub diff_id: DiffId,
    /// Bytes of its archive.
    pub size: u64,
    /// Where it comes from.
    pub origin: Origin,
}

/// The outcome of unpacking.
#[derive(Clone, Debug)]
pub struct Unpacked {
    /// Bytes of the archive.
    pub size: u64,
    /// Entries in it.
    pub entries: u64,
    /// What could not be made and was left out, for example device nodes in a user namespace.
    pub notes: Vec<String>,
}

/// The name of this process's id map: directories written under another map have other owners and are kept apart.
/// `host` without a user namespace.
pub fn id_map_key() -> String {
    unimplemented!()
}

impl Snapshots {
    /// Opens (creates) the store below `root`, in a folder named by [`id_map_key`], and finds out how to merge.
    pub fn open(root: impl AsRef<Path>, choice: Choice) -> Result<Self> {
        unimplemented!()
    }

    /// How merged trees are made.
    pub fn method(&self) -> &Method {
        unimplemented!()
    }

    /// Whether the layer is unpacked.
    pub fn contains(&self, layer: &DiffId) -> bool {
        unimplemented!()
    }

    /// What is known of an unpacked layer.
    pub fn info(&self, layer: &DiffId) -> Result<Option<LayerInfo>> {
        unimplemented!()
    }

    /// Unpacks an uncompressed archive and checks it against its diff id. A layer that is there already is not touched,
    /// and the stream not read.
    pub fn unpack(&self, layer: &DiffId, archive: impl Read) -> Result<Unpacked> {
        unimplemented!()
    }

    /// The merged tree of layers, lowest first.
    pub fn view(&self, layers: &[DiffId]) -> Result<View> {
        unimplemented!()
    }

    /// A tree over layers (lowest first) that takes changes.
    pub fn writable(&self, layers: &[DiffId]) -> Result<Writable> {
        unimplemented!()
    }

    /// Makes the archive of a committed layer again; gives its length.
    pub fn write_tar(&self, layer: &DiffId, out: impl Write) -> Result<u64> {
        unimplemented!()
    }

    /// All unpacked layers.
    pub fn list(&self) -> Result<Vec<LayerInfo>> {
        unimplemented!()
    }

    /// Removes a layer; [`crate::snapshot::Error::Busy`] while anybody has the store open for building.
    pub fn remove(&self, layer: &DiffId) -> Result<()> {
        unimplemented!()
    }

    /// Removes what killed processes left behind; gives how many pieces.
    pub fn clean_stale(&self) -> Result<usize> {
        unimplemented!()
    }

    /// Makes everything durable. Without it a power failure (not a kill) may cost layers, which are then noticed as
    /// missing.
    pub fn sync(&self) -> Result<()> {
        unimplemented!()
    }
}
