//! Removing what nothing refers to.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use crate::base::BlobDigest;
use crate::content::{Error, Store, ingest};
use crate::host::fs;
use crate::host::lock::Sharing;
use crate::oci::Descriptor;
use crate::report::Context;

/// Partial downloads older than this are removed, unless told otherwise.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// What to remove.
#[derive(Clone, Debug)]
pub struct PruneOptions {
    /// What else to keep beside what has a name: manifests are followed. For records of a build cache.
    pub keep: Vec<Descriptor>,
    /// Partial downloads that nobody works on are removed if they were not touched for this long.
    pub stale_after: Duration,
    /// Only say what would be removed.
    pub dry_run: bool,
}

impl Default for PruneOptions {
    fn default() -> Self {
        Self { keep: Vec::new(), stale_after: STALE, dry_run: false }
    }
}

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Blobs with their sizes.
    pub blobs: Vec<(BlobDigest, u64)>,
    /// Partial downloads.
    pub partials: usize,
    /// Bytes of both.
    pub bytes: u64,
}

impl Store {
    /// Removes blobs that no name leads to and no lease keeps, and stale partial downloads. Builds that run meanwhile
    /// keep what they use.
    ///
    /// # Errors
    /// [`Error::Damaged`] if a manifest that has a name is damaged: what it refers to is not known then, and nothing
    /// is removed. [`Error::Cancelled`], and those of the file system.
    pub fn prune(&self, cx: &Context, options: &PruneOptions) -> Result<PruneReport, Error> {
        if !options.dry_run {
            self.writable()?;
        }
        let mut report = PruneReport::default();
        {
            let lock = if options.dry_run { Sharing::Shared } else { Sharing::Exclusive };
            let _lock = if self.is_writable() { Some(self.lock("prune", lock)?) } else { None };
            let kept = self.kept(options)?;
            for (digest, size) in self.blobs()? {
                if kept.contains(&digest) {
                    continue;
                }
                if cx.cancel.is_cancelled() {
                    return Err(Error::Cancelled);
                }
                if !options.dry_run {
                    fs::remove_file(self.blob_path(&digest))?;
                }
                report.bytes += size;
                report.blobs.push((digest, size));
            }
        }
        self.prune_partials(cx, options, &mut report)?;
        Ok(report)
    }

    fn kept(&self, options: &PruneOptions) -> Result<BTreeSet<BlobDigest>, Error> {
        // Leases before names: who has ended its lease has given the name before, and is found by it.
        let leased = if self.is_writable() { self.leased()? } else { BTreeSet::new() };
        let roots = self.index()?.manifests.into_iter().chain(options.keep.iter().cloned());
        let reach = self.reach(roots);
        for (_, error) in reach.unreadable {
            match error {
                // What is not there refers to nothing.
                Error::NotFound { .. } => {}
                error => return Err(error),
            }
        }
        let mut kept: BTreeSet<_> = reach.blobs.into_keys().collect();
        // What a lease keeps is followed as well: a manifest in use needs its layers.
        for digest in leased {
            kept.extend(self.follow(&digest));
            kept.insert(digest);
        }
        Ok(kept)
    }

    /// What the blob refers to, if it is a manifest.
    fn follow(&self, digest: &BlobDigest) -> BTreeSet<BlobDigest> {
        let limit = crate::oci::MANIFEST_LIMIT;
        let is_small = fs::metadata(self.blob_path(digest)).is_ok_and(|m| m.len() <= limit);
        let parsed = is_small
            .then(|| self.read_unleased(digest, limit).ok())
            .flatten()
            .filter(|bytes| bytes.first() == Some(&b'{'))
            .and_then(|bytes| Some((crate::oci::AnyManifest::parse(None, &bytes).ok()?, bytes.len())));
        let Some((manifest, size)) = parsed else { return BTreeSet::new() };
        let root = Descriptor::new(manifest.media_type(), digest.clone(), size as u64);
        self.reach([root]).blobs.into_keys().collect()
    }

