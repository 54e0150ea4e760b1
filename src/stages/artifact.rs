//! A record as an OCI artifact: the manifest that stands for a step key in a registry, or in an OCI layout.
//!
//! Everything that is known of the step is in the manifest itself, so that one request finds it: the layers that were
//! made are its layers (a registry's garbage collection keeps them as long as the record), each with its diff id, and
//! the rest is in annotations. The layers of the base image are only named: whoever uses the record has asked for that
//! image, and knows where it is. Pure.

use std::collections::BTreeMap;

use crate::base::{DiffId, StepKey};
use crate::oci::{Descriptor, Manifest, media};
use crate::stages::{Record, RecordLayer};

/// The artifact type of a record.
pub const STEP_TYPE: &str = "application/vnd.lapstrake.step.v1+json";
/// The configuration of a cache that BuildKit wrote (BuildKit: `cache/remotecache/v1`).
pub const BUILDKIT_TYPE: &str = "application/vnd.buildkit.cacheconfig.v0";
/// The blob of [`media::OCI_EMPTY`].
pub const EMPTY: &[u8] = b"{}";

const DEFINITION: &str = "io.lapstrake.definition";
const CONTENT: &str = "io.lapstrake.content";
const ORIGIN: &str = "io.lapstrake.origin";
const BASE: &str = "io.lapstrake.base";
const DIFF_ID: &str = "io.lapstrake.diff-id";
const TAR_SIZE: &str = "io.lapstrake.tar-size";
const CREATED: &str = "io.lapstrake.created";

/// Texts of steps are cut to this in records that travel: registries limit manifests.
const LONGEST_ORIGIN: usize = 1000;

/// A record with the blobs of its layers: what others need to use it without this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedRecord {
    /// What is known; its key is the one that was asked for.
    pub record: Record,
    /// The blob of each of the record's layers.
    pub blobs: Vec<Descriptor>,
}

/// The keys a record is published under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepKeys {
    /// The key that is known before anything runs.
    pub definition: StepKey,
    /// The key of what the step really read, where that is known.
    pub content: Option<StepKey>,
}

impl StepKeys {
    /// Both, each once.
    pub fn all(&self) -> impl Iterator<Item = StepKey> {
        let content = self.content.filter(|content| *content != self.definition);
        std::iter::once(self.definition).chain(content)
    }
}

/// Why a manifest is not a record for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRecord {
    /// BuildKit wrote it, as its own cache.
    Buildkit,
    /// It is something else, for example an image.
    Other,
    /// It looks like a record and is not what it should be.
    Damaged(&'static str),
}

impl SharedRecord {
    /// The manifest that says it.
    pub fn to_manifest(&self, keys: &StepKeys) -> Manifest {
        let layer = |(layer, blob): (&RecordLayer, &Descriptor)| {
            Descriptor::new(blob.media_type.clone(), blob.digest.clone(), blob.size)
                .annotated(DIFF_ID, layer.diff_id.to_string())
                .annotated(TAR_SIZE, layer.size.to_string())
                .annotated(CREATED, layer.created.to_string())
        };
        let layers = self.record.layers.iter().zip(&self.blobs).map(layer).collect();
        let mut manifest = Manifest::new(Descriptor::of(media::OCI_EMPTY, EMPTY), layers);
        STEP_TYPE.clone_into(&mut manifest.artifact_type);
        let base: Vec<String> = self.record.base.iter().map(ToString::to_string).collect();
        let origin: String = self.record.origin.chars().take(LONGEST_ORIGIN).collect();
        manifest.annotations = BTreeMap::from([
            (DEFINITION.to_owned(), keys.definition.to_string()),
            (BASE.to_owned(), base.join(" ")),
            (ORIGIN.to_owned(), origin),
        ]);
        if let Some(content) = keys.content {
            manifest.annotations.insert(CONTENT.to_owned(), content.to_string());
        }
        manifest
    }

