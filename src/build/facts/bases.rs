//! Base images: what their names stand for, and their configurations. Layers are not touched.
//!
//! A name that the store has (built, loaded, pulled or tagged here) means the store's image. Else it means what its
//! registry said when it was first asked; that answer is kept beside the store, so that a build of known images needs
//! no network. `--pull` asks the registry again.

use serde::{Deserialize, Serialize};

use crate::base::{Failure, KeyHasher, Kind, ManifestDigest, Platform, Reference};
use crate::build::evaluate::BaseRequest;
use crate::build::evaluate::named::Layout;
use crate::build::transfer::image_manifest;
use crate::build::{Doors, Error, blocking};
use crate::content::{LayoutFolder, Store};
use crate::host::fs;
use crate::oci::archive::{ArchivedContent, ArchivedImage, read_images};
use crate::oci::{AnyManifest, CONFIG_LIMIT, ImageConfig, MANIFEST_LIMIT, Manifest};
use crate::registry::{BlobRequest, Client};
use crate::report::{Context, Outcome, TaskKind};

/// A base image without its layers.
#[derive(Clone, Debug)]
pub struct BaseImage {
    /// What was asked for.
    pub request: BaseRequest,
    /// Its manifest's digest.
    pub digest: ManifestDigest,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its configuration.
    pub config: ImageConfig,
    /// Where layers that the store lacks can be had.
    pub origin: Option<Reference>,
}

/// What a name stood for.
#[derive(Serialize, Deserialize)]
struct Known {
    reference: Reference,
    platform: Platform,
    manifest: ManifestDigest,
}

/// Finds all `requests`, at once; those that are among `known` are not asked for again.
///
/// # Errors
/// [`Error::Base`] with the place of the first that cannot be had.
pub async fn resolve(
    cx: &Context,
    doors: &Doors,
    (requests, known): (&[BaseRequest], Vec<BaseImage>),
    pull: bool,
) -> Result<Vec<BaseImage>, Error> {
    let known = &known;
    let all = requests.iter().map(|request| async move {
        let same = |image: &&BaseImage| image.request.is_same(request);
        if let Some(image) = known.iter().find(same) {
            return Ok(image.clone());
        }
        one(cx, doors, request, pull).await.map_err(|e| match e {
            Error::Cancelled => Error::Cancelled,
            other => Error::Base {
                name: request.name.clone(),
                span: Some(request.span.clone()),
                source: Box::new(other.into()),
            },
        })
    });
    futures_util::future::try_join_all(all).await
}

async fn one(cx: &Context, doors: &Doors, request: &BaseRequest, pull: bool) -> Result<BaseImage, Error> {
    if let Some(layout) = &request.layout {
        let (cx, doors, request, layout) = (cx.clone(), doors.clone(), request.clone(), layout.clone());
        let image = blocking(move || from_layout(&cx, &doors, &request, &layout)).await?;
        return Ok(image);
    }
    if pull {
        return asked(cx, doors, request).await;
    }
    let known = || {
        let (store, doors, request) = (doors.store().clone(), doors.clone(), request.clone());
        blocking(move || local(&store, &doors, &request))
    };
    if let Some(image) = known().await? {
        return Ok(image);
    }
    // Of many builds that begin with one image the first asks; the others find the answer in the store.
    let mut own = None;
    let answer = &mut own;
    let ask = || async move {
        *answer = Some(asked(cx, doors, request).await?);
        Ok::<_, Error>(())
    };
    doors.asking().get((request.reference.clone(), request.platform.clone()), ask).await?;
    match own {
        Some(image) => Ok(image),
        None => match known().await? {
            Some(image) => Ok(image),
            None => asked(cx, doors, request).await,
        },
    }
}

async fn asked(cx: &Context, doors: &Doors, request: &BaseRequest) -> Result<BaseImage, Error> {
    let task =
        cx.report.task(TaskKind::Internal, format!("[internal] load metadata for {}", request.reference));
    let result = remote(cx, doors, request).await;
    match &result {
        Ok(image) => task.finish(Outcome::Done, Some(image.digest.to_string())),
        Err(e) => task.finish(Outcome::Failed(e.to_string()), None),
    }
    result
}

fn local(store: &Store, doors: &Doors, request: &BaseRequest) -> Result<Option<BaseImage>, Error> {
    if let Some(descriptor) = store.resolve(&request.reference)? {
        return stored(store, request, &descriptor.manifest_digest(), None).map(Some);
    }
    // The manifest or the configuration may have been pruned since; the registry has them still. Of an index only the
    // manifest that was chosen is here.
    let digests = request.reference.digest().cloned().map(ManifestDigest::new).into_iter();
    let mut images = digests
        .chain(recall(doors, request))
        .filter_map(|digest| stored(store, request, &digest, Some(request.reference.clone())).ok());
    Ok(images.next())
}

