//! The store of unpacked layers.
//!
//! ```text
//! <root>/<id map>/layers/<hex of the diff id>/{fs, layer.json}   finished, immutable
//!                 scratch/<token>[.lock]                         work in progress
//!                 patches/<key>/fs, flat/<key>/fs, hashes/<key>  see `patch`, `flat`, `hashes`, `derived`
//!                 empty/                                         the lowest of all layers
//!                 unsynced-<boot>/<hex>                          layers that a power failure may have damaged
//!                 in-use                                         locked by everybody who has the store open
//! ```
//!
//! A layer appears by the rename of a finished directory; whoever comes second drops his own. Killed processes leave
//! only scratch directories. Files are not synced one by one: layers written since the machine started are listed, and
//! dropped at the next start unless [`Snapshots::sync`] was called.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::DiffId;
use crate::host::fs;
use crate::host::lock::{FileLock, Sharing};
use crate::oci::layer;
use crate::snapshot::record::{LayerInfo, Origin};
use crate::snapshot::scratch::{self, Scratch};
use crate::snapshot::{Error, Result, View, Writable, chain, derived, diff, probe, unpack};

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
    /// Copies.
    Copy {
        /// `chosen`, or what went wrong when overlays were tried.
        reason: String,
    },
}

/// Unpacked layers below one directory. Cheap to clone; several processes may use one directory at once.
#[derive(Clone, Debug)]
pub struct Snapshots(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    method: Method,
    /// Who has the store open holds it shared; removing layers takes it alone.
    in_use: Mutex<Option<FileLock>>,
    /// How many trees of this process stand on a layer.
    live: Mutex<BTreeMap<DiffId, usize>>,
    boot: String,
}

/// The name of this process's id map; `host` without a user namespace. Directories written under another map have
/// other owners on disk, so each map has a store of its own.
pub fn id_map_key() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let words = |text: String| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (users, groups) = (words(read("/proc/self/uid_map")), words(read("/proc/self/gid_map")));
    let everything = ["0", "0", "4294967295"];
    if users == everything && groups == everything {
        return "host".into();
    }
    let text = format!("{} / {}", users.join(" "), groups.join(" "));
    let hash = crate::base::ContentHash::of(text.as_bytes()).to_string();
    format!("map-{}", &hash[..16])
}

impl Snapshots {
    /// Opens (creates) the store below `root`, in a folder named by [`id_map_key`], finds out how trees can be merged,
    /// drops layers that a power failure may have damaged, and removes what killed processes left.
    ///
    /// # Errors
    /// [`Error::NoOverlay`] if overlays are demanded and do not work; [`Error::Host`] if the place cannot be used.
    pub fn open(root: impl AsRef<Path>, choice: Choice) -> Result<Self> {
        let root = root.as_ref().join(id_map_key());
        fs::create_dir_all(&root)?;
        let root = fs::canonicalize(root)?;
        for folder in ["layers", "scratch", derived::PATCHES, "empty"] {
            fs::create_dir_all(root.join(folder))?;
        }
        let in_use = FileLock::wait(root.join("in-use"), Sharing::Shared)?;
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        let method = match choice {
            Choice::Copy => Method::Copy { reason: "chosen".into() },
            _ => match (probe::overlay(&root.join("scratch"))?, choice) {
                (None, _) => Method::Overlay,
                (Some(reason), Choice::Overlay) => return Err(Error::NoOverlay { path: root, reason }),
                (Some(reason), _) => Method::Copy { reason },
            },
        };
        let inner =
            Inner { root, method, in_use: Mutex::new(Some(in_use)), live: Mutex::new(BTreeMap::new()), boot };
        let store = Self(Arc::new(inner));
        store.drop_damaged()?;
        // What cannot be removed now is tried again by the next one; it is in nobody's way.
        let _ = store.clean_stale();
        Ok(store)
    }

    /// How merged trees are made.
    pub fn method(&self) -> &Method {
        &self.0.method
    }

    pub(super) fn root(&self) -> &Path {
        &self.0.root
    }

    pub(super) fn scratch(&self) -> Result<Scratch> {
        Scratch::create(&self.0.root.join("scratch"))
    }

