//! Looking for results of others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use tokio::sync::OnceCell;

use crate::base::{DiffId, Failure, Platform, Reference, StepKey};
use crate::build::cache::title::title;
use crate::build::transfer::{LayerSource, Origin};
use crate::build::{CachePlace, Doors, Error, Request, blocking};
use crate::oci::{AnyManifest, CONFIG_LIMIT, ImageConfig};
use crate::registry::{self, BlobRequest, Client};
use crate::report::{Context, Outcome, TaskKind};
use crate::stages::{
    self, BUILDKIT_TYPE, FolderRecords, InlineCache, NoRecord, RegistryRecords, SharedRecord,
};

/// The places where results of others are looked for.
pub struct Imports {
    places: Vec<Import>,
    platform: Platform,
}

struct Import {
    title: String,
    kind: Kind,
    /// It did not answer; it is not asked again.
    dead: AtomicBool,
}

enum Kind {
    Registry(Box<Repository>),
    Folder(FolderRecords),
}

struct Repository {
    client: Client,
    records: RegistryRecords,
    /// An image that may have records in it, or a cache of BuildKit.
    image: Reference,
    inside: OnceCell<BTreeMap<StepKey, SharedRecord>>,
}

/// A result of somebody else.
#[derive(Clone, Debug)]
pub struct Found {
    /// What is known.
    pub shared: SharedRecord,
    /// Who has its layers.
    pub origin: Origin,
}

impl Found {
    /// Where its layers can be had.
    pub fn sources(&self) -> impl Iterator<Item = LayerSource> {
        self.shared.record.layers.iter().zip(&self.shared.blobs).map(|(layer, blob)| LayerSource {
            diff_id: layer.diff_id.clone(),
            descriptor: blob.clone(),
            origin: Some(self.origin.clone()),
        })
    }
}

impl Imports {
    /// Opens the places that the request names.
    ///
    /// # Errors
    /// If one cannot be a cache, or a folder cannot be read.
    pub fn open(doors: &Doors, request: &Request) -> Result<Self, Error> {
        let places = match request.no_cache {
            true => Vec::new(),
            false => request.cache_from.iter().map(|place| open(doors, place)).collect::<Result<_, _>>()?,
        };
        Ok(Self { places, platform: request.platform.clone().unwrap_or_else(Platform::host) })
    }

