//! Leaving results for others.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use crate::base::{DiffId, Failure, StepKey};
use crate::build::cache::title::title;
use crate::build::execute::{Tree, World, layer_blob};
use crate::build::step::StepIndex;
use crate::build::transfer::{Leaving, fetch, push_layer};
use crate::build::{CacheExport, CachePlace, Doors, Error, Request, UnpackedLayers, blocking};
use crate::content;
use crate::host::{self, fs, random};
use crate::oci::Descriptor;
use crate::report::{Context, Outcome, TaskKind};
use crate::schedule::SingleFlight;
use crate::stages::{FolderRecords, Published, Record, RegistryRecords, SharedRecord, StepKeys};

/// The places where results are left.
pub struct Exports {
    places: Vec<Arc<Export>>,
    jobs: Mutex<JoinSet<()>>,
    inline: bool,
}

struct Export {
    title: String,
    asked: CacheExport,
    kind: Kind,
    /// Layers that are on their way or there.
    layers: SingleFlight<DiffId, Descriptor>,
    state: Mutex<State>,
}

enum Kind {
    Registry(RegistryRecords),
    Folder(PathBuf),
}

#[derive(Default)]
struct State {
    /// Keys that were offered already.
    offered: BTreeSet<StepKey>,
    /// What is to be written into a folder's index at the end.
    finished: Vec<(StepKeys, SharedRecord, bool)>,
    shared: usize,
    existed: usize,
    failure: Option<Failure>,
}

/// A result to be shared.
#[derive(Clone)]
pub struct Offer {
    /// The step.
    pub step: StepIndex,
    /// Its keys.
    pub keys: StepKeys,
    /// What it led to.
    pub tree: Tree,
    /// Whether it replaces what is known.
    pub replace: bool,
}

impl Exports {
    /// Opens the places that the request names.
    ///
    /// # Errors
    /// If one cannot be a cache.
    pub fn open(doors: &Doors, request: &Request) -> Result<Self, Error> {
        let mut places = Vec::new();
        for asked in &request.cache_to {
            let Some(place) = &asked.place else { continue };
            let kind = match place {
                CachePlace::Registry(reference) => {
                    Kind::Registry(RegistryRecords::new(doors.registry().clone(), reference)?)
                }
                CachePlace::Folder(path) => Kind::Folder(path.clone()),
            };
            let (layers, state) = (SingleFlight::default(), Mutex::default());
            places.push(Arc::new(Export { title: title(place), asked: asked.clone(), kind, layers, state }));
        }
        let inline = request.cache_to.iter().any(|asked| asked.place.is_none());
        Ok(Self { places, jobs: Mutex::default(), inline })
    }

    /// Whether nothing is shared but inside the image.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether the image itself is to say what its layers are.
    pub fn inline(&self) -> bool {
        self.inline
    }

    /// What somebody else has published under `key` since it was looked for: that wins over a result made here.
    pub async fn standing(&self, cx: &Context, world: &World, key: &StepKey) -> Option<Record> {
        for place in &self.places {
            let Kind::Registry(records) = &place.kind else { continue };
            // A place that does not answer is named when the result is to be left there.
            let Ok(Some(theirs)) = records.get(cx, key).await else { continue };
            if theirs.record.layers.iter().any(|layer| world.is_lost(&layer.diff_id)) {
                continue;
            }
            world.know(&theirs, records.repository());
            return Some(theirs.record);
        }
        None
    }

    /// Begins to share a result with every place that wants it. Each key is shared once.
    pub fn offer(&self, cx: &Context, world: &Arc<World>, offer: &Offer) {
        for place in &self.places {
            let wanted = place.asked.all_stages || world.is_of_target(offer.step);
            if !wanted || !place.state().offered.insert(offer.keys.definition) {
                continue;
            }
            let (cx, world, place) = (cx.clone(), Arc::clone(world), Arc::clone(place));
            let offer = offer.clone();
            self.jobs.lock().unwrap_or_else(PoisonError::into_inner).spawn(async move {
                if let Err(error) = place.share(&cx, &world, &offer).await {
                    place.fail(error.into());
                }
            });
        }
    }

    /// Waits until everything is shared.
    ///
    /// # Errors
    /// [`Error::Share`] if a place refused or did not answer, unless that is to be ignored.
    pub async fn finish(&self, cx: &Context) -> Result<(), Error> {
        if self.places.is_empty() {
            return Ok(());
        }
        let mut jobs = std::mem::take(&mut *self.jobs.lock().unwrap_or_else(PoisonError::into_inner));
        let tasks: Vec<_> = self
            .places
            .iter()
            .map(|place| cx.report.task(TaskKind::Export, format!("exporting cache to {}", place.title)))
            .collect();
        while let Some(ended) = jobs.join_next().await {
            if let Err(e) = ended
                && e.is_panic()
            {
                return Err(Error::Bug(format!("a worker failed: {e}")));
            }
        }
        if cx.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let mut outcome = Ok(());
        for (place, task) in self.places.iter().zip(tasks) {
            let failure = place.end().await;
            match failure {
                None => {
                    let (shared, existed) = {
                        let state = place.state();
                        (state.shared, state.existed)
                    };
                    task.finish(Outcome::Done, Some(format!("{shared} results, {existed} were there")));
                }
                Some(failure) => {
                    task.finish(Outcome::Failed(failure.message().to_owned()), None);
                    if place.asked.ignore_error {
                        let why = failure.causes().first().cloned().unwrap_or_default();
                        cx.report.warn(format!(
                            "results were not left in {}: {}: {why}",
                            place.title,
                            failure.message()
                        ));
                    } else {
                        let place = place.title.clone();
                        outcome = outcome.and(Err(Error::Share { place, source: Box::new(failure) }));
                    }
                }
            }
        }
        outcome
    }
}

