//! Cache mounts to and from a registry, for machines that start empty.
//!
//! Each cache is an OCI artifact of its own under a tag made of its identity, with one layer: its files, sorted, with
//! their times. Equal caches give equal bytes, so one that did not change is not sent again.

use std::io;
use std::os::fd::AsRawFd as _;

use crate::base::{ContentHash, DiffId, InvalidReference, Reference};
use crate::build::transfer::fetch_blob;
use crate::build::{Doors, Error, blocking};
use crate::dockerfile::command::Sharing;
use crate::host::fs::File;
use crate::oci::compress::{self, Compression, LayerWriter};
use crate::oci::{AnyManifest, Descriptor, Manifest, media};
use crate::registry::{BlobRequest, FileSource};
use crate::report::{Context, Outcome, Task, TaskKind};
use crate::snapshot;
use crate::snapshot::cachemounts::{Held, Wanted};

/// The artifact type of a cache mount.
const CACHE_TYPE: &str = "application/vnd.lapstrake.cache-mount.v1+json";
/// The configuration of an artifact that has none.
const EMPTY: &[u8] = b"{}";
/// Quick, and as small as it needs to be.
const COMPRESSION: Compression = Compression::Zstd(3);
const ID: &str = "io.lapstrake.cache-mount.id";
const DIFF_ID: &str = "io.lapstrake.diff-id";

/// Which cache is to travel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Traveller {
    /// Its identity.
    pub key: ContentHash,
    /// Its name for people.
    pub id: String,
}

/// Where a cache lives in a repository: `TAG-<identity>`, `cache-mount-<identity>` if no tag is written.
fn place(repository: &Reference, key: &ContentHash) -> Result<Reference, Error> {
    let hash = key.to_string();
    let tag = format!("{}-{}", repository.tag().unwrap_or("cache-mount"), &hash[..32.min(hash.len())]);
    let wrong = |e: InvalidReference| Error::input(format!("name a cache mount {tag}: {}", e.reason));
    repository.with_tag(&tag).map_err(wrong)
}

/// Brings the cache here, unless it is here or the repository does not have it. What goes wrong is only said: a build
/// can do without.
pub async fn bring(
    cx: &Context,
    doors: &Doors,
    repository: &Reference,
    wanted: &Traveller,
) -> Result<(), Error> {
    let mounts = doors.cache_mounts()?;
    if mounts.contains(&wanted.key) {
        return Ok(());
    }
    match pull(cx, doors, repository, wanted).await {
        Err(error) if !error.is_cancelled() => {
            let failure = crate::base::Failure::from(error);
            let causes = failure.causes().join(": ");
            cx.report.warn(format!("cache mount {} begins empty: {failure}: {causes}", wanted.id));
            Ok(())
        }
        other => other,
    }
}

async fn pull(cx: &Context, doors: &Doors, repository: &Reference, wanted: &Traveller) -> Result<(), Error> {
    let place = place(repository, &wanted.key)?;
    let Some(manifest) = known(cx, doors, &place).await? else { return Ok(()) };
    let Some(layer) = manifest.layers.first().cloned() else { return Ok(()) };
    fetch_blob(cx, doors, &layer, Some(&place)).await?;
    let task = cx.report.task(TaskKind::Internal, format!("unpack cache mount {}", wanted.id));
    let (doors, wanted, now) = (doors.clone(), wanted.clone(), cx.clock.now());
    let done = blocking(move || {
        let blob = io::BufReader::with_capacity(1 << 18, doors.store().open_blob(&layer.digest)?);
        let archive = compress::decompress(blob)
            .map_err(|e| crate::host::Error::new("read cache mount", &wanted.id, e))?;
        Ok(doors.cache_mounts()?.import(&wanted.key, &wanted.id, now, archive)?)
    });
    finish(task, done.await)
}

/// The artifact at `place`, if there is one.
async fn known(cx: &Context, doors: &Doors, place: &Reference) -> Result<Option<Manifest>, Error> {
    let pulled = match doors.registry().manifest(cx, place).await {
        Err(error) if error.is_not_found() => return Ok(None),
        other => other?,
    };
    match AnyManifest::parse(pulled.media_type.as_deref(), &pulled.bytes)? {
        AnyManifest::Image(manifest) if manifest.artifact_type == CACHE_TYPE => Ok(Some(manifest)),
        _ => Err(Error::input(format!("{place} is no cache mount"))),
    }
}

