//! Any bytes as a configuration, manifest or index: nothing panics, and what is written is read back the same.

#![no_main]

use lapstrake::oci::{AnyManifest, ImageConfig, Index};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(config) = ImageConfig::parse(bytes) {
        let written = config.to_bytes();
        let again = ImageConfig::parse(&written).expect("what was written is read");
        assert!(again == config && again.to_bytes() == written);
        let _ = (config.platform(), config.layers().len());
    }
    if let Ok(manifest) = AnyManifest::parse(None, bytes) {
        let written = match &manifest {
            AnyManifest::Image(image) => image.to_bytes(),
            AnyManifest::Index(index) => index.to_bytes(),
        };
        let again = AnyManifest::parse(None, &written).expect("what was written is read");
        assert!(again == manifest);
    }
    let _ = Index::parse_layout(bytes);
});