impl Export {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the first failure; the others are most often its echoes.
    fn fail(&self, failure: Failure) {
        self.state().failure.get_or_insert(failure);
    }

    async fn share(&self, cx: &Context, world: &Arc<World>, offer: &Offer) -> Result<(), Error> {
        if self.state().failure.is_some() {
            return Ok(());
        }
        if let Kind::Registry(records) = &self.kind
            && !offer.replace
            && let Some(theirs) = records.get(cx, &offer.keys.definition).await?
            && !theirs.record.layers.iter().any(|layer| world.is_lost(&layer.diff_id))
        {
            self.state().existed += 1;
            return Ok(());
        }
        let blobs = offer.tree.layers.iter().map(|layer| {
            self.layers.get(layer.diff_id.clone(), || self.bring(cx, world, &layer.diff_id, layer.size))
        });
        let blobs = futures_util::future::try_join_all(blobs).await?;
        let record = offer.tree.record(offer.keys.definition, &world.steps[offer.step.0].origin);
        let shared = SharedRecord { record, blobs };
        match &self.kind {
            Kind::Folder(_) => {
                let mut state = self.state();
                state.finished.push((offer.keys, shared, offer.replace));
                state.shared += 1;
            }
            Kind::Registry(records) => {
                let lost = |record: &Record| record.layers.iter().any(|layer| world.is_lost(&layer.diff_id));
                match records.publish(cx, &offer.keys, &shared, offer.replace).await? {
                    // What stands there needs a layer that cannot be had.
                    Published::Theirs(theirs) if lost(&theirs.record) => {
                        records.publish(cx, &offer.keys, &shared, true).await?;
                        self.state().shared += 1;
                    }
                    Published::Theirs(_) => self.state().existed += 1,
                    Published::Ours => self.state().shared += 1,
                }
            }
        }
        Ok(())
    }

    /// Brings a layer to the place; gives its blob there.
    async fn bring(
        &self,
        cx: &Context,
        world: &Arc<World>,
        layer: &DiffId,
        size: u64,
    ) -> Result<Descriptor, Error> {
        let (descriptor, source) = layer_blob(world, layer, size)?;
        let compression = self.asked.compression;
        match &self.kind {
            Kind::Registry(records) => {
                let title = format!("layer {} to the cache", layer.short());
                let leaving = Leaving { title, descriptor: &descriptor, layer, compression };
                let pushed = push_layer(cx, &world.doors, records.repository(), &leaving, source.as_ref());
                Ok(pushed.await?.descriptor)
            }
            Kind::Folder(folder) => {
                if let Some(source) = &source {
                    fetch(cx, &world.doors, source).await?;
                }
                let (cx, doors) = (cx.clone(), world.doors.clone());
                let (folder, layer) = (folder.clone(), layer.clone());
                blocking(move || {
                    let snapshots = doors.snapshots()?;
                    let leaving =
                        content::Leaving { compression, force: false, unpacked: &UnpackedLayers(&snapshots) };
                    let blob = doors.store().materialise_layer(&cx, &descriptor, &layer, &leaving)?;
                    copy_out(&doors, &blob, &folder)?;
                    Ok(blob)
                })
                .await
            }
        }
    }

    /// Writes down what was left in a folder; gives the first failure of the whole export.
    async fn end(self: &Arc<Self>) -> Option<Failure> {
        if let Kind::Folder(root) = &self.kind {
            let finished = std::mem::take(&mut self.state().finished);
            let root = root.clone();
            if let Err(error) = blocking(move || Ok(FolderRecords::publish(&root, &finished)?)).await {
                self.fail(error.into());
            }
        }
        self.state().failure.take()
    }
}

/// Copies a blob of the store into an OCI layout, if that lacks it.
fn copy_out(doors: &Doors, blob: &Descriptor, folder: &Path) -> Result<(), Error> {
    let digest = &blob.digest;
    let folder = folder.join("blobs").join(digest.digest().algorithm().name());
    let path = folder.join(digest.hex());
    if fs::metadata(&path).is_ok_and(|m| m.len() == blob.size) {
        return Ok(());
    }
    fs::create_dir_all(&folder)?;
    let temporary = folder.join(format!(".{}.tmp", random::token()));
    let mut reader = doors.store().open_blob(digest)?;
    let copied = fs::create(&temporary).and_then(|mut file| {
        std::io::copy(&mut reader, &mut file).map_err(|e| host::Error::new("write", &path, e))?;
        fs::rename(&temporary, &path)
    });
    if copied.is_err() {
        // What is told is why it could not be written.
        let _ = fs::remove_file(&temporary);
    }
    Ok(copied?)
}
