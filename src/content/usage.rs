//! How much room the store takes, and for what.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{BlobDigest, Reference};
use crate::content::{Error, Store};
use crate::host::fs;

/// Bytes of an image that are in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageUsage {
    /// The image.
    pub reference: Reference,
    /// All its blobs.
    pub size: u64,
    /// Those that no image with another manifest has: what removing the image would free.
    pub unique: u64,
}

/// Bytes of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Number of blobs.
    pub blobs: usize,
    /// Bytes of all blobs.
    pub blob_bytes: u64,
    /// Bytes of blobs that no name leads to.
    pub unreferenced_bytes: u64,
    /// Number of partial downloads.
    pub partials: usize,
    /// Bytes of partial downloads.
    pub partial_bytes: u64,
    /// Bytes of the index database.
    pub database_bytes: u64,
    /// Every image, by name.
    pub images: Vec<ImageUsage>,
}

impl Store {
    /// Measures the store. Images that cannot be read count what can be.
    ///
    /// # Errors
    /// [`Error::Damaged`] if `index.json` is, and those of the file system.
    pub fn du(&self) -> Result<Usage, Error> {
        let sizes: BTreeMap<BlobDigest, u64> = self.blobs()?.into_iter().collect();
        let size_of = |digest: &BlobDigest| sizes.get(digest).copied().unwrap_or(0);
        let mut usage = Usage { blobs: sizes.len(), blob_bytes: sizes.values().sum(), ..Usage::default() };
        let mut reached = BTreeSet::new();
        // By manifest, because two names of one image do not share: they are one image.
        let mut holders: BTreeMap<BlobDigest, BTreeSet<BlobDigest>> = BTreeMap::new();
        for entry in self.index()?.manifests {
            for digest in self.reach([entry.clone()]).blobs.into_keys() {
                holders.entry(digest.clone()).or_default().insert(entry.digest.clone());
                reached.insert(digest);
            }
        }
        usage.unreferenced_bytes =
            sizes.iter().filter(|(digest, _)| !reached.contains(*digest)).map(|(_, size)| size).sum();
        for image in self.images()? {
            let own = |(_, holders): &(&BlobDigest, &BTreeSet<BlobDigest>)| {
                holders.contains(&image.descriptor.digest)
            };
            let size = holders.iter().filter(own).map(|(digest, _)| size_of(digest)).sum();
            let unique = holders
                .iter()
                .filter(own)
                .filter(|(_, h)| h.len() == 1)
                .map(|(digest, _)| size_of(digest))
                .sum();
            usage.images.push(ImageUsage { reference: image.reference, size, unique });
        }
        if fs::exists(self.ingest_folder()) {
            for entry in fs::read_dir(self.ingest_folder())? {
                usage.partials += 1;
                usage.partial_bytes += entry.metadata().map_or(0, |m| m.len());
            }
        }
        let database = ["index.db", "index.db-wal", "index.db-shm"];
        usage.database_bytes = database
            .iter()
            .filter_map(|name| fs::metadata(self.root().join(name)).ok())
            .map(|m| m.len())
            .sum();
        Ok(usage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Platform;
    use crate::content::OpenOptions;
    use crate::oci::{Descriptor, ImageConfig, media};

    #[test]
    fn shared_layers_count_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &OpenOptions::default()).unwrap();
        let put = |bytes: &[u8]| {
            store.put(bytes).unwrap();
            Descriptor::of(media::OCI_LAYER, bytes)
        };
        let (shared, own) = (put(&[1; 1000]), put(&[2; 100]));
        store.put(&[3; 10]).unwrap();
        let mut config = ImageConfig::new(&Platform::host());
        let mut tag = |names: &[&str], author: &str, layers: Vec<Descriptor>| {
            config.author = author.into();
            config.rootfs.diff_ids =
                layers.iter().map(|l| crate::base::DiffId::new(l.digest.digest().clone())).collect();
            let image = store.put_image(&config, layers).unwrap();
            for name in names {
                store.tag(&name.parse().unwrap(), &image.descriptor).unwrap();
            }
            image.descriptor.size + image.manifest.config.size
        };
        let a = tag(&["a", "alias"], "a", vec![shared.clone()]);
        let b = tag(&["b"], "b", vec![shared, own]);
        let usage = store.du().unwrap();
        assert_eq!((usage.blobs, usage.unreferenced_bytes), (7, 10));
        assert_eq!(usage.blob_bytes, 1110 + a + b);
        let images: Vec<_> =
            usage.images.iter().map(|i| (i.reference.familiar(), i.size, i.unique)).collect();
        assert_eq!(
            images,
            [
                ("a:latest".to_owned(), 1000 + a, a),
                ("alias:latest".to_owned(), 1000 + a, a),
                ("b:latest".to_owned(), 1100 + b, 100 + b)
            ]
        );
    }
}