fn stored(
    store: &Store,
    request: &BaseRequest,
    digest: &ManifestDigest,
    origin: Option<Reference>,
) -> Result<BaseImage, Error> {
    let bytes = store.read_blob(&digest.clone().into(), MANIFEST_LIMIT)?;
    let manifest = match AnyManifest::parse(None, &bytes)? {
        AnyManifest::Image(manifest) => manifest,
        AnyManifest::Index(index) => {
            let chosen = index.choose(&request.platform)?.manifest_digest();
            return stored(store, request, &chosen, origin);
        }
    };
    let config = ImageConfig::parse(&store.read_blob(&manifest.config.digest, CONFIG_LIMIT)?)?;
    finished(request, digest.clone(), manifest, config, origin)
}

/// The image of an OCI layout, taken into the store.
fn from_layout(
    cx: &Context,
    doors: &Doors,
    request: &BaseRequest,
    layout: &Layout,
) -> Result<BaseImage, Error> {
    let Layout { folder, selector } = layout;
    let files = LayoutFolder::open(folder);
    let images = read_images(&files)?;
    let digest = |image: &ArchivedImage| match &image.content {
        ArchivedContent::Oci(descriptor) => descriptor.digest.to_string(),
        ArchivedContent::Docker(_) => String::new(),
    };
    let tag = if selector.is_empty() { "latest" } else { selector };
    let fits = |image: &&ArchivedImage| {
        digest(image) == *selector
            || image.label.as_deref() == Some(tag)
            || image.names.iter().any(|name| name.tag_or_latest() == tag)
    };
    let chosen = images.iter().find(fits).or(match images.as_slice() {
        [only] if selector.is_empty() => Some(only),
        _ => None,
    });
    let Some(image) = chosen else {
        let known: Vec<String> = images.iter().map(digest).collect();
        return Err(Error::input(format!("there is no image {tag} in {}", folder.display()))
            .hint(format!("the layout holds {}", known.join(", "))));
    };
    let descriptor = doors.store().import(cx, &files, image)?;
    stored(doors.store(), request, &descriptor.manifest_digest(), None)
}

async fn remote(cx: &Context, doors: &Doors, request: &BaseRequest) -> Result<BaseImage, Error> {
    let client = doors.registry();
    let (pulled, manifest) = image_manifest(cx, client, &request.reference, &request.platform).await?;
    let config_bytes = config(cx, client, request, &manifest).await?;
    let image = finished(
        request,
        pulled.digest.clone(),
        manifest,
        ImageConfig::parse(&config_bytes)?,
        Some(request.reference.clone()),
    )?;
    let (doors, request, digest) = (doors.clone(), request.clone(), pulled.digest);
    blocking(move || {
        doors.store().put(&config_bytes)?;
        doors.store().put(&pulled.bytes)?;
        remember(&doors, &request, digest)
    })
    .await?;
    Ok(image)
}

async fn config(
    cx: &Context,
    client: &Client,
    request: &BaseRequest,
    manifest: &Manifest,
) -> Result<Vec<u8>, Error> {
    let descriptor = &manifest.config;
    if descriptor.size > CONFIG_LIMIT {
        return Err(Error::input(format!("the configuration of {} is too large", request.reference)));
    }
    let blob = BlobRequest::new(&request.reference, &descriptor.digest, descriptor.size);
    Ok(client.blob_bytes(cx, &blob, CONFIG_LIMIT).await?)
}

fn finished(
    request: &BaseRequest,
    digest: ManifestDigest,
    manifest: Manifest,
    config: ImageConfig,
    origin: Option<Reference>,
) -> Result<BaseImage, Error> {
    if !manifest.is_image() {
        return Err(Error::input(format!(
            "{} is not an image but another kind of artifact",
            request.reference
        )));
    }
    if manifest.layers.len() != config.layers().len() {
        let failure =
            Failure::new(Kind::Input, format!("{} is damaged", request.reference)).because(format!(
                "its manifest lists {} layers, its configuration {}",
                manifest.layers.len(),
                config.layers().len()
            ));
        return Err(Error::Base { name: request.name.clone(), span: None, source: Box::new(failure) });
    }
    Ok(BaseImage { request: request.clone(), digest, manifest, config, origin })
}

fn memory(doors: &Doors, request: &BaseRequest) -> std::path::PathBuf {
    let key = KeyHasher::new("lapstrake base name v1")
        .field("reference", request.reference.to_string())
        .field("platform", request.platform.to_string())
        .finish();
    doors.bases().join(format!("{key}.json"))
}

fn recall(doors: &Doors, request: &BaseRequest) -> Option<ManifestDigest> {
    let bytes = fs::read_limited(memory(doors, request), 1 << 16).ok()?;
    let known: Known = serde_json::from_slice(&bytes).ok()?;
    (known.reference == request.reference).then_some(known.manifest)
}

fn remember(doors: &Doors, request: &BaseRequest, manifest: ManifestDigest) -> Result<(), Error> {
    let path = memory(doors, request);
    let known = Known { reference: request.reference.clone(), platform: request.platform.clone(), manifest };
    let bytes = serde_json::to_vec(&known).map_err(|e| Error::Bug(e.to_string()))?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(fs::write_atomic(path, bytes)?)
}
