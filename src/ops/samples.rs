//! Images for the tests of this folder.

use crate::base::{DiffId, Platform};
use crate::content::{Image, OpenOptions, Store};
use crate::oci::{Descriptor, History, ImageConfig, media};

/// An empty store.
pub fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &OpenOptions::default()).unwrap();
    (dir, store)
}

/// An image of one uncompressed layer with these names.
pub fn image(store: &Store, names: &[&str], layer: &[u8]) -> Image {
    store.put(layer).unwrap();
    let mut config = ImageConfig::new(&Platform::host());
    config.created = Some("2023-11-14T22:13:20Z".into());
    config.config.cmd = vec!["/app".into()];
    config.rootfs.diff_ids.push(DiffId::of(layer));
    let entry = |created_by: &str, empty_layer| History {
        created: config.created.clone(),
        created_by: created_by.into(),
        empty_layer,
        ..History::default()
    };
    config.history = vec![entry("COPY . /", false), entry("CMD [\"/app\"]", true)];
    let image = store.put_image(&config, vec![Descriptor::of(media::OCI_LAYER, layer)]).unwrap();
    for name in names {
        store.tag(&name.parse().unwrap(), &image.descriptor).unwrap();
    }
    image
}
