//! What can be reached from where: the graph of manifests.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{BlobDigest, DiffId};
use crate::content::{Error, Store};
use crate::oci::{AnyManifest, Descriptor, media};

/// Everything that can be reached from some manifests.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// Every blob that is named, with its descriptor; whether or not it is there.
    pub(super) blobs: BTreeMap<BlobDigest, Descriptor>,
    /// Of layers, the diff ids that configurations say they have.
    pub(super) layers: BTreeMap<BlobDigest, BTreeSet<DiffId>>,
    /// Manifests that could not be read, and why. What they name is unknown.
    pub(super) unreadable: Vec<(Descriptor, Error)>,
}

impl Store {
    /// Follows everything from `roots`.
    pub(super) fn reach(&self, roots: impl IntoIterator<Item = Descriptor>) -> Reach {
        let mut reach = Reach::default();
        let mut pending: Vec<Descriptor> = roots.into_iter().collect();
        while let Some(descriptor) = pending.pop() {
            let is_new = reach.blobs.insert(descriptor.digest.clone(), descriptor.clone()).is_none();
            let is_list =
                media::is_index(&descriptor.media_type) || media::is_manifest(&descriptor.media_type);
            if !is_new || !is_list {
                continue;
            }
            match self.manifest_unleased(&descriptor) {
                Ok(manifest) => {
                    self.note_layers(&manifest, &mut reach);
                    pending.extend(manifest.children().into_iter().cloned());
                }
                Err(error) => reach.unreadable.push((descriptor, error)),
            }
        }
        reach
    }

    fn note_layers(&self, manifest: &AnyManifest, reach: &mut Reach) {
        let AnyManifest::Image(manifest) = manifest else { return };
        // A configuration that cannot be read is found by whoever hashes the blobs.
        let Ok(config) = self.config_unleased(manifest) else { return };
        for (layer, diff_id) in manifest.layers.iter().zip(config.rootfs.diff_ids) {
            reach.layers.entry(layer.digest.clone()).or_default().insert(diff_id);
        }
    }
}
