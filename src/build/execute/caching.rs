//! The cache mounts of a RUN: taken before the step, given back after it, and kept within their limit.

use std::collections::BTreeMap;

use crate::base::ContentHash;
use crate::build::Error;
use crate::build::execute::World;
use crate::build::execute::mountable::{Mountable, mountable};
use crate::build::execute::reading::Ready;
use crate::build::mount::{Access, Cache, RunMount, Sharing};
use crate::build::step::{Action, Read, Run, StepIndex};
use crate::build::transfer::cachemounts::{self, Traveller};
use crate::report::Context;
use crate::snapshot;
use crate::snapshot::cachemounts::{Held, Wanted};

/// Caches in use, by their identity.
pub type Caches = BTreeMap<ContentHash, Held>;

/// The identity of a cache.
pub fn key(cache: &Cache, reads: &[(&Read, &Ready)]) -> ContentHash {
    cache.key(seed(cache, reads).map(|(_, ready)| &ready.hash))
}

fn seed<'a>(cache: &Cache, reads: &[(&'a Read, &'a Ready)]) -> Option<(&'a Read, &'a Ready)> {
    cache.read.and_then(|index| reads.get(index)).copied()
}

/// The caches among the mounts of a step.
fn caches(run: &Run) -> impl Iterator<Item = &Cache> {
    run.mounts.iter().filter_map(|mount| match mount {
        RunMount::Cache(cache) => Some(cache),
        _ => None,
    })
}

/// Brings the caches of a step that are kept elsewhere and are not here.
///
/// # Errors
/// If a stop is asked for.
pub async fn bring(cx: &Context, world: &World, index: StepIndex, ready: &[Ready]) -> Result<(), Error> {
    let Some(repository) = &world.request.run.cache_mounts.from else { return Ok(()) };
    let step = &world.steps[index.0];
    let Action::Run(run) = &step.action else { return Ok(()) };
    let reads: Vec<_> = step.reads.iter().zip(ready).collect();
    for cache in caches(run) {
        let wanted = Traveller { key: key(cache, &reads), id: cache.id.clone() };
        cachemounts::bring(cx, &world.doors, repository, &wanted).await?;
    }
    Ok(())
}

/// Keeps the caches that were used elsewhere, if that is asked for.
///
/// # Errors
/// If one cannot be read, or the registry refuses.
pub async fn keep(cx: &Context, world: &World) -> Result<(), Error> {
    let Some(repository) = &world.request.run.cache_mounts.to else { return Ok(()) };
    for cache in world.used() {
        cachemounts::keep(cx, &world.doors, repository, &cache).await?;
    }
    Ok(())
}

/// Takes all caches of a step. In the order of their identities, so that two steps never wait for each other in a circle;
/// one that the step mounts twice is taken once.
///
/// # Errors
/// [`Error::Cancelled`] while waiting; if one cannot be made.
pub fn acquire(cx: &Context, world: &World, run: &Run, reads: &[(&Read, &Ready)]) -> Result<Caches, Error> {
    let mut wanted: BTreeMap<ContentHash, (&Cache, Sharing)> = BTreeMap::new();
    for cache in caches(run) {
        let (_, sharing) = wanted.entry(key(cache, reads)).or_insert((cache, cache.sharing));
        *sharing = stricter(*sharing, cache.sharing);
    }
    let mut held = Caches::new();
    for (key, (cache, sharing)) in wanted {
        world.uses(Traveller { key, id: cache.id.clone() });
        held.insert(key, take(cx, world, (cache, seed(cache, reads)), (key, sharing))?);
    }
    Ok(held)
}

fn take(
    cx: &Context,
    world: &World,
    (cache, seed): (&Cache, Option<(&Read, &Ready)>),
    (key, sharing): (ContentHash, Sharing),
) -> Result<Held, Error> {
    let Access { mode, uid, gid } = cache.access.unwrap_or(Access { mode: 0o755, uid: 0, gid: 0 });
    let seed = seed.map(|(read, ready)| mountable(cx, world, (read, ready), false)).transpose()?;
    let wanted = Wanted {
        key,
        id: &cache.id,
        sharing,
        access: (mode, uid, gid),
        seed: seed.as_ref().map(Mountable::path),
    };
    let waiting = || cx.report.note(format!("waiting for cache mount {}, which another step uses", cache.id));
    match world.doors.cache_mounts()?.acquire(cx, &wanted, &waiting) {
        Err(snapshot::Error::Cancelled) => Err(Error::Cancelled),
        other => Ok(other?),
    }
}

/// Of two ways to share, the one that keeps both promises.
fn stricter(a: Sharing, b: Sharing) -> Sharing {
    match (a, b) {
        (Sharing::Locked, _) | (_, Sharing::Locked) => Sharing::Locked,
        (Sharing::Private, _) | (_, Sharing::Private) => Sharing::Private,
        _ => Sharing::Shared,
    }
}

/// Keeps the caches within their limit, if a step of this build used one.
///
/// # Errors
/// If they cannot be measured or removed.
pub fn trim(cx: &Context, world: &World) -> Result<(), Error> {
    if world.used().is_empty() {
        return Ok(());
    }
    let limit = world.request.run.cache_mounts.limit;
    for gone in world.doors.cache_mounts()?.trim(limit)? {
        let (id, size) = (gone.id, gone.size);
        cx.report
            .note(format!("removed cache mount {id} ({size} bytes): all of them may take {limit} bytes"));
    }
    Ok(())
}
