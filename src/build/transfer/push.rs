//! An image of the store into a registry.
//!
//! Layers that were made here are compressed now, the first time they leave; what their blob is called then is kept, so
//! that a layer the registry has is neither compressed nor read again.

use crate::base::{BlobDigest, DiffId, ManifestDigest, Reference};
use crate::build::transfer::LayerSource;
use crate::build::transfer::departing::{Departing, known_blob};
use crate::build::{Doors, Error, blocking};
use crate::content::Trail;
use crate::oci::compress::{Compression, Kind};
use crate::oci::{AnyManifest, CONFIG_LIMIT, Descriptor, ImageConfig, MANIFEST_LIMIT, Manifest, media};
use crate::registry::{self, BlobRequest, BlobSource, Pushed};
use crate::report::{Context, Outcome, TaskKind};

/// Layers whose tars are at least this long are sent while they are being compressed. Smaller ones are compressed in no
/// time, and sent only if the registry lacks them.
const GROWING: u64 = 32 << 20;

/// What to push.
#[derive(Clone, Debug)]
pub struct PushRequest {
    /// The image's manifest in the store.
    pub image: ManifestDigest,
    /// Where to.
    pub targets: Vec<Reference>,
    /// How layers without compression are compressed.
    pub compression: Compression,
    /// Where layers that the store lacks can be had; those on the target's registry are mounted.
    pub sources: Vec<LayerSource>,
    /// Push to the targets' repositories under the digest alone, without tags.
    pub by_digest: bool,
    /// What a target stands for already stays: then that is what the report says.
    pub adopt: bool,
}

/// What was pushed.
#[derive(Clone, Debug)]
pub struct PushReport {
    /// The manifest as the registry has it.
    pub manifest: Descriptor,
    /// Its layers.
    pub layers: Vec<PushedLayer>,
}

/// A layer in the registry.
#[derive(Clone, Debug)]
pub struct PushedLayer {
    /// Its blob.
    pub descriptor: Descriptor,
    /// How it came there (for the first target).
    pub how: Pushed,
}

/// Pushes the image: layers at once, then the configuration, then the manifest, so that a name never leads to
/// something incomplete.
///
/// # Errors
/// If the store lacks a part that cannot be had elsewhere, or the registry refuses.
pub async fn push(cx: &Context, doors: &Doors, request: &PushRequest) -> Result<PushReport, Error> {
    let store = doors.store().clone();
    let _lease = store.lease()?;
    let digest = request.image.clone();
    let (manifest, config) = blocking(move || read(&store, &digest)).await?;
    let mut report = None;
    for target in &request.targets {
        let task = cx.report.task(TaskKind::Export, format!("pushing {target}"));
        let pushed = push_to(cx, doors, request, target, (&manifest, &config)).await;
        match &pushed {
            Ok(done) => task.finish(Outcome::Done, Some(done.manifest.digest.to_string())),
            Err(e) => task.finish(Outcome::Failed(e.to_string()), None),
        }
        let pushed = pushed?;
        report.get_or_insert(pushed);
    }
    report.ok_or_else(|| Error::input("nothing to push to").hint("name the image with -t REGISTRY/NAME:TAG"))
}

fn read(store: &crate::content::Store, digest: &ManifestDigest) -> Result<(Manifest, ImageConfig), Error> {
    let bytes = store.read_blob(&digest.clone().into(), MANIFEST_LIMIT)?;
    let AnyManifest::Image(manifest) = AnyManifest::parse(None, &bytes)? else {
        return Err(Error::input(format!("{digest} is an index, not an image")));
    };
    let config = ImageConfig::parse(&store.read_blob(&manifest.config.digest, CONFIG_LIMIT)?)?;
    Ok((manifest, config))
}

