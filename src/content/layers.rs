//! Which blobs hold which layer, and where else a blob is known to be.
//!
//! A pair of diff id and blob is *verified* when somebody here hashed both sides. Pairs found again in manifests are
//! claims of whoever made the image: a hostile image could claim that its blob is a layer that others use too, and it
//! would be pushed in the layer's place. So a claim is verified, by decompressing the blob, before it is told.

use std::io;

use rusqlite::{OptionalExtension as _, params};

use crate::base::{BlobDigest, DiffId, Hasher};
use crate::content::{Error, Store};
use crate::oci::compress::{Layer, at_most, decompress};
use crate::oci::{AnyManifest, Descriptor};
use crate::report::Limits;

/// A blob that holds a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerBlob {
    /// What a manifest says about it.
    pub descriptor: Descriptor,
    /// Bytes of the layer's tar, if known.
    pub uncompressed_size: Option<u64>,
    /// What compressed it ([`crate::oci::compress::Compression::compressor`]); empty if it came from elsewhere.
    pub compressor: String,
}

impl From<&Layer> for LayerBlob {
    fn from(layer: &Layer) -> Self {
        Self {
            descriptor: layer.descriptor(),
            uncompressed_size: Some(layer.uncompressed_size()),
            compressor: layer.compression().compressor(),
        }
    }
}

impl Store {
    /// Records that `blob` holds the layer `diff_id`. Only for pairs where both digests were computed here, from the
    /// same stream.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Database`].
    pub fn record_layer(&self, diff_id: &DiffId, blob: &LayerBlob) -> Result<(), Error> {
        self.writable()?;
        self.insert_layer(diff_id, blob, true)
    }

    fn insert_layer(&self, diff_id: &DiffId, blob: &LayerBlob, verified: bool) -> Result<(), Error> {
        let descriptor = &blob.descriptor;
        let size = i64::try_from(descriptor.size).unwrap_or(i64::MAX);
        let uncompressed = blob.uncompressed_size.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        // A claim never replaces what is verified.
        let sql = if verified {
            "INSERT OR REPLACE INTO layers VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1)"
        } else {
            "INSERT OR IGNORE INTO layers VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)"
        };
        self.0.database.with("record a layer", |connection| {
            connection.prepare(sql)?.execute(params![
                diff_id.to_string(),
                descriptor.digest.to_string(),
                descriptor.media_type,
                size,
                uncompressed,
                blob.compressor
            ])
        })?;
        Ok(())
    }

