//! Where layers can be had that are not unpacked here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use crate::base::{DiffId, Reference};
use crate::oci::Descriptor;

/// Who has a blob that the store may lack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A repository of a registry.
    Registry(Reference),
    /// An OCI layout in a folder.
    Folder(PathBuf),
}

impl Origin {
    /// The repository, if it is one.
    pub fn registry(&self) -> Option<&Reference> {
        match self {
            Self::Registry(reference) => Some(reference),
            Self::Folder(_) => None,
        }
    }
}

/// Where a layer can be had if it is not unpacked.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSource {
    /// The layer.
    pub diff_id: DiffId,
    /// Its blob.
    pub descriptor: Descriptor,
    /// Who has the blob, if the store lacks it.
    pub origin: Option<Origin>,
}

/// The sources that a build knows: those of its base images from the beginning, those of shared results as they are
/// found. The first source of a layer stays.
#[derive(Debug, Default)]
pub struct Sources(RwLock<BTreeMap<DiffId, LayerSource>>);

impl Sources {
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<DiffId, LayerSource>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a source.
    pub fn add(&self, source: LayerSource) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(source.diff_id.clone()).or_insert(source);
    }

    /// Forgets the source of a layer, which turned out to be none.
    pub fn forget(&self, layer: &DiffId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(layer);
    }

    /// The source of a layer.
    pub fn get(&self, layer: &DiffId) -> Option<LayerSource> {
        self.read().get(layer).cloned()
    }

    /// All sources.
    pub fn all(&self) -> Vec<LayerSource> {
        self.read().values().cloned().collect()
    }
}