async fn push_to(
    cx: &Context,
    doors: &Doors,
    request: &PushRequest,
    target: &Reference,
    (manifest, config): (&Manifest, &ImageConfig),
) -> Result<PushReport, Error> {
    if request.adopt
        && let Some(report) = standing(cx, doors, target).await?
    {
        return Ok(report);
    }
    let layers = manifest.layers.iter().zip(config.layers()).enumerate();
    let pushes = layers.map(|(index, (descriptor, layer))| async move {
        let title = title(config, index);
        let leaving = Leaving { title, descriptor, layer, compression: request.compression };
        let source = request.sources.iter().find(|s| s.descriptor.digest == descriptor.digest);
        push_layer(cx, doors, target, &leaving, source).await
    });
    let layers = futures_util::future::try_join_all(pushes).await?;
    let configuration = Leaves { title: "configuration", descriptor: &manifest.config };
    push_stored(cx, doors, target, &configuration, None).await?;
    let mut leaving = manifest.clone();
    leaving.layers = layers.iter().map(|layer| layer.descriptor.clone()).collect();
    let store = doors.store().clone();
    let (unchanged, digest) = (leaving == *manifest, request.image.clone());
    let bytes = blocking(move || {
        // An image that came from elsewhere keeps its very bytes, and so its digest.
        if unchanged {
            return Ok(store.read_blob(&digest.into(), MANIFEST_LIMIT)?);
        }
        let bytes = leaving.to_bytes();
        store.put(&bytes)?;
        Ok(bytes)
    })
    .await?;
    let media_type = manifest.effective_media_type();
    let client = doors.registry();
    let pushed = Descriptor::of(media_type, &bytes);
    let place = match request.by_digest {
        true => target.with_digest(pushed.digest.digest().clone()),
        false => target.with_default_tag(),
    };
    if request.adopt
        && let Some(report) = standing(cx, doors, target).await?
    {
        return Ok(report);
    }
    if !request.adopt {
        client.push_manifest(cx, &place, media_type, &bytes).await?;
        return Ok(PushReport { manifest: pushed, layers });
    }
    match client.claim_manifest(cx, &place, media_type, &bytes).await {
        Ok(_) => {}
        // Somebody was first since we looked, or what stands there is no image.
        Err(registry::Error::Conflict(_)) => {
            if let Some(report) = standing(cx, doors, target).await? {
                return Ok(report);
            }
            client.push_manifest(cx, &place, media_type, &bytes).await?;
        }
        Err(error) => return Err(error.into()),
    }
    // A registry that knows no conditions lets the last of two win: then that is what the tag is.
    let now = client.resolve(cx, &place).await.ok().filter(|now| now.digest != pushed.manifest_digest());
    match now {
        Some(_) => Ok(standing(cx, doors, target).await?.unwrap_or(PushReport { manifest: pushed, layers })),
        None => Ok(PushReport { manifest: pushed, layers }),
    }
}

/// What a name stands for in its registry, if that is an image; anything else is said.
async fn standing(cx: &Context, doors: &Doors, target: &Reference) -> Result<Option<PushReport>, Error> {
    let pulled = match doors.registry().manifest(cx, &target.with_default_tag()).await {
        Ok(pulled) => pulled,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(registry::Error::Corrupt(_)) => return Ok(no_image(cx, target)),
        Err(error) => return Err(error.into()),
    };
    let media_type = match AnyManifest::parse(pulled.media_type.as_deref(), &pulled.bytes) {
        Ok(AnyManifest::Image(manifest)) => manifest.effective_media_type().to_owned(),
        Ok(AnyManifest::Index(_)) | Err(_) => return Ok(no_image(cx, target)),
    };
    let manifest = Descriptor::of(&media_type, &pulled.bytes);
    let (store, bytes) = (doors.store().clone(), pulled.bytes);
    blocking(move || Ok(store.put(&bytes)?)).await?;
    Ok(Some(PushReport { manifest, layers: Vec::new() }))
}

fn no_image(cx: &Context, target: &Reference) -> Option<PushReport> {
    cx.report.warn(format!("what {target} stood for is no image and is replaced"));
    None
}

/// A layer on its way out.
pub struct Leaving<'a> {
    /// As shown: `layer 3/5: RUN make`.
    pub title: String,
    /// As its image says, or the tar itself for one that exists only unpacked.
    pub descriptor: &'a Descriptor,
    /// The layer.
    pub layer: &'a DiffId,
    /// How it is to be compressed if it is not.
    pub compression: Compression,
}

impl Leaving<'_> {
    /// The compressed layer in the family of media types of the image.
    fn typed(&self, mut compressed: Descriptor) -> Descriptor {
        if self.descriptor.media_type == media::DOCKER_LAYER {
            compressed.media_type = match self.compression.kind() {
                Kind::Gzip => media::DOCKER_LAYER_GZIP.into(),
                Kind::Zstd => media::DOCKER_LAYER_ZSTD.into(),
                Kind::Plain => media::DOCKER_LAYER.into(),
            };
        }
        compressed
    }
}

