//! What a running build knows: its inputs, and the trees that are finished.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::{ChainId, ContentHash, DiffId, Failure, Kind, Reference, StepKey};
use crate::build::cache::Cache;
use crate::build::facts::agents::Agents;
use crate::build::facts::context::ContextTree;
use crate::build::facts::secrets::Secrets;
use crate::build::keys::ParentIdentity;
use crate::build::plan::Facts;
use crate::build::step::{BaseIndex, Parent, Stage, StageIndex, Step, StepIndex};
use crate::build::transfer::cachemounts::Traveller;
use crate::build::transfer::{LayerSource, Origin, Sources};
use crate::build::why::Ended;
use crate::build::{Doors, Error, Request};
use crate::oci::{Descriptor, media};
use crate::snapshot;
use crate::stages::{Record, RecordLayer, SharedRecord};

/// A tree as layers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Layers of the base image, lowest first.
    pub base: Vec<DiffId>,
    /// Layers made on top, lowest first.
    pub layers: Vec<RecordLayer>,
}

impl Tree {
    /// All layers, lowest first.
    pub fn chain(&self) -> Vec<DiffId> {
        self.base.iter().cloned().chain(self.layers.iter().map(|layer| layer.diff_id.clone())).collect()
    }

    /// The tree as it enters a content key.
    pub fn identity(&self) -> ParentIdentity {
        ChainId::of_layers(&self.chain()).map_or(ParentIdentity::Scratch, ParentIdentity::Chain)
    }

    /// This tree with one more layer.
    #[must_use]
    pub fn with(&self, layer: RecordLayer) -> Self {
        let mut tree = self.clone();
        tree.layers.push(layer);
        tree
    }

    /// What is known once the step with `key` led to this tree.
    pub fn record(&self, key: StepKey, origin: &str) -> Record {
        Record {
            version: Record::VERSION,
            key,
            base: self.base.clone(),
            layers: self.layers.clone(),
            origin: origin.to_owned(),
            content: None,
        }
    }
}

/// What a build runs on, known before its first step.
pub struct WorldInputs {
    /// What was asked for.
    pub request: Request,
    /// The build context, and the named ones.
    pub contexts: Vec<ContextTree>,
    /// All steps.
    pub steps: Vec<Step>,
    /// The needed stages.
    pub stages: Vec<Option<Stage>>,
    /// Definition keys of the steps.
    pub keys: Vec<StepKey>,
    /// What the plan was made from.
    pub facts: Facts,
    /// Times in new layers that are later than this become this; seconds since the Unix epoch.
    pub epoch: i64,
    /// Steps that are made whatever is known.
    pub forced: BTreeSet<StepIndex>,
    /// For each step, whether it or something that it stands on is forced: what was known of it before is replaced.
    pub fresh: Vec<bool>,
    /// The steps that the target's tree stands on, by way of their parents.
    pub chain: BTreeSet<StepIndex>,
    /// Values of secrets.
    pub secrets: Secrets,
    /// Agents.
    pub agents: Agents,
    /// Base images as they are written.
    pub base_names: Vec<String>,
    /// The Dockerfile, as messages call it.
    pub dockerfile: String,
}

/// A running build: its inputs, and the trees that are finished.
pub struct World {
    /// The services.
    pub doors: Doors,
    /// Where layers can be had that are not unpacked here.
    pub sources: Sources,
    /// Results shared with others.
    pub cache: Cache,
    inputs: WorldInputs,
    trees: Vec<Mutex<Option<Arc<Tree>>>>,
    lost: Mutex<BTreeSet<DiffId>>,
    ended: Mutex<Vec<(Ended, Vec<ContentHash>)>>,
    /// The cache mounts that steps used.
    cache_mounts: Mutex<BTreeSet<Traveller>>,
}

impl Deref for World {
    type Target = WorldInputs;

    fn deref(&self) -> &WorldInputs {
        &self.inputs
    }
}

impl World {
    /// A build about to run.
    ///
    /// # Errors
    /// If what the request names as a place of shared results cannot be one.
    pub fn new(doors: Doors, inputs: WorldInputs) -> Result<Self, Error> {
        let trees = inputs.steps.iter().map(|_| Mutex::default()).collect();
        let (sources, lost) = (Sources::default(), Mutex::default());
        let cache = Cache::open(&doors, &inputs.request)?;
        let ended = Mutex::new(vec![(Ended::Unneeded, Vec::new()); inputs.steps.len()]);
        Ok(Self { doors, sources, cache, inputs, trees, lost, ended, cache_mounts: Mutex::default() })
    }

    /// Takes note of a cache mount that a step uses.
    pub fn uses(&self, cache: Traveller) {
        locked(&self.cache_mounts).insert(cache);
    }

    /// The cache mounts that steps used until now.
    pub fn used(&self) -> Vec<Traveller> {
        locked(&self.cache_mounts).iter().cloned().collect()
    }

    /// Takes note of how a step ended, as far as it is known.
    pub fn note(&self, step: StepIndex, ended: Ended) {
        locked(&self.ended)[step.0].0 = ended;
    }

    /// Takes note of the content of what a step reads.
    pub fn saw(&self, step: StepIndex, contents: Vec<ContentHash>) {
        locked(&self.ended)[step.0].1 = contents;
    }

    /// How each step ended, and what it read.
    pub fn ended(&self) -> Vec<(Ended, Vec<ContentHash>)> {
        locked(&self.ended).clone()
    }

