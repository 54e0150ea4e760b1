//! Getting blobs into the store and layers unpacked, only when somebody needs them, and once.

use std::io;
use std::path::Path;
use std::pin::pin;

use crate::base::{DiffId, Digest, Reference};
use crate::build::transfer::{LayerSource, Origin};
use crate::build::{Doors, Error, blocking};
use crate::content::{self, Ingest, LayerBlob, Store};
use crate::host::fs;
use crate::host::lock::{FileLock, Sharing};
use crate::oci::{Descriptor, compress, layer};
use crate::registry::{BlobRequest, BlobSink};
use crate::report::{Context, Outcome, TaskKind};

/// Makes sure that the layer is unpacked.
///
/// # Errors
/// If its blob cannot be had or is not what it should be.
pub async fn unpack(
    cx: &Context,
    doors: &Doors,
    layer: &DiffId,
    source: Option<&LayerSource>,
) -> Result<(), Error> {
    let snapshots = doors.snapshots()?;
    if snapshots.contains(layer) {
        return Ok(());
    }
    doors.unpacking().get(layer.clone(), || unpack_alone(cx, doors, layer, source)).await
}

async fn unpack_alone(
    cx: &Context,
    doors: &Doors,
    layer: &DiffId,
    source: Option<&LayerSource>,
) -> Result<(), Error> {
    let snapshots = doors.snapshots()?;
    let path = doors.locks().join(format!("unpack-{}", layer.hex()));
    let _lock = blocking(move || Ok(FileLock::wait(path, Sharing::Exclusive)?)).await?;
    if snapshots.contains(layer) {
        return Ok(());
    }
    let known = match source {
        Some(source) => Some(source.clone()),
        None => known_blob(doors, layer)?,
    };
    let Some(source) = known else {
        return Err(Error::input(format!(
            "layer {layer} is neither unpacked nor among the blobs of the store"
        ))
        .hint("run the build with --no-cache, or repair the store with `lap image check --repair`"));
    };
    unpack_from(cx, doors, layer, &source).await?;
    let (store, layer) = (doors.store().clone(), layer.clone());
    blocking(move || {
        // Both digests were compared on the way: whoever needs the layer as a blob finds this one.
        let uncompressed_size = snapshots.info(&layer)?.map(|info| info.size);
        let blob = LayerBlob { descriptor: source.descriptor, uncompressed_size, compressor: String::new() };
        Ok(store.record_layer(&layer, &blob)?)
    })
    .await
}

async fn unpack_from(cx: &Context, doors: &Doors, layer: &DiffId, source: &LayerSource) -> Result<(), Error> {
    if let Some(Origin::Registry(origin)) = &source.origin
        && !doors.store().has(&source.descriptor.digest)
        && pull_and_unpack(cx, doors, layer, (&source.descriptor, origin)).await?
    {
        return Ok(());
    }
    fetch(cx, doors, source).await?;
    let (store, digest) = (doors.store().clone(), source.descriptor.digest.clone());
    put(cx, doors, layer, move || Ok(store.open_blob(&digest)?)).await
}

