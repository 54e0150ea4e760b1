//! Trees that take changes and become layers.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rootfs_helpers::overlay::Layers;
use rootfs_helpers::root::Root;

use crate::base::DiffId;
use crate::snapshot::chain::{Chain, chain};
use crate::snapshot::diff::{self, Written};
use crate::snapshot::folder::Folder;
use crate::snapshot::record::{LayerInfo, Origin};
use crate::snapshot::scratch::Scratch;
use crate::snapshot::view::Mount;
use crate::snapshot::{Error, Method, Result, Snapshots, flat, unpack};

/// A tree that takes changes. Dropped without [`Writable::commit`], the changes are gone.
#[derive(Debug)]
pub struct Writable {
    // Before the directories it uses: fields are dropped in order.
    mount: Option<Mount>,
    store: Snapshots,
    chain: Chain,
    form: Form,
    scratch: Scratch,
    merged: PathBuf,
}

#[derive(Debug)]
enum Form {
    /// The upper directory is the tree of the layer to be.
    Overlay { upper: PathBuf, work: PathBuf },
    /// A whole copy; the tree it was made from; and the change times its files had in the beginning.
    Copy { tree: PathBuf, original: PathBuf, times: HashMap<(u64, u64), (i64, u32)> },
}

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
    pub(super) fn new(store: &Snapshots, layers: &[DiffId]) -> Result<Self> {
        let chain = chain(store, layers)?;
        let scratch = store.scratch()?;
        let (merged, work) = (scratch.dir("merged")?, scratch.dir("work")?);
        // After those that stay empty.
        scratch.dir_apart("layer")?;
        let form = match store.method() {
            Method::Overlay => {
                let upper = scratch.dir("layer/fs")?;
                root_like(&upper, chain.top())?;
                Form::Overlay { upper, work }
            }
            Method::Copy { .. } => {
                let original = flat::tree(store, &chain)?;
                let tree = scratch.dir("tree")?;
                let times = flat::copy(&original, &tree)?;
                Form::Copy { tree, original, times }
            }
        };
        Ok(Self { mount: None, store: store.clone(), chain, form, scratch, merged })
    }

    /// Where the tree is in this process's mount namespace; mounts it on first use.
    ///
    /// # Errors
    /// If mounting fails.
    pub fn mounted(&mut self) -> Result<&Path> {
        let (upper, work) = match &self.form {
            Form::Copy { tree, .. } => return Ok(tree),
            Form::Overlay { upper, work } => (upper, work),
        };
        if self.mount.is_none() {
            let layers = Layers { lowers: &self.chain.lowers, writable: Some((upper, work)) };
            self.mount = Some(Mount::new(layers, self.merged.clone(), None)?);
        }
        Ok(&self.merged)
    }

    /// What the sandbox is to mount as its root. Unmounts the tree here first, for an upper directory must not be
    /// mounted twice; [`Writable::mounted`] mounts it again when the sandbox is done.
    pub fn root_spec(&mut self) -> Root {
        self.mount = None;
        match &self.form {
            Form::Copy { tree, .. } => Root::Directory(tree.clone()),
            Form::Overlay { upper, work } => {
                Root::Overlay { lowers: self.chain.lowers.clone(), upper: upper.clone(), work: work.clone() }
            }
        }
    }

    /// Turns the changes into a layer of the store. Nothing may run in the tree or be mounted in it any more.
    ///
    /// # Errors
    /// [`Error::Unstorable`] for names beginning with `.wh.`; [`Error::Host`]. The changes are gone then.
    pub fn commit(mut self, options: &DiffOptions) -> Result<Committed> {
        self.mount = None;
        let epoch = options.source_date_epoch;
        let written = match &self.form {
            Form::Overlay { upper, .. } => {
                let lower = self.below()?;
                let below = lower.as_ref().map_or(self.chain.top(), Mount::place);
                diff::normalise(upper, below, epoch, io::sink())?
            }
            Form::Copy { tree, original, times } => {
                let target = self.scratch.dir("layer/fs")?;
                root_like(&target, tree)?;
                unpacked(&target, |out| {
                    let changed =
                        |node: &crate::snapshot::folder::Node| times.get(&node.inode) != Some(&node.ctime);
                    diff::compare(tree, original, epoch, &changed, out)
                })?
            }
        };
        let mut info = LayerInfo {
            diff_id: written.diff_id.clone(),
            size: written.size,
            entries: written.entries,
            origin: Origin::Committed { source_date_epoch: epoch },
            notes: Vec::new(),
            implicit: Vec::new(),
            opaque_root: false,
        };
        if !written.root {
            info.set_implicit(&[PathBuf::new()]);
        }
        let Written { diff_id, size, entries, .. } = written;
        let known = !self.store.publish(&self.scratch.path().join("layer"), &info)?;
        Ok(Committed { diff_id, size, entries, known })
    }

    /// The merged tree below the upper directory; `None` if that is a single directory.
    fn below(&self) -> Result<Option<Mount>> {
        if self.chain.lowers.len() < 2 {
            return Ok(None);
        }
        let scratch = self.store.scratch()?;
        let place = scratch.dir("below")?;
        Mount::new(Layers { lowers: &self.chain.lowers, writable: None }, place, Some(scratch)).map(Some)
    }
}

/// Gives an empty directory the mode, owner and time of another.
fn root_like(directory: &Path, like: &Path) -> Result<()> {
    let apply = || -> Result<(), rustix::io::Errno> {
        let node = Folder::at(like)?.node()?;
        let folder = Folder::at(directory)?;
        folder.set_owner(OsStr::new("."), node.uid, node.gid)?;
        folder.set_mode(OsStr::new("."), node.mode)?;
        folder.set_own_time(node.mtime)
    };
    apply().map_err(|e| Error::system("prepare directory", directory, e))
}

/// Unpacks what `write` writes into `target` while it is written.
fn unpacked(
    target: &Path,
    write: impl FnOnce(&mut io::BufWriter<io::PipeWriter>) -> Result<Written>,
) -> Result<Written> {
    let (reader, writer) = io::pipe().map_err(|e| Error::system("make a pipe for", target, e))?;
    std::thread::scope(|scope| {
        let unpacking = scope.spawn(move || unpack::unpack_any(reader, target));
        let mut writer = io::BufWriter::with_capacity(64 << 10, writer);
        let written = write(&mut writer);
        let flushed = writer.flush();
        drop(writer);
        let unpacked = unpacking.join().map_err(|_| io::Error::other("the unpacking thread ended early"));
        // The reader's failure is the cause of the writer's.
        unpacked.map_err(|e| Error::system("unpack into", target, e))??;
        let written = written?;
        flushed.map_err(|e| Error::system("unpack into", target, e))?;
        Ok(written)
    })
}