/// A blob on its way into the registry.
struct Leaves<'a> {
    title: &'a str,
    descriptor: &'a Descriptor,
}

/// `layer 3/5: RUN make`, from the history of the image.
fn title(config: &ImageConfig, index: usize) -> String {
    /// Characters of an instruction that are shown.
    const LONGEST: usize = 60;
    let made = config.history.iter().filter(|entry| !entry.empty_layer).nth(index);
    let by = made.map(|entry| entry.created_by.as_str()).unwrap_or_default();
    let by = by.strip_suffix("# buildkit").unwrap_or(by).trim();
    // What the shell is and which arguments were set is of no interest here.
    let by = match by.split_once("/bin/sh -c ") {
        Some((_, command)) if command.starts_with("#(nop)") => command["#(nop)".len()..].trim(),
        Some((before, command)) if before.is_empty() || before.starts_with("RUN ") => {
            return titled(config, index, &format!("RUN {command}"), LONGEST);
        }
        _ => by,
    };
    titled(config, index, by, LONGEST)
}

fn titled(config: &ImageConfig, index: usize, by: &str, longest: usize) -> String {
    let number = format!("layer {}/{}", index + 1, config.layers().len());
    let mut words: String = by.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() > longest {
        words = words.chars().take(longest - 1).chain(['…']).collect();
    }
    if words.is_empty() { number } else { format!("{number}: {words}") }
}

/// Brings a layer into the repository: nothing to do if it is there, else mounted from where its source has it, else
/// sent, compressed now if need be.
///
/// # Errors
/// If it cannot be had here or elsewhere, or the registry refuses.
pub async fn push_layer(
    cx: &Context,
    doors: &Doors,
    target: &Reference,
    leaving: &Leaving<'_>,
    source: Option<&LayerSource>,
) -> Result<PushedLayer, Error> {
    let stored = doors.store().has(&leaving.descriptor.digest);
    let as_it_is =
        !is_uncompressed(leaving.descriptor) || (leaving.compression == Compression::None && stored);
    if as_it_is {
        let blob = Leaves { title: &leaving.title, descriptor: leaving.descriptor };
        let how = push_stored(cx, doors, target, &blob, source).await?;
        return Ok(PushedLayer { descriptor: leaving.descriptor.clone(), how });
    }
    let client = doors.registry();
    if let Some(known) = known_blob(doors, leaving.layer, leaving.compression)? {
        let digest = &known.descriptor.digest;
        if client.blob_exists(cx, target, digest).await?.is_some() {
            return Ok(PushedLayer { descriptor: leaving.typed(known.descriptor), how: Pushed::Existed });
        }
    }
    let job = Departing {
        title: leaving.title.clone(),
        layer: leaving.layer.clone(),
        tar: leaving.descriptor.digest.clone(),
        compression: leaving.compression,
    };
    if leaving.descriptor.size >= GROWING
        && let Some(made) = push_growing(cx, doors, target, (&leaving.title, &job)).await?
    {
        return Ok(PushedLayer { descriptor: leaving.typed(made), how: Pushed::Uploaded });
    }
    let descriptor = leaving.typed(doors.departures().made(cx, doors, &job).await?);
    let blob = Leaves { title: &leaving.title, descriptor: &descriptor };
    let how = push_stored(cx, doors, target, &blob, None).await?;
    Ok(PushedLayer { descriptor, how })
}

fn is_uncompressed(descriptor: &Descriptor) -> bool {
    matches!(descriptor.media_type.as_str(), media::OCI_LAYER | media::DOCKER_LAYER)
}

/// Compresses all layers of an image that are to leave compressed, several at once.
///
/// # Errors
/// If one cannot be had, or a blob not be written.
pub async fn compress_all(
    cx: &Context,
    doors: &Doors,
    image: &ManifestDigest,
    compression: Compression,
) -> Result<(), Error> {
    if compression == Compression::None {
        return Ok(());
    }
    let (store, image) = (doors.store().clone(), image.clone());
    let (manifest, config) = blocking(move || read(&store, &image)).await?;
    let snapshots = doors.snapshots()?;
    let layers = manifest.layers.iter().zip(config.layers()).enumerate();
    let layers = layers.filter(|(_, (descriptor, layer))| {
        is_uncompressed(descriptor) && (doors.store().has(&descriptor.digest) || snapshots.contains(layer))
    });
    let made = layers.map(|(index, (descriptor, layer))| {
        let (tar, layer) = (descriptor.digest.clone(), layer.clone());
        let job = Departing { title: title(&config, index), layer, tar, compression };
        async move { doors.departures().made(cx, doors, &job).await }
    });
    futures_util::future::try_join_all(made).await.map(drop)
}

