//! Work in progress: directories that belong to a living process, and what killed ones left behind.
//!
//! Each has a lock file beside it, held by its owner; who can take the lock finds an orphan.

use std::path::{Path, PathBuf};

use crate::host::fs;
use crate::host::lock::{FileLock, Sharing};
use crate::host::random;
use crate::snapshot::folder::Folder;
use crate::snapshot::{Error, Result};

/// A directory that is removed when dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    lock_path: PathBuf,
    _lock: FileLock,
}

impl Scratch {
    /// A new directory below `folder`.
    pub fn create(folder: &Path) -> Result<Self> {
        loop {
            let token = random::token();
            let lock_path = folder.join(format!("{token}.lock"));
            let lock = FileLock::wait(&lock_path, Sharing::Exclusive)?;
            // Somebody who cleans up may have been faster and have removed the file that was just locked.
            if !fs::exists(&lock_path) {
                continue;
            }
            let path = folder.join(token);
            fs::create_dir(&path)?;
            return Ok(Self { path, lock_path, _lock: lock });
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new directory inside.
    pub fn dir(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir(&path)?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is found by `clean`.
        if remove_tree(&self.path).is_ok() {
            let _ = fs::remove_file(&self.lock_path);
        }
    }
}

/// Removes a directory of ours and everything below. One that is not there is fine.
pub(super) fn remove_tree(path: &Path) -> Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let removed = Folder::at(parent).and_then(|folder| folder.remove(name));
    removed.map_err(|e| Error::system("remove", path, e))
}

/// Removes what dead processes left below `folder`; gives how many directories.
pub(super) fn clean(folder: &Path) -> Result<usize> {
    let mut cleaned = 0;
    for entry in fs::read_dir(folder)? {
        let lock_path = entry.path();
        if lock_path.extension().is_none_or(|e| e != "lock") {
            continue;
        }
        let Some(_lock) = FileLock::attempt(&lock_path, Sharing::Exclusive)? else { continue };
        let directory = lock_path.with_extension("");
        if fs::symlink_metadata(&directory).is_ok() {
            remove_tree(&directory)?;
            cleaned += 1;
        }
        fs::remove_file(&lock_path)?;
    }
    Ok(cleaned)
}