    /// What the manifest says about `key`.
    ///
    /// # Errors
    /// If it says nothing about it, and why.
    pub fn of_manifest(manifest: &Manifest, key: &StepKey) -> Result<Self, NoRecord> {
        if manifest.config.media_type == BUILDKIT_TYPE {
            return Err(NoRecord::Buildkit);
        }
        if manifest.artifact_type != STEP_TYPE {
            return Err(NoRecord::Other);
        }
        let note = |name: &str| manifest.annotations.get(name).map(String::as_str);
        let names = |name| note(name).and_then(|text| text.parse().ok()).map(StepKey::new);
        let content = names(CONTENT);
        if names(DEFINITION) != Some(*key) && content != Some(*key) {
            return Err(NoRecord::Damaged("it is the record of another step"));
        }
        let base = note(BASE).ok_or(NoRecord::Damaged("it does not name its base image"))?;
        let base: Result<Vec<DiffId>, _> = base.split_whitespace().map(str::parse).collect();
        let base = base.map_err(|_| NoRecord::Damaged("it does not name its base image"))?;
        let layers = manifest.layers.iter().map(layer_of).collect::<Option<Vec<_>>>();
        let layers = layers.ok_or(NoRecord::Damaged("it does not say what its layers are"))?;
        if layers.is_empty() {
            return Err(NoRecord::Damaged("it has no layers"));
        }
        let blobs = manifest.layers.iter().map(bare).collect();
        let origin = note(ORIGIN).unwrap_or_default().to_owned();
        let record = Record { version: Record::VERSION, key: *key, base, layers, origin, content };
        Ok(Self { record, blobs })
    }
}

/// The descriptor without what a record says about the layer.
fn bare(descriptor: &Descriptor) -> Descriptor {
    Descriptor::new(descriptor.media_type.clone(), descriptor.digest.clone(), descriptor.size)
}

fn layer_of(descriptor: &Descriptor) -> Option<RecordLayer> {
    let note = |name: &str| descriptor.annotations.get(name);
    Some(RecordLayer {
        diff_id: note(DIFF_ID)?.parse().ok()?,
        size: note(TAR_SIZE)?.parse().ok()?,
        created: note(CREATED)?.parse().ok()?,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::base::ContentHash;

    /// A record of one layer on a base, and its keys.
    pub fn sample(created: i64) -> (SharedRecord, StepKeys) {
        let key = |text: &str| StepKey::new(ContentHash::of(text.as_bytes()));
        let keys = StepKeys { definition: key("definition"), content: Some(key("content")) };
        let record = Record {
            version: Record::VERSION,
            key: keys.definition,
            base: vec![DiffId::of(b"base")],
            layers: vec![RecordLayer { diff_id: DiffId::of(b"layer"), size: 5, created }],
            origin: "RUN true".into(),
            content: keys.content,
        };
        (SharedRecord { record, blobs: vec![Descriptor::of(media::OCI_LAYER_GZIP, b"blob")] }, keys)
    }

    #[test]
    fn what_is_written_is_read_under_both_keys_and_no_other() {
        let (shared, keys) = sample(7);
        let manifest = shared.to_manifest(&keys);
        assert_eq!(SharedRecord::of_manifest(&manifest, &keys.definition), Ok(shared.clone()));
        let content = keys.content.unwrap();
        assert_eq!(SharedRecord::of_manifest(&manifest, &content).unwrap().record.key, content);
        let other = StepKey::new(ContentHash::of(b"other"));
        assert!(matches!(SharedRecord::of_manifest(&manifest, &other), Err(NoRecord::Damaged(_))));
    }

    #[test]
    fn what_is_no_record_is_told_apart() {
        let (shared, keys) = sample(7);
        let key = keys.definition;
        let whole = shared.to_manifest(&keys);
        let mut buildkit = whole.clone();
        buildkit.config.media_type = BUILDKIT_TYPE.into();
        assert_eq!(SharedRecord::of_manifest(&buildkit, &key), Err(NoRecord::Buildkit));
        let mut image = whole.clone();
        image.artifact_type.clear();
        assert_eq!(SharedRecord::of_manifest(&image, &key), Err(NoRecord::Other));
        let damages: [fn(&mut Manifest); 4] = [
            |m| m.layers.clear(),
            |m| m.layers[0].annotations.clear(),
            |m| drop(m.annotations.remove(BASE)),
            |m| drop(m.annotations.insert(BASE.into(), "x".into())),
        ];
        for damage in damages {
            let mut damaged = whole.clone();
            damage(&mut damaged);
            assert!(matches!(SharedRecord::of_manifest(&damaged, &key), Err(NoRecord::Damaged(_))));
        }
    }
}
