//! Records in an OCI layout: what `type=local` caches are. Other tools can copy and read it; the entries of its index
//! are the tags that the records would have in a registry.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::{BlobDigest, StepKey};
use crate::host::lock::{FileLock, Sharing};
use crate::host::{self, fs, random};
use crate::oci::{AnyManifest, Descriptor, Index, LAYOUT_INDEX_LIMIT, MANIFEST_LIMIT, media};
use crate::stages::artifact::EMPTY;
use crate::stages::{BUILDKIT_TYPE, Error, NoRecord, SharedRecord, StepKeys};

const LAYOUT: &str = "{\"imageLayoutVersion\":\"1.0.0\"}";
const PREFIX: &str = "lap-cache-";

/// The records in one folder, as they were when it was opened.
#[derive(Clone, Debug)]
pub struct FolderRecords {
    root: PathBuf,
    known: BTreeMap<StepKey, Descriptor>,
    foreign: bool,
}

impl FolderRecords {
    /// Reads which records the folder has; one that is not there has none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, Error> {
        let root = root.into();
        let index = read_index(&root)?;
        let mut records = Self { root, known: BTreeMap::new(), foreign: false };
        for entry in index.manifests {
            match key_of(&entry) {
                Some(key) => drop(records.known.insert(key, entry)),
                None => records.foreign = records.foreign || records.is_buildkits(&entry),
            }
        }
        Ok(records)
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether BuildKit wrote a cache here, which is of no use to us.
    pub fn has_buildkits(&self) -> bool {
        self.foreign
    }

    fn is_buildkits(&self, entry: &Descriptor) -> bool {
        let parsed = fs::read_limited(self.blob(&entry.digest), MANIFEST_LIMIT)
            .ok()
            .and_then(|bytes| AnyManifest::parse(Some(&entry.media_type), &bytes).ok());
        match parsed {
            Some(AnyManifest::Image(manifest)) => manifest.config.media_type == BUILDKIT_TYPE,
            Some(AnyManifest::Index(index)) => index.manifests.iter().any(|m| m.media_type == BUILDKIT_TYPE),
            None => false,
        }
    }

    /// Where a blob is, or would be.
    pub fn blob(&self, digest: &BlobDigest) -> PathBuf {
        self.root.join("blobs").join(digest.digest().algorithm().name()).join(digest.hex())
    }

    /// The record of `key`, if all its layers are there. Why one cannot be used is the inner error.
    ///
    /// # Errors
    /// If a file cannot be read for another reason than that it is not there.
    pub fn get(&self, key: &StepKey) -> Result<Option<Result<SharedRecord, NoRecord>>, Error> {
        let Some(entry) = self.known.get(key) else { return Ok(None) };
        let bytes = match fs::read_limited(self.blob(&entry.digest), MANIFEST_LIMIT) {
            Ok(bytes) => bytes,
            Err(e) if e.is_not_found() => return Ok(Some(Err(NoRecord::Damaged("its manifest is gone")))),
            Err(source) => return Err(Error::Read { key: *key, source }),
        };
        if BlobDigest::of(&bytes) != entry.digest {
            return Ok(Some(Err(NoRecord::Damaged("its manifest was changed"))));
        }
        let Ok(AnyManifest::Image(manifest)) = AnyManifest::parse(Some(&entry.media_type), &bytes) else {
            return Ok(Some(Err(NoRecord::Damaged("it is not a manifest"))));
        };
        let record = SharedRecord::of_manifest(&manifest, key);
        let is_there = |blob: &Descriptor| fs::exists(self.blob(&blob.digest));
        Ok(Some(match record {
            Ok(record) if !record.blobs.iter().all(is_there) => {
                Err(NoRecord::Damaged("a layer of it is gone"))
            }
            other => other,
        }))
    }

