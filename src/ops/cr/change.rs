//! Images made from images without running anything: layers added, configurations changed, layers merged, bases
//! replaced. A list of images for several platforms is changed image by image.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::base::{DiffId, Failure, Hasher, Kind, Platform, Reference};
use crate::build::Doors;
use crate::build::transfer::StoredBlob;
use crate::content::Store;
use crate::host::fs;
use crate::oci::compress::{Compression, Layer, at_most, decompress};
use crate::oci::{AnyManifest, Descriptor, DescriptorPlatform, History, ImageConfig, Index, Manifest, media};
use crate::ops::cr::archive;
use crate::ops::cr::files::{Layers, flatten};
use crate::ops::cr::look::unwrapped;
use crate::ops::cr::write::{self, Changed, NewLayer};
use crate::ops::cr::{Door, Image, blocking};
use crate::ops::image_save::Shape;
use crate::report::{Outcome, TaskKind};

/// Says on which image another is built (OCI image-spec: annotations.md).
const BASE_NAME: &str = "org.opencontainers.image.base.name";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// What to change.
#[derive(Clone, Debug)]
pub enum Change {
    /// Add layers from archives, compressed or not.
    Append {
        /// The archives.
        files: Vec<PathBuf>,
        /// What annotations are to say that the image was built on.
        base: Option<Reference>,
        /// Whether an image to begin with that is empty is Docker's kind.
        docker: bool,
    },
    /// Change the configuration.
    Mutate(Box<Mutation>),
    /// Merge all layers into one.
    Flatten,
    /// Replace the layers of one base by those of another.
    Rebase {
        /// The base it was built on; without it, what its annotations say.
        old: Option<Reference>,
        /// The base it gets; without it, what its annotations say the name of its base is.
        new: Option<Reference>,
    },
}

/// Changes of a configuration. What is `None` or empty stays.
#[derive(Clone, Debug, Default)]
pub struct Mutation {
    /// Archives that become layers.
    pub append: Vec<PathBuf>,
    /// Annotations of the manifest.
    pub annotations: Vec<(String, String)>,
    /// Labels.
    pub labels: Vec<(String, String)>,
    /// Variables.
    pub env: Vec<(String, String)>,
    /// What is run; the command is cleared unless it is given as well.
    pub entrypoint: Option<Vec<String>>,
    /// Its arguments.
    pub cmd: Option<Vec<String>>,
    /// Who runs it.
    pub user: Option<String>,
    /// Where it runs.
    pub workdir: Option<String>,
    /// `port/protocol`.
    pub exposed_ports: Vec<String>,
    /// What it is said to run on.
    pub platform: Option<Platform>,
}

/// What to change, and where the result goes.
#[derive(Clone, Debug)]
pub struct Request {
    /// The image; none is an empty one for `platform`.
    pub image: Option<Reference>,
    /// Only the image for this platform.
    pub platform: Option<Platform>,
    /// What to do with it.
    pub change: Change,
    /// Where the result goes.
    pub target: Target,
}

/// Where a result goes.
#[derive(Clone, Debug)]
pub enum Target {
    /// Into the repository of the image, where it only has a digest.
    Beside,
    /// Into this repository, where it only has a digest.
    Repository(Reference),
    /// Into a registry under this name.
    Name(Reference),
    /// Into an archive for Docker, under this name if there is one. No registry is written to.
    Archive(PathBuf, Option<Reference>),
}

/// What was made.
#[derive(Clone, Debug, Serialize)]
pub struct Made {
    /// What it is called: by tag if it got one.
    pub reference: String,
    /// Its repository and digest.
    #[serde(rename = "byDigest")]
    pub by_digest: String,
    /// Its digest.
    pub digest: String,
}

impl Made {
    /// What was written to `place`.
    pub(super) fn of(place: &Reference, written: &Descriptor) -> Self {
        let digest = written.digest.digest();
        Self {
            reference: place.familiar(),
            by_digest: format!("{}@{digest}", place.name()),
            digest: digest.to_string(),
        }
    }
}

