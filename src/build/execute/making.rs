//! One step: adopt a known result or make a new one.

use std::sync::Arc;

use crate::base::{Failure, Kind, StepKey};
use crate::build::cache::Offer;
use crate::build::execute::reading::{self, Ready};
use crate::build::execute::{Tree, World, caching, copying, running, unpacked_tree, with_world};
use crate::build::keys::{KeyInputs, ParentIdentity, Recipe, SourceIdentity, step_key};
use crate::build::step::{Action, Read, Step, StepIndex};
use crate::build::transfer::Departing;
use crate::build::why::{self, Ended};
use crate::build::{Error, Output, blocking};
use crate::host::lock::{FileLock, Sharing};
use crate::report::{Context, Outcome, Task, TaskKind};
use crate::snapshot::copy as trees;
use crate::snapshot::{self, Committed, DiffOptions, Writable};
use crate::stages::{Record, RecordLayer, StepKeys};

/// Adopts or makes the step and reports it.
pub async fn make(cx: &Context, world: &Arc<World>, index: StepIndex) -> Result<Tree, Error> {
    let step = &world.steps[index.0];
    let task = Arc::new(cx.report.task(TaskKind::Step, step.name.clone()));
    let result = adopt_or_make(cx, world, index, &task).await;
    let task = Arc::into_inner(task);
    match (result, task) {
        (Ok((tree, outcome)), Some(task)) => {
            world.note(index, if outcome == Outcome::Done { Ended::Made } else { Ended::Cached });
            let detail = tree.layers.last().map(|layer| layer.diff_id.to_string());
            task.finish(outcome, detail);
            Ok(tree)
        }
        (Ok((tree, _)), None) => Ok(tree),
        (Err(Error::Cancelled), _) => Err(Error::Cancelled),
        (Err(Error::Lost { layer, source }), _) => Err(Error::Lost { layer, source }),
        (Err(Error::Snapshot(snapshot::Error::Missing { layer })), _) => {
            let source = Box::new(snapshot::Error::Missing { layer: layer.clone() }.into());
            Err(Error::Lost { layer, source })
        }
        (Err(error), task) => {
            let failure = Failure::from(error);
            if let Some(task) = task {
                task.finish(Outcome::Failed(failure.message().to_owned()), None);
            }
            Err(Error::Step { name: step.name.clone(), span: step.span.clone(), source: Box::new(failure) })
        }
    }
}

