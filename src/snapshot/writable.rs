//! Trees that take changes and become layers.

use std::path::Path;

use rootfs_helpers::root::Root;

use crate::base::DiffId;
use crate::snapshot::Result;

/// A tree that takes changes. Dropped without [`Writable::commit`], the changes are gone.
pub struct Writable {}

/// How changes become a layer.
#[derive(Clone, Debug, Default)]
pub struct DiffOptions {
    /// Later times become this one (seconds since the Unix epoch).
    pub source_date_epoch: Option<i64>,
}

/// A finished layer, unpacked in the store.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The digest of its archive.
    pub diff_id: DiffId,
    /// Bytes of its archive.
    pub size: u64,
    /// Entries in it, whiteouts included; 0 is an empty layer.
    pub entries: u64,
    /// Whether the store had it already.
    pub known: bool,
}

impl Writable {
    /// Where the tree is in this process; mounts it on first use.
    pub fn mounted(&mut self) -> Result<&Path> {
        unimplemented!()
    }

    /// What the sandbox is to mount. Unmounts the tree here first: an upper directory must not be mounted twice.
    pub fn root_spec(&mut self) -> Result<Root> {
        unimplemented!()
    }

    /// Turns the changes into a layer. Nothing may be mounted or running on the tree any more.
    pub fn commit(self, options: &DiffOptions) -> Result<Committed> {
        unimplemented!()
    }
}
