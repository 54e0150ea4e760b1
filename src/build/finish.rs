//! From the finished tree of the target to an image in the store and its outputs.

use std::sync::Arc;

use crate::build::execute::{Tree, World, layer_blob};
use crate::build::facts::BaseImage;
use crate::build::step::{Parent, Stage, StageIndex};
use crate::build::transfer::{LayerSource, fetch, fetch_blob};
use crate::build::why::Ended;
use crate::build::{Built, Error, Layers, Output, Request, blocking, export, image};
use crate::oci::{Descriptor, ImageConfig, media};
use crate::report::Context;
use crate::stages::InlineCache;

/// What is built.
pub struct Target<'a> {
    /// The stage.
    pub stage: StageIndex,
    /// The base images of all stages.
    pub bases: &'a [BaseImage],
}

/// Makes the image and its outputs.
///
/// # Errors
/// If a layer cannot be had, or an output cannot be made.
pub async fn finish(cx: &Context, world: &Arc<World>, target: &Target<'_>) -> Result<Built, Error> {
    let stage = world.stages[target.stage.0].as_ref();
    let stage = stage.ok_or_else(|| Error::Bug("the target was not evaluated".into()))?;
    let tree = world.tree(stage.result)?;
    let mut config = image::finish(stage, &tree.base, &tree.layers, world.epoch);
    if let Some(changes) = &world.request.changes {
        changes.apply(&mut config);
    }
    if world.cache.exports.inline() {
        inline(world, &tree).write(&mut config);
    }
    let base = base_of(world, stage, target.bases);
    let made = made_layers(world, &tree).await?;
    let mut layers: Vec<Descriptor> = base.iter().flat_map(|b| &b.manifest.layers).map(as_oci).collect();
    layers.truncate(tree.base.len());
    layers.extend(made.iter().map(|(descriptor, _)| as_oci(descriptor)));
    let sum = |layers: &[Descriptor]| Layers {
        count: layers.len(),
        bytes: layers.iter().map(|layer| layer.size).sum(),
    };
    let (inherited, own) = layers.split_at(tree.base.len().min(layers.len()));
    let (inherited, own) = (sum(inherited), sum(own));
    let elsewhere: Vec<LayerSource> = made.into_iter().filter_map(|(_, source)| source).collect();
    let is_kept = keep(cx, world, base, &elsewhere).await?;
    let image = store(world, config, layers, is_kept).await?;
    let made = world.ended().iter().filter(|(ended, _)| *ended == Ended::Made).count();
    let mut built = Built {
        id: image.id(),
        config: image.config,
        manifest: image.descriptor,
        inherited,
        own,
        tags: world.request.tags.clone(),
        is_kept,
        warnings: Vec::new(),
        outputs: Vec::new(),
        steps: world.steps.len(),
        made,
    };
    for output in &world.request.outputs {
        if *output != Output::CacheOnly {
            built.outputs.push(export::export(cx, world, &built, output).await?);
        }
    }
    Ok(built)
}

/// Puts the image into the store, under its names if it `is_kept`.
async fn store(
    world: &Arc<World>,
    config: ImageConfig,
    layers: Vec<Descriptor>,
    is_kept: bool,
) -> Result<crate::content::Image, Error> {
    let (store, names) = (world.doors.store().clone(), world.request.tags.clone());
    let annotations = world.request.annotations.clone();
    blocking(move || {
        let mut image = store.put_image(&config, layers)?;
        image.descriptor = export::annotated(&store, &image.descriptor, &annotations, &config.platform())?;
        for name in &names {
            let name = name.with_default_tag();
            match is_kept {
                true => store.tag(&name, &image.descriptor)?,
                // The name now means what is in the registry, and no older image of this store.
                false => drop(store.untag(&name)?),
            }
        }
        Ok(image)
    })
    .await
}