    /// The blobs that hold the layer, whether or not they are in the store now: a registry may have them. The order
    /// is that of their digests.
    ///
    /// # Errors
    /// [`Error::Database`], and those of the file system.
    pub fn layer_blobs(&self, diff_id: &DiffId) -> Result<Vec<LayerBlob>, Error> {
        self.rebuild_if_lost()?;
        let rows = self.0.database.with("look up a layer", |connection| {
            let sql = "SELECT digest, media_type, size, uncompressed, compressor, verified FROM layers \
                       WHERE diff_id = ?1 ORDER BY digest";
            let mut statement = connection.prepare(sql)?;
            let rows = statement.query_map([diff_id.to_string()], |row| {
                let (digest, media_type): (String, String) = (row.get(0)?, row.get(1)?);
                let uncompressed: Option<i64> = row.get(3)?;
                Ok((
                    digest,
                    media_type,
                    row.get::<_, i64>(2)?,
                    uncompressed,
                    row.get(4)?,
                    row.get::<_, bool>(5)?,
                ))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let mut blobs = Vec::new();
        for (digest, media_type, size, uncompressed, compressor, verified) in rows {
            // Text that is not a digest was not written by us.
            let Ok(digest) = digest.parse::<BlobDigest>() else { continue };
            let blob = LayerBlob {
                descriptor: Descriptor::new(media_type, digest, u64::try_from(size).unwrap_or(0)),
                uncompressed_size: uncompressed.and_then(|n| u64::try_from(n).ok()),
                compressor,
            };
            if verified {
                blobs.push(blob);
            } else if let Some(blob) = self.verify_claim(diff_id, blob)? {
                blobs.push(blob);
            }
        }
        Ok(blobs)
    }

    /// Hashes both sides of a claimed pair. A true one is recorded as verified, a false one is forgotten; one whose
    /// blob is not here stays a claim.
    fn verify_claim(&self, diff_id: &DiffId, mut blob: LayerBlob) -> Result<Option<LayerBlob>, Error> {
        let digest = blob.descriptor.digest.clone();
        if !self.has(&digest) {
            return Ok(None);
        }
        let hasher = digest.digest().algorithm().hasher();
        let mut outer = HashingReader { inner: self.open_blob(&digest)?, hasher, count: 0 };
        let unpacked = decompress(&mut outer).and_then(|reader| {
            // A claim that takes for ever to look at is not worth it.
            let reader = at_most(reader, Limits::default().layer_size);
            let mut inner = HashingReader { inner: reader, hasher: Hasher::default(), count: 0 };
            io::copy(&mut inner, &mut io::sink())?;
            Ok((inner.hasher.finish(), inner.count))
        });
        let is_true = match unpacked {
            Ok((actual, uncompressed)) => {
                blob.uncompressed_size = Some(uncompressed);
                &actual == diff_id.digest()
                    && &outer.hasher.finish() == digest.digest()
                    && outer.count == blob.descriptor.size
            }
            Err(_) => false,
        };
        if is_true {
            self.insert_layer(diff_id, &blob, true)?;
            return Ok(Some(blob));
        }
        self.0.database.with("forget a layer", |connection| {
            connection.execute(
                "DELETE FROM layers WHERE diff_id = ?1 AND digest = ?2",
                [diff_id.to_string(), digest.to_string()],
            )
        })?;
        Ok(None)
    }

    /// Records that the registry has the blob in the repository.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Database`].
    pub fn record_source(&self, digest: &BlobDigest, registry: &str, repository: &str) -> Result<(), Error> {
        self.writable()?;
        self.0.database.with("record where a blob is", |connection| {
            let sql = "INSERT OR IGNORE INTO sources VALUES (?1, ?2, ?3)";
            connection.prepare(sql)?.execute([&digest.to_string(), registry, repository])
        })?;
        Ok(())
    }

    /// The repositories of the registry that are known to have had the blob: where it can be mounted from.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn sources(&self, digest: &BlobDigest, registry: &str) -> Result<Vec<String>, Error> {
        self.0.database.with("look up where a blob is", |connection| {
            let sql =
                "SELECT repository FROM sources WHERE digest = ?1 AND registry = ?2 ORDER BY repository";
            let mut statement = connection.prepare(sql)?;
            let rows = statement.query_map([&digest.to_string(), registry], |row| row.get(0))?;
            rows.collect()
        })
    }

    /// Reads all images again and records what their manifests claim about layers. Done by itself when the database was
    /// lost. Images that cannot be read are passed over: check names them.
    ///
    /// # Errors
    /// [`Error::Damaged`] if `index.json` is, [`Error::Database`].
    pub fn rebuild_index(&self) -> Result<(), Error> {
        let mut pending = self.index()?.manifests;
        let mut seen = std::collections::BTreeSet::new();
        while let Some(descriptor) = pending.pop() {
            if !seen.insert(descriptor.digest.clone()) {
                continue;
            }
            match self.manifest_unleased(&descriptor) {
                Ok(AnyManifest::Index(index)) => pending.extend(index.manifests),
                Ok(AnyManifest::Image(manifest)) => {
                    let Ok(config) = self.config_unleased(&manifest) else { continue };
                    for (diff_id, layer) in config.layers().iter().zip(manifest.layers) {
                        let plain = Descriptor::new(layer.media_type, layer.digest, layer.size);
                        let compressor = String::new();
                        let blob = LayerBlob { descriptor: plain, uncompressed_size: None, compressor };
                        self.insert_layer(diff_id, &blob, false)?;
                    }
                }
                Err(_) => {}
            }
        }
        self.0.database.with("finish the index", |connection| {
            connection.execute("INSERT OR REPLACE INTO facts VALUES ('rebuilt', 1)", [])
        })?;
        Ok(())
    }

    fn rebuild_if_lost(&self) -> Result<(), Error> {
        let rebuilt = self.0.database.with("open the index", |connection| {
            let mut statement = connection.prepare("SELECT 1 FROM facts WHERE name = 'rebuilt'")?;
            statement.query_row([], |_| Ok(())).optional()
        })?;
        if rebuilt.is_none() { self.rebuild_index() } else { Ok(()) }
    }
}

/// Hashes and counts what is read through it.
struct HashingReader<R> {
    inner: R,
    hasher: Hasher,
    count: u64,
}

impl<R: io::Read> io::Read for HashingReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.hasher.update(&buf[..n]);
        self.count += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Platform;
    use crate::content::OpenOptions;
    use crate::host::fs;
    use crate::oci::compress::Compression;
    use crate::oci::{ImageConfig, media};
    use std::io::Write as _;

    fn store(dir: &tempfile::TempDir) -> Store {
        Store::open(dir.path(), &OpenOptions::default()).unwrap()
    }

    fn add_layer(store: &Store, tar: &[u8]) -> Layer {
        let mut writer = store.layer_writer(Compression::Gzip(6)).unwrap();
        writer.write_all(tar).unwrap();
        writer.commit().unwrap()
    }

    fn add_image(store: &Store, name: &str, diff_id: &DiffId, layer: Descriptor) {
        let mut config = ImageConfig::new(&Platform::host());
        config.rootfs.diff_ids = vec![diff_id.clone()];
        let image = store.put_image(&config, vec![layer]).unwrap();
        store.tag(&name.parse().unwrap(), &image.descriptor).unwrap();
    }

    #[test]
    fn a_lost_database_is_found_again_from_the_images() {
        let dir = tempfile::tempdir().unwrap();
        let (layer, other) = {
            let store = store(&dir);
            let (layer, other) = (add_layer(&store, b"tar"), add_layer(&store, b"other"));
            add_image(&store, "true", layer.diff_id(), layer.descriptor());
            // Claims to hold `layer`, and does not.
            add_image(&store, "hostile", layer.diff_id(), other.descriptor());
            (layer, other)
        };
        for suffix in ["", "-wal", "-shm"] {
            fs::remove_file(dir.path().join(format!("index.db{suffix}"))).unwrap();
        }
        let store = store(&dir);
        let found = store.layer_blobs(layer.diff_id()).unwrap();
        assert_eq!(found.len(), 1, "the hostile claim is not told");
        assert_eq!(found[0].descriptor, layer.descriptor());
        assert_eq!((found[0].uncompressed_size, found[0].compressor.as_str()), (Some(3), ""));
        assert!(store.layer_blobs(other.diff_id()).unwrap().is_empty());
        assert_eq!(store.layer_blobs(layer.diff_id()).unwrap(), found);
    }

    #[test]
    fn what_was_hashed_here_is_known_with_its_compressor() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir);
        let layer = add_layer(&store, b"tar");
        let elsewhere = LayerBlob {
            descriptor: Descriptor::of(media::OCI_LAYER_ZSTD, b"in a registry"),
            uncompressed_size: Some(3),
            compressor: "zstd".into(),
        };
        store.record_layer(layer.diff_id(), &elsewhere).unwrap();
        let known = store.layer_blobs(layer.diff_id()).unwrap();
        assert_eq!(known.len(), 2);
        assert!(known.contains(&elsewhere) && known.contains(&LayerBlob::from(&layer)));
    }

    #[test]
    fn sources() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir);
        let blob = BlobDigest::of(b"blob");
        for repository in ["b", "a", "a"] {
            store.record_source(&blob, "host:5000", repository).unwrap();
        }
        assert_eq!(store.sources(&blob, "host:5000").unwrap(), ["a", "b"]);
        assert!(store.sources(&blob, "elsewhere").unwrap().is_empty());
    }

    #[test]
    fn a_store_that_may_only_be_read_still_tells() {
        let dir = tempfile::tempdir().unwrap();
        let layer = {
            let store = store(&dir);
            let layer = add_layer(&store, b"tar");
            add_image(&store, "true", layer.diff_id(), layer.descriptor());
            layer
        };
        let store = Store::open(dir.path(), &OpenOptions { read_only: true }).unwrap();
        assert_eq!(store.layer_blobs(layer.diff_id()).unwrap().len(), 1);
        assert!(matches!(store.put(b"x"), Err(Error::ReadOnly { .. })));
        assert!(matches!(store.untag(&"true".parse().unwrap()), Err(Error::ReadOnly { .. })));
    }
}