    fn directory(&self, layer: &DiffId) -> PathBuf {
        // The algorithm is part of the name, though only one is ever written.
        let name = format!("{}-{}", layer.digest().algorithm().name(), layer.hex());
        self.0.root.join("layers").join(name)
    }

    /// The tree of an unpacked layer, in overlay form.
    pub(super) fn tree(&self, layer: &DiffId) -> PathBuf {
        self.directory(layer).join("fs")
    }

    /// Whether the layer is unpacked.
    pub fn contains(&self, layer: &DiffId) -> bool {
        fs::exists(self.directory(layer))
    }

    /// What is known of an unpacked layer; `None` if it is not unpacked.
    ///
    /// # Errors
    /// If its record cannot be read.
    pub fn info(&self, layer: &DiffId) -> Result<Option<LayerInfo>> {
        LayerInfo::read(&self.directory(layer))
    }

    /// Unpacks an uncompressed archive and checks it against its diff id. If the layer is there already, the archive
    /// is not read. Layers may be unpacked in parallel and in any order.
    ///
    /// # Errors
    /// [`Error::Archive`], [`Error::WrongDigest`], [`Error::UnmappedId`], [`Error::Host`]; nothing stays behind.
    pub fn unpack(&self, layer: &DiffId, archive: impl Read + Send) -> Result<LayerInfo> {
        self.unpack_within(layer, archive, layer::Limits::default())
    }

    /// As [`Snapshots::unpack`], with limits of one's own to what the archive may hold.
    ///
    /// # Errors
    /// As [`Snapshots::unpack`].
    pub fn unpack_within(
        &self,
        layer: &DiffId,
        archive: impl Read + Send,
        limits: layer::Limits,
    ) -> Result<LayerInfo> {
        if let Some(info) = self.info(layer)? {
            return Ok(info);
        }
        let scratch = self.scratch()?;
        let directory = scratch.dir_apart("layer")?;
        let tree = scratch.dir("layer/fs")?;
        let outcome = unpack::unpack(layer, archive, &tree, limits)?;
        let mut info = LayerInfo {
            diff_id: layer.clone(),
            size: outcome.size,
            entries: outcome.entries,
            origin: Origin::Unpacked,
            notes: outcome.notes,
            implicit: Vec::new(),
            opaque_root: outcome.opaque_root,
        };
        info.set_implicit(&outcome.implicit);
        self.publish(&directory, &info)?;
        Ok(info)
    }

