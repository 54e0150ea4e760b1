//! Looking at every byte of the store, and repair.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use rayon::prelude::*;

use crate::base::BlobDigest;
use crate::content::names::name_of;
use crate::content::{Error, Store, Unpacked};
use crate::host::fs;
use crate::host::lock::Sharing;
use crate::oci::{AnyManifest, Descriptor, Index, media};
use crate::report::Context;

/// How to check.
pub struct CheckOptions<'a> {
    /// Remove damaged blobs, and the names of images that miss something.
    pub repair: bool,
    /// Knows the layers that need no blob.
    pub unpacked: &'a dyn Unpacked,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// A blob's content is not that of its name. Repair removes it.
    DamagedBlob {
        /// The blob.
        digest: BlobDigest,
        /// What was found.
        found: String,
    },
    /// An image names a blob that is not there (or is damaged). Repair takes the image's name away.
    MissingBlob {
        /// The blob.
        digest: BlobDigest,
        /// The images that need it.
        images: Vec<String>,
    },
    /// A manifest or configuration has the right digest and cannot be understood. Repair takes the image's name away.
    BadManifest {
        /// Its digest.
        digest: BlobDigest,
        /// Why.
        reason: String,
        /// The images it belongs to.
        images: Vec<String>,
    },
    /// `index.json` cannot be read. Repair puts it aside; the images must be named again.
    BadIndex {
        /// Why.
        reason: String,
    },
    /// A file among the blobs that is none. Left alone.
    StrayFile {
        /// Its path within the store.
        path: String,
    },
}

/// What a check has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Blobs that were read.
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Names in the index.
    pub images: usize,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Whether all of it that can be repaired was.
    pub repaired: bool,
}

impl Store {
    /// Hashes every blob and follows every name. Builds may go on meanwhile.
    ///
    /// # Errors
    /// [`Error::Cancelled`], [`Error::ReadOnly`] for repair, and those of the file system. What is wrong with the
    /// store is not an error but in the report.
    pub fn check(&self, cx: &Context, options: &CheckOptions<'_>) -> Result<CheckReport, Error> {
        if options.repair {
            self.writable()?;
        }
        let mut report = CheckReport::default();
        let damaged = self.check_blobs(cx, &mut report)?;
        if options.repair && !damaged.is_empty() {
            // Not while somebody begins to use them.
            let _lock = self.lock("prune", Sharing::Exclusive)?;
            for digest in &damaged {
                fs::remove_file(self.blob_path(digest))?;
            }
        }
        match self.index() {
            Ok(index) => self.check_images(&index, &damaged, options, &mut report)?,
            Err(Error::Damaged { reason, .. }) => {
                report.problems.push(Problem::BadIndex { reason: chain(reason.as_ref()) });
                if options.repair {
                    self.put_index_aside()?;
                }
            }
            Err(error) => return Err(error),
        }
        self.find_strays(&mut report)?;
        report.problems.sort();
        report.repaired = options.repair;
        Ok(report)
    }

    fn check_blobs(&self, cx: &Context, report: &mut CheckReport) -> Result<BTreeSet<BlobDigest>, Error> {
        let blobs = self.blobs()?;
        let look = |(digest, size): &(BlobDigest, u64)| -> Result<Option<Problem>, Error> {
            if cx.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let found = match self.hash_blob(digest) {
                Ok(found) => found,
                // Pruned meanwhile.
                Err(Error::NotFound { .. }) => return Ok(None),
                Err(error) => Err(error)?,
            };
            let found = match found {
                Ok(actual) if &actual == digest => return Ok(None),
                Ok(actual) => format!("{size} bytes with the digest {actual}"),
                Err(error) => error.to_string(),
            };
            Ok(Some(Problem::DamagedBlob { digest: digest.clone(), found }))
        };
        let problems = blobs.par_iter().map(look).collect::<Result<Vec<_>, _>>()?;
        report.blobs = blobs.len();
        report.bytes = blobs.iter().map(|(_, size)| size).sum();
        report.problems.extend(problems.into_iter().flatten());
        let damaged = report.problems.iter().filter_map(|problem| match problem {
            Problem::DamagedBlob { digest, .. } => Some(digest.clone()),
            _ => None,
        });
        Ok(damaged.collect())
    }

