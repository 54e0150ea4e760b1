//! Acting on a plan: each needed step is adopted or made, in the order of the graph, as many at once as allowed.
//!
//! Per step: content key → known result? → lock → look again → unpack what lies below → do it in a tree that takes
//! changes → commit the changes as a layer → publish the record. A killed process leaves at worst an unfinished tree,
//! which nobody takes for a layer.

mod caching;
mod copying;
mod introspecting;
mod making;
mod mountable;
mod mounting;
mod reading;
mod running;
mod world;

use std::sync::Arc;

use crate::base::{DiffId, NodeId};
use crate::build::plan::{Plan, Verdict};
use crate::build::step::{Parent, StepIndex};
use crate::build::why::Ended;
use crate::build::{Error, blocking, transfer};
use crate::report::{Context, Outcome, PlannedStep, TaskKind};
use crate::{content, registry, schedule, snapshot};

pub(super) use caching::{keep, trim};
pub use introspecting::{FailedPlace, Introspection};
pub use world::{Tree, World, WorldInputs, layer_blob};

/// Carries out `plan`; afterwards the world knows the tree of every needed step.
///
/// # Errors
/// [`Error::Step`] of the first step that fails; the others are stopped.
pub async fn execute(cx: &Context, world: &Arc<World>, plan: &Plan) -> Result<(), Error> {
    let name = |node: NodeId| world.steps[plan.dag.node(node).0].name.clone();
    let planned = |node: NodeId| PlannedStep {
        name: name(node),
        after: plan.dag.dependencies(node).iter().map(|below| name(*below)).collect(),
    };
    cx.report.planned(plan.dag.iter().map(|(node, _)| planned(node)).collect());
    for (index, verdict) in plan.verdicts.iter().enumerate() {
        let ended = match verdict {
            Verdict::Unneeded => Ended::Unneeded,
            Verdict::Reuse(_) => Ended::Cached,
            Verdict::Make => Ended::Unfinished,
        };
        world.note(StepIndex(index), ended);
        if *verdict != Verdict::Make {
            let task = cx.report.task(TaskKind::Step, world.steps[index].name.clone());
            task.finish(Outcome::Cached, None);
        }
    }
    // What fails cancels its siblings, but not what the caller does after.
    let inner = cx.child();
    let work = |node: NodeId, _| {
        let (world, cx, step) = (Arc::clone(world), inner.clone(), *plan.dag.node(node));
        let verdict = plan.verdicts[step.0].clone();
        async move { one(&cx, &world, step, verdict).await }
    };
    schedule::run(&plan.dag, cx.limits.jobs, &inner.cancel, work).await?;
    if cx.cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
}

async fn one(cx: &Context, world: &Arc<World>, step: StepIndex, verdict: Verdict) -> Result<(), Error> {
    let tree = match verdict {
        Verdict::Unneeded => return Ok(()),
        Verdict::Reuse(record) => Tree { base: record.base, layers: record.layers },
        Verdict::Make => making::make(cx, world, step).await?,
    };
    world.finished(step, tree);
    Ok(())
}

/// Makes sure that `layer` is unpacked.
///
/// # Errors
/// If it is neither unpacked nor to be had; [`Error::Lost`] if it is one that a step made, so that making it again helps.
pub async fn unpacked(cx: &Context, world: &World, layer: &DiffId) -> Result<(), Error> {
    let source = world.sources.get(layer);
    let result = transfer::unpack(cx, &world.doors, layer, source.as_ref()).await;
    result.map_err(|error| match error {
        error if !world.is_of_base(layer) && can_be_made_again(&error) => {
            Error::Lost { layer: layer.clone(), source: Box::new(error.into()) }
        }
        error => error,
    })
}

/// Whether the layer is the problem, or who has it, and not this machine.
pub fn can_be_made_again(error: &Error) -> bool {
    match error {
        Error::Input { .. } => true,
        Error::Registry(error) => !matches!(
            error,
            registry::Error::Cancelled | registry::Error::Local(_) | registry::Error::Settings(_)
        ),
        Error::Store(error) => matches!(
            error,
            content::Error::NotFound { .. }
                | content::Error::WrongDigest { .. }
                | content::Error::WrongSize { .. }
                | content::Error::Damaged { .. }
                | content::Error::Input { .. }
        ),
        Error::Snapshot(error) => matches!(
            error,
            snapshot::Error::Archive { .. }
                | snapshot::Error::WrongDigest { .. }
                | snapshot::Error::Missing { .. }
        ),
        // A blob in a folder of somebody else's, or one that is no archive.
        Error::Host(error) => error.is_not_found() || error.action == "read layer",
        _ => false,
    }
}

/// The tree of `parent` as one that can be read: every layer of it is unpacked.
async fn unpacked_tree(cx: &Context, world: &World, parent: Parent) -> Result<Arc<Tree>, Error> {
    let tree = world.tree(parent)?;
    let layers = tree.chain();
    world.doors.snapshots()?.check_depth(layers.len())?;
    futures_util::future::try_join_all(layers.iter().map(|layer| unpacked(cx, world, layer))).await?;
    Ok(tree)
}

/// Runs `work` on a thread that may block, with the world at hand.
async fn with_world<T, F>(world: &Arc<World>, work: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: FnOnce(&World) -> Result<T, Error> + Send + 'static,
{
    let world = Arc::clone(world);
    blocking(move || work(&world)).await
}
