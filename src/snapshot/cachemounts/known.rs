//! What is known of a cache, in a file beside it.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::host::fs;
use crate::snapshot::{Error, Result};

const FILE: &str = "mount.json";
const LIMIT: u64 = 1 << 20;

/// A cache that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheMount {
    /// Its name in the store.
    pub name: String,
    /// Its name in Dockerfiles.
    pub id: String,
    /// When it was used last, in milliseconds since the Unix epoch.
    pub used: u64,
    /// Bytes of its files, as they were when they were counted last.
    pub size: u64,
    /// Whether nobody used it since they were counted.
    pub measured: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Known {
    id: String,
    used: u64,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    measured: bool,
}

fn milliseconds(now: Duration) -> u64 {
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

impl Known {
    pub(super) fn new(id: &str, now: Duration) -> Self {
        Self { id: id.to_owned(), used: milliseconds(now), size: 0, measured: false }
    }

    pub(super) fn used(&self) -> u64 {
        self.used
    }

    pub(super) fn sized(self, size: u64) -> Self {
        Self { size, measured: true, ..self }
    }

    /// Used at `now`, so that its size is not known any more.
    pub(super) fn touched(self, now: Duration) -> Self {
        Self { used: milliseconds(now), measured: false, ..self }
    }

    pub(super) fn shown(self, name: String) -> CacheMount {
        let Self { id, used, size, measured } = self;
        CacheMount { name, id, used, size, measured }
    }

    /// What is known of the cache in `folder`; `None` if there is none.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        let bytes = match fs::read_limited(&path, LIMIT) {
            Err(e) if e.is_not_found() => return Ok(None),
            other => other?,
        };
        match serde_json::from_slice(&bytes) {
            Ok(known) => Ok(Some(known)),
            Err(e) => Err(Error::system("read", path, std::io::Error::from(e))),
        }
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let bytes = serde_json::to_vec(self);
        let bytes = bytes.map_err(|e| Error::system("write", &path, std::io::Error::from(e)))?;
        Ok(fs::write_atomic(path, bytes)?)
    }
}
