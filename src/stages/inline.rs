//! Records inside an image: `type=inline` caches. The configuration says which of the image's layers which step made;
//! the manifest has their blobs. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::StepKey;
use crate::oci::{Descriptor, ImageConfig, Manifest};
use crate::stages::{Record, RecordLayer, SharedRecord};

/// The field of the configuration.
const FIELD: &str = "io.lapstrake.cache.v1";
/// BuildKit's field of the same kind.
const BUILDKIT_FIELD: &str = "moby.buildkit.cache.v0";

/// The records of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InlineCache {
    /// How many layers the base image has.
    base: usize,
    /// The steps that made the others, lowest first.
    steps: Vec<InlineStep>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct InlineStep {
    definition: StepKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<StepKey>,
    size: u64,
    created: i64,
    origin: String,
}

impl InlineCache {
    /// Describes an image that stands on `base` layers of another one.
    pub fn on(base: usize) -> Self {
        Self { base, steps: Vec::new() }
    }

    /// Adds the step that made the next layer.
    pub fn push(&mut self, definition: StepKey, record: &Record) {
        if let Some(own) = record.layers.last() {
            let (content, origin) = (record.content, record.origin.clone());
            self.steps.push(InlineStep { definition, content, size: own.size, created: own.created, origin });
        }
    }

    /// Puts it into a configuration.
    pub fn write(&self, config: &mut ImageConfig) {
        let value = serde_json::to_value(self).unwrap_or(Value::Null);
        config.extra.insert(FIELD.into(), value);
    }

    /// The records of an image by key: definition and content keys. One that does not fit the image's layers is left out.
    pub fn read(config: &ImageConfig, manifest: &Manifest) -> BTreeMap<StepKey, SharedRecord> {
        let mut records = BTreeMap::new();
        let cache = config.extra.get(FIELD).and_then(|value| Self::deserialize(value).ok());
        let Some(cache) = cache else { return records };
        let Some(base) = config.layers().get(..cache.base) else { return records };
        let made = config.layers()[cache.base..].iter().zip(manifest.layers.iter().skip(cache.base));
        let mut layers = Vec::new();
        let mut blobs: Vec<Descriptor> = Vec::new();
        for (step, (layer, blob)) in cache.steps.iter().zip(made) {
            layers.push(RecordLayer { diff_id: layer.clone(), size: step.size, created: step.created });
            blobs.push(Descriptor::new(blob.media_type.clone(), blob.digest.clone(), blob.size));
            for key in std::iter::once(step.definition).chain(step.content) {
                let record = Record {
                    version: Record::VERSION,
                    key,
                    base: base.to_vec(),
                    layers: layers.clone(),
                    origin: step.origin.clone(),
                    content: step.content,
                };
                records.insert(key, SharedRecord { record, blobs: blobs.clone() });
            }
        }
        records
    }

    /// Whether BuildKit put a cache into the image, which is of no use to us.
    pub fn is_buildkits(config: &ImageConfig) -> bool {
        config.extra.contains_key(BUILDKIT_FIELD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{DiffId, Platform};
    use crate::oci::media;
    use crate::stages::artifact::tests::sample;

    #[test]
    fn an_image_tells_what_its_steps_made() {
        let (shared, keys) = sample(3);
        let mut config = ImageConfig::new(&Platform::host());
        config.rootfs.diff_ids = vec![DiffId::of(b"base"), DiffId::of(b"layer")];
        let blobs = [b"base", b"blob"].map(|bytes| Descriptor::of(media::OCI_LAYER_GZIP, bytes));
        let manifest = Manifest::new(Descriptor::of(media::OCI_CONFIG, b"{}"), blobs.to_vec());
        assert!(InlineCache::read(&config, &manifest).is_empty());
        let mut cache = InlineCache::on(1);
        cache.push(keys.definition, &shared.record);
        cache.write(&mut config);
        let config = ImageConfig::parse(&config.to_bytes()).unwrap();
        let records = InlineCache::read(&config, &manifest);
        assert_eq!(records.len(), 2);
        assert_eq!(records[&keys.definition], shared);
        // Fewer layers than it speaks of, or none below it.
        let short = Manifest::new(manifest.config.clone(), vec![]);
        assert!(InlineCache::read(&config, &short).is_empty());
        let mut strange = config.clone();
        strange.rootfs.diff_ids.clear();
        assert!(InlineCache::read(&strange, &manifest).is_empty());
        strange.extra.insert(FIELD.into(), serde_json::json!({"base": "x"}));
        assert!(InlineCache::read(&strange, &manifest).is_empty());
    }
}
