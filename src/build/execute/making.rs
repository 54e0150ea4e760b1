//! One step: adopt a known result or make a new one.

use std::sync::Arc;

use crate::base::{Failure, StepKey};
use crate::build::execute::reading::{self, Ready};
use crate::build::execute::{Tree, World, caching, copying, running, unpacked_tree, with_world};
use crate::build::keys::{KeyInputs, Recipe, SourceIdentity, step_key};
use crate::build::step::{Action, From, Read, Step, StepIndex};
use crate::build::{Error, blocking};
use crate::host::lock::{FileLock, Sharing};
use crate::report::{Context, Outcome, Task, TaskKind};
use crate::snapshot::copy as trees;
use crate::snapshot::{Committed, DiffOptions, Writable};
use crate::stages::{Record, RecordLayer};

/// Adopts or makes the step and reports it.
pub async fn make(cx: &Context, world: &Arc<World>, index: StepIndex) -> Result<Tree, Error> {
    let step = &world.steps[index.0];
    let task = Arc::new(cx.report.task(TaskKind::Step, step.name.clone()));
    let result = adopt_or_make(cx, world, index, &task).await;
    let task = Arc::into_inner(task);
    match (result, task) {
        (Ok((tree, outcome)), Some(task)) => {
            let detail = tree.layers.last().map(|layer| layer.diff_id.to_string());
            task.finish(outcome, detail);
            Ok(tree)
        }
        (Ok((tree, _)), None) => Ok(tree),
        (Err(Error::Cancelled), _) => Err(Error::Cancelled),
        (Err(error), task) => {
            let failure = Failure::from(error);
            if let Some(task) = task {
                task.finish(Outcome::Failed(failure.message().to_owned()), None);
            }
            Err(Error::Step { name: step.name.clone(), span: step.span.clone(), source: Box::new(failure) })
        }
    }
}

async fn adopt_or_make(
    cx: &Context,
    world: &Arc<World>,
    index: StepIndex,
    task: &Arc<Task>,
) -> Result<(Tree, Outcome), Error> {
    if cx.cancel.is_cancelled() {
        return Err(Error::Cancelled);
    }
    let parent = world.tree(world.steps[index.0].parent)?;
    let ready = reading::reads(cx, world, index).await?;
    let key = content_key(world, index, &parent, &ready);
    let reuse = !world.request.no_cache;
    if reuse && let Some(tree) = known(world, index, key, &parent).await? {
        return Ok((tree, Outcome::Cached));
    }
    let path = world.doors.locks().join(format!("step-{key}"));
    let _lock = blocking(move || Ok(FileLock::wait(path, Sharing::Exclusive)?)).await?;
    if reuse && let Some(tree) = known(world, index, key, &parent).await? {
        return Ok((tree, Outcome::Cached));
    }
    unpacked_tree(cx, world, world.steps[index.0].parent).await?;
    caching::bring(cx, world, index, &ready).await?;
    let layer = {
        let (parent, inner, task) = (Arc::clone(&parent), cx.clone(), Arc::clone(task));
        with_world(world, move |world| {
            act(&inner, world, index, &Scene { parent: &parent, ready: &ready, task: &task })
        })
        .await?
    };
    let tree = publish(world, index, key, parent.with(layer)).await?;
    Ok((tree, Outcome::Done))
}

fn content_key(world: &World, index: StepIndex, parent: &Tree, ready: &[Ready]) -> StepKey {
    let parent = parent.identity();
    let sources: Vec<_> = ready.iter().map(|ready| SourceIdentity::Content(ready.hash)).collect();
    let inputs =
        KeyInputs { parent: &parent, sources: &sources, source_date_epoch: world.facts.source_date_epoch };
    step_key(Recipe::Content, &world.steps[index.0], &inputs)
}

