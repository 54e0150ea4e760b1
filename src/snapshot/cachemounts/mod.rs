//! Folders that stay between builds: `RUN --mount=type=cache`.
//!
//! ```text
//! <root>/<id map>/mounts/<key>-<number>/{tree, mount.json}   a cache and what is known of it
//!                 locks/<key>-<number>                       held by everybody who uses it
//!                 scratch/<token>[.lock]                     work in progress
//! ```
//!
//! Who uses a cache holds its lock: shared with others, or alone. Locks end with their process, so none is held by the
//! dead. Lock files are never removed: whoever waits on one must not be left with a name that leads elsewhere. A cache
//! appears by the rename of a finished folder and goes the same way, so a killed process leaves only scratch folders.
//! What is thrown away first is what was not used for the longest time.

mod held;
mod known;
mod travel;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use held::Held;
pub use known::CacheMount;
use known::Known;

use crate::base::ContentHash;
use crate::dockerfile::command::Sharing;
use crate::host::fs;
use crate::host::lock::{self, FileLock};
use crate::report::Context;
use crate::snapshot::folder::Folder;
use crate::snapshot::scratch::{self, Scratch};
use crate::snapshot::{Error, Result, flat, id_map_key};

/// How often somebody who waits for a cache looks again.
const PATIENCE: Duration = Duration::from_millis(50);
/// So many private users of one cache at once are more than any machine runs.
const MOST_PRIVATE: usize = 1000;

/// Cache mounts below one directory. Several processes may use one directory at once.
#[derive(Clone, Debug)]
pub struct CacheMounts {
    root: PathBuf,
}

/// Which cache is wanted, and how it begins if it is not there.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Its identity.
    pub key: ContentHash,
    /// Its name for people.
    pub id: &'a str,
    /// Who may use it at the same time.
    pub sharing: Sharing,
    /// Mode, owner and group of the folder.
    pub access: (u32, u32, u32),
    /// A merged tree that it begins as a copy of.
    pub seed: Option<&'a Path>,
}

impl CacheMounts {
    /// Opens (creates) the caches below `root`, in a folder named by [`id_map_key`], and removes what killed processes
    /// left there.
    ///
    /// # Errors
    /// If the place cannot be used.
    pub fn open(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref().join(id_map_key());
        for folder in ["mounts", "locks", "scratch"] {
            fs::create_dir_all(root.join(folder))?;
        }
        let mounts = Self { root: fs::canonicalize(root)? };
        // What somebody else is removing right now, or nobody can, is no reason not to go on.
        let _ = mounts.clean_stale();
        Ok(mounts)
    }

    /// Takes a cache for as long as the result lives; `waiting` is called once if somebody else has it.
    ///
    /// # Errors
    /// [`Error::Cancelled`] while waiting; if it cannot be made.
    pub fn acquire(&self, cx: &Context, wanted: &Wanted<'_>, waiting: &dyn Fn()) -> Result<Held> {
        let (name, lock) = match wanted.sharing {
            Sharing::Shared => self.wait(cx, wanted, lock::Sharing::Shared, waiting)?,
            Sharing::Locked => self.wait(cx, wanted, lock::Sharing::Exclusive, waiting)?,
            Sharing::Private => self.any_free(wanted)?,
        };
        let place = self.place(&name);
        if !fs::exists(&place) {
            self.make(&place, wanted, cx.clock.now())?;
        }
        Ok(Held::new(place, wanted.id, cx.clock.clone(), lock))
    }

    /// Whether the cache that everybody shares is there.
    pub fn contains(&self, key: &ContentHash) -> bool {
        fs::exists(self.place(&name(key, 0)))
    }

    fn wait(
        &self,
        cx: &Context,
        wanted: &Wanted<'_>,
        sharing: lock::Sharing,
        waiting: &dyn Fn(),
    ) -> Result<(String, FileLock)> {
        let name = name(&wanted.key, 0);
        let path = self.root.join("locks").join(&name);
        let mut told = false;
        loop {
            if let Some(lock) = FileLock::attempt(&path, sharing)? {
                return Ok((name, lock));
            }
            if cx.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            if !std::mem::replace(&mut told, true) {
                waiting();
            }
            std::thread::sleep(PATIENCE);
        }
    }

    fn any_free(&self, wanted: &Wanted<'_>) -> Result<(String, FileLock)> {
        for number in 0..MOST_PRIVATE {
            let name = name(&wanted.key, number);
            let path = self.root.join("locks").join(&name);
            if let Some(lock) = FileLock::attempt(&path, lock::Sharing::Exclusive)? {
                return Ok((name, lock));
            }
        }
        let reason = std::io::Error::other(format!("{MOST_PRIVATE} are in use"));
        Err(Error::system("find a free cache for", wanted.id, reason))
    }

