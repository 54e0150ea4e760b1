//! Leases: what a running process touches is not pruned.
//!
//! A lease is a file below `leases/` that its process keeps locked and appends digests to. Prune reads the files that
//! are locked and removes the others: their processes are gone. Both sides hold the lock `prune`, the user of a blob
//! shared and only while it adds the digest, prune exclusively while it deletes; so a digest is either added before
//! prune looks, or the blob is looked for after prune is done.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use rustix::fs::{FlockOperation, flock};

use crate::base::BlobDigest;
use crate::content::store::Inner;
use crate::content::{Error, Store};
use crate::host::fs::{File, OpenOptions};
use crate::host::lock::Sharing;
use crate::host::{self, fs, random};

/// While it lives, nothing that its store (or a clone of it) writes, opens or looks for is pruned by anybody.
#[must_use = "a lease ends when it is dropped"]
pub struct Lease {
    store: Store,
}

/// The file of the leases of this store and its clones.
pub(super) struct ActiveLease {
    holders: usize,
    path: PathBuf,
    file: File,
    kept: BTreeSet<BlobDigest>,
}

impl Store {
    /// Begins a lease. In a store that cannot be written it keeps nothing, but neither can this process prune there.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn lease(&self) -> Result<Lease, Error> {
        if !self.is_writable() {
            return Ok(Lease { store: self.clone() });
        }
        let mut slot = self.0.lease.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.as_mut() {
            Some(active) => active.holders += 1,
            None => {
                // With prune kept out, no file can be seen before it is locked.
                let _shared = self.lock("prune", Sharing::Shared)?;
                let path = self.lease_folder().join(random::token());
                let file = fs::open_with(OpenOptions::new().create_new(true).append(true), &path)
                    .map_err(Error::of)?;
                flock(&file, FlockOperation::NonBlockingLockExclusive)
                    .map_err(|e| host::Error::new("lock", &path, e))?;
                *slot = Some(ActiveLease { holders: 1, path, file, kept: BTreeSet::new() });
            }
        }
        Ok(Lease { store: self.clone() })
    }

    /// Adds the blob to the lease, if there is one.
    pub(super) fn protect(&self, digest: &BlobDigest) -> Result<(), Error> {
        let mut slot = self.0.lease.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(active) = slot.as_mut() else { return Ok(()) };
        if active.kept.contains(digest) {
            return Ok(());
        }
        let _shared = self.lock("prune", Sharing::Shared)?;
        active
            .file
            .write_all(format!("{digest}\n").as_bytes())
            .map_err(|e| Error::of(host::Error::new("write", &active.path, e)))?;
        active.kept.insert(digest.clone());
        Ok(())
    }

    /// What living processes keep. The files of dead ones are removed. The caller holds the lock `prune` exclusively.
    pub(super) fn leased(&self) -> Result<BTreeSet<BlobDigest>, Error> {
        let mut kept = BTreeSet::new();
        for entry in fs::read_dir(self.lease_folder())? {
            let path = entry.path();
            let file = match fs::open(&path) {
                Ok(file) => file,
                Err(e) if e.is_not_found() => continue,
                Err(e) => return Err(e.into()),
            };
            match flock(&file, FlockOperation::NonBlockingLockShared) {
                Ok(()) => fs::remove_file(&path)?,
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    kept.extend(fs::read_to_string(&path)?.lines().filter_map(|line| line.parse().ok()));
                }
                Err(e) => return Err(host::Error::new("lock", &path, e).into()),
            }
        }
        Ok(kept)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        end(&self.store.0);
    }
}

fn end(inner: &Arc<Inner>) {
    let mut slot = inner.lease.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(active) = slot.as_mut() else { return };
    active.holders -= 1;
    if active.holders == 0 {
        // If this fails, the next prune removes it: nobody holds its lock any more.
        let _ = fs::remove_file(&active.path);
        *slot = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::OpenOptions;

    #[test]
    fn keeps_what_is_touched_until_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &OpenOptions::default()).unwrap();
        let other = Store::open(dir.path(), &OpenOptions::default()).unwrap();
        let before = store.put(b"before").unwrap();
        let lease = store.lease().unwrap();
        let second = store.lease().unwrap();
        let during = store.put(b"during").unwrap();
        assert!(store.has(&before));
        let absent = BlobDigest::of(b"absent");
        assert!(!store.has(&absent));
        assert_eq!(other.leased().unwrap(), BTreeSet::from([before, during, absent]));
        drop(lease);
        assert_eq!(other.leased().unwrap().len(), 3, "the second lease goes on");
        drop(second);
        assert!(other.leased().unwrap().is_empty());
        assert!(fs::read_dir(dir.path().join("leases")).unwrap().is_empty());
    }

    #[test]
    fn dead_processes_keep_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &OpenOptions::default()).unwrap();
        let left = dir.path().join("leases/left");
        fs::write(&left, format!("{}\n", BlobDigest::of(b"x"))).unwrap();
        assert!(store.leased().unwrap().is_empty());
        assert!(!fs::exists(left));
    }
}