/// Sends a layer while it is being compressed. `None` if it cannot be sent in this way: then it is sent as a whole, when
/// it is there.
async fn push_growing(
    cx: &Context,
    doors: &Doors,
    target: &Reference,
    (title, job): (&str, &Departing),
) -> Result<Option<Descriptor>, Error> {
    let Some(trail) = doors.departures().begin(cx, doors, job.clone()).trail().await else { return Ok(None) };
    let task = cx.report.task(TaskKind::Transfer, format!("pushing {title}"));
    let sent = doors.registry().push_stream(cx, target, &Growing(trail), Some(&task)).await;
    match sent {
        Ok((digest, _)) => {
            let made = doors.departures().made(cx, doors, job).await?;
            task.finish(Outcome::Done, None);
            // Only what was sent to its end has the digest of what was made.
            Ok((made.digest == digest).then_some(made))
        }
        // What broke may be the compressor, which knows why; else a registry that wants blobs in one piece gets that.
        Err(
            registry::Error::Local(_)
            | registry::Error::Refused(_)
            | registry::Error::Unsupported(_)
            | registry::Error::Corrupt(_),
        ) => {
            task.finish(Outcome::Done, Some("not as it is being made".into()));
            Ok(None)
        }
        Err(error) => {
            task.finish(Outcome::Failed(error.to_string()), None);
            Err(error.into())
        }
    }
}

/// A blob that is being made.
struct Growing(Trail);

impl BlobSource for Growing {
    fn open(&self, offset: u64) -> std::io::Result<Box<dyn std::io::Read + Send>> {
        Ok(Box::new(self.0.follow(offset)))
    }
}

async fn push_stored(
    cx: &Context,
    doors: &Doors,
    target: &Reference,
    Leaves { title, descriptor }: &Leaves<'_>,
    source: Option<&LayerSource>,
) -> Result<Pushed, Error> {
    let client = doors.registry();
    let origin = source.and_then(|source| source.origin.as_ref()?.registry());
    let task = cx.report.task(TaskKind::Transfer, format!("pushing {title}"));
    let mounts: Vec<Reference> = origin.into_iter().cloned().collect();
    let blob = BlobRequest {
        mount_from: &mounts,
        task: Some(&task),
        ..BlobRequest::new(target, &descriptor.digest, descriptor.size)
    };
    let there = doors.store().has(&descriptor.digest);
    if !there {
        // Known to the registry, or to be mounted within it: then no byte of it is needed here.
        if client.blob_exists(cx, target, &descriptor.digest).await?.is_some() {
            task.finish(Outcome::Cached, None);
            return Ok(Pushed::Existed);
        }
        if let Some(origin) = origin
            && origin.registry() == target.registry()
            && let Some(from) = client.mount_blob(cx, &blob).await?
        {
            task.finish(Outcome::Done, Some("mounted".into()));
            return Ok(Pushed::Mounted(from));
        }
        match source {
            Some(source) => super::fetch(cx, doors, source).await?,
            None => super::fetch_blob(cx, doors, descriptor, None).await?,
        }
    }
    let source = StoredBlob { store: doors.store().clone(), digest: descriptor.digest.clone() };
    let pushed = client.push_blob(cx, &blob, &source).await;
    match &pushed {
        Ok(Pushed::Existed) => task.finish(Outcome::Cached, None),
        Ok(_) => task.finish(Outcome::Done, None),
        Err(e) => task.finish(Outcome::Failed(e.to_string()), None),
    }
    Ok(pushed?)
}

/// A blob of the store, as the source of a push.
#[derive(Clone, Debug)]
pub struct StoredBlob {
    /// The store.
    pub store: crate::content::Store,
    /// The blob.
    pub digest: BlobDigest,
}

impl BlobSource for StoredBlob {
    fn open(&self, offset: u64) -> std::io::Result<Box<dyn std::io::Read + Send>> {
        use std::io::Seek as _;
        let mut blob = self.store.open_blob(&self.digest).map_err(std::io::Error::other)?;
        blob.seek(std::io::SeekFrom::Start(offset))?;
        Ok(Box::new(blob))
    }
}