    /// The digest of the blob's content; the inner error is of reading it (a bad disk).
    fn hash_blob(&self, digest: &BlobDigest) -> Result<std::io::Result<BlobDigest>, Error> {
        let mut blob = self.open_unleased(digest)?;
        let mut hasher = digest.digest().algorithm().hasher();
        let mut buffer = vec![0; 256 << 10];
        loop {
            match blob.read(&mut buffer) {
                Ok(0) => return Ok(Ok(BlobDigest::new(hasher.finish()))),
                Ok(n) => hasher.update(&buffer[..n]),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Ok(Err(e)),
            }
        }
    }

    fn check_images(
        &self,
        index: &Index,
        damaged: &BTreeSet<BlobDigest>,
        options: &CheckOptions<'_>,
        report: &mut CheckReport,
    ) -> Result<(), Error> {
        report.images = index.manifests.len();
        let present: BTreeSet<_> = self.blob_set()?.difference(damaged).cloned().collect();
        let mut missing: BTreeMap<BlobDigest, Vec<String>> = BTreeMap::new();
        let mut bad: BTreeMap<BlobDigest, (String, Vec<String>)> = BTreeMap::new();
        let mut broken = Vec::new();
        for entry in &index.manifests {
            let reach = self.reach([entry.clone()]);
            let is_unpacked = |digest: &BlobDigest| {
                reach.layers.get(digest).is_some_and(|ids| ids.iter().any(|id| options.unpacked.contains(id)))
            };
            let absent: Vec<_> =
                reach.blobs.keys().filter(|d| !present.contains(*d) && !is_unpacked(d)).cloned().collect();
            let name = display_name(entry);
            let unreadable = self.misunderstood(&reach);
            if !absent.is_empty() || !unreadable.is_empty() {
                broken.push(entry.clone());
            }
            for digest in absent {
                missing.entry(digest).or_default().push(name.clone());
            }
            for (digest, reason) in unreadable {
                bad.entry(digest).or_insert_with(|| (reason, Vec::new())).1.push(name.clone());
            }
        }
        if options.repair && !broken.is_empty() {
            self.change_index(|index| {
                let before = index.manifests.len();
                index.manifests.retain(|entry| !broken.contains(entry));
                index.manifests.len() != before
            })?;
        }
        let missing = missing.into_iter().map(|(digest, images)| Problem::MissingBlob { digest, images });
        let bad =
            bad.into_iter().map(|(digest, (reason, images))| Problem::BadManifest { digest, reason, images });
        report.problems.extend(missing.chain(bad));
        Ok(())
    }

    /// Manifests and configurations whose bytes are right and whose meaning is not.
    fn misunderstood(&self, reach: &crate::content::reach::Reach) -> Vec<(BlobDigest, String)> {
        let mut found = Vec::new();
        for (descriptor, error) in &reach.unreadable {
            if matches!(error, Error::Image(_) | Error::TooLarge { .. }) {
                found.push((descriptor.digest.clone(), chain(error)));
            }
        }
        for descriptor in reach.blobs.values().filter(|d| media::is_manifest(&d.media_type)) {
            let Ok(AnyManifest::Image(manifest)) = self.manifest_unleased(descriptor) else { continue };
            if manifest.is_image()
                && let Err(error @ Error::Image(_)) = self.config_unleased(&manifest)
            {
                found.push((manifest.config.digest.clone(), chain(&error)));
            }
        }
        found
    }

    fn put_index_aside(&self) -> Result<(), Error> {
        let _lock = self.lock("index", Sharing::Exclusive)?;
        if self.index().is_ok() {
            return Ok(());
        }
        let path = self.root().join("index.json");
        if fs::exists(&path) {
            fs::rename(&path, self.root().join("index.json.damaged"))?;
        }
        self.write_index(&Index::new(Vec::new()))
    }

    fn find_strays(&self, report: &mut CheckReport) -> Result<(), Error> {
        let blobs = self.root().join("blobs");
        for folder in fs::read_dir(&blobs)? {
            let algorithm = folder.file_name().to_string_lossy().into_owned();
            if !folder.file_type().is_ok_and(|t| t.is_dir()) {
                report.problems.push(Problem::StrayFile { path: format!("blobs/{algorithm}") });
                continue;
            }
            for file in fs::read_dir(folder.path())? {
                let name = file.file_name().to_string_lossy().into_owned();
                let is_file = file.file_type().is_ok_and(|t| t.is_file());
                if !is_file || format!("{algorithm}:{name}").parse::<BlobDigest>().is_err() {
                    report.problems.push(Problem::StrayFile { path: format!("blobs/{algorithm}/{name}") });
                }
            }
        }
        Ok(())
    }
}

