//! Copying between registries, or within one: mounted where the registry allows it, else streamed. Nothing is kept here.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;

use crate::base::{Failure, Kind, Platform, Reference};
use crate::oci::{AnyManifest, Descriptor, media};
use crate::ops::cr::{Door, Found};
use crate::registry::{BlobRequest, Pushed, RemoteBlob};
use crate::report::{Outcome, Task, TaskKind};

/// What to copy where.
#[derive(Clone, Debug)]
pub struct Request {
    /// The image, or with `all_tags` the repository.
    pub from: Reference,
    /// The name it gets, or with `all_tags` the repository.
    pub to: Reference,
    /// Only what an index has for this platform.
    pub platform: Option<Platform>,
    /// Every tag of the repository.
    pub all_tags: bool,
    /// Tags that are there already stay as they are.
    pub no_clobber: bool,
}

/// One name that was copied.
#[derive(Clone, Debug, Serialize)]
pub struct Copied {
    /// Where it came from.
    pub from: String,
    /// What it is called now.
    pub to: String,
    /// What it stands for.
    pub digest: String,
    /// Blobs that were there, mounted from another repository, and sent.
    pub blobs: Blobs,
    /// Whether the name stood for the same before.
    pub unchanged: bool,
}

/// How blobs came to be where they are.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Blobs {
    /// Were there.
    pub existed: usize,
    /// Mounted from another repository of the same registry.
    pub mounted: usize,
    /// Sent.
    pub sent: usize,
    /// Bytes of those that were sent.
    pub sent_bytes: u64,
}

impl Blobs {
    /// Counts one more.
    pub(super) fn count(&mut self, how: &Pushed, size: u64) {
        match how {
            Pushed::Existed => self.existed += 1,
            Pushed::Mounted(_) => self.mounted += 1,
            Pushed::Uploaded => {
                self.sent += 1;
                self.sent_bytes += size;
            }
        }
    }

    fn add(&mut self, other: Self) {
        self.existed += other.existed;
        self.mounted += other.mounted;
        self.sent += other.sent;
        self.sent_bytes += other.sent_bytes;
    }
}

/// Copies.
///
/// # Errors
/// If something cannot be read there or written here. Names only change once everything behind them is complete.
pub async fn run(door: &Door, request: &Request) -> Result<Vec<Copied>, Failure> {
    if !request.all_tags {
        let to = request.to.with_default_tag();
        if request.no_clobber && is_there(door, &to).await? {
            return Err(Failure::new(Kind::Conflict, format!("copy to {to}"))
                .because("it is there already, and --no-clobber forbids to change it"));
        }
        return Ok(vec![one(door, request, &request.from.with_default_tag(), &to).await?]);
    }
    let there: BTreeSet<String> = match request.no_clobber {
        true => match door.client.tags(&door.cx, &request.to).await {
            Ok(tags) => tags.into_iter().collect(),
            Err(e) if e.is_not_found() => BTreeSet::new(),
            Err(e) => return Err(e.into()),
        },
        false => BTreeSet::new(),
    };
    let mut copied = Vec::new();
    for tag in door.client.tags(&door.cx, &request.from).await? {
        if there.contains(&tag) {
            continue;
        }
        let named = |place: &Reference| place.with_tag(&tag).map_err(|e| Failure::of(Kind::Remote, &e));
        copied.push(one(door, request, &named(&request.from)?, &named(&request.to)?).await?);
    }
    Ok(copied)
}

/// Whether a name stands for something. What keeps a registry from saying so is an error, not a no.
async fn is_there(door: &Door, name: &Reference) -> Result<bool, Failure> {
    match door.client.resolve(&door.cx, name).await {
        Ok(_) => Ok(true),
        Err(e) if e.is_not_found() => Ok(false),
        Err(e) => Err(e.into()),
    }
}

async fn one(door: &Door, request: &Request, from: &Reference, to: &Reference) -> Result<Copied, Failure> {
    let found = door.find(from, request.platform.as_ref()).await?;
    let digest = found.digest.clone();
    let mut copied = Copied {
        from: from.familiar(),
        to: to.familiar(),
        digest: digest.to_string(),
        blobs: Blobs::default(),
        unchanged: true,
    };
    // A name leads to complete images only.
    if door.client.resolve(&door.cx, to).await.is_ok_and(|there| there.digest == digest) {
        return Ok(copied);
    }
    copied.unchanged = false;
    let task = door.cx.report.task(TaskKind::Export, format!("copying {} to {}", copied.from, copied.to));
    let result = put(door, &found, to, &task).await;
    match &result {
        Ok(_) => task.finish(Outcome::Done, Some(copied.digest.clone())),
        Err(e) => task.finish(Outcome::Failed(e.message().to_owned()), None),
    }
    copied.blobs = result?;
    Ok(copied)
}

/// Brings a manifest and everything behind it to `to`.
pub(super) fn put<'a>(
    door: &'a Door,
    found: &'a Found,
    to: &'a Reference,
    task: &'a Task,
) -> Pin<Box<dyn Future<Output = Result<Blobs, Failure>> + Send + 'a>> {
    Box::pin(async move {
        let by_digest = to.with_digest(found.digest.digest().clone());
        // What is there under its digest is complete.
        let there = is_there(door, &by_digest).await?;
        let mut blobs = Blobs::default();
        match &found.manifest {
            _ if there => {}
            AnyManifest::Index(index) => {
                for child in &index.manifests {
                    let child = found.reference.with_digest(child.digest.digest().clone());
                    let child = door.manifest(&child).await?;
                    let place = to.with_digest(child.digest.digest().clone());
                    blobs.add(put(door, &child, &place, task).await?);
                }
            }
            AnyManifest::Image(manifest) => {
                let parts = manifest.layers.iter().chain([&manifest.config]);
                blobs = parts_of(door, &found.reference, parts, to, task).await?;
            }
        }
        door.client.push_manifest(&door.cx, to, found.manifest.media_type(), &found.bytes).await?;
        Ok(blobs)
    })
}

/// Brings blobs from one repository to another, all at once; foreign ones stay where they are.
pub(super) async fn parts_of<'a>(
    door: &Door,
    from: &Reference,
    parts: impl Iterator<Item = &'a Descriptor>,
    to: &Reference,
    task: &Task,
) -> Result<Blobs, Failure> {
    let mut seen = BTreeSet::new();
    let mut transfers: FuturesUnordered<_> = parts
        .filter(|part| !media::is_foreign(&part.media_type) && seen.insert(part.digest.clone()))
        .map(|part| async move {
            let source = RemoteBlob::new(&door.client, &door.cx, from, &part.digest, part.size);
            let mount_from = [from.clone()];
            let blob = BlobRequest {
                repository: to,
                digest: &part.digest,
                size: part.size,
                mount_from: &mount_from,
                task: Some(task),
            };
            door.client.push_blob(&door.cx, &blob, &source).await.map(|how| (how, part.size))
        })
        .collect();
    let mut blobs = Blobs::default();
    while let Some(done) = transfers.next().await {
        let (how, size) = done?;
        blobs.count(&how, size);
    }
    Ok(blobs)
}
