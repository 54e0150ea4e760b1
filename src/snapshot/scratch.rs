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

    /// A new directory inside, for very many files, on a part of the disk where most likely none was removed lately.
    ///
    /// For some minutes ext4 does not use the inodes of removed files again, but passes over each of them, one by one,
    /// whenever a file is made near them: making files takes fifty times as long where thousands have just gone.
    pub fn dir_apart(&self, name: &str) -> Result<PathBuf> {
        let around = Folder::at(&self.path).map_err(|e| Error::system("open directory", &self.path, e))?;
        around.scatter();
        // Where it goes is decided by the name it is made with.
        let (made, path) = (self.dir(&random::token())?, self.path.join(name));
        fs::rename(&made, &path)?;
        Ok(path)
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

#[cfg(test)]
mod tests {
    use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

    use super::*;

    #[test]
    fn directories_are_made_apart_where_the_file_system_can_do_it() {
        let dir = tempfile::tempdir().unwrap();
        let able = Folder::at(dir.path()).is_ok_and(|folder| {
            ioctl_getflags(&folder).is_ok_and(|f| ioctl_setflags(&folder, f | IFlags::TOPDIR).is_ok())
        });
        let scratch = Scratch::create(dir.path()).unwrap();
        let path = scratch.dir_apart("layer").unwrap();
        assert!(path.is_dir());
        scratch.dir("layer/fs").unwrap();
        assert!(scratch.dir_apart("layer").is_err(), "there already");
        let flags = ioctl_getflags(Folder::at(scratch.path()).unwrap());
        assert_eq!(flags.is_ok_and(|flags| flags.contains(IFlags::TOPDIR)), able);
    }
}
