//! Everything the store knows of an image.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::base::{Failure, Platform};
use crate::content::{Image, Store};
use crate::oci::{AnyManifest, Descriptor, History, RuntimeConfig};
use crate::ops::image_find::find;

/// What to look at.
#[derive(Clone, Debug)]
pub struct Request {
    /// Name, id or digest.
    pub image: String,
    /// Of several platforms, which; by default the machine's own.
    pub platform: Option<Platform>,
}

/// What is known of an image.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspected {
    /// All its names.
    pub names: Vec<String>,
    /// Digest of what the names lead to.
    pub digest: String,
    /// Its media type.
    pub media_type: String,
    /// If that is an index: the images it lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<Descriptor>,
    /// Digest of the manifest of the platform that is shown.
    pub manifest_digest: String,
    /// Digest of its configuration.
    pub image_id: String,
    /// What it runs on.
    pub platform: String,
    /// When it was made, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// Bytes of manifest, configuration and layers.
    pub size: u64,
    /// Annotations of the manifest.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// How to run it.
    pub config: RuntimeConfig,
    /// Its layers, lowest first.
    pub layers: Vec<InspectedLayer>,
    /// How it came about, oldest first.
    pub history: Vec<History>,
}

/// A layer of an image.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InspectedLayer {
    /// Digest of its tar.
    pub diff_id: String,
    /// Digest of its blob.
    pub digest: String,
    /// Media type of its blob.
    pub media_type: String,
    /// Bytes of its blob.
    pub size: u64,
    /// Whether the blob is in the store; a layer that was made here may only be unpacked.
    pub stored: bool,
}

/// Looks.
///
/// # Errors
/// If there is no such image, or it cannot be read.
pub fn run(store: &Store, request: &Request) -> Result<Inspected, Failure> {
    let found = find(store, &request.image)?;
    let platform = request.platform.clone().unwrap_or_else(Platform::host);
    let manifests = match store.manifest(&found.descriptor)? {
        AnyManifest::Index(index) => index.manifests,
        AnyManifest::Image(_) => Vec::new(),
    };
    let image = store.image(&found.descriptor, &platform)?;
    let layers = layers(store, &image);
    let size = image.descriptor.size + image.manifest.config.size;
    Ok(Inspected {
        names: found.names.iter().map(|name| name.familiar()).collect(),
        digest: found.descriptor.digest.to_string(),
        media_type: found.descriptor.media_type,
        manifests,
        manifest_digest: image.descriptor.digest.to_string(),
        image_id: image.id().to_string(),
        platform: image.config.platform().to_string(),
        created: image.config.created,
        author: image.config.author,
        size: size + layers.iter().map(|layer| layer.size).sum::<u64>(),
        annotations: image.manifest.annotations,
        config: image.config.config,
        layers,
        history: image.config.history,
    })
}

fn layers(store: &Store, image: &Image) -> Vec<InspectedLayer> {
    let pairs = image.manifest.layers.iter().zip(image.config.layers());
    let layer = |(blob, diff_id): (&Descriptor, &crate::base::DiffId)| InspectedLayer {
        diff_id: diff_id.to_string(),
        digest: blob.digest.to_string(),
        media_type: blob.media_type.clone(),
        size: blob.size,
        stored: store.has(&blob.digest),
    };
    pairs.map(layer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::samples;

    #[test]
    fn what_is_known() {
        let (_dir, store) = samples::store();
        let shop = samples::image(&store, &["shop:1"], b"layer");
        let request = |image: &str| Request { image: image.into(), platform: None };
        let report = run(&store, &request("shop:1")).unwrap();
        assert_eq!(
            (report.names.as_slice(), report.image_id),
            (&["shop:1".to_owned()][..], shop.id().to_string())
        );
        assert_eq!((report.layers[0].size, report.layers[0].stored), (5, true));
        assert_eq!(report.config.cmd, ["/app"]);
        assert!(run(&store, &request("shop:2")).is_err());
    }
}
