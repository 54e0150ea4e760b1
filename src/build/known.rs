//! What is known of the steps before anything runs, and the plan that follows from it.
//!
//! Our own records are asked first. What they leave to be made is asked of others, all keys at once; answers become
//! records of our own, so that nobody is asked twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::StepKey;
use crate::build::cache::Offer;
use crate::build::execute::{Tree, World};
use crate::build::plan::{self, Known, Plan, Verdict};
use crate::build::step::{StageIndex, StepIndex};
use crate::build::{Error, blocking};
use crate::report::Context;
use crate::stages::{Record, StepKeys};

/// Plans with all that is known here and elsewhere, and begins to share what is known here.
///
/// # Errors
/// If records cannot be read; others who do not answer are only said.
pub async fn plan(cx: &Context, world: &Arc<World>, target: StageIndex) -> Result<Plan, Error> {
    let mut known = Known { records: ours(world).await?, fresh: world.fresh.clone() };
    let make = |known: &Known| plan::plan(&world.steps, &world.stages, target, world.keys.clone(), known);
    let mut plan = make(&known);
    let open = plan.dag.iter().map(|(_, step)| step.0).filter(|step| {
        plan.verdicts[*step] == Verdict::Make && !world.fresh[*step] && !world.cache.imports.is_empty()
    });
    let keys: Vec<StepKey> = open.map(|step| world.keys[step]).collect();
    let theirs = world.cache.imports.look_up(cx, &keys, &world.lost()).await?;
    if !theirs.is_empty() {
        for (key, found) in theirs {
            found.sources().for_each(|source| world.sources.add(source));
            known.records.insert(key, found.shared.record);
        }
        plan = make(&known);
        remember(world, &plan).await?;
    }
    if !world.cache.exports.is_empty() {
        share(cx, world, &known);
    }
    Ok(plan)
}

/// The records that are whole here.
async fn ours(world: &Arc<World>) -> Result<BTreeMap<StepKey, Record>, Error> {
    if world.fresh.iter().all(|fresh| *fresh) {
        return Ok(BTreeMap::new());
    }
    let world = Arc::clone(world);
    blocking(move || {
        let records = world.doors.records();
        let (mut known, mut seen) = (BTreeMap::new(), BTreeMap::new());
        for key in &world.keys {
            if let Some(record) = records.get(key)?
                && world.has_all(&record, &mut seen)?
            {
                known.insert(*key, record);
            }
        }
        Ok(known)
    })
    .await
}

/// Keeps what is used of others' results as records of our own.
async fn remember(world: &Arc<World>, plan: &Plan) -> Result<(), Error> {
    let used = plan.verdicts.iter().filter_map(|verdict| match verdict {
        Verdict::Reuse(record) => Some(record.clone()),
        _ => None,
    });
    let (used, world): (Vec<Record>, _) = (used.collect(), Arc::clone(world));
    blocking(move || {
        for record in used {
            world.doors.records().publish(record, |known| world.is_whole(known).unwrap_or(false))?;
        }
        Ok(())
    })
    .await
}

/// Begins to leave what is known here for others, needed in this build or not.
fn share(cx: &Context, world: &Arc<World>, known: &Known) {
    for (index, key) in world.keys.iter().enumerate() {
        let Some(record) = known.records.get(key).filter(|_| !world.fresh[index]) else { continue };
        let keys = StepKeys { definition: *key, content: record.content };
        let tree = Tree { base: record.base.clone(), layers: record.layers.clone() };
        world.cache.exports.offer(cx, world, &Offer { step: StepIndex(index), keys, tree, replace: false });
    }
}
