//! Removing what no image needs: blobs, unpacked layers, what killed processes left.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::base::{DiffId, Failure};
use crate::build::facts::fetched::Fetched;
use crate::content::{self, PruneOptions, Store};
use crate::oci::AnyManifest;
use crate::ops::leftovers;
use crate::report::Context;
use crate::snapshot::cachemounts::CacheMounts;
use crate::snapshot::{self, Snapshots};
use crate::stages::LocalRecords;

/// What to remove.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// The build cache too: all records, the layers that only they need, and cache mounts.
    pub all: bool,
    /// Only say what would be removed.
    pub dry_run: bool,
}

/// Where to remove from.
pub struct Places<'a> {
    /// Blobs.
    pub store: &'a Store,
    /// Unpacked layers.
    pub snapshots: &'a Snapshots,
    /// The build cache.
    pub records: &'a LocalRecords,
    /// Folders that stay between builds.
    pub cache_mounts: &'a CacheMounts,
}

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Blobs.
    pub blobs: Vec<String>,
    /// Their bytes, and those of partial downloads.
    pub blob_bytes: u64,
    /// Partial downloads.
    pub partials: usize,
    /// Unpacked layers.
    pub layers: Vec<String>,
    /// Bytes of their tars.
    pub layer_bytes: u64,
    /// Unpacked layers that nothing needs and that a running build keeps from being removed.
    pub busy_layers: usize,
    /// Merged copies and patches of layers that are gone.
    pub derived: usize,
    /// Other files that killed processes left, and locks that nobody holds.
    pub leftovers: usize,
    /// Records of the build cache.
    pub records: usize,
    /// Cache mounts, by their names in Dockerfiles.
    pub cache_mounts: Vec<String>,
    /// Bytes of their files.
    pub cache_mount_bytes: u64,
    /// Cache mounts that a running build keeps from being removed.
    pub busy_cache_mounts: usize,
    /// Files and commits that were fetched for ADD and contexts; only with the build cache.
    pub fetched: usize,
    /// Whether nothing was really removed.
    pub dry_run: bool,
}

/// Removes.
///
/// # Errors
/// If what has a name is damaged, the store cannot be written, or a stop is asked for.
pub fn run(cx: &Context, places: &Places<'_>, request: Request) -> Result<Report, Failure> {
    let mut report = Report { dry_run: request.dry_run, ..Report::default() };
    let records = places.records.all()?;
    if request.all {
        report.records = records.len();
        if !request.dry_run {
            // Before the layers they speak of.
            report.records = places.records.retain(|_| false)?;
        }
    }
    if request.all {
        report.fetched = Fetched::at(places.store.root()).prune(request.dry_run)?;
    }
    let mut needed = layers_of_images(places.store)?;
    if !request.all {
        needed.extend(records.into_iter().flat_map(|record| record.layers).map(|layer| layer.diff_id));
    }
    let options = PruneOptions { dry_run: request.dry_run, ..PruneOptions::default() };
    let pruned = places.store.prune(cx, &options)?;
    report.blobs = pruned.blobs.iter().map(|(digest, _)| digest.to_string()).collect();
    report.blob_bytes = pruned.bytes;
    report.partials = pruned.partials;
    prune_layers(cx, places.snapshots, &needed, &mut report)?;
    prune_cache_mounts(places.cache_mounts, request, &mut report)?;
    if !request.dry_run {
        report.leftovers = leftovers::remove(cx, places.store.root())?;
    }
    Ok(report)
}

fn prune_cache_mounts(mounts: &CacheMounts, request: Request, report: &mut Report) -> Result<(), Failure> {
    for mount in if request.all { mounts.measured()? } else { Vec::new() } {
        if !request.dry_run && !mounts.remove(&mount.name)? {
            report.busy_cache_mounts += 1;
            continue;
        }
        report.cache_mounts.push(mount.id);
        report.cache_mount_bytes += mount.size;
    }
    if !request.dry_run {
        mounts.clean_stale()?;
    }
    Ok(())
}

