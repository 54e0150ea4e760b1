//! File locks between processes. They save duplicate work and guard short critical sections; correctness of content
//! never depends on them.

use std::fs::{File, OpenOptions};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::host::Error;

/// A lock on a file, held until dropped (or until the process dies).
#[derive(Debug)]
pub struct FileLock {
    file: File,
}

/// Whether others may hold the lock too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Any number of holders.
    Shared,
    /// One holder.
    Exclusive,
}

impl FileLock {
    /// Waits for the lock on `path`, which is created if it is not there.
    ///
    /// # Errors
    /// If the file cannot be opened or locked.
    pub fn wait(path: impl AsRef<Path>, sharing: Sharing) -> Result<Self, Error> {
        let path = path.as_ref();
        let file = open(path)?;
        let operation = match sharing {
            Sharing::Shared => FlockOperation::LockShared,
            Sharing::Exclusive => FlockOperation::LockExclusive,
        };
        loop {
            match flock(&file, operation) {
                Ok(()) => return Ok(Self { file }),
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(Error::new("lock", path, e)),
            }
        }
    }

    /// Takes the lock if that is possible at once; `None` if somebody else holds it.
    ///
    /// # Errors
    /// If the file cannot be opened or locked for another reason.
    pub fn attempt(path: impl AsRef<Path>, sharing: Sharing) -> Result<Option<Self>, Error> {
        let path = path.as_ref();
        let file = open(path)?;
        let operation = match sharing {
            Sharing::Shared => FlockOperation::NonBlockingLockShared,
            Sharing::Exclusive => FlockOperation::NonBlockingLockExclusive,
        };
        match flock(&file, operation) {
            Ok(()) => Ok(Some(Self { file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(Error::new("lock", path, e)),
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        release(&self.file);
    }
}

/// Gives up the lock on an open file. Closing it is not enough: a program that another thread is just starting has all that
/// is open here until it begins, and would keep the lock for that long.
pub fn release(file: impl AsFd) {
    // Closing, which comes next, does the same a little later.
    let _ = flock(file, FlockOperation::Unlock);
}

fn open(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .map_err(|e| Error::new("open lock file", path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclusive_excludes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = FileLock::wait(&path, Sharing::Exclusive).unwrap();
        assert!(FileLock::attempt(&path, Sharing::Shared).unwrap().is_none());
        drop(held);
        let _shared = FileLock::attempt(&path, Sharing::Shared).unwrap().unwrap();
        assert!(FileLock::attempt(&path, Sharing::Shared).unwrap().is_some());
    }

    #[test]
    fn nobody_who_has_the_file_open_keeps_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = FileLock::wait(&path, Sharing::Exclusive).unwrap();
        // What a child process has between its birth and its program.
        let _inherited = held.file.try_clone().unwrap();
        drop(held);
        assert!(FileLock::attempt(&path, Sharing::Exclusive).unwrap().is_some());
    }
}
