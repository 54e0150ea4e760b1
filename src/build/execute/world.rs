//! What a running build knows: its inputs, and the trees that are finished.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::base::{ChainId, DiffId, StepKey};
use crate::build::facts::agents::Agents;
use crate::build::facts::context::ContextTree;
use crate::build::facts::secrets::Secrets;
use crate::build::keys::ParentIdentity;
use crate::build::plan::Facts;
use crate::build::step::{BaseIndex, Parent, Stage, StageIndex, Step, StepIndex};
use crate::build::transfer::LayerSource;
use crate::build::transfer::cachemounts::Traveller;
use crate::build::{Doors, Error, Request};
use crate::stages::{Record, RecordLayer};

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
    /// Where layers of base images can be had.
    pub sources: BTreeMap<DiffId, LayerSource>,
    /// Values of secrets.
    pub secrets: Secrets,
    /// Agents.
    pub agents: Agents,
    /// Base images as they are written.
    pub base_names: Vec<String>,
}

/// A running build: its inputs, and the trees that are finished.
pub struct World {
    /// The services.
    pub doors: Doors,
    inputs: WorldInputs,
    trees: Vec<OnceLock<Arc<Tree>>>,
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
    pub fn new(doors: Doors, inputs: WorldInputs) -> Self {
        let trees = inputs.steps.iter().map(|_| OnceLock::new()).collect();
        Self { doors, inputs, trees, cache_mounts: Mutex::default() }
    }

    /// Takes note of a cache mount that a step uses.
    pub fn uses(&self, cache: Traveller) {
        self.cache_mounts.lock().unwrap_or_else(PoisonError::into_inner).insert(cache);
    }

    /// The cache mounts that steps used until now.
    pub fn used(&self) -> Vec<Traveller> {
        self.cache_mounts.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Takes note of a finished step.
    pub fn finished(&self, step: StepIndex, tree: Tree) {
        let _ = self.trees[step.0].set(Arc::new(tree));
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
                let tree = self.trees[step].get().cloned();
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
        is_whole(&self.doors, record)
    }
}

/// Whether every layer of `record` that was made here still exists, unpacked or as a blob.
///
/// # Errors
/// If the store cannot be asked.
pub fn is_whole(doors: &Doors, record: &Record) -> Result<bool, Error> {
    let snapshots = doors.snapshots()?;
    for layer in &record.layers {
        if snapshots.contains(&layer.diff_id) {
            continue;
        }
        let blobs = doors.store().layer_blobs(&layer.diff_id)?;
        if !blobs.iter().any(|blob| doors.store().has(&blob.descriptor.digest)) {
            return Ok(false);
        }
    }
    Ok(true)
}