/// Changes an image and writes the result. The image itself stays as it is.
///
/// # Errors
/// If it cannot be read, the change is not possible, or the result cannot be written.
pub async fn run(door: &Door, doors: &Doors, request: &Request) -> Result<Made, Failure> {
    let _lease = doors.store().lease()?;
    if let Target::Archive(path, name) = &request.target {
        return archived_image(door, doors, request, (path, name.as_ref())).await;
    }
    let to = match (&request.target, &request.image) {
        (Target::Repository(to) | Target::Name(to), _) => to.clone(),
        (_, Some(image)) if image.digest().is_none() => {
            // By digest beside the image: its name stays where it is.
            let found = door.client.resolve(&door.cx, &image.with_default_tag()).await?;
            image.with_digest(found.digest.digest().clone())
        }
        (_, Some(image)) => image.clone(),
        (_, None) => return Err(nameless()),
    };
    let work = Work { door, store: doors.store(), change: &request.change, to: &to };
    let written = match &request.image {
        None => work.image(empty(request, &to)).await?,
        Some(image) => {
            let found = door.find(image, request.platform.as_ref()).await?;
            match found.manifest {
                AnyManifest::Image(_) => work.image(door.opened(found).await?).await?,
                AnyManifest::Index(ref index) => work.index(index.clone(), &found.reference).await?,
            }
        }
    };
    let place = match &request.target {
        Target::Name(to) => write::tag(door, &written, &to.with_default_tag()).await?,
        _ => to.with_digest(written.digest.digest().clone()),
    };
    Ok(Made::of(&place, &written))
}

/// The one image that the request is about, changed and written to a file.
async fn archived_image(
    door: &Door,
    doors: &Doors,
    request: &Request,
    (path, name): (&Path, Option<&Reference>),
) -> Result<Made, Failure> {
    let to = name.or(request.image.as_ref()).ok_or_else(nameless)?;
    let image = match &request.image {
        None => empty(request, to),
        Some(image) => door.image(image, request.platform.as_ref()).await?,
    };
    let work = Work { door, store: doors.store(), change: &request.change, to };
    let written = write::keep(door, doors, work.changed(image).await?).await?;
    let names = name.map(Reference::with_default_tag).into_iter().collect();
    let place = (Shape::DockerArchive, path.to_owned());
    archive::save(door, doors, vec![(written.clone(), names)], place).await?;
    Ok(Made::of(&to.with_digest(written.digest.digest().clone()), &written))
}

fn nameless() -> Failure {
    Failure::new(Kind::Usage, "make an image")
        .because("neither an image to begin with nor a name for the result is given")
        .hint("name the result with -t NAME:TAG")
}

/// The image that layers are added to where no other is named.
fn empty(request: &Request, to: &Reference) -> Image {
    let config = ImageConfig::new(&request.platform.clone().unwrap_or_else(Platform::host));
    let config_bytes = config.to_bytes();
    let docker = matches!(request.change, Change::Append { docker: true, .. });
    let media_type = if docker { media::DOCKER_CONFIG } else { media::OCI_CONFIG };
    let mut manifest = Manifest::new(Descriptor::of(media_type, &config_bytes), Vec::new());
    if docker {
        media::DOCKER_MANIFEST.clone_into(&mut manifest.media_type);
    }
    Image { reference: to.clone(), manifest, config, config_bytes }
}

struct Work<'a> {
    door: &'a Door,
    store: &'a Store,
    change: &'a Change,
    to: &'a Reference,
}