    /// Makes a finished layer directory part of the store; `false` if the layer was there already.
    pub(super) fn publish(&self, directory: &Path, info: &LayerInfo) -> Result<bool> {
        info.write(directory)?;
        let target = self.directory(&info.diff_id);
        let marks = self.0.root.join(format!("unsynced-{}", self.0.boot));
        fs::create_dir_all(&marks)?;
        if let Some(name) = target.file_name() {
            fs::write(marks.join(name), "")?;
        }
        match fs::rename(directory, &target) {
            Ok(()) => Ok(true),
            Err(_) if fs::exists(&target) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// Refuses, before anything is unpacked, what cannot be merged afterwards.
    ///
    /// # Errors
    /// [`Error::TooManyLayers`].
    pub fn check_depth(&self, layers: usize) -> Result<()> {
        let limit = chain::MOST_LAYERS;
        match self.method() {
            Method::Overlay if layers > limit => Err(Error::TooManyLayers { count: layers, limit }),
            _ => Ok(()),
        }
    }

    /// The merged tree of layers, lowest first.
    ///
    /// # Errors
    /// [`Error::Missing`] if one is not unpacked; [`Error::Host`].
    pub fn view(&self, layers: &[DiffId]) -> Result<View> {
        View::new(self, layers)
    }

    /// A tree over layers, lowest first, that takes changes.
    ///
    /// # Errors
    /// [`Error::Missing`] if one is not unpacked; [`Error::Host`].
    pub fn writable(&self, layers: &[DiffId]) -> Result<Writable> {
        Writable::new(self, layers)
    }

    /// Makes the archive of a committed layer again; gives its length in bytes.
    ///
    /// # Errors
    /// [`Error::NotRemade`] if the layer came from an archive (then its blob is the source), or if the directory was
    /// changed by somebody; [`Error::Missing`]; [`Error::Host`] if writing fails.
    pub fn write_tar(&self, layer: &DiffId, out: impl Write) -> Result<u64> {
        let _hold = self.hold(std::slice::from_ref(layer));
        let (root, epoch) = self.recipe(layer)?;
        let written = diff::remake(&self.tree(layer), root, epoch, out)?;
        if written.diff_id != *layer {
            let reason = format!("its directory was changed and now gives {}", written.diff_id);
            return Err(Error::NotRemade { layer: layer.clone(), reason });
        }
        Ok(written.size)
    }

    /// As [`Snapshots::write_tar`], for an `out` that hashes what it is given: whether that is the layer's archive, and
    /// not one of a directory that somebody changed, is for the caller to find out.
    ///
    /// # Errors
    /// As [`Snapshots::write_tar`].
    pub fn write_tar_unhashed(&self, layer: &DiffId, out: impl Write) -> Result<()> {
        let _hold = self.hold(std::slice::from_ref(layer));
        let (root, epoch) = self.recipe(layer)?;
        diff::remake_unhashed(&self.tree(layer), root, epoch, out)
    }

    /// How the archive of a committed layer is made again: whether its root is an entry, and the latest time in it.
    fn recipe(&self, layer: &DiffId) -> Result<(bool, Option<i64>)> {
        let Some(info) = self.info(layer)? else { return Err(Error::Missing { layer: layer.clone() }) };
        let Origin::Committed { source_date_epoch } = info.origin else {
            let reason = "it was unpacked from one, whose blob is to be used".into();
            return Err(Error::NotRemade { layer: layer.clone(), reason });
        };
        let root = !info.implicit_paths().any(|path| path.as_os_str().is_empty());
        Ok((root, source_date_epoch))
    }

    /// Whether the archive of the layer can be made again. One that was unpacked, but was written by this program
    /// somewhere, gives its archive as one that was committed here does: that is found out by trying, and remembered.
    ///
    /// # Errors
    /// If its record cannot be read or written.
    pub fn can_remake(&self, layer: &DiffId) -> Result<bool> {
        let Some(mut info) = self.info(layer)? else { return Ok(false) };
        if matches!(info.origin, Origin::Committed { .. }) {
            return Ok(true);
        }
        let root = !info.implicit_paths().any(|path| path.as_os_str().is_empty());
        let _hold = self.hold(std::slice::from_ref(layer));
        match diff::remake(&self.tree(layer), root, None, std::io::sink()) {
            Ok(written) if written.diff_id == *layer => {
                info.origin = Origin::Committed { source_date_epoch: None };
                info.write(&self.directory(layer))?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// All unpacked layers.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub fn list(&self) -> Result<Vec<LayerInfo>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(self.0.root.join("layers"))? {
            all.extend(LayerInfo::read(&entry.path())?);
        }
        Ok(all)
    }

    /// Removes a layer. One that is not there is fine.
    ///
    /// # Errors
    /// [`Error::Busy`] while another process has the store open, or this one a tree on any layer.
    pub fn remove(&self, layer: &DiffId) -> Result<()> {
        let removed = self.alone(|| self.discard(&self.directory(layer)))?;
        removed.ok_or_else(|| Error::Busy { layer: layer.clone() })
    }

    /// Removes merged copies, patches and hashes that stand on layers which are gone; gives how many those were. While another
    /// process has the store open, or this one a tree on any layer, nothing is removed.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub fn remove_derived(&self) -> Result<usize> {
        let removed = self.alone(|| {
            let mut removed = 0;
            for folder in
                [derived::FLAT, derived::PATCHES, derived::HASHES].map(|name| self.0.root.join(name))
            {
                if !fs::exists(&folder) {
                    continue;
                }
                for entry in fs::read_dir(folder)? {
                    if !derived::is_current(&entry.path(), |layer| self.contains(layer)) {
                        self.discard(&entry.path())?;
                        removed += 1;
                    }
                }
            }
            Ok(removed)
        })?;
        Ok(removed.unwrap_or(0))
    }

    /// Does `work` while nobody else has the store open; `None` if somebody has, or a tree of this process stands.
    fn alone<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
        let mut lock = lock(&self.0.in_use);
        if !lock_live(&self.0).is_empty() {
            return Ok(None);
        }
        *lock = None;
        let path = self.0.root.join("in-use");
        let outcome = match FileLock::attempt(&path, Sharing::Exclusive) {
            Ok(Some(_alone)) => work().map(Some),
            Ok(None) => Ok(None),
            Err(e) => Err(e.into()),
        };
        *lock = Some(FileLock::wait(&path, Sharing::Shared)?);
        outcome
    }

    /// Takes a directory out of the store at once, then removes it.
    fn discard(&self, directory: &Path) -> Result<()> {
        let scratch = self.scratch()?;
        match fs::rename(directory, scratch.path().join("gone")) {
            Err(e) if e.is_not_found() => Ok(()),
            other => Ok(other?),
        }
    }

    /// Removes what killed processes left behind; gives how many pieces that were.
    ///
    /// # Errors
    /// If something cannot be removed.
    pub fn clean_stale(&self) -> Result<usize> {
        scratch::clean(&self.0.root.join("scratch"))
    }

    /// Makes everything durable. Without it a power failure (not a kill) may cost layers written since the last time:
    /// the first [`Snapshots::open`] after it looks at each and drops those that are damaged, and those that were unpacked
    /// from archives, whose blobs give them again.
    ///
    /// # Errors
    /// If writing back fails.
    pub fn sync(&self) -> Result<()> {
        let marks = self.0.root.join(format!("unsynced-{}", self.0.boot));
        if !fs::exists(&marks) {
            return Ok(());
        }
        let marked = fs::read_dir(&marks)?;
        let root = fs::open(&self.0.root)?;
        rustix::fs::syncfs(&root).map_err(|e| Error::system("write back", &self.0.root, e))?;
        for mark in marked {
            fs::remove_file(mark.path())?;
        }
        Ok(())
    }

    fn drop_damaged(&self) -> Result<()> {
        let current = format!("unsynced-{}", self.0.boot);
        let stale = |entry: &fs::DirEntry| {
            let name = entry.file_name();
            name != *current && name.to_string_lossy().starts_with("unsynced-")
        };
        if !fs::read_dir(&self.0.root)?.iter().any(stale) {
            return Ok(());
        }
        let _alone = FileLock::wait(self.0.root.join("damaged.lock"), Sharing::Exclusive)?;
        for entry in fs::read_dir(&self.0.root)?.iter().filter(|entry| stale(entry)) {
            for mark in fs::read_dir(entry.path())? {
                if !self.is_whole(&mark.file_name().to_string_lossy()) {
                    self.discard(&self.0.root.join("layers").join(mark.file_name()))?;
                }
            }
            scratch::remove_tree(&entry.path())?;
        }
        // They are made again in no time.
        for entry in fs::read_dir(self.0.root.join(derived::PATCHES))? {
            self.discard(&entry.path())?;
        }
        Ok(())
    }

    /// Whether the layer in the folder `name` still gives the archive it was made as. One that was unpacked cannot be
    /// asked; its blob gives it again.
    fn is_whole(&self, name: &str) -> bool {
        let layer = name.replacen('-', ":", 1).parse::<DiffId>();
        layer.is_ok_and(|layer| self.write_tar(&layer, std::io::sink()).is_ok())
    }

    /// Says that a tree of this process stands on the layers, until dropped.
    pub(super) fn hold(&self, layers: &[DiffId]) -> Hold {
        let mut live = lock_live(&self.0);
        for layer in layers {
            *live.entry(layer.clone()).or_default() += 1;
        }
        Hold { store: self.clone(), layers: layers.to_vec() }
    }
}

/// Layers that must stay.
#[derive(Debug)]
pub(super) struct Hold {
    store: Snapshots,
    layers: Vec<DiffId>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut live = lock_live(&self.store.0);
        for layer in &self.layers {
            if let Some(count) = live.get_mut(layer) {
                *count -= 1;
                if *count == 0 {
                    live.remove(layer);
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lock_live(inner: &Inner) -> MutexGuard<'_, BTreeMap<DiffId, usize>> {
    lock(&inner.live)
}
