//! Archives: what is written is read back, and a reader of hostile bytes neither panics nor leaves the archive.

use lapstrake::base::BlobDigest;
use lapstrake::oci::archive::{
    ArchivedContent, Exported, Files as _, Format, ImageWriter, TarFiles, TarSink, blob_name, read_images,
};
use lapstrake::oci::{Descriptor, Manifest, media};
use proptest::prelude::*;

fn archive(images: &[Vec<Vec<u8>>], format: Format) -> Vec<u8> {
    let manifests: Vec<_> = images
        .iter()
        .map(|layers| {
            let layers = layers.iter().map(|layer| Descriptor::of(media::OCI_LAYER, layer)).collect();
            Manifest::new(Descriptor::of(media::OCI_CONFIG, b"{}"), layers)
        })
        .collect();
    let exported: Vec<_> = manifests
        .iter()
        .enumerate()
        .map(|(n, manifest)| Exported {
            descriptor: Descriptor::of(media::OCI_MANIFEST, &manifest.to_bytes()),
            names: vec![format!("host/image:{n}").parse().unwrap()],
            docker: (format == Format::Docker).then(|| manifest.clone()),
        })
        .collect();
    let mut writer = ImageWriter::new(TarSink::new(Vec::new()), format, &exported).unwrap();
    let mut put =
        |bytes: &[u8]| writer.blob(&BlobDigest::of(bytes), bytes.len() as u64, &mut &*bytes).unwrap();
    put(b"{}");
    for (manifest, layers) in manifests.iter().zip(images) {
        put(&manifest.to_bytes());
        layers.iter().for_each(|layer| put(layer));
    }
    writer.into_sink().finish().unwrap()
}

fn layers() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_back(mut images in prop::collection::vec(layers(), 1..4), docker: bool) {
        // The same layers are the same image, which has two names then and is one.
        images.dedup();
        let format = if docker { Format::Docker } else { Format::Oci };
        let bytes = archive(&images, format);
        prop_assert!(archive(&images, format) == bytes);
        let files = TarFiles::scan(bytes.as_slice()).unwrap();
        let read = read_images(&files).unwrap();
        let named: usize = read.iter().map(|image| image.names.len()).sum();
        prop_assert_eq!(named, images.len());
        for image in read {
            let ArchivedContent::Oci(descriptor) = image.content else { panic!("a layout") };
            prop_assert!(files.open(&blob_name(&descriptor.digest)).unwrap().is_some());
        }
        for layer in images.iter().flatten() {
            let body = files.open(&blob_name(&BlobDigest::of(layer))).unwrap().unwrap();
            prop_assert!(&body.read("layer", 10_000).unwrap() == layer);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn damage_is_no_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        keep in any::<prop::sample::Index>(),
    ) {
        let mut bytes = archive(&[vec![vec![1; 700]], vec![b"two".to_vec()]], Format::Docker);
        for (at, with) in changes {
            let at = at.index(bytes.len());
            bytes[at] = with;
        }
        bytes.truncate(keep.index(bytes.len()) + 1);
        if let Ok(files) = TarFiles::scan(bytes.as_slice()) {
            let _ = read_images(&files);
            for name in ["index.json", "manifest.json", "oci-layout"] {
                if let Ok(Some(body)) = files.open(name) {
                    let _ = body.read(name, 1 << 20);
                }
            }
        }
    }
}