/// Keeps the cache in the repository.
///
/// # Errors
/// If it cannot be read, or the registry refuses.
pub async fn keep(
    cx: &Context,
    doors: &Doors,
    repository: &Reference,
    cache: &Traveller,
) -> Result<(), Error> {
    let task =
        cx.report.task(TaskKind::Export, format!("keep cache mount {} in {}", cache.id, repository.name()));
    let kept = push(cx, doors, (repository, cache), &task).await;
    finish(task, kept)
}

async fn push(
    cx: &Context,
    doors: &Doors,
    (repository, cache): (&Reference, &Traveller),
    task: &Task,
) -> Result<(), Error> {
    let place = place(repository, &cache.key)?;
    // What cannot be read as a cache is replaced by one.
    let before = known(cx, doors, &place).await.ok().flatten();
    let before = before.and_then(|manifest| manifest.layers.first()?.annotations.get(DIFF_ID).cloned());
    let (inner, opened, wanted) = (cx.clone(), doors.clone(), cache.clone());
    let Some(packed) = blocking(move || pack(&inner, &opened, &wanted, before.as_deref())).await? else {
        return Ok(());
    };
    let client = doors.registry();
    let Packed { file, layer } = &packed;
    // It has no name: nothing of it stays, however this process ends.
    let source = FileSource::new(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let request = BlobRequest { task: Some(task), ..BlobRequest::new(&place, &layer.digest, layer.size) };
    client.push_blob(cx, &request, &source).await?;
    let config = Descriptor::of(media::OCI_EMPTY, EMPTY);
    client.push_blob(cx, &BlobRequest::new(&place, &config.digest, config.size), &EMPTY.to_vec()).await?;
    let mut manifest = Manifest::new(config, vec![layer.clone()]);
    CACHE_TYPE.clone_into(&mut manifest.artifact_type);
    manifest.annotations.insert(ID.into(), cache.id.clone());
    client.push_manifest(cx, &place, media::OCI_MANIFEST, &manifest.to_bytes()).await?;
    Ok(())
}

/// A cache as a compressed archive.
struct Packed {
    file: File,
    layer: Descriptor,
}

/// Packs the cache, unless its archive is the one that is there `before`. Waits for whoever uses it.
fn pack(
    cx: &Context,
    doors: &Doors,
    cache: &Traveller,
    before: Option<&str>,
) -> Result<Option<Packed>, Error> {
    if !doors.cache_mounts()?.contains(&cache.key) {
        // Only private users had one.
        return Ok(None);
    }
    let held = take(cx, doors, cache)?;
    let (diff_id, _): (DiffId, u64) = held.write_tar(io::sink())?;
    if before == Some(diff_id.to_string().as_str()) {
        return Ok(None);
    }
    let fail = |e: io::Error| Error::from(crate::host::Error::new("pack cache mount", &cache.id, e));
    let file = tempfile::tempfile_in(doors.home()).map_err(fail)?;
    let mut writer = LayerWriter::new(file, COMPRESSION).map_err(fail)?;
    held.write_tar(&mut writer)?;
    let (file, layer) = writer.finish().map_err(fail)?;
    let layer = layer.descriptor().annotated(DIFF_ID, diff_id.to_string());
    Ok(Some(Packed { file, layer }))
}

fn take(cx: &Context, doors: &Doors, cache: &Traveller) -> Result<Held, Error> {
    let wanted =
        Wanted { key: cache.key, id: &cache.id, sharing: Sharing::Locked, access: (0o755, 0, 0), seed: None };
    match doors.cache_mounts()?.acquire(cx, &wanted, &|| {}) {
        Err(snapshot::Error::Cancelled) => Err(Error::Cancelled),
        other => Ok(other?),
    }
}

fn finish<T>(task: Task, result: Result<T, Error>) -> Result<T, Error> {
    match &result {
        Ok(_) => task.finish(Outcome::Done, None),
        Err(e) => task.finish(Outcome::Failed(e.to_string()), None),
    }
    result
}
