//! What the store remembers of a layer directory, in a file beside it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::DiffId;
use crate::host::fs;
use crate::snapshot::{Error, Result};

/// Where a layer directory comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Unpacked from an archive.
    Unpacked,
    /// Committed here; its archive can be made again.
    Committed {
        /// The time later times were clamped to, seconds since the Unix epoch.
        source_date_epoch: Option<i64>,
    },
}

/// What is known of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerInfo {
    /// Which.
    pub diff_id: DiffId,
    /// Bytes of its archive.
    pub size: u64,
    /// Entries in it, whiteouts included.
    pub entries: u64,
    /// Where it comes from.
    pub origin: Origin,
    /// What could not be made when it was unpacked, for example device nodes in a user namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Directories whose metadata the archive does not give; hexadecimal, for names are any bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) implicit: Vec<String>,
    /// Whether everything below the layer is hidden.
    #[serde(default)]
    pub(super) opaque_root: bool,
}

const FILE: &str = "layer.json";
/// Larger than any honest record.
const LIMIT: u64 = 256 << 20;

impl LayerInfo {
    /// Reads the record of the layer directory `directory`; `None` if there is no such directory.
    pub(super) fn read(directory: &Path) -> Result<Option<Self>> {
        let path = directory.join(FILE);
        let bytes = match fs::read_limited(&path, LIMIT) {
            Err(e) if e.is_not_found() => return Ok(None),
            other => other?,
        };
        let info = serde_json::from_slice(&bytes)
            .map_err(|e| Error::system("read", path, std::io::Error::from(e)))?;
        Ok(Some(info))
    }

    /// Writes the record beside the layer's tree.
    pub(super) fn write(&self, directory: &Path) -> Result<()> {
        let path = directory.join(FILE);
        let bytes =
            serde_json::to_vec(self).map_err(|e| Error::system("write", &path, std::io::Error::from(e)))?;
        Ok(fs::write(path, bytes)?)
    }

    pub(super) fn implicit_paths(&self) -> impl Iterator<Item = PathBuf> + '_ {
        self.implicit
            .iter()
            .filter_map(|text| hex::decode(text).ok())
            .map(|b| PathBuf::from(OsStr::from_bytes(&b)))
    }

    pub(super) fn set_implicit(&mut self, paths: &[PathBuf]) {
        self.implicit = paths.iter().map(|path| hex::encode(path.as_os_str().as_bytes())).collect();
    }
}