/// The layers of everything that has a name.
pub(super) fn layers_of_images(store: &Store) -> Result<BTreeSet<DiffId>, Failure> {
    let mut layers = BTreeSet::new();
    let mut pending: Vec<_> = store.images()?.into_iter().map(|image| image.descriptor).collect();
    let mut seen = BTreeSet::new();
    while let Some(descriptor) = pending.pop() {
        if !seen.insert(descriptor.digest.clone()) {
            continue;
        }
        match store.manifest(&descriptor) {
            Ok(AnyManifest::Index(index)) => pending.extend(index.manifests),
            Ok(AnyManifest::Image(manifest)) if manifest.is_image() => {
                layers.extend(store.config(&manifest)?.rootfs.diff_ids);
            }
            Ok(AnyManifest::Image(_)) => {}
            // What is not there has no layers that could be named.
            Err(content::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(layers)
}

fn prune_layers(
    cx: &Context,
    snapshots: &Snapshots,
    needed: &BTreeSet<DiffId>,
    report: &mut Report,
) -> Result<(), Failure> {
    for layer in snapshots.list()?.into_iter().filter(|layer| !needed.contains(&layer.diff_id)) {
        if cx.cancel.is_cancelled() {
            return Err(content::Error::Cancelled.into());
        }
        if !report.dry_run {
            match snapshots.remove(&layer.diff_id) {
                Ok(()) => {}
                Err(snapshot::Error::Busy { .. }) => {
                    report.busy_layers += 1;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
        }
        report.layers.push(layer.diff_id.to_string());
        report.layer_bytes += layer.size;
    }
    if !report.dry_run {
        report.derived = snapshots.remove_derived()?;
        snapshots.clean_stale()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{ContentHash, StepKey};
    use crate::dockerfile::command::Sharing;
    use crate::ops::samples;
    use crate::snapshot::cachemounts::Wanted;
    use crate::stages::{Record, RecordLayer};

    fn unpack(snapshots: &Snapshots, name: &str) -> DiffId {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(0);
        header.set_mode(0o644);
        header.set_uid(rustix::process::getuid().as_raw().into());
        header.set_gid(rustix::process::getgid().as_raw().into());
        tar.append_data(&mut header, name, &b""[..]).unwrap();
        let bytes = tar.into_inner().unwrap();
        let layer = DiffId::of(&bytes);
        snapshots.unpack(&layer, bytes.as_slice()).unwrap();
        layer
    }

    #[test]
    fn images_and_the_cache_keep_their_layers() {
        let (dir, store) = samples::store();
        let snapshots = Snapshots::open(dir.path().join("snapshots"), snapshot::Choice::Copy).unwrap();
        let records = LocalRecords::open(dir.path().join("records"));
        let [named, cached, loose] = ["named", "cached", "loose"].map(|name| unpack(&snapshots, name));
        let mut config = crate::oci::ImageConfig::new(&crate::base::Platform::host());
        config.rootfs.diff_ids.push(named.clone());
        let layer = crate::oci::Descriptor::new(crate::oci::media::OCI_LAYER, named.clone(), 1);
        let image = store.put_image(&config, vec![layer]).unwrap();
        store.tag(&"named".parse().unwrap(), &image.descriptor).unwrap();
        store.put(b"loose").unwrap();
        let record = Record {
            version: Record::VERSION,
            key: StepKey::new(ContentHash::of(b"step")),
            base: vec![],
            layers: vec![RecordLayer { diff_id: cached.clone(), size: 1, created: 0 }],
            origin: "RUN x".into(),
            content: None,
        };
        records.publish(record, |_| true).unwrap();
        let cx = Context::silent(crate::host::clock::system());
        let cache_mounts = &CacheMounts::open(dir.path().join("cachemounts")).unwrap();
        let (uid, gid) = crate::host::user();
        let key = ContentHash::of(b"cache");
        let wanted =
            Wanted { key, id: "apt", sharing: Sharing::Shared, access: (0o755, uid, gid), seed: None };
        let held = cache_mounts.acquire(&cx, &wanted, &|| {}).unwrap();
        crate::host::fs::write(held.path().join("x"), "12345").unwrap();
        let places = Places { store: &store, snapshots: &snapshots, records: &records, cache_mounts };
        let prune = |all, dry_run| run(&cx, &places, Request { all, dry_run }).unwrap();
        let dry = prune(false, true);
        assert_eq!((dry.layers.as_slice(), dry.blobs.len()), (&[loose.to_string()][..], 1));
        let done = prune(false, false);
        assert_eq!((done.layers, done.blobs), (dry.layers, dry.blobs));
        assert!(snapshots.contains(&named) && snapshots.contains(&cached) && !snapshots.contains(&loose));
        let all = prune(true, false);
        assert_eq!((all.records, all.layers), (1, vec![cached.to_string()]));
        assert_eq!((all.busy_cache_mounts, all.cache_mounts.len()), (1, 0));
        drop(held);
        assert!(prune(false, false).cache_mounts.is_empty());
        let rest = prune(true, false);
        assert_eq!((rest.cache_mounts, rest.cache_mount_bytes), (vec!["apt".to_owned()], 5));
        assert!(snapshots.contains(&named) && !snapshots.contains(&cached));
    }
}
