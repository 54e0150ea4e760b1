//! A whole image from a registry into the store.

use crate::base::{ManifestDigest, Platform, Reference};
use crate::build::transfer::{LayerSource, Origin, fetch_blob, unpack};
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
    /// Whether its layers are to be unpacked too, each while it is received.
    pub unpack: bool,
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
    if !manifest.is_image() {
        return Err(Error::input(format!(
            "{} is not an image but another kind of artifact",
            request.reference
        )));
    }
    if manifest.config.size > CONFIG_LIMIT {
        let what = format!("the configuration of {}", request.reference);
        return Err(crate::oci::Error::TooLarge { what, limit: CONFIG_LIMIT }.into());
    }
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
    let (listed, named) = (manifest.layers.len(), config.layers().len());
    if listed != named {
        let what =
            format!("{}: its manifest lists {listed} layers, its configuration {named}", request.reference);
        return Err(Error::input(what));
    }
    if request.unpack {
        doors.snapshots()?.check_depth(listed)?;
        let sources: Vec<_> = config
            .layers()
            .iter()
            .zip(&manifest.layers)
            .map(|(diff_id, descriptor)| LayerSource {
                diff_id: diff_id.clone(),
                descriptor: descriptor.clone(),
                origin: origin.cloned().map(Origin::Registry),
            })
            .collect();
        let unpacking = sources.iter().map(|source| unpack(cx, doors, &source.diff_id, Some(source)));
        futures_util::future::try_join_all(unpacking).await?;
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