/// A step that failed on a full disk most often does not know that it is the store's.
fn full(world: &World, failure: Failure) -> Failure {
    match world.doors.store().is_full() {
        Some(mount) if failure.kind() == Kind::Workload || failure.hints().is_empty() => failure.hint(format!(
            "no space is left on {}, where the store is: free space there, for example with `lap image prune`, or move \
             the store with LAP_HOME",
            mount.display()
        )),
        _ => failure,
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
    world.saw(index, ready.iter().map(|ready| ready.hash).collect());
    let key = content_key(world, index, &parent, &ready);
    let reuse = !world.forced.contains(&index);
    if reuse && let Some(tree) = known(world, index, key, &parent).await? {
        share(cx, world, index, key, &tree);
        return Ok((tree, Outcome::Cached));
    }
    let path = world.doors.locks().join(format!("step-{key}"));
    let _lock = blocking(move || Ok(FileLock::wait(path, Sharing::Exclusive)?)).await?;
    if reuse && let Some(tree) = known(world, index, key, &parent).await? {
        share(cx, world, index, key, &tree);
        return Ok((tree, Outcome::Cached));
    }
    if reuse && let Some(tree) = shared_by_others(cx, world, key, &parent).await? {
        let tree = publish(world, index, key, tree).await?;
        share(cx, world, index, key, &tree);
        return Ok((tree, Outcome::Cached));
    }
    if !is_link(world, index) {
        unpacked_tree(cx, world, world.steps[index.0].parent).await?;
    }
    caching::bring(cx, world, index, &ready).await?;
    let layer = {
        let (parent, inner, task) = (Arc::clone(&parent), cx.clone(), Arc::clone(task));
        with_world(world, move |world| {
            act(&inner, world, index, &Scene { parent: &parent, ready: &ready, task: &task })
        })
        .await?
    };
    let mut made = parent.with(layer);
    if !world.fresh[index.0]
        && let Some(theirs) = world.cache.exports.standing(cx, world, &key).await
        && let Some(own) = theirs.layers.last()
    {
        made = parent.with(own.clone());
    }
    let tree = publish(world, index, key, made).await?;
    depart(cx, world, index, &tree);
    share(cx, world, index, key, &tree);
    Ok((tree, Outcome::Done))
}

/// Begins to compress what the step made, if it is to leave the machine with the image.
fn depart(cx: &Context, world: &World, index: StepIndex, tree: &Tree) {
    let Some(own) = tree.layers.last().filter(|_| world.is_of_target(index)) else { return };
    for compression in world.request.outputs.iter().filter_map(Output::compresses) {
        let job = Departing {
            title: world.steps[index.0].name.clone(),
            layer: own.diff_id.clone(),
            tar: own.diff_id.clone().into(),
            compression,
        };
        world.doors.departures().begin(cx, &world.doors, job);
    }
}

/// The result that somebody else knows under the content key.
async fn shared_by_others(
    cx: &Context,
    world: &World,
    key: StepKey,
    parent: &Tree,
) -> Result<Option<Tree>, Error> {
    let found = world.cache.imports.look_up(cx, &[key], &world.lost()).await?;
    let Some(found) = found.get(&key) else { return Ok(None) };
    found.sources().for_each(|source| world.sources.add(source));
    Ok(found.shared.record.layers.last().map(|own| parent.with(own.clone())))
}

/// Begins to leave the result for others.
fn share(cx: &Context, world: &Arc<World>, index: StepIndex, key: StepKey, tree: &Tree) {
    let keys = StepKeys { definition: world.keys[index.0], content: Some(key) };
    let offer = Offer { step: index, keys, tree: tree.clone(), replace: world.fresh[index.0] };
    world.cache.exports.offer(cx, world, &offer);
}

fn content_key(world: &World, index: StepIndex, parent: &Tree, ready: &[Ready]) -> StepKey {
    let parent = if is_link(world, index) { ParentIdentity::Scratch } else { parent.identity() };
    let sources: Vec<_> = ready.iter().map(|ready| SourceIdentity::Content(ready.hash)).collect();
    let inputs =
        KeyInputs { parent: &parent, sources: &sources, source_date_epoch: world.facts.source_date_epoch };
    step_key(Recipe::Content, &world.steps[index.0], &inputs)
}

/// Whether the step makes its layer without a look at the tree it is put upon: a layer of its own, which stays when that
/// tree changes.
fn is_link(world: &World, index: StepIndex) -> bool {
    matches!(&world.steps[index.0].action, Action::Copy(copy) if copy.link)
}

/// What stands in the record under a step's content key: of a link only its own layer.
fn recorded(world: &World, index: StepIndex, tree: &Tree) -> Tree {
    match is_link(world, index) {
        true => Tree { base: Vec::new(), layers: tree.layers.last().cloned().into_iter().collect() },
        false => tree.clone(),
    }
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
        let keep = |known: &Record| !world.fresh[index.0] && whole(world, known);
        records.publish(definition_record(world, index, key, &tree), keep)?;
        Ok(Some(tree))
    })
    .await
}

/// Publishes under both keys and adopts what stands: whoever was first decides for all.
async fn publish(world: &Arc<World>, index: StepIndex, key: StepKey, tree: Tree) -> Result<Tree, Error> {
    with_world(world, move |world| {
        let (records, origin) = (world.doors.records(), &world.steps[index.0].origin);
        // A rebuild on demand replaces what was known; else the first record wins.
        let keep = |known: &Record| !world.fresh[index.0] && whole(world, known);
        let stands = records.publish(recorded(world, index, &tree).record(key, origin), keep)?;
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
        records.publish(definition_record(world, index, key, &tree), keep)?;
        Ok(tree)
    })
    .await
}

