//! Images that were changed on their way into a registry, or into the store.

use futures_util::future::try_join_all;

use crate::base::{Failure, Reference};
use crate::build::Doors;
use crate::build::transfer::{StoredBlob, fetch_blob};
use crate::oci::{Descriptor, ImageConfig, Manifest};
use crate::ops::cr::copy::parts_of;
use crate::ops::cr::{Door, Image};
use crate::registry::{BlobRequest, BlobSource};
use crate::report::{Outcome, TaskKind};

/// A layer that was made here.
#[derive(Clone, Debug)]
pub(super) struct NewLayer {
    pub descriptor: Descriptor,
    pub diff_id: crate::base::DiffId,
    pub source: StoredBlob,
}

/// An image that is to be written: parts it has of the image it was made from, and new ones.
#[derive(Clone, Debug)]
pub(super) struct Changed {
    pub manifest: Manifest,
    pub config: ImageConfig,
    pub new_layers: Vec<NewLayer>,
    /// Where layers that are not new come from, each with its repository.
    pub old_layers: Vec<(Reference, Vec<Descriptor>)>,
}

impl Changed {
    /// The image as it is.
    pub fn of(image: &Image) -> Self {
        Self {
            manifest: image.manifest.clone(),
            config: image.config.clone(),
            new_layers: Vec::new(),
            old_layers: vec![(image.reference.clone(), image.manifest.layers.clone())],
        }
    }

    /// Adds a layer on top, in the family of media types of the image.
    pub fn push(&mut self, layer: NewLayer) {
        let mut descriptor = layer.descriptor.clone();
        if self.manifest.effective_media_type() == crate::oci::media::DOCKER_MANIFEST {
            descriptor.media_type = docker(&descriptor.media_type);
        }
        self.manifest.layers.push(descriptor);
        self.config.rootfs.diff_ids.push(layer.diff_id.clone());
        self.new_layers.push(layer);
    }

    /// Those of the layers that the image still has.
    fn kept<'a>(&'a self, layers: &'a [Descriptor]) -> impl Iterator<Item = &'a Descriptor> {
        layers.iter().filter(|layer| self.manifest.layers.iter().any(|kept| kept.digest == layer.digest))
    }

    /// Lets the manifest name the configuration as it is now; gives the bytes of both.
    fn settle(&mut self) -> (Vec<u8>, Vec<u8>) {
        let config = self.config.to_bytes();
        let media_type = self.manifest.config.media_type.as_str();
        self.manifest.config = Descriptor { platform: None, ..Descriptor::of(media_type, &config) };
        (config, self.manifest.to_bytes())
    }
}

fn docker(media_type: &str) -> String {
    use crate::oci::media;
    match media_type {
        media::OCI_LAYER => media::DOCKER_LAYER,
        media::OCI_LAYER_GZIP => media::DOCKER_LAYER_GZIP,
        media::OCI_LAYER_ZSTD => media::DOCKER_LAYER_ZSTD,
        other => other,
    }
    .to_owned()
}

/// Writes the image into the repository of `to` and gives its descriptor; the manifest is put under its digest.
///
/// # Errors
/// If a part cannot be read or written.
pub(super) async fn image(door: &Door, changed: Changed, to: &Reference) -> Result<Descriptor, Failure> {
    let task = door.cx.report.task(TaskKind::Export, format!("writing to {}", to.name()));
    let result = parts(door, changed, to, &task).await;
    match &result {
        Ok(done) => task.finish(Outcome::Done, Some(done.digest.to_string())),
        Err(e) => task.finish(Outcome::Failed(e.message().to_owned()), None),
    }
    result
}

async fn parts(
    door: &Door,
    mut changed: Changed,
    to: &Reference,
    task: &crate::report::Task,
) -> Result<Descriptor, Failure> {
    for (from, layers) in &changed.old_layers {
        parts_of(door, from, changed.kept(layers), to, task).await?;
    }
    for layer in &changed.new_layers {
        blob(door, to, &layer.descriptor, &layer.source, task).await?;
    }
    let (config, bytes) = changed.settle();
    blob(door, to, &changed.manifest.config, &config, task).await?;
    let media_type = changed.manifest.effective_media_type();
    let written = Descriptor::of(media_type, &bytes);
    let place = to.with_digest(written.digest.digest().clone());
    door.client.push_manifest(&door.cx, &place, media_type, &bytes).await?;
    Ok(written)
}

/// Keeps the image in the store, whole, and gives its descriptor.
///
/// # Errors
/// If a part cannot be read, or the store not be written.
pub(super) async fn keep(door: &Door, doors: &Doors, mut changed: Changed) -> Result<Descriptor, Failure> {
    for (from, layers) in &changed.old_layers {
        let fetches = changed.kept(layers).map(|layer| fetch_blob(&door.cx, doors, layer, Some(from)));
        try_join_all(fetches).await?;
    }
    let (config, bytes) = changed.settle();
    doors.store().put(&config)?;
    doors.store().put(&bytes)?;
    Ok(Descriptor::of(changed.manifest.effective_media_type(), &bytes))
}

async fn blob(
    door: &Door,
    to: &Reference,
    blob: &Descriptor,
    source: &dyn BlobSource,
    task: &crate::report::Task,
) -> Result<(), Failure> {
    let request = BlobRequest { task: Some(task), ..BlobRequest::new(to, &blob.digest, blob.size) };
    door.client.push_blob(&door.cx, &request, source).await?;
    Ok(())
}

/// Gives what is in the repository of `to` under a digest the tag of `to`; without a tag it stays as it is.
///
/// # Errors
/// If the registry refuses.
pub(super) async fn tag(door: &Door, written: &Descriptor, to: &Reference) -> Result<Reference, Failure> {
    let by_digest = to.with_digest(written.digest.digest().clone());
    if to.tag().is_none() || to.digest().is_some() {
        return Ok(by_digest);
    }
    let found = door.find(&by_digest, None).await?;
    door.client.push_manifest(&door.cx, to, found.manifest.media_type(), &found.bytes).await?;
    Ok(to.clone())
}
