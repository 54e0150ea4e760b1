//! Where what was fetched from outside is kept, beside the store:
//!
//! ```text
//! fetched/urls/<key>.json     what a server said of a file: version, time, and which tree holds it
//!         trees/<key>/…       files of one version of an address, or of one commit; never changed
//!         objects/<key>/      what was fetched of a Git repository
//!         partial/<key>/      work in progress, below a lock; removed by whoever takes the lock next
//! ```
//!
//! All of it can be fetched again.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::ContentHash;
use crate::build::{Doors, Error};
use crate::host::fs;
use crate::host::lock::{FileLock, Sharing};

/// What a server says of a file is a few words.
const LARGEST_MEMORY: u64 = 1 << 20;

/// The folder of what was fetched.
#[derive(Clone, Debug)]
pub struct Fetched {
    root: PathBuf,
    locks: PathBuf,
}

impl Fetched {
    /// That of these doors.
    pub fn of(doors: &Doors) -> Self {
        Self::at(doors.home())
    }

    /// That of the store in this folder.
    pub fn at(home: &Path) -> Self {
        Self { root: home.join("fetched"), locks: home.join("locks") }
    }

    /// Keeps everything from being removed as long as the lock is held.
    ///
    /// # Errors
    /// If there can be no lock.
    pub fn in_use(&self) -> Result<FileLock, Error> {
        Ok(FileLock::wait(self.locks.join("fetched-in-use"), Sharing::Shared)?)
    }

    /// Removes everything, unless a build uses it; gives how many trees that were.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn prune(&self, dry_run: bool) -> Result<usize, Error> {
        if !fs::exists(&self.root) {
            return Ok(0);
        }
        let Some(_alone) = FileLock::attempt(self.locks.join("fetched-in-use"), Sharing::Exclusive)? else {
            return Ok(0);
        };
        let trees = self.root.join("trees");
        let count = if fs::exists(&trees) { fs::read_dir(&trees)?.len() } else { 0 };
        if !dry_run {
            fs::remove_dir_all(&self.root)?;
        }
        Ok(count)
    }

    /// Waits until nobody else works on `key`.
    ///
    /// # Errors
    /// If there can be no lock.
    pub fn lock(&self, key: &ContentHash) -> Result<FileLock, Error> {
        Ok(FileLock::wait(self.locks.join(format!("fetch-{key}")), Sharing::Exclusive)?)
    }

    /// Where the tree of `key` is, or will be.
    pub fn tree(&self, key: &ContentHash) -> PathBuf {
        self.root.join("trees").join(key.to_string())
    }

    /// The folder for objects of a Git repository, made with what is around it.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn objects(&self, key: &ContentHash) -> Result<PathBuf, Error> {
        let folder = self.root.join("objects").join(key.to_string());
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// An empty folder to work in. Whoever calls holds the lock of `key`.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn begin(&self, key: &ContentHash) -> Result<PathBuf, Error> {
        let folder = self.root.join("partial").join(key.to_string());
        if fs::exists(&folder) {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Makes a finished folder the tree of `key`, unless there is one.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn publish(&self, finished: &Path, key: &ContentHash) -> Result<PathBuf, Error> {
        let place = self.tree(key);
        if fs::exists(&place) {
            fs::remove_dir_all(finished)?;
            return Ok(place);
        }
        fs::create_dir_all(self.root.join("trees"))?;
        match fs::rename(finished, &place) {
            // Another key came to the same tree.
            Err(_) if fs::exists(&place) => fs::remove_dir_all(finished)?,
            other => other?,
        }
        Ok(place)
    }

    fn memory(&self, key: &ContentHash) -> PathBuf {
        self.root.join("urls").join(format!("{key}.json"))
    }

    /// What is remembered under `key`.
    pub fn recall<T: DeserializeOwned>(&self, key: &ContentHash) -> Option<T> {
        let bytes = fs::read_limited(self.memory(key), LARGEST_MEMORY).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Remembers.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn remember<T: Serialize>(&self, key: &ContentHash, value: &T) -> Result<(), Error> {
        fs::create_dir_all(self.root.join("urls"))?;
        let bytes = serde_json::to_vec(value).map_err(|e| Error::Bug(e.to_string()))?;
        Ok(fs::write_atomic(self.memory(key), bytes)?)
    }

    /// A folder with nothing in it.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn nothing(&self) -> Result<PathBuf, Error> {
        let folder = self.root.join("nothing");
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}
