//! The trees that a step reads beside the one it is built upon.
//!
//! Before a step is made, [`reads`] has the trees of stages and images unpacked and hashes what is read of them; the
//! action then opens them: [`with_source`] for copying from, `mountable` for mounting into a RUN.

use std::sync::Arc;

use crate::base::{ContentHash, DiffId, KeyHasher};
use crate::build::Error;
use crate::build::execute::{Tree, World, unpacked_tree, with_world};
use crate::build::facts::selection;
use crate::build::step::{From, Parent, Read, StepIndex};
use crate::report::Context;
use crate::snapshot;
use crate::snapshot::tree::Source;

/// A read of a step whose tree is at hand.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The content of what is read.
    pub hash: ContentHash,
    /// The unpacked layers it is read from; `None` for a context.
    pub tree: Option<Arc<Tree>>,
}

/// Makes the trees ready that the step reads, in order of its reads.
///
/// # Errors
/// If a layer cannot be had, or what is to be read is missing.
pub async fn reads(cx: &Context, world: &Arc<World>, index: StepIndex) -> Result<Vec<Ready>, Error> {
    let mut ready = Vec::new();
    for (nth, read) in world.steps[index.0].reads.iter().enumerate() {
        if let Some(hash) = world.facts.selections.get(&(index, nth)) {
            ready.push(Ready { hash: *hash, tree: None });
            continue;
        }
        let parent = match read.from {
            From::Stage(stage) => world.result_of(stage),
            From::Image(base) => Parent::Image(base),
            From::Scratch => Parent::Scratch,
            From::Context(_) => return Err(Error::Bug("a read of a context was not looked at".into())),
        };
        let tree = unpacked_tree(cx, world, parent).await?;
        let reading = Arc::clone(&tree);
        let hash =
            with_world(world, move |world| hash(world, &world.steps[index.0].reads[nth], &reading.chain()))
                .await?;
        ready.push(Ready { hash, tree: Some(tree) });
    }
    Ok(ready)
}

/// The content of what is read of unpacked layers, which is found out once.
fn hash(world: &World, read: &Read, layers: &[DiffId]) -> Result<ContentHash, Error> {
    let snapshots = world.doors.snapshots()?;
    let part = part(read);
    if let Some(known) = snapshots.known_hash(layers, &part) {
        return Ok(known);
    }
    let view = snapshots.view(layers)?;
    let source = Source { root: view.root(), filter: None, root_owned: false };
    let hash = selection::hash(&source, read, None).map_err(|e| not_found(e, world, read))?;
    snapshots.remember_hash(layers, &part, &hash)?;
    Ok(hash)
}

/// What is read of a tree, whichever it is.
fn part(read: &Read) -> ContentHash {
    let Read { from: _, paths, wildcards, include, exclude, unpack: _ } = read;
    let mut key = KeyHasher::new("lapstrake read v1");
    key.list("paths", paths).number("wildcards", (*wildcards).into());
    key.list("include", include).list("exclude", exclude);
    key.finish()
}

/// Says where something was looked for.
pub fn not_found(error: snapshot::Error, world: &World, read: &Read) -> Error {
    let snapshot::Error::NoSource { path, .. } = &error else { return error.into() };
    let place = match read.from {
        From::Scratch => "scratch".to_owned(),
        From::Context(context) => world.contexts[context.0].title.clone(),
        From::Stage(stage) => format!("stage {}", stage.0),
        From::Image(base) => format!("image {}", world.base_names[base.0]),
    };
    Error::input(format!("{path:?}: not found in {place}"))
}

/// Calls `work` with the tree of a read as a source of COPY.
///
/// # Errors
/// If the layers cannot be merged; those of `work`.
pub fn with_source<T>(
    cx: &Context,
    world: &World,
    (read, ready): (&Read, &Ready),
    work: impl FnOnce(Source<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    match (&ready.tree, read.from) {
        (None, From::Context(context)) => {
            world.contexts[context.0].prepare(cx, read)?;
            world.contexts[context.0].with_source(work)
        }
        (None, _) => Err(Error::Bug("a tree was to be read that was not unpacked".into())),
        (Some(tree), _) => {
            let view = world.doors.snapshots()?.view(&tree.chain())?;
            work(Source { root: view.root(), filter: None, root_owned: false })
        }
    }
}
