//! What is made from several layers and can be made again: merged copies (`flat`), patches (`patch`) and hashes
//! (`hashes`). Each has a list of its layers beside it, and goes when one of them has gone.

use std::path::Path;

use crate::base::DiffId;
use crate::host::fs;
use crate::snapshot::{Error, Result};

/// The folder of merged copies.
pub(super) const FLAT: &str = "flat";
/// The folder of patches.
pub(super) const PATCHES: &str = "patches";
/// The folder of hashes of parts of trees.
pub(super) const HASHES: &str = "hashes";

const LIST: &str = "layers.json";
/// Larger than the list of any image.
const LIMIT: u64 = 16 << 20;

/// Writes down which layers the tree in `directory` is made from.
pub(super) fn describe<'a>(directory: &Path, layers: impl Iterator<Item = &'a DiffId>) -> Result<()> {
    let path = directory.join(LIST);
    let layers: Vec<&DiffId> = layers.collect();
    let bytes =
        serde_json::to_vec(&layers).map_err(|e| Error::system("write", &path, std::io::Error::from(e)))?;
    Ok(fs::write(path, bytes)?)
}

/// Whether every layer that `directory` is made from is there. One that does not say so is taken for an old one.
pub(super) fn is_current(directory: &Path, is_there: impl Fn(&DiffId) -> bool) -> bool {
    let layers = fs::read_limited(directory.join(LIST), LIMIT).ok();
    let layers = layers.and_then(|bytes| serde_json::from_slice::<Vec<DiffId>>(&bytes).ok());
    layers.is_some_and(|layers| layers.iter().all(is_there))
}