/// The result that is known under the content key; it is then known under the definition key too.
async fn known(
    world: &Arc<World>,
    index: StepIndex,
    key: StepKey,
    parent: &Arc<Tree>,
) -> Result<Option<Tree>, Error> {
    let parent = Arc::clone(parent);
    with_world(world, move |world| {
        let records = world.doors.records();
        let Some(record) = records.get(&key)? else { return Ok(None) };
        if !world.is_whole(&record)? {
            return Ok(None);
        }
        let Some(layer) = record.layers.last().cloned() else { return Ok(None) };
        let tree = parent.with(layer);
        let origin = &world.steps[index.0].origin;
        records.publish(tree.record(world.keys[index.0], origin), |known| whole(world, known))?;
        Ok(Some(tree))
    })
    .await
}

/// Publishes under both keys and adopts what stands: whoever was first decides for all.
async fn publish(world: &Arc<World>, index: StepIndex, key: StepKey, tree: Tree) -> Result<Tree, Error> {
    with_world(world, move |world| {
        let (records, origin) = (world.doors.records(), &world.steps[index.0].origin);
        // A rebuild on demand replaces what was known; else the first record wins.
        let keep = |known: &Record| !world.request.no_cache && whole(world, known);
        let stands = records.publish(tree.record(key, origin), keep)?;
        let layers = match stands.layers.last() {
            Some(own) => {
                let mut layers = tree.layers.clone();
                layers.pop();
                layers.push(own.clone());
                layers
            }
            None => tree.layers.clone(),
        };
        let tree = Tree { base: tree.base.clone(), layers };
        records.publish(tree.record(world.keys[index.0], origin), keep)?;
        Ok(tree)
    })
    .await
}

fn whole(world: &World, record: &Record) -> bool {
    world.is_whole(record).unwrap_or(false)
}

struct Scene<'a> {
    parent: &'a Tree,
    ready: &'a [Ready],
    task: &'a Task,
}

fn act(cx: &Context, world: &World, index: StepIndex, scene: &Scene<'_>) -> Result<RecordLayer, Error> {
    let step = &world.steps[index.0];
    let mut tree = world.doors.snapshots()?.writable(&scene.parent.chain())?;
    let reads: Vec<(&Read, &Ready)> = step.reads.iter().zip(scene.ready).collect();
    match &step.action {
        Action::Run(run) => running::run(cx, world, (run, &reads), &mut tree, scene.task)?,
        Action::Copy(copy) => copying::copy(cx, world, (copy, &reads), &mut tree)?,
        Action::Workdir(workdir) => make_workdir(cx, world, workdir, &mut tree)?,
    }
    if cx.cancel.is_cancelled() {
        return Err(Error::Cancelled);
    }
    let Committed { diff_id, size, .. } =
        tree.commit(&DiffOptions { source_date_epoch: clamp(world, step) })?;
    Ok(RecordLayer { diff_id, size, created: world.epoch })
}

/// Files of the context keep their times unless a time was asked for; what a step makes, or copies from what a step
/// made, gets no time later than the build's.
fn clamp(world: &World, step: &Step) -> Option<i64> {
    let outside = step.reads.iter().all(|read| matches!(read.from, From::Context(_)));
    match &step.action {
        Action::Copy(_) if outside => world.facts.source_date_epoch,
        _ => Some(world.epoch),
    }
}

/// Folders that WORKDIR makes belong to USER; an unknown one counts as root, as BuildKit has it, but is said.
fn make_workdir(
    cx: &Context,
    world: &World,
    workdir: &crate::build::step::Workdir,
    tree: &mut Writable,
) -> Result<(), Error> {
    let root = tree.mounted()?.to_owned();
    let nobody = trees::Ownership { uid: 0, gid: 0 };
    let owner = match workdir.user.as_str() {
        "" => nobody,
        user => trees::resolve_owner(&root, user).unwrap_or_else(|_| {
            cx.report.warn(format!(
                "WORKDIR {}: user {user} is not known, the folder belongs to root",
                workdir.path
            ));
            nobody
        }),
    };
    trees::make_directory(&root, workdir.path.as_bytes(), owner, world.epoch)?;
    Ok(())
}