/// Unpacks the layer while its blob is received. `false` if the blob had to be received again from its beginning: then it
/// is in the store, and the layer is not unpacked.
async fn pull_and_unpack(
    cx: &Context,
    doors: &Doors,
    layer: &DiffId,
    (descriptor, origin): (&Descriptor, &Reference),
) -> Result<bool, Error> {
    let (store, wanted) = (doors.store().clone(), descriptor.clone());
    let ingest = blocking(move || Ok(store.ingest(&wanted.digest, Some(wanted.size))?)).await?;
    let follower = ingest.follow()?;
    let fate = follower.fate();
    let mut unpacking = pin!(put(cx, doors, layer, move || Ok(follower)));
    let mut pulling = pin!(received(cx, doors, (descriptor, origin), ingest));
    let unpacked = tokio::select! {
        pulled = &mut pulling => {
            let unpacked = unpacking.await;
            // Whatever became of the unpacking when the pull fails, the pull is why.
            pulled?;
            unpacked
        }
        unpacked = &mut unpacking => {
            // The rest of a bad archive is not worth receiving.
            if unpacked.is_ok() || fate.is_lost() {
                pulling.await?;
            }
            unpacked
        }
    };
    match unpacked {
        Ok(()) => Ok(true),
        Err(_) if fate.is_lost() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Unpacks the layer from its blob.
async fn put<R: io::Read + Send + 'static>(
    cx: &Context,
    doors: &Doors,
    layer: &DiffId,
    open: impl FnOnce() -> Result<R, Error> + Send + 'static,
) -> Result<(), Error> {
    let snapshots = doors.snapshots()?;
    let task = cx.report.task(TaskKind::Internal, format!("unpack {}", layer.short()));
    let (diff_id, limits) = (layer.clone(), cx.limits);
    let unpacked = blocking(move || {
        let tar = compress::decompress(io::BufReader::with_capacity(1 << 18, open()?))
            .map_err(|e| crate::host::Error::new("read layer", diff_id.to_string(), e))?;
        let tar = compress::at_most(tar, limits.layer_size);
        let limits = layer::Limits { entries: limits.layer_entries, ..layer::Limits::default() };
        Ok(snapshots.unpack_within(&diff_id, tar, limits)?)
    })
    .await;
    match &unpacked {
        Ok(_) => task.finish(Outcome::Done, None),
        Err(e) => task.finish(Outcome::Failed(e.to_string()), None),
    }
    unpacked.map(|_| ())
}

fn known_blob(doors: &Doors, layer: &DiffId) -> Result<Option<LayerSource>, Error> {
    let blobs = doors.store().layer_blobs(layer)?;
    let there = blobs.into_iter().find(|blob| doors.store().has(&blob.descriptor.digest));
    Ok(there.map(|blob| LayerSource { diff_id: layer.clone(), descriptor: blob.descriptor, origin: None }))
}

/// Makes sure that the store has the blob of a layer, getting it from wherever its source says if it lacks it.
///
/// # Errors
/// If the store lacks it and it cannot be had.
pub async fn fetch(cx: &Context, doors: &Doors, source: &LayerSource) -> Result<(), Error> {
    match &source.origin {
        None => fetch_blob(cx, doors, &source.descriptor, None).await,
        Some(Origin::Registry(origin)) => fetch_blob(cx, doors, &source.descriptor, Some(origin)).await,
        Some(Origin::Folder(folder)) => {
            let (store, wanted, folder) = (doors.store().clone(), source.descriptor.clone(), folder.clone());
            blocking(move || copy_blob(&store, &wanted, &folder)).await
        }
    }
}

fn copy_blob(store: &Store, wanted: &Descriptor, folder: &Path) -> Result<(), Error> {
    let digest = &wanted.digest;
    if store.has(digest) {
        return Ok(());
    }
    let path = folder.join("blobs").join(digest.digest().algorithm().name()).join(digest.hex());
    let mut file = fs::open(&path)?;
    let mut ingest = store.ingest(digest, Some(wanted.size))?;
    ingest.reset()?;
    io::copy(&mut file, &mut ingest).map_err(content::Error::from_stream)?;
    Ok(ingest.commit()?)
}

/// Makes sure that the store has the blob, pulling it from `origin` if it lacks it.
///
/// # Errors
/// If the store lacks it and it cannot be pulled.
pub async fn fetch_blob(
    cx: &Context,
    doors: &Doors,
    descriptor: &Descriptor,
    origin: Option<&Reference>,
) -> Result<(), Error> {
    let store = doors.store().clone();
    if store.has(&descriptor.digest) {
        return Ok(());
    }
    let Some(origin) = origin else {
        return Err(Error::input(format!("blob {} is missing from the store", descriptor.digest))
            .hint("`lap image check` says what is damaged; pull or build the image again"));
    };
    let wanted = descriptor.clone();
    let ingest = blocking(move || Ok(store.ingest(&wanted.digest, Some(wanted.size))?)).await?;
    received(cx, doors, (descriptor, origin), ingest).await
}

async fn received(
    cx: &Context,
    doors: &Doors,
    (descriptor, origin): (&Descriptor, &Reference),
    ingest: Ingest,
) -> Result<(), Error> {
    let task = cx.report.task(TaskKind::Transfer, format!("pull {}", descriptor.digest.short()));
    let mut sink = IngestSink { ingest };
    let request =
        BlobRequest { task: Some(&task), ..BlobRequest::new(origin, &descriptor.digest, descriptor.size) };
    let result = match doors.registry().pull_blob(cx, &request, &mut sink).await {
        Ok(()) => blocking(move || Ok(sink.ingest.commit()?)).await,
        Err(e) => Err(e.into()),
    };
    match &result {
        Ok(()) => task.finish(Outcome::Done, None),
        Err(e) => task.finish(Outcome::Failed(e.to_string()), None),
    }
    result
}

struct IngestSink {
    ingest: Ingest,
}

impl BlobSink for IngestSink {
    fn position(&self) -> u64 {
        self.ingest.position()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        io::Write::write_all(&mut self.ingest, bytes)
    }

    fn restart(&mut self) -> io::Result<()> {
        self.ingest.reset().map_err(io::Error::other)
    }

    fn digest(&mut self) -> io::Result<Digest> {
        Ok(self.ingest.current_digest())
    }
}