impl Work<'_> {
    async fn index(&self, mut index: Index, reference: &Reference) -> Result<Descriptor, Failure> {
        let mut manifests = Vec::new();
        for child in &index.manifests {
            if child.is_attestation() {
                self.door.cx.report.warn(format!(
                    "{} says something about an image as it was before ({}) and is left out",
                    child.digest.short(),
                    reference.familiar()
                ));
                continue;
            }
            let place = reference.with_digest(child.digest.digest().clone());
            let image = self.door.opened(self.door.find(&place, None).await?).await?;
            let mut written = self.image(image).await?;
            written.platform = match self.change {
                Change::Mutate(mutation) if mutation.platform.is_some() => {
                    mutation.platform.as_ref().map(DescriptorPlatform::from)
                }
                _ => child.platform.clone(),
            };
            written.annotations.clone_from(&child.annotations);
            manifests.push(written);
        }
        if manifests.is_empty() {
            return Err(
                Failure::new(Kind::Input, format!("change {reference}")).because("its index names no image")
            );
        }
        if let Change::Mutate(mutation) = self.change {
            index.annotations.extend(mutation.annotations.iter().cloned());
        }
        index.manifests = manifests;
        let bytes = index.to_bytes();
        let media_type = AnyManifest::Index(index).media_type().to_owned();
        let written = Descriptor::of(media_type.as_str(), &bytes);
        let place = self.to.with_digest(written.digest.digest().clone());
        self.door.client.push_manifest(&self.door.cx, &place, &media_type, &bytes).await?;
        Ok(written)
    }

    async fn image(&self, image: Image) -> Result<Descriptor, Failure> {
        write::image(self.door, self.changed(image).await?, self.to).await
    }

    async fn changed(&self, image: Image) -> Result<Changed, Failure> {
        Ok(match self.change {
            Change::Append { files, base, .. } => {
                let mut changed = self.append(Changed::of(&image), files).await?;
                if let Some(base) = base {
                    annotate(&mut changed, base, &image);
                }
                changed
            }
            Change::Mutate(mutation) => {
                let changed = self.append(Changed::of(&image), &mutation.append).await?;
                mutated(changed, mutation)
            }
            Change::Flatten => self.flatten(&image).await?,
            Change::Rebase { old, new } => self.rebase(&image, old.as_ref(), new.as_ref()).await?,
        })
    }

    async fn append(&self, mut changed: Changed, files: &[PathBuf]) -> Result<Changed, Failure> {
        for file in files {
            let (store, path, limit) = (self.store.clone(), file.clone(), self.door.cx.limits.layer_size);
            let layer = blocking(move || archived(&store, &path, limit)).await?;
            changed.config.history.push(History {
                created_by: format!(
                    "lap cr append {}",
                    file.file_name().unwrap_or_default().to_string_lossy()
                ),
                ..History::default()
            });
            changed.push(layer);
        }
        Ok(changed)
    }

    async fn flatten(&self, image: &Image) -> Result<Changed, Failure> {
        let layers = Layers::of(self.door, image)?;
        let store = self.store.clone();
        let task =
            self.door.cx.report.task(TaskKind::Step, format!("merging the layers of {}", image.reference));
        let layer = blocking(move || {
            let writer = flatten(&layers, store.layer_writer(Compression::default())?)?;
            let layer = writer.commit()?;
            Ok(stored(&store, &layer))
        })
        .await;
        task.finish(
            layer.as_ref().map_or_else(|e| Outcome::Failed(e.message().to_owned()), |_| Outcome::Done),
            None,
        );
        let mut changed = Changed::of(image);
        changed.manifest.layers.clear();
        changed.config.rootfs.diff_ids.clear();
        changed.config.history = vec![History {
            created: image.config.created.clone(),
            created_by: format!("lap cr flatten {}", image.reference),
            ..History::default()
        }];
        changed.push(layer?);
        Ok(changed)
    }

    async fn rebase(
        &self,
        image: &Image,
        old: Option<&Reference>,
        new: Option<&Reference>,
    ) -> Result<Changed, Failure> {
        let fail =
            |why: String| Failure::new(Kind::Input, format!("rebase {}", image.reference)).because(why);
        let said = |key: &str| image.manifest.annotations.get(key).cloned();
        let parsed = |text: String| text.parse::<Reference>().map_err(|e| Failure::of(Kind::Input, &e));
        let name = said(BASE_NAME).map(parsed).transpose()?;
        let digest = said(BASE_DIGEST).and_then(|digest| digest.parse().ok());
        let new = new.or(name.as_ref()).ok_or_else(|| {
            fail(format!("its annotations do not say what it was built on ({BASE_NAME})"))
                .hint("name the bases with --old-base and --new-base")
        })?;
        let recorded = name.as_ref().zip(digest).map(|(name, digest)| name.with_digest(digest));
        let old = old.or(recorded.as_ref()).ok_or_else(|| {
            fail(format!("its annotations do not say what it was built on ({BASE_DIGEST})"))
                .hint("name the base it was built on with --old-base")
        })?;
        let platform = image.config.platform();
        let old = self.door.image(old, Some(&platform)).await?;
        let new_image = self.door.image(new, Some(&platform)).await?;
        let below = old.config.layers().len();
        if !image.config.layers().starts_with(old.config.layers()) {
            return Err(fail(format!("its layers do not begin with those of {}", old.reference)));
        }
        if image.manifest.layers.len() != image.config.layers().len() {
            return Err(fail("its manifest and its configuration do not list the same layers".into()));
        }
        let mut changed = Changed::of(image);
        let own_layers = image.manifest.layers[below..].to_vec();
        changed.manifest.layers = [new_image.manifest.layers.clone(), own_layers].concat();
        let own_ids = image.config.layers()[below..].to_vec();
        changed.config.rootfs.diff_ids = [new_image.config.layers().to_vec(), own_ids].concat();
        let own_history = image.config.history.get(old.config.history.len()..).unwrap_or_default().to_vec();
        changed.config.history = [new_image.config.history.clone(), own_history].concat();
        changed.old_layers.push((new_image.reference.clone(), new_image.manifest.layers.clone()));
        annotate(&mut changed, new, &new_image);
        Ok(changed)
    }
}

