//! How much room the store takes, and for what.

use serde::Serialize;

use crate::base::Failure;
use crate::content::Store;
use crate::snapshot::Snapshots;
use crate::snapshot::cachemounts::CacheMounts;
use crate::stages::LocalRecords;

/// Bytes of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Every image by name.
    pub images: Vec<ImageRoom>,
    /// Blobs.
    pub blobs: Room,
    /// Unpacked layers; bytes are those of their tars.
    pub layers: Room,
    /// Partial downloads.
    pub partials: Room,
    /// Records of the build cache.
    pub records: usize,
    /// Cache mounts.
    pub cache_mounts: Room,
    /// Bytes of the index database.
    pub database_bytes: u64,
}

/// One kind of thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Room {
    /// How many.
    pub count: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Of these, bytes that no image needs.
    pub unneeded_bytes: u64,
}

/// An image's blobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageRoom {
    /// A name of it.
    pub name: String,
    /// Bytes of its blobs that are in the store.
    pub bytes: u64,
    /// Of these, bytes that no other image has.
    pub unique_bytes: u64,
}

/// Measures.
///
/// # Errors
/// If the store cannot be read.
pub fn run(
    store: &Store,
    snapshots: &Snapshots,
    records: &LocalRecords,
    cache_mounts: &CacheMounts,
) -> Result<Report, Failure> {
    let usage = store.du()?;
    let layers = snapshots.list()?;
    let needed = super::image_prune::layers_of_images(store)?;
    let mounts = cache_mounts.measured()?;
    let mount_bytes = mounts.iter().map(|mount| mount.size).sum();
    let unneeded = layers.iter().filter(|layer| !needed.contains(&layer.diff_id));
    Ok(Report {
        blobs: Room { count: usage.blobs, bytes: usage.blob_bytes, unneeded_bytes: usage.unreferenced_bytes },
        partials: Room {
            count: usage.partials,
            bytes: usage.partial_bytes,
            unneeded_bytes: usage.partial_bytes,
        },
        layers: Room {
            count: layers.len(),
            bytes: layers.iter().map(|layer| layer.size).sum(),
            unneeded_bytes: unneeded.map(|layer| layer.size).sum(),
        },
        records: records.all()?.len(),
        cache_mounts: Room { count: mounts.len(), bytes: mount_bytes, unneeded_bytes: mount_bytes },
        database_bytes: usage.database_bytes,
        images: usage
            .images
            .into_iter()
            .map(|image| ImageRoom {
                name: image.reference.familiar(),
                bytes: image.size,
                unique_bytes: image.unique,
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::samples;
    use crate::snapshot::Choice;

    #[test]
    fn rooms() {
        let (dir, store) = samples::store();
        samples::image(&store, &["shop"], b"layer");
        store.put(b"loose").unwrap();
        let snapshots = Snapshots::open(dir.path().join("snapshots"), Choice::Copy).unwrap();
        let records = LocalRecords::open(dir.path().join("records"));
        let mounts = CacheMounts::open(dir.path().join("cachemounts")).unwrap();
        let report = run(&store, &snapshots, &records, &mounts).unwrap();
        assert_eq!((report.blobs.count, report.blobs.unneeded_bytes, report.layers.count), (4, 5, 0));
        assert_eq!(report.images[0].bytes + 5, report.blobs.bytes);
    }
}
