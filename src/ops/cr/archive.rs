//! Images of registries as archives and layouts on the disk, and back. What passes stays in the store until it is pruned.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use futures_util::future::try_join_all;

use crate::base::{Failure, Kind, Platform, Reference};
use crate::build::Doors;
use crate::build::transfer::{self, PushRequest, StoredBlob, fetch_blob};
use crate::content::{Export, NothingUnpacked};
use crate::oci::archive::Format;
use crate::oci::compress::Compression;
use crate::oci::{AnyManifest, Descriptor, MANIFEST_LIMIT};
use crate::ops::cr::{Door, Found, blocking};
use crate::ops::image_load::{self, Input};
use crate::ops::image_save::{self, Output, Shape};
use crate::registry::BlobRequest;

/// What to pull, and what becomes of it.
#[derive(Clone, Debug)]
pub struct Pull {
    /// The images.
    pub images: Vec<Reference>,
    /// Only the image for this platform. A tar for Docker has one image in any case: this machine's, if none is said.
    pub platform: Option<Platform>,
    /// What is written.
    pub shape: Shape,
    /// Where to.
    pub output: PathBuf,
}

/// Pulls images into one archive or layout.
///
/// # Errors
/// If an image cannot be read, or the place not be written.
pub async fn pull(door: &Door, doors: &Doors, request: &Pull) -> Result<(), Failure> {
    let _lease = doors.store().lease()?;
    let host = Platform::host();
    let platform = match request.shape {
        Shape::DockerArchive => Some(request.platform.as_ref().unwrap_or(&host)),
        Shape::OciArchive | Shape::OciFolder => request.platform.as_ref(),
    };
    let mut images = Vec::new();
    for image in &request.images {
        let found = door.find(image, platform).await?;
        let descriptor = Descriptor::of(found.manifest.media_type(), &found.bytes);
        keep(door, doors, &found).await?;
        images.push((descriptor, name(image)));
    }
    save(door, doors, images, (request.shape, request.output.clone())).await
}

/// What an archive calls an image: nothing, if it was asked for by digest.
fn name(image: &Reference) -> Vec<Reference> {
    match image.digest() {
        Some(_) => Vec::new(),
        None => vec![image.with_default_tag()],
    }
}

/// Writes images of the store.
pub(super) async fn save(
    door: &Door,
    doors: &Doors,
    images: Vec<(Descriptor, Vec<Reference>)>,
    (shape, output): (Shape, PathBuf),
) -> Result<(), Failure> {
    let (cx, store) = (door.cx.clone(), doors.store().clone());
    blocking(move || {
        let format = if shape == Shape::DockerArchive { Format::Docker } else { Format::Oci };
        let export = Export { format, images, platform: &Platform::host(), unpacked: &NothingUnpacked };
        image_save::write(&cx, &store, &export, shape, Output::Path(output))
    })
    .await
}

/// Brings a manifest and everything behind it into the store.
fn keep<'a>(
    door: &'a Door,
    doors: &'a Doors,
    found: &'a Found,
) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>> {
    Box::pin(async move {
        match &found.manifest {
            AnyManifest::Index(index) => {
                for child in &index.manifests {
                    let child = found.reference.with_digest(child.digest.digest().clone());
                    keep(door, doors, &door.manifest(&child).await?).await?;
                }
            }
            AnyManifest::Image(_) => {
                let blobs = found.manifest.children().into_iter();
                let fetches = blobs.map(|blob| fetch_blob(&door.cx, doors, blob, Some(&found.reference)));
                try_join_all(fetches).await?;
            }
        }
        doors.store().put(&found.bytes)?;
        Ok(())
    })
}

/// Pushes the only image, or the only list of images, of an archive or a layout. Layers that are not compressed are
/// compressed on the way; a list stays as it is, down to its bytes.
///
/// # Errors
/// If it cannot be read, holds several, or the registry refuses.
pub async fn push(door: &Door, doors: &Doors, path: PathBuf, to: &Reference) -> Result<Descriptor, Failure> {
    let store = doors.store();
    let _lease = store.lease()?;
    let shown = path.display().to_string();
    let mut images = image_load::import(&door.cx, store, Input::Path(path))?;
    let (image, None) = (images.pop(), images.pop()) else {
        return Err(Failure::new(Kind::Input, format!("push {shown}"))
            .because("it does not hold one image, or one list of images")
            .hint("`lap image load` takes them all; then push each by its name"));
    };
    let image = image
        .ok_or_else(|| Failure::new(Kind::Input, format!("push {shown}")).because("it holds no image"))?;
    if matches!(store.manifest(&image)?, AnyManifest::Index(_)) {
        list(door, doors, &image, &to.with_default_tag()).await?;
        return Ok(image);
    }
    let request = PushRequest {
        image: image.manifest_digest(),
        targets: vec![to.with_default_tag()],
        compression: Compression::default(),
        sources: Vec::new(),
        by_digest: false,
        adopt: false,
    };
    Ok(transfer::push(&door.cx, doors, &request).await?.manifest)
}

/// Pushes a manifest of the store and everything behind it as it is.
fn list<'a>(
    door: &'a Door,
    doors: &'a Doors,
    descriptor: &'a Descriptor,
    to: &'a Reference,
) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>> {
    Box::pin(async move {
        let store = doors.store();
        let bytes = store.read_blob(&descriptor.digest, MANIFEST_LIMIT)?;
        let manifest = AnyManifest::parse(None, &bytes)?;
        match &manifest {
            AnyManifest::Index(index) => {
                for child in &index.manifests {
                    list(door, doors, child, &to.with_digest(child.digest.digest().clone())).await?;
                }
            }
            AnyManifest::Image(_) => {
                let blobs = manifest.children().into_iter().map(|blob| async move {
                    let source = StoredBlob { store: store.clone(), digest: blob.digest.clone() };
                    let request = BlobRequest::new(to, &blob.digest, blob.size);
                    door.client.push_blob(&door.cx, &request, &source).await
                });
                try_join_all(blobs).await?;
            }
        }
        door.client.push_manifest(&door.cx, to, manifest.media_type(), &bytes).await?;
        Ok(())
    })
}