    fn prune_partials(
        &self,
        cx: &Context,
        options: &PruneOptions,
        report: &mut PruneReport,
    ) -> Result<(), Error> {
        let is_unfinished = |entry: &fs::DirEntry| {
            // What a process that was killed while it replaced a file has left.
            let name = entry.file_name();
            let name = name.as_encoded_bytes();
            name.starts_with(b".") && name.ends_with(b".tmp")
        };
        let unfinished = fs::read_dir(self.root())?.into_iter().filter(is_unfinished);
        for entry in fs::read_dir(self.ingest_folder())?.into_iter().chain(unfinished) {
            let Ok(metadata) = entry.metadata() else { continue };
            let modified = Duration::from_secs(u64::try_from(metadata.mtime()).unwrap_or(0));
            if cx.clock.now() < modified + options.stale_after || ingest::is_in_use(&entry.path()) {
                continue;
            }
            if !options.dry_run {
                fs::remove_file(entry.path())?;
            }
            report.partials += 1;
            report.bytes += metadata.len();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Clock, Platform};
    use crate::content::OpenOptions;
    use crate::host;
    use crate::oci::{ImageConfig, media};
    use std::io::Write as _;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &OpenOptions::default()).unwrap();
        (dir, store)
    }

    fn cx() -> Context {
        Context::silent(host::clock::system())
    }

    fn image(store: &Store, name: &str, layer: &[u8]) -> Descriptor {
        store.put(layer).unwrap();
        let mut config = ImageConfig::new(&Platform::host());
        config.rootfs.diff_ids.push(crate::base::DiffId::of(layer));
        let image = store.put_image(&config, vec![Descriptor::of(media::OCI_LAYER, layer)]).unwrap();
        store.tag(&name.parse().unwrap(), &image.descriptor).unwrap();
        image.descriptor
    }

    #[test]
    fn named_kept_and_leased_blobs_stay() {
        let (dir, store) = store();
        image(&store, "named", b"1");
        let kept = image(&store, "kept", b"2");
        image(&store, "gone", b"3");
        let leased = image(&store, "leased", b"4");
        for name in ["kept", "gone", "leased"] {
            store.untag(&name.parse().unwrap()).unwrap();
        }
        let other = Store::open(dir.path(), &OpenOptions::default()).unwrap();
        let lease = other.lease().unwrap();
        assert!(other.has(&leased.digest));
        let options = PruneOptions { keep: vec![kept], ..Default::default() };
        let dry = store.prune(&cx(), &PruneOptions { dry_run: true, ..options.clone() }).unwrap();
        let done = store.prune(&cx(), &options).unwrap();
        assert_eq!((dry.clone(), done.blobs.len()), (done, 3));
        assert_eq!(store.blobs().unwrap().len(), 9);
        assert!(store.has(&BlobDigest::of(b"4")), "the layers of a leased manifest stay");
        assert!(
            other.prune(&cx(), &options).unwrap().blobs.is_empty(),
            "the holder of the lease prunes as well"
        );
        drop(lease);
        assert_eq!(store.prune(&cx(), &options).unwrap().blobs.len(), 3);
    }

    #[test]
    fn nothing_is_removed_on_half_knowledge() {
        let (dir, store) = store();
        let damaged = image(&store, "damaged", b"1");
        store.put(b"loose").unwrap();
        fs::write(store.blob_path(&damaged.digest), "{}").unwrap();
        assert!(matches!(store.prune(&cx(), &PruneOptions::default()), Err(Error::Damaged { .. })));
        fs::write(dir.path().join("index.json"), "").unwrap();
        assert!(matches!(store.prune(&cx(), &PruneOptions::default()), Err(Error::Damaged { .. })));
        assert_eq!(store.blobs().unwrap().len(), 4);
    }

    #[test]
    fn partial_downloads_go_when_they_are_old_and_unused() {
        let (dir, store) = store();
        let partial = |name: &[u8]| {
            let mut ingest = store.ingest(&BlobDigest::of(name), None).unwrap();
            ingest.write_all(b"part").unwrap();
            ingest
        };
        let used = partial(b"used");
        drop(partial(b"unused"));
        fs::write(dir.path().join(".index.json.0.tmp"), "half").unwrap();
        assert_eq!(store.prune(&cx(), &PruneOptions::default()).unwrap(), PruneReport::default());
        let tomorrow = host::clock::system().now().as_secs() + 25 * 3600;
        let later = Context::silent(Clock::fixed(tomorrow));
        let report = store.prune(&later, &PruneOptions::default()).unwrap();
        assert_eq!((report.partials, report.bytes), (2, 8));
        drop(used);
    }
}
