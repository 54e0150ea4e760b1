//! Read-only merged trees.

use std::io::Write;
use std::path::{Path, PathBuf};

use rootfs_helpers::overlay::{self, Layers};

use crate::base::DiffId;
use crate::snapshot::chain::{Chain, chain};
use crate::snapshot::scratch::Scratch;
use crate::snapshot::{Error, Method, Result, Snapshots, diff, flat};

/// A merged tree that can be read. It goes away when dropped.
#[derive(Debug)]
pub struct View {
    mount: Option<Mount>,
    root: PathBuf,
    _chain: Chain,
}

/// A mount of this process's mount namespace, undone when dropped.
#[derive(Debug)]
pub(super) struct Mount {
    place: PathBuf,
    /// Where it is mounted; removed after the unmounting.
    scratch: Option<Scratch>,
}

impl Mount {
    /// Mounts an overlay at `place`.
    pub fn new(layers: Layers<'_>, place: PathBuf, scratch: Option<Scratch>) -> Result<Self> {
        overlay::mount(layers, &place).map_err(|e| Error::system("mount an overlay at", &place, e))?;
        Ok(Self { place, scratch })
    }

    /// Where it is mounted.
    pub fn place(&self) -> &Path {
        &self.place
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if overlay::unmount(&self.place).is_err() {
            // Removing the scratch directory would go through the mount: leave it to the next `clean_stale`.
            std::mem::forget(self.scratch.take());
        }
    }
}

impl View {
    pub(super) fn new(store: &Snapshots, layers: &[DiffId]) -> Result<Self> {
        let chain = chain(store, layers)?;
        if let Method::Copy { .. } = store.method() {
            let root = flat::tree(store, &chain)?;
            return Ok(Self { mount: None, root, _chain: chain });
        }
        if let [empty] = chain.lowers.as_slice() {
            return Ok(Self { mount: None, root: empty.clone(), _chain: chain });
        }
        let scratch = store.scratch()?;
        let place = scratch.dir("merged")?;
        let mount =
            Mount::new(Layers { lowers: &chain.lowers, writable: None }, place.clone(), Some(scratch))?;
        Ok(Self { mount: Some(mount), root: place, _chain: chain })
    }

    /// Where the tree is, in this process's mount namespace. Paths in it must be resolved with
    /// [`crate::snapshot::rooted::Rooted`]: links in it may point anywhere.
    pub fn root(&self) -> &Path {
        self.mount.as_ref().map_or(&self.root, Mount::place)
    }

    /// Writes the whole tree as one archive.
    ///
    /// # Errors
    /// Those of the tree and of `out`.
    pub fn write_tar(&self, out: impl Write) -> Result<()> {
        diff::remake(self.root(), false, None, out).map(|_| ())
    }
}