    /// Publishes records whose layers are in the folder already. Keys that have a record keep it, unless the record is in
    /// `replace`. Several processes may publish at once.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn publish(root: &Path, records: &[(StepKeys, SharedRecord, bool)]) -> Result<(), Error> {
        let fail = Error::Open;
        fs::create_dir_all(root.join("blobs/sha256")).map_err(fail)?;
        let mut written = Vec::new();
        for (keys, shared, replace) in records {
            let bytes = shared.to_manifest(keys).to_bytes();
            let descriptor = Descriptor::of(media::OCI_MANIFEST, &bytes);
            put(root, &descriptor.digest, &bytes).map_err(fail)?;
            written.extend(keys.all().map(|key| (key, descriptor.clone(), *replace)));
        }
        put(root, &BlobDigest::of(EMPTY), EMPTY).map_err(fail)?;
        if !fs::exists(root.join("oci-layout")) {
            fs::write_atomic(root.join("oci-layout"), LAYOUT).map_err(fail)?;
        }
        let _lock = FileLock::wait(root.join(".lap-lock"), Sharing::Exclusive).map_err(fail)?;
        let mut index = read_index(root)?;
        let known: BTreeMap<StepKey, usize> =
            index.manifests.iter().enumerate().filter_map(|(at, entry)| Some((key_of(entry)?, at))).collect();
        for (key, descriptor, replace) in written {
            let entry = descriptor.annotated(media::REF_NAME, format!("{PREFIX}{key}"));
            match known.get(&key) {
                None => index.manifests.push(entry),
                // What is there but cannot be used is replaced.
                Some(at) if replace || !is_whole(root, &index.manifests[*at], &key) => {
                    index.manifests[*at] = entry
                }
                Some(_) => {}
            }
        }
        fs::write_atomic(root.join("index.json"), index.to_bytes()).map_err(fail)
    }
}

fn is_whole(root: &Path, entry: &Descriptor, key: &StepKey) -> bool {
    let known = BTreeMap::from([(*key, entry.clone())]);
    let records = FolderRecords { root: root.to_owned(), known, foreign: false };
    matches!(records.get(key), Ok(Some(Ok(_))))
}

fn key_of(entry: &Descriptor) -> Option<StepKey> {
    let name = entry.annotations.get(media::REF_NAME)?.strip_prefix(PREFIX)?;
    Some(StepKey::new(name.parse().ok()?))
}

fn read_index(root: &Path) -> Result<Index, Error> {
    let bytes = match fs::read_limited(root.join("index.json"), LAYOUT_INDEX_LIMIT) {
        Ok(bytes) => bytes,
        Err(e) if e.is_not_found() => return Ok(Index::new(Vec::new())),
        Err(source) => return Err(Error::Open(source)),
    };
    Index::parse_layout(&bytes).map_err(|source| Error::Folder { path: root.to_owned(), source })
}

/// Writes a small blob, if it is not there.
fn put(root: &Path, digest: &BlobDigest, bytes: &[u8]) -> Result<(), host::Error> {
    let folder = root.join("blobs").join(digest.digest().algorithm().name());
    let path = folder.join(digest.hex());
    if fs::metadata(&path).is_ok_and(|m| m.len() == bytes.len() as u64) {
        return Ok(());
    }
    let temporary = folder.join(format!(".{}.tmp", random::token()));
    fs::write(&temporary, bytes)?;
    fs::rename(&temporary, &path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::artifact::tests::sample;

    #[test]
    fn records_come_back_while_their_layers_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("cache");
        let (shared, keys) = sample(1);
        let open = || FolderRecords::open(&root).unwrap();
        assert_eq!(open().get(&keys.definition).unwrap(), None);
        FolderRecords::publish(&root, &[(keys, shared.clone(), false)]).unwrap();
        assert!(matches!(open().get(&keys.definition).unwrap(), Some(Err(NoRecord::Damaged(_)))));
        put(&root, &shared.blobs[0].digest, b"blob").unwrap();
        assert_eq!(open().get(&keys.definition).unwrap(), Some(Ok(shared.clone())));
        assert_eq!(
            open().get(&keys.content.unwrap()).unwrap().unwrap().unwrap().record.layers,
            shared.record.layers
        );
        let (second, _) = sample(2);
        let created = || open().get(&keys.definition).unwrap().unwrap().unwrap().record.layers[0].created;
        FolderRecords::publish(&root, &[(keys, second.clone(), false)]).unwrap();
        assert_eq!(created(), 1);
        FolderRecords::publish(&root, &[(keys, second, true)]).unwrap();
        assert_eq!(created(), 2);
    }

    #[test]
    fn a_cache_of_buildkit_is_known_as_one() {
        let dir = tempfile::tempdir().unwrap();
        let config = Descriptor::of(BUILDKIT_TYPE, b"{}");
        let bytes = crate::oci::Manifest::new(config, vec![]).to_bytes();
        let descriptor = Descriptor::of(media::OCI_MANIFEST, &bytes);
        fs::create_dir_all(dir.path().join("blobs/sha256")).unwrap();
        put(dir.path(), &descriptor.digest, &bytes).unwrap();
        assert!(!FolderRecords::open(dir.path()).unwrap().has_buildkits());
        fs::write(dir.path().join("index.json"), Index::new(vec![descriptor]).to_bytes()).unwrap();
        assert!(FolderRecords::open(dir.path()).unwrap().has_buildkits());
    }
}