/// The record under the definition key, which names the content key too.
fn definition_record(world: &World, index: StepIndex, content: StepKey, tree: &Tree) -> Record {
    let record = tree.record(world.keys[index.0], &world.steps[index.0].origin);
    Record { content: Some(content), ..record }
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
    let below = if is_link(world, index) { Vec::new() } else { scene.parent.chain() };
    let mut tree = world.doors.snapshots()?.writable(&below)?;
    let reads: Vec<(&Read, &Ready)> = step.reads.iter().zip(scene.ready).collect();
    let done = std::thread::scope(|scope| {
        // Listing what is read takes about as long as copying it, so both are done at once.
        if !reads.is_empty() {
            scope.spawn(|| keep_reads(cx, world, step, &reads));
        }
        match &step.action {
            Action::Run(run) => running::run(cx, world, (run, &reads), &mut tree, scene.task),
            Action::Copy(copy) => copying::copy(cx, world, (copy, &reads), &mut tree),
            Action::Workdir(workdir) => make_workdir(cx, world, workdir, &mut tree),
        }
    });
    if let Err(error) = done {
        let Error::Workload(failure) = error else { return Err(error) };
        // Asked while the step's tree still takes the room it took.
        let failure = full(world, *failure);
        if let Some(introspection) = &world.request.run.introspection {
            introspection.keep_tree(world, tree, &below)?;
        }
        return Err(Error::Workload(Box::new(failure)));
    }
    if cx.cancel.is_cancelled() {
        return Err(Error::Cancelled);
    }
    let Committed { diff_id, size, .. } =
        tree.commit(&DiffOptions { source_date_epoch: clamp(world, step) })?;
    Ok(RecordLayer { diff_id, size, created: world.epoch })
}

/// Keeps lists of what the step reads, for `lap why`.
fn keep_reads(cx: &Context, world: &World, step: &Step, reads: &[(&Read, &Ready)]) {
    for (read, ready) in reads {
        let kept = reading::with_source(cx, world, (read, ready), |source| {
            why::keep_files(cx, world, (read, &ready.hash), source)
        });
        if let Err(error) = kept {
            let why = Failure::from(error);
            cx.report.warn(format!("what {} reads cannot be kept for `lap why`: {why}", step.name));
        }
    }
}

/// Copies keep their times unless a time was asked for; what a step makes gets no time later than the build's, and so
/// has none when it is copied.
fn clamp(world: &World, step: &Step) -> Option<i64> {
    match &step.action {
        Action::Copy(_) => world.facts.source_date_epoch,
        _ => Some(world.epoch),
    }
}

/// Folders that WORKDIR makes belong to USER; an unknown one counts as root, and an unknown group as the user's own, as
/// BuildKit has it, but that is said.
fn make_workdir(
    cx: &Context,
    world: &World,
    workdir: &crate::build::step::Workdir,
    tree: &mut Writable,
) -> Result<(), Error> {
    let root = tree.mounted()?.to_owned();
    let owner = |user: &str| {
        trees::resolve_owner(&root, user).unwrap_or_else(|error| {
            let nobody = trees::Ownership { uid: 0, gid: 0 };
            let owner = trees::resolve_owner_leniently(&root, user).unwrap_or(nobody);
            let (path, trees::Ownership { uid, gid }) = (&workdir.path, owner);
            cx.report.warn(format!("WORKDIR {path}: {error}; the folder belongs to {uid}:{gid}"));
            owner
        })
    };
    let owner = Some(workdir.user.as_str()).filter(|user| !user.is_empty()).map(owner);
    trees::make_directory(&root, workdir.path.as_bytes(), owner, world.epoch)?;
    Ok(())
}
