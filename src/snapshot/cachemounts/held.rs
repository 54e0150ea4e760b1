//! A cache that is in use.

use std::path::{Path, PathBuf};

use super::known::Known;
use crate::base::Clock;
use crate::host::lock::FileLock;
use crate::snapshot::Result;
use crate::snapshot::rooted::Rooted;

/// A cache in use. Dropping it lets others have it, and says when it was used.
#[derive(Debug)]
pub struct Held {
    place: PathBuf,
    tree: PathBuf,
    id: String,
    clock: Clock,
    _lock: FileLock,
}

impl Held {
    pub(super) fn new(place: PathBuf, id: &str, clock: Clock, lock: FileLock) -> Self {
        Self { tree: place.join("tree"), place, id: id.to_owned(), clock, _lock: lock }
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.tree
    }

    /// A folder in it, links followed inside; `None` if it is not there.
    ///
    /// # Errors
    /// If it cannot be looked into.
    pub fn inside(&self, path: &str) -> Result<Option<PathBuf>> {
        let found = Rooted::open(&self.tree)?.resolve(path)?;
        Ok(found.map(|inside| self.tree.join(inside)))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let now = self.clock.now();
        let known = Known::read(&self.place).ok().flatten().unwrap_or_else(|| Known::new(&self.id, now));
        // Without it the cache counts as unused for longer than it was: nothing is lost but a good guess.
        let _ = known.touched(now).write(&self.place);
    }
}