    /// Takes note of a finished step.
    pub fn finished(&self, step: StepIndex, tree: Tree) {
        *locked(&self.trees[step.0]) = Some(Arc::new(tree));
    }

    /// Takes note of a layer that is known but cannot be had, and forgets what stands on it; `false` if that was noted
    /// before.
    pub fn lose(&self, layer: &DiffId) -> bool {
        self.sources.forget(layer);
        self.trees.iter().for_each(|tree| *locked(tree) = None);
        locked(&self.lost).insert(layer.clone())
    }

    /// Whether the layer is known but cannot be had.
    pub fn is_lost(&self, layer: &DiffId) -> bool {
        locked(&self.lost).contains(layer)
    }

    /// The layers that cannot be had.
    pub fn lost(&self) -> BTreeSet<DiffId> {
        locked(&self.lost).clone()
    }

    /// Whether the layer is one of a base image.
    pub fn is_of_base(&self, layer: &DiffId) -> bool {
        self.facts.bases.iter().any(|base| base.contains(layer))
    }

    /// Takes note of where the layers of somebody else's result are.
    pub fn know(&self, shared: &SharedRecord, repository: &Reference) {
        for (layer, blob) in shared.record.layers.iter().zip(&shared.blobs) {
            let origin = Some(Origin::Registry(repository.clone()));
            let (diff_id, descriptor) = (layer.diff_id.clone(), blob.clone());
            self.sources.add(LayerSource { diff_id, descriptor, origin });
        }
    }

    /// Whether the image consists of what the step makes.
    pub fn is_of_target(&self, step: StepIndex) -> bool {
        self.chain.contains(&step)
    }

    /// The tree of `parent`, which is finished.
    ///
    /// # Errors
    /// [`Error::Bug`] if it is not.
    pub fn tree(&self, parent: Parent) -> Result<Arc<Tree>, Error> {
        match parent {
            Parent::Scratch => Ok(Arc::default()),
            Parent::Image(BaseIndex(base)) => {
                Ok(Arc::new(Tree { base: self.facts.bases[base].clone(), layers: Vec::new() }))
            }
            Parent::Step(StepIndex(step)) => {
                let tree = locked(&self.trees[step]).clone();
                tree.ok_or_else(|| {
                    Error::Bug(format!("{} was needed before it was made", self.steps[step].name))
                })
            }
        }
    }

    /// The tree at the end of a stage.
    pub fn result_of(&self, stage: StageIndex) -> Parent {
        self.stages[stage.0].as_ref().map_or(Parent::Scratch, |stage| stage.result)
    }

    /// Whether every layer of `record` that was made here still exists.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub fn is_whole(&self, record: &Record) -> Result<bool, Error> {
        let mut seen = BTreeMap::new();
        self.has_all(record, &mut seen)
    }

    /// The same for many records: `seen` remembers what was found out about layers.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub fn has_all(&self, record: &Record, seen: &mut BTreeMap<DiffId, bool>) -> Result<bool, Error> {
        for layer in &record.layers {
            let known = match seen.get(&layer.diff_id) {
                Some(known) => *known,
                None => {
                    let has = !self.is_lost(&layer.diff_id) && self.has(&layer.diff_id)?;
                    seen.insert(layer.diff_id.clone(), has);
                    has
                }
            };
            if !known {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the layer can be used and given away: as a blob, or unpacked so that its archive can be made again.
    fn has(&self, layer: &DiffId) -> Result<bool, Error> {
        let snapshots = self.doors.snapshots()?;
        match snapshots.info(layer)? {
            Some(info) if matches!(info.origin, snapshot::Origin::Committed { .. }) => Ok(true),
            Some(_) => Ok(self.sources.get(layer).is_some()
                || self.blob(layer)?.is_some()
                || snapshots.can_remake(layer)?),
            None => Ok(self.blob(layer)?.is_some()),
        }
    }

    /// A blob of the store that holds the layer.
    fn blob(&self, layer: &DiffId) -> Result<Option<Descriptor>, Error> {
        let blobs = self.doors.store().layer_blobs(layer)?;
        let there = blobs.into_iter().find(|blob| self.doors.store().has(&blob.descriptor.digest));
        Ok(there.map(|blob| blob.descriptor))
    }
}

/// How a layer that a step made leaves: as its tar, which is made again from what is unpacked here, or as the blob it came
/// as, with who has that.
///
/// # Errors
/// [`Error::Lost`] if neither is to be had.
pub fn layer_blob(
    world: &World,
    layer: &DiffId,
    size: u64,
) -> Result<(Descriptor, Option<LayerSource>), Error> {
    let snapshots = world.doors.snapshots()?;
    let info = snapshots.info(layer)?;
    let tar = Descriptor::new(media::OCI_LAYER, layer.clone(), size);
    let made_here = matches!(info, Some(info) if matches!(info.origin, snapshot::Origin::Committed { .. }));
    if made_here || world.doors.store().has(&tar.digest) {
        return Ok((tar, None));
    }
    if let Some(source) = world.sources.get(layer) {
        return Ok((source.descriptor.clone(), Some(source)));
    }
    if let Some(blob) = world.blob(layer)? {
        return Ok((blob, None));
    }
    if snapshots.can_remake(layer)? {
        return Ok((tar, None));
    }
    let why = Failure::new(Kind::Input, "it is neither unpacked nor among the blobs of the store");
    Err(Error::Lost { layer: layer.clone(), source: Box::new(why) })
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