    /// Whether there is nobody to ask.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The results of these keys that somebody has and that need none of the layers `lost`: all keys are asked of all
    /// places at once, and of several answers that of the first place counts.
    ///
    /// # Errors
    /// Only [`Error::Cancelled`]: a place that does not answer is said and left out.
    pub async fn look_up(
        &self,
        cx: &Context,
        keys: &[StepKey],
        lost: &BTreeSet<DiffId>,
    ) -> Result<BTreeMap<StepKey, Found>, Error> {
        let mut known = BTreeMap::new();
        if keys.is_empty() {
            return Ok(known);
        }
        let answers = join_all(self.places.iter().map(|place| self.look_in(cx, place, keys))).await;
        for (key, found) in answers.into_iter().flatten() {
            if !found.shared.record.layers.iter().any(|layer| lost.contains(&layer.diff_id)) {
                known.entry(key).or_insert(found);
            }
        }
        if cx.cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(known) }
    }

    async fn look_in(&self, cx: &Context, place: &Import, keys: &[StepKey]) -> Vec<(StepKey, Found)> {
        if place.dead.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let task = (keys.len() > 1).then(|| {
            let name = format!("[internal] look for {} results in {}", keys.len(), place.title);
            cx.report.task(TaskKind::Internal, name)
        });
        let answers =
            join_all(keys.iter().map(|key| async move { (*key, self.one(cx, place, key).await) })).await;
        let mut found = Vec::new();
        for (key, answer) in answers {
            match answer {
                Ok(Some(record)) => found.push((key, record)),
                Ok(None) => {}
                Err(error) => place.give_up(cx, error),
            }
        }
        if let Some(task) = task {
            task.finish(Outcome::Done, Some(format!("{} found", found.len())));
        }
        found
    }

    async fn one(&self, cx: &Context, place: &Import, key: &StepKey) -> Result<Option<Found>, stages::Error> {
        match &place.kind {
            Kind::Folder(records) => {
                let (reader, asked) = (records.clone(), *key);
                let answer = blocking(move || Ok(reader.get(&asked)?)).await;
                let origin = Origin::Folder(records.root().to_owned());
                Ok(match answer {
                    Ok(Some(Ok(shared))) => Some(Found { shared, origin }),
                    Ok(Some(Err(NoRecord::Damaged(why)))) => {
                        cx.report.warn(format!("a record in {} is damaged and not used: {why}", place.title));
                        None
                    }
                    Ok(_) | Err(Error::Cancelled) => None,
                    Err(Error::Records(error)) => return Err(error),
                    Err(error) => {
                        cx.report.warn(format!("{} was not read: {}", place.title, Failure::from(error)));
                        None
                    }
                })
            }
            Kind::Registry(repository) => {
                let Repository { client, records, image, inside } = &**repository;
                let origin = Origin::Registry(records.repository().clone());
                let look_inside = async {
                    let read = || self.inside(cx, place, client, image);
                    inside.get_or_init(read).await.get(key).cloned()
                };
                let (record, in_image) = futures_util::join!(records.get(cx, key), look_inside);
                let shared = record?.or(in_image);
                Ok(shared.map(|shared| Found { shared, origin }))
            }
        }
    }

    /// The records inside the image that a reference stands for, if it stands for one.
    async fn inside(
        &self,
        cx: &Context,
        place: &Import,
        client: &Client,
        image: &Reference,
    ) -> BTreeMap<StepKey, SharedRecord> {
        match self.image_records(cx, client, image).await {
            Ok(Inside::Records(records)) => records,
            Ok(Inside::Buildkits) => {
                cx.report.warn(format!(
                    "{} is a cache that BuildKit wrote: its form cannot be read here, so it does not help this build",
                    place.title
                ));
                BTreeMap::new()
            }
            // That it is no image is said by nobody: most caches have none.
            Err(_) => BTreeMap::new(),
        }
    }

    async fn image_records(&self, cx: &Context, client: &Client, image: &Reference) -> Result<Inside, Error> {
        let mut pulled = client.manifest(cx, image).await?;
        let mut parsed = AnyManifest::parse(pulled.media_type.as_deref(), &pulled.bytes)?;
        if let AnyManifest::Index(index) = &parsed {
            if index.manifests.iter().any(|entry| entry.media_type == BUILDKIT_TYPE) {
                return Ok(Inside::Buildkits);
            }
            let chosen = index.choose(&self.platform)?.digest.digest().clone();
            pulled = client.manifest(cx, &image.with_digest(chosen)).await?;
            parsed = AnyManifest::parse(pulled.media_type.as_deref(), &pulled.bytes)?;
        }
        let AnyManifest::Image(manifest) = parsed else { return Ok(Inside::Records(BTreeMap::new())) };
        if manifest.config.media_type == BUILDKIT_TYPE {
            return Ok(Inside::Buildkits);
        }
        if !manifest.is_image() || manifest.config.size > CONFIG_LIMIT {
            return Ok(Inside::Records(BTreeMap::new()));
        }
        let blob = BlobRequest::new(image, &manifest.config.digest, manifest.config.size);
        let config = ImageConfig::parse(&client.blob_bytes(cx, &blob, CONFIG_LIMIT).await?)?;
        let records = InlineCache::read(&config, &manifest);
        if records.is_empty() && InlineCache::is_buildkits(&config) {
            return Ok(Inside::Buildkits);
        }
        Ok(Inside::Records(records))
    }
}

enum Inside {
    Records(BTreeMap<StepKey, SharedRecord>),
    Buildkits,
}

fn open(doors: &Doors, place: &CachePlace) -> Result<Import, Error> {
    let kind = match place {
        CachePlace::Registry(reference) => {
            let client = doors.registry().clone();
            let records = RegistryRecords::new(client.clone(), reference)?;
            let image = reference.with_default_tag();
            Kind::Registry(Box::new(Repository { client, records, image, inside: OnceCell::new() }))
        }
        CachePlace::Folder(path) => Kind::Folder(FolderRecords::open(path)?),
    };
    Ok(Import { title: title(place), kind, dead: AtomicBool::new(false) })
}

impl Import {
    /// Says once that the place does not answer.
    fn give_up(&self, cx: &Context, error: stages::Error) {
        if matches!(error, stages::Error::Registry { source: registry::Error::Cancelled, .. }) {
            return;
        }
        if !self.dead.swap(true, Ordering::Relaxed) {
            let failure = Failure::from(error);
            let why = failure.causes().first().cloned().unwrap_or_else(|| failure.message().to_owned());
            cx.report.warn(format!("no results are taken from {}: {why}", self.title));
        }
    }
}

impl Imports {
    /// Says of folders that BuildKit wrote that they are of no use.
    pub fn name_foreign(&self, cx: &Context) {
        for place in &self.places {
            if matches!(&place.kind, Kind::Folder(records) if records.has_buildkits()) {
                cx.report.warn(format!(
                    "{} has a cache that BuildKit wrote: its form cannot be read here, so it does not help this build",
                    place.title
                ));
            }
        }
    }
}