/// Says that an image was built on another one, which goes by that name.
fn annotate(changed: &mut Changed, name: &Reference, base: &Image) {
    let digest = base.reference.digest().map(ToString::to_string).unwrap_or_default();
    let annotations = &mut changed.manifest.annotations;
    annotations.insert(BASE_DIGEST.into(), digest);
    annotations.insert(BASE_NAME.into(), name.with_default_tag().to_string());
}

/// An archive as a layer: kept as it is if it is compressed, else compressed.
fn archived(store: &Store, path: &Path, limit: u64) -> Result<NewLayer, Failure> {
    let fail = |e: io::Error| unwrapped(e).while_doing(format!("read the layer {}", path.display()));
    let mut tar = decompress(fs::open_regular(path)?).map_err(fail)?;
    if tar.kind() == crate::oci::compress::Kind::Plain {
        let mut writer = store.layer_writer(Compression::default())?;
        checked(at_most(tar, limit), &mut writer).map_err(|e| e.while_doing(reading(path)))?;
        let layer = writer.commit()?;
        return Ok(stored(store, &layer));
    }
    let kind = tar.kind();
    let mut hasher = HashWriter(Hasher::default());
    checked(at_most(&mut tar, limit), &mut hasher).map_err(|e| e.while_doing(reading(path)))?;
    let (digest, size) = store.put_stream(&mut fs::open_regular(path)?)?;
    let source = StoredBlob { store: store.clone(), digest: digest.clone() };
    let descriptor = Descriptor::new(kind.layer_media_type(), digest, size);
    Ok(NewLayer { descriptor, diff_id: DiffId::new(hasher.0.finish()), source })
}

fn stored(store: &Store, layer: &Layer) -> NewLayer {
    NewLayer {
        descriptor: layer.descriptor(),
        diff_id: layer.diff_id().clone(),
        source: StoredBlob { store: store.clone(), digest: layer.digest().clone() },
    }
}

fn reading(path: &Path) -> String {
    format!("read the layer {}", path.display())
}

/// Copies an archive to its end, and makes sure that it is one.
fn checked(tar: impl io::Read, out: &mut dyn io::Write) -> Result<(), Failure> {
    let mut tee = Tee { inner: tar, out };
    let mut archive = crate::oci::layer::Reader::new(&mut tee);
    while archive.next_entry().map_err(|e| Failure::of(Kind::Input, &e))?.is_some() {}
    archive.finish().map_err(|e| Failure::of(Kind::Input, &e))?;
    tee.out.flush().map_err(unwrapped)
}

struct Tee<'a, R> {
    inner: R,
    out: &'a mut dyn io::Write,
}

impl<R: io::Read> io::Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.out.write_all(&buffer[..count])?;
        Ok(count)
    }
}

struct HashWriter(Hasher);

impl io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn mutated(mut changed: Changed, mutation: &Mutation) -> Changed {
    changed.manifest.annotations.extend(mutation.annotations.iter().cloned());
    let config = &mut changed.config;
    if let Some(platform) = &mutation.platform {
        let fresh = ImageConfig::new(platform);
        config.os = fresh.os;
        config.architecture = fresh.architecture;
        config.variant = fresh.variant;
        config.os_version = fresh.os_version;
    }
    let run = &mut config.config;
    run.labels.extend(mutation.labels.iter().cloned().collect::<BTreeMap<_, _>>());
    for (name, value) in &mutation.env {
        run.set_env(name, value);
    }
    if let Some(entrypoint) = &mutation.entrypoint {
        run.entrypoint.clone_from(entrypoint);
        run.cmd.clear();
    }
    if let Some(cmd) = &mutation.cmd {
        run.cmd.clone_from(cmd);
    }
    if let Some(user) = &mutation.user {
        run.user.clone_from(user);
    }
    if let Some(workdir) = &mutation.workdir {
        run.working_dir.clone_from(workdir);
    }
    run.exposed_ports.extend(mutation.exposed_ports.iter().cloned());
    changed
}