    /// Makes a cache; whoever else makes it at the same moment may be faster.
    fn make(&self, place: &Path, wanted: &Wanted<'_>, now: Duration) -> Result<()> {
        let scratch = Scratch::create(&self.root.join("scratch"))?;
        let (folder, tree) = (scratch.dir("mount")?, scratch.dir("mount/tree")?);
        if let Some(seed) = wanted.seed {
            flat::copy(seed, &tree)?;
        } else {
            let (mode, uid, gid) = wanted.access;
            let fail = |e| Error::system("make the cache", &tree, e);
            let parent = Folder::at(&folder).map_err(fail)?;
            let name = OsStr::new("tree");
            parent
                .set_owner(name, uid, gid)
                .map_err(|e| super::apply::chown_error(tree.clone(), uid, gid, e))?;
            parent.set_mode(name, mode).map_err(fail)?;
        }
        self.publish(&folder, place, &Known::new(wanted.id, now))
    }

    fn publish(&self, folder: &Path, place: &Path, known: &Known) -> Result<()> {
        known.write(folder)?;
        match fs::rename(folder, place) {
            Err(e) if !fs::exists(place) => Err(e.into()),
            _ => Ok(()),
        }
    }

    /// All caches, the one that was not used for the longest time first.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub fn list(&self) -> Result<Vec<CacheMount>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(self.root.join("mounts"))? {
            let name = entry.file_name().to_string_lossy().into_owned();
            all.extend(Known::read(&entry.path())?.map(|known| known.shown(name)));
        }
        all.sort_by(|a, b| (a.used, &a.name).cmp(&(b.used, &b.name)));
        Ok(all)
    }

    /// Removes a cache unless somebody uses it; whether it is gone.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove(&self, name: &str) -> Result<bool> {
        let path = self.root.join("locks").join(name);
        let Some(_lock) = FileLock::attempt(path, lock::Sharing::Exclusive)? else { return Ok(false) };
        let scratch = Scratch::create(&self.root.join("scratch"))?;
        match fs::rename(self.place(name), scratch.path().join("gone")) {
            Err(e) if e.is_not_found() => Ok(true),
            other => Ok(other.map(|()| true)?),
        }
    }

    /// Measures what was used since the last time, and throws away what was not used for the longest time until the rest
    /// takes no more than `limit` bytes. What is in use stays.
    ///
    /// # Errors
    /// If something cannot be measured or removed.
    pub fn trim(&self, limit: u64) -> Result<Vec<CacheMount>> {
        let all = self.measured()?;
        let mut total: u64 = all.iter().map(|mount| mount.size).sum();
        let mut removed = Vec::new();
        for mount in all {
            if total <= limit {
                break;
            }
            if self.remove(&mount.name)? {
                total -= mount.size;
                removed.push(mount);
            }
        }
        Ok(removed)
    }

    /// [`CacheMounts::list`] with every size known.
    ///
    /// # Errors
    /// If something cannot be measured.
    pub fn measured(&self) -> Result<Vec<CacheMount>> {
        let mut all = self.list()?;
        for mount in all.iter_mut().filter(|mount| !mount.measured) {
            let place = self.place(&mount.name);
            mount.size = measure(&place.join("tree"))?;
            mount.measured = true;
            if let Some(known) = Known::read(&place)?.filter(|known| known.used() == mount.used) {
                known.sized(mount.size).write(&place)?;
            }
        }
        Ok(all)
    }

    /// Removes what killed processes left behind; gives how many pieces that were.
    ///
    /// # Errors
    /// If something cannot be removed.
    pub fn clean_stale(&self) -> Result<usize> {
        scratch::clean(&self.root.join("scratch"))
    }

    fn place(&self, name: &str) -> PathBuf {
        self.root.join("mounts").join(name)
    }
}

fn name(key: &ContentHash, number: usize) -> String {
    let hash = key.to_string();
    format!("{}-{number}", &hash[..32.min(hash.len())])
}

/// Bytes of the files in a tree, each once; what vanishes meanwhile is not counted.
fn measure(tree: &Path) -> Result<u64> {
    let mut open = match Folder::at(tree) {
        Ok(folder) => vec![folder],
        Err(rustix::io::Errno::NOENT) => return Ok(0),
        Err(e) => return Err(Error::system("measure", tree, e)),
    };
    let (mut total, mut seen) = (0, BTreeSet::new());
    while let Some(folder) = open.pop() {
        for name in folder.names().unwrap_or_default() {
            let name = crate::snapshot::folder::os(&name);
            let Ok(Some(node)) = folder.look(name) else { continue };
            if node.is_dir() {
                open.extend(folder.child(name));
            } else if node.links < 2 || seen.insert(node.inode) {
                total += node.size;
            }
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests;
