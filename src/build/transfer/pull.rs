//! A whole image from a registry into the store.

use crate::base::{ManifestDigest, Platform, Reference};
use crate::build::transfer::fetch_blob;
use crate::build::{Doors, Error, blocking};
use crate::oci::{AnyManifest, CONFIG_LIMIT, Descriptor, ImageConfig, Manifest};
use crate::registry::{Client, Pulled};
use crate::report::{Context, Outcome, TaskKind};

/// What to pull.
#[derive(Clone, Debug)]
pub struct PullRequest {
    /// The image.
    pub reference: Reference,
    /// Which of its platforms.
    pub platform: Platform,
}

/// Pulls the image with all its layers and tags it as it was named. What the store has already is not pulled.
///
/// # Errors
/// If the registry does not have it, or what comes is not what its digests say.
pub async fn pull(cx: &Context, doors: &Doors, request: &PullRequest) -> Result<Descriptor, Error> {
    let store = doors.store().clone();
    let _lease = store.lease()?;
    let (descriptor, manifest) = manifest(cx, doors, request).await?;
    let origin = Some(&request.reference);
    fetch_blob(cx, doors, &manifest.config, origin).await?;
    let config_digest = manifest.config.digest.clone();
    let reader = store.clone();
    let config =
        blocking(move || Ok(ImageConfig::parse(&reader.read_blob(&config_digest, CONFIG_LIMIT)?)?)).await?;
    if config.platform().rank_for(&request.platform).is_none() {
        cx.report.warn(format!(
            "{} is for {}, not for {}",
            request.reference,
            config.platform(),
            request.platform
        ));
    }
    let layers = manifest.layers.iter().map(|layer| fetch_blob(cx, doors, layer, origin));
    futures_util::future::try_join_all(layers).await?;
    let (name, tagged) = (request.reference.with_default_tag(), descriptor.clone());
    blocking(move || Ok(store.tag(&name, &tagged)?)).await?;
    Ok(descriptor)
}

/// The manifest of the image for the platform, as the registry has it.
///
/// # Errors
/// If the registry has none for the platform, or what comes is not an image.
pub async fn image_manifest(
    cx: &Context,
    client: &Client,
    reference: &Reference,
    platform: &Platform,
) -> Result<(Pulled, Manifest), Error> {
    let mut pulled = client.manifest(cx, reference).await?;
    let mut parsed = AnyManifest::parse(pulled.media_type.as_deref(), &pulled.bytes)?;
    if let AnyManifest::Index(index) = &parsed {
        let chosen = index.choose(platform)?.digest.digest().clone();
        pulled = client.manifest(cx, &reference.with_digest(chosen)).await?;
        parsed = AnyManifest::parse(pulled.media_type.as_deref(), &pulled.bytes)?;
    }
    match parsed {
        AnyManifest::Image(manifest) => Ok((pulled, manifest)),
        AnyManifest::Index(_) => Err(Error::input(format!("{reference} is an index of indexes"))),
    }
}

/// The manifest for the platform, put into the store.
async fn manifest(
    cx: &Context,
    doors: &Doors,
    request: &PullRequest,
) -> Result<(Descriptor, Manifest), Error> {
    let task = cx.report.task(TaskKind::Internal, format!("resolve {}", request.reference));
    let (pulled, manifest) =
        image_manifest(cx, doors.registry(), &request.reference, &request.platform).await?;
    let descriptor = Descriptor::of(manifest.effective_media_type(), &pulled.bytes);
    let digest: ManifestDigest = pulled.digest.clone();
    let store = doors.store().clone();
    blocking(move || Ok(store.put(&pulled.bytes)?)).await?;
    task.finish(Outcome::Done, Some(digest.to_string()));
    Ok((descriptor, manifest))
}