fn display_name(entry: &Descriptor) -> String {
    name_of(entry).map_or_else(|| entry.digest.to_string(), |name| name.familiar())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{DiffId, Platform};
    use crate::content::{NothingUnpacked, OpenOptions};
    use crate::oci::ImageConfig;
    use std::io::{self, Write};

    fn cx() -> Context {
        Context::silent(crate::host::clock::system())
    }

    fn check(store: &Store, repair: bool) -> CheckReport {
        store.check(&cx(), &CheckOptions { repair, unpacked: &NothingUnpacked }).unwrap()
    }

    fn store_with(names: &[&str]) -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &OpenOptions::default()).unwrap();
        for name in names {
            let layer = name.as_bytes();
            store.put(layer).unwrap();
            let mut config = ImageConfig::new(&Platform::host());
            config.rootfs.diff_ids.push(DiffId::of(layer));
            let image = store.put_image(&config, vec![Descriptor::of(media::OCI_LAYER, layer)]).unwrap();
            store.tag(&name.parse().unwrap(), &image.descriptor).unwrap();
        }
        (dir, store)
    }

    #[test]
    fn a_whole_store_has_no_problem() {
        let (_dir, store) = store_with(&["a", "b"]);
        let report = check(&store, false);
        assert_eq!((report.blobs, report.images, report.problems), (6, 2, vec![]));
    }

    #[test]
    fn damage_is_found_and_repaired() {
        let (dir, store) = store_with(&["a", "b"]);
        let layer = BlobDigest::of(b"a");
        fs::write(store.blob_path(&layer), b"A").unwrap();
        fs::write(dir.path().join("blobs/sha256/stray"), "").unwrap();
        let report = check(&store, true);
        assert_eq!(report.problems.len(), 3, "{report:?}");
        assert!(
            report
                .problems
                .contains(&Problem::MissingBlob { digest: layer, images: vec!["a:latest".into()] })
        );
        let after = check(&store, false);
        assert_eq!(after.problems, [Problem::StrayFile { path: "blobs/sha256/stray".into() }]);
        assert_eq!((after.blobs, after.images), (5, 1));
    }

    #[test]
    fn damaged_manifest_and_index() {
        let (dir, store) = store_with(&["a"]);
        let manifest = store.images().unwrap()[0].descriptor.digest.clone();
        fs::write(store.blob_path(&manifest), b"").unwrap();
        let report = check(&store, true);
        assert!(
            matches!(&report.problems[..], [Problem::DamagedBlob { .. }, Problem::MissingBlob { .. }]),
            "{report:?}"
        );
        fs::write(dir.path().join("index.json"), "][").unwrap();
        assert!(matches!(&check(&store, true).problems[..], [Problem::BadIndex { .. }]));
        assert_eq!(check(&store, false).problems, []);
        assert!(fs::exists(dir.path().join("index.json.damaged")));
    }

    #[test]
    fn right_bytes_with_wrong_meaning() {
        let (_dir, store) = store_with(&[]);
        let not_a_config = b"[]";
        store.put(not_a_config).unwrap();
        let manifest = crate::oci::Manifest::new(Descriptor::of(media::OCI_CONFIG, not_a_config), Vec::new());
        store.put(&manifest.to_bytes()).unwrap();
        let descriptor = Descriptor::of(media::OCI_MANIFEST, &manifest.to_bytes());
        store.tag(&"odd".parse().unwrap(), &descriptor).unwrap();
        let report = check(&store, true);
        assert!(matches!(&report.problems[..], [Problem::BadManifest { .. }]), "{report:?}");
        assert_eq!(check(&store, false).images, 0);
    }

    struct Snapshot(DiffId);

    impl Unpacked for Snapshot {
        fn contains(&self, layer: &DiffId) -> bool {
            *layer == self.0
        }

        fn write_tar(&self, _: &DiffId, _: &mut dyn Write) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_layer_may_exist_only_unpacked() {
        let (_dir, store) = store_with(&["a"]);
        fs::remove_file(store.blob_path(&BlobDigest::of(b"a"))).unwrap();
        let unpacked = Snapshot(DiffId::of(b"a"));
        let report = store.check(&cx(), &CheckOptions { repair: true, unpacked: &unpacked }).unwrap();
        assert_eq!(report.problems, []);
        assert!(matches!(&check(&store, false).problems[..], [Problem::MissingBlob { .. }]));
    }
}