/// What the image says of the layers that steps made, and who has those that are not here.
async fn made_layers(
    world: &Arc<World>,
    tree: &Arc<Tree>,
) -> Result<Vec<(Descriptor, Option<LayerSource>)>, Error> {
    let (world, tree) = (Arc::clone(world), Arc::clone(tree));
    blocking(move || tree.layers.iter().map(|layer| layer_blob(&world, &layer.diff_id, layer.size)).collect())
        .await
}

/// Which step made which layer, for those who look into the image.
fn inline(world: &World, tree: &Tree) -> InlineCache {
    let mut inline = InlineCache::on(tree.base.len());
    for (step, below) in world.chain.iter().zip(1..=tree.layers.len()) {
        let upto = Tree { base: tree.base.clone(), layers: tree.layers[..below].to_vec() };
        let key = world.keys[step.0];
        inline.push(key, &upto.record(key, &world.steps[step.0].origin));
    }
    inline
}

/// Brings the blobs here that the image needs to be kept under its names, or to be written into a file; says whether it
/// can be kept. An image that goes to a registry and is known there needs none of them: then it is kept only if it is
/// whole anyway.
async fn keep(
    cx: &Context,
    world: &World,
    base: Option<&BaseImage>,
    elsewhere: &[LayerSource],
) -> Result<bool, Error> {
    let store = world.doors.store();
    let snapshots = world.doors.snapshots()?;
    let missing: Vec<_> = base
        .iter()
        .flat_map(|base| base.config.layers().iter().zip(&base.manifest.layers))
        .filter(|(layer, descriptor)| {
            let made_here = *descriptor.digest.digest() == *layer.digest() && snapshots.contains(layer);
            !made_here && !store.has(&descriptor.digest)
        })
        .collect();
    let elsewhere: Vec<_> = elsewhere.iter().filter(|source| !store.has(&source.descriptor.digest)).collect();
    if missing.is_empty() && elsewhere.is_empty() {
        return Ok(true);
    }
    if !needs_blobs(&world.request) {
        return Ok(false);
    }
    let origin = base.and_then(|base| base.origin.as_ref());
    let of_base = missing.iter().map(|(_, descriptor)| fetch_blob(cx, &world.doors, descriptor, origin));
    let of_base = futures_util::future::try_join_all(of_base);
    let of_steps = elsewhere.iter().map(|source| async {
        fetch(cx, &world.doors, source).await.map_err(|error| match error {
            Error::Cancelled => Error::Cancelled,
            error => Error::Lost { layer: source.diff_id.clone(), source: Box::new(error.into()) },
        })
    });
    let of_steps = futures_util::future::try_join_all(of_steps);
    futures_util::try_join!(of_base, of_steps)?;
    Ok(true)
}

/// Whether the blobs of the image are needed here.
fn needs_blobs(request: &Request) -> bool {
    let is_push = |output: &Output| matches!(output, Output::Image { push: Some(_), .. });
    let (needs, pushes) =
        (request.outputs.iter().any(Output::needs_base), request.outputs.iter().any(is_push));
    needs || !request.tags.is_empty() && !pushes
}

/// The base image that the target's tree begins with.
fn base_of<'a>(world: &World, stage: &Stage, found: &'a [BaseImage]) -> Option<&'a BaseImage> {
    let mut parent = stage.result;
    loop {
        match parent {
            Parent::Scratch => return None,
            Parent::Image(base) => return found.get(base.0),
            Parent::Step(step) => parent = world.steps[step.0].parent,
        }
    }
}

/// A layer of a Docker image as a layer of an OCI image: the blob is the same.
fn as_oci(descriptor: &Descriptor) -> Descriptor {
    let mut oci = descriptor.clone();
    oci.media_type = match descriptor.media_type.as_str() {
        media::DOCKER_LAYER => media::OCI_LAYER.into(),
        media::DOCKER_LAYER_GZIP => media::OCI_LAYER_GZIP.into(),
        other => other.into(),
    };
    oci
}
