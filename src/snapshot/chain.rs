//! From an image's layers to the directories that make its tree.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::base::DiffId;
use crate::snapshot::record::LayerInfo;
use crate::snapshot::store::Hold;
use crate::snapshot::{Error, Method, Result, Snapshots, patch};

/// Directories that an overlay of Linux takes (fs/overlayfs/params.h: `OVL_MAX_STACK`).
pub(super) const MOST_LAYERS: usize = 500;

/// The directories of a merged tree.
#[derive(Debug)]
pub(super) struct Chain {
    /// Topmost first, the empty directory last.
    pub lowers: Vec<PathBuf>,
    /// The same without the patch and the empty directory, lowest first, with what is known of them.
    pub layers: Vec<(LayerInfo, PathBuf)>,
    _hold: Hold,
}

/// Finds the directories of `layers`, lowest first.
///
/// Left out are empty layers; all but the topmost of equal ones (overlayfs refuses a directory twice, and what the
/// upper one says covers what the lower one says); and what lies below a layer that hides everything.
pub(super) fn chain(store: &Snapshots, layers: &[DiffId]) -> Result<Chain> {
    let hold = store.hold(layers);
    let mut kept = Vec::new();
    let mut seen = BTreeSet::new();
    for layer in layers.iter().rev() {
        let Some(info) = store.info(layer)? else { return Err(Error::Missing { layer: layer.clone() }) };
        if !seen.insert(layer) || (info.entries == 0 && !info.opaque_root) {
            continue;
        }
        let last = info.opaque_root;
        kept.push((info, store.tree(layer)));
        if last {
            break;
        }
    }
    let mut lowers: Vec<PathBuf> = kept.iter().map(|(_, tree)| tree.clone()).collect();
    if let Some(patch) = patch::make(store, &kept)? {
        lowers.insert(0, patch);
    }
    lowers.push(store.root().join("empty"));
    if *store.method() == Method::Overlay && lowers.len() > MOST_LAYERS {
        return Err(Error::TooManyLayers { count: lowers.len(), limit: MOST_LAYERS });
    }
    kept.reverse();
    Ok(Chain { lowers, layers: kept, _hold: hold })
}

impl Chain {
    /// The directory that gives the merged tree's root its mode and owner.
    pub fn top(&self) -> &Path {
        self.lowers.first().map_or(Path::new("/"), PathBuf::as_path)
    }
}
