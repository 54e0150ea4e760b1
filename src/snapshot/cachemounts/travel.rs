//! A cache as an archive, to be kept elsewhere. Equal caches give equal bytes.

use std::io::{Read, Write};
use std::time::Duration;

use super::known::Known;
use super::{CacheMounts, Held, name};
use crate::base::{ContentHash, DiffId};
use crate::snapshot::scratch::Scratch;
use crate::snapshot::{Result, diff, unpack};

impl Held {
    /// Writes the cache as an archive, times included; gives its digest and its length in bytes. Nobody may change the
    /// cache meanwhile, so it must be held alone.
    ///
    /// # Errors
    /// If a name in it cannot be stored, or reading or writing fails.
    pub fn write_tar(&self, out: impl Write) -> Result<(DiffId, u64)> {
        let written = diff::remake(self.path(), true, None, out)?;
        Ok((written.diff_id, written.size))
    }
}

impl CacheMounts {
    /// Makes the cache that everybody shares from an archive, unless it is there already.
    ///
    /// # Errors
    /// If the archive is broken or cannot be unpacked; nothing stays behind.
    pub fn import(
        &self,
        key: &ContentHash,
        id: &str,
        now: Duration,
        archive: impl Read + Send,
    ) -> Result<()> {
        if self.contains(key) {
            return Ok(());
        }
        let scratch = Scratch::create(&self.root.join("scratch"))?;
        let (folder, tree) = (scratch.dir("mount")?, scratch.dir("mount/tree")?);
        unpack::unpack_any(archive, &tree)?;
        self.publish(&folder, &self.place(&name(key, 0)), &Known::new(id, now))
    }
}
