//! The straight line of a build, from the request to the report.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{Platform, StepKey};
use crate::build::evaluate::survey::{self, Subject};
use crate::build::evaluate::{self, Evaluated, Outline, Parameters};
use crate::build::execute::{World, WorldInputs, execute, is_whole, keep, trim};
use crate::build::facts::agents;
use crate::build::facts::context::{self, ContextTree};
use crate::build::facts::{BaseImage, Definition, bases, definition, secrets};
use crate::build::plan::{self, Facts, Plan, Verdict};
use crate::build::step::{Parent, Stage};
use crate::build::transfer::{LayerSource, fetch_blob};
use crate::build::{Built, Doors, Error, Layers, Output, Request, blocking, checks, export, image};
use crate::host::fs;
use crate::oci::{Descriptor, ImageConfig, media};
use crate::report::{Context, Outcome, TaskKind};
use crate::stages::Record;

/// Where neither the command line nor any input says a time: the first one that every archive format can hold.
const EARLIEST: i64 = 315_532_800;

/// Builds.
///
/// # Errors
/// See [`Error`]; nothing that was finished before the error is lost.
pub async fn run(cx: &Context, doors: &Doors, request: Request) -> Result<Built, Error> {
    let _lease = doors.store().lease()?;
    let (secrets, agents) = {
        let (cx, options) = (cx.clone(), request.run.clone());
        blocking(move || Ok((secrets::read(&cx, &options.secrets)?, agents::read(&options.agents)?))).await?
    };
    let Definition { file, ignore } = read_definition(cx, &request).await?;
    let parameters = parameters(&request);
    let outline = evaluate::outline(&file, &parameters)?;
    let found = bases::resolve(cx, doors, &outline.bases, request.pull).await?;
    let configs: Vec<ImageConfig> = found.iter().map(|base| base.config.clone()).collect();
    let check = survey::options(&file, &parameters)?;
    let subject = Subject {
        file: &file,
        outline: &outline,
        bases: &configs,
        parameters: &parameters,
        ignore: &ignore,
        check: &check,
    };
    let warnings = checks::warn(cx, &subject)?;
    let Evaluated { steps, stages } = evaluate::evaluate(&file, &outline, &configs, &parameters)?;
    let source_date_epoch = source_date_epoch(&request, &outline)?;
    if let Some(target) = stages[outline.target.0].as_ref() {
        export::check(&request, &target.image.platform(), source_date_epoch)?;
    }
    let contexts = vec![ContextTree {
        title: "the build context".into(),
        root: fs::canonicalize(&request.context)?,
        ignore,
        root_owned: true,
    }];
    let (selections, steps, contexts) = {
        let (cx, doors) = (cx.clone(), doors.clone());
        blocking(move || Ok((context::read(&cx, &doors, &contexts, &steps)?, steps, contexts))).await?
    };
    let epoch = source_date_epoch.unwrap_or_else(|| newest(&found));
    let layers = configs.iter().map(|config| config.layers().to_vec()).collect();
    let facts = Facts { bases: layers, selections, source_date_epoch };
    let keys = plan::definition_keys(&steps, &stages, &facts);
    let known = known_records(doors, &keys, request.no_cache).await?;
    let plan = plan::plan(&steps, &stages, outline.target, keys.clone(), &known);
    let sources = layer_sources(&found);
    let base_names = outline.bases.iter().map(|base| base.name.clone()).collect();
    let inputs = WorldInputs {
        request,
        contexts,
        steps,
        stages,
        keys,
        facts,
        epoch,
        sources,
        secrets,
        agents,
        base_names,
    };
    let world = Arc::new(World::new(doors.clone(), inputs));
    let done = match execute(cx, &world, &plan).await {
        Ok(()) => finish(cx, &world, &outline, &found, &plan).await,
        Err(error) => Err(error),
    };
    let kept = if done.is_ok() { keep(cx, &world).await } else { Ok(()) };
    let trimmed = trim_cache_mounts(cx, &world).await;
    let mut built = done?;
    kept.and(trimmed)?;
    built.warnings = warnings;
    Ok(built)
}

/// Also after a step failed: what the others have kept is kept within its limit.
async fn trim_cache_mounts(cx: &Context, world: &Arc<World>) -> Result<(), Error> {
    let (cx, world) = (cx.clone(), Arc::clone(world));
    blocking(move || trim(&cx, &world)).await
}

pub(super) async fn read_definition(cx: &Context, request: &Request) -> Result<Definition, Error> {
    let task = cx.report.task(TaskKind::Internal, "[internal] load build definition");
    let asked = request.clone();
    let read = blocking(move || definition::read(&asked)).await;
    match &read {
        Ok(_) => task.finish(Outcome::Done, None),
        Err(e) => task.finish(Outcome::Failed(e.to_string()), None),
    }
    read
}

pub(super) fn parameters(request: &Request) -> Parameters {
    let host = Platform::host();
    Parameters {
        build_args: request.build_args.clone(),
        target: request.target.clone(),
        platform: request.platform.clone().unwrap_or_else(|| host.clone()),
        platform_given: request.platform.is_some(),
        build_platform: host,
        network: request.network,
        labels: request.labels.clone(),
    }
}

/// The time that was asked for: on the command line, or as a global argument of the Dockerfile.
fn source_date_epoch(request: &Request, outline: &Outline) -> Result<Option<i64>, Error> {
    if request.source_date_epoch.is_some() {
        return Ok(request.source_date_epoch);
    }
    let given = request.build_args.get("SOURCE_DATE_EPOCH").map(String::as_str);
    match given.or_else(|| outline.globals.get("SOURCE_DATE_EPOCH")) {
        None | Some("") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            Error::input(format!("SOURCE_DATE_EPOCH is {text:?}"))
                .hint("it is a whole number of seconds since 1970")
        }),
    }
}

/// The build's time if none was asked for: that of the newest base image, which is part of its content.
fn newest(bases: &[BaseImage]) -> i64 {
    let created = bases.iter().filter_map(|base| {
        let created: jiff::Timestamp = base.config.created.as_deref()?.parse().ok()?;
        Some(created.as_second())
    });
    created.chain([EARLIEST]).max().unwrap_or(EARLIEST)
}

async fn known_records(
    doors: &Doors,
    keys: &[StepKey],
    no_cache: bool,
) -> Result<BTreeMap<StepKey, Record>, Error> {
    if no_cache || keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (doors, keys) = (doors.clone(), keys.to_vec());
    blocking(move || {
        let records = doors.records();
        let mut known = BTreeMap::new();
        for key in keys {
            if let Some(record) = records.get(&key)?
                && is_whole(&doors, &record)?
            {
                known.insert(key, record);
            }
        }
        Ok(known)
    })
    .await
}

fn layer_sources(found: &[BaseImage]) -> BTreeMap<crate::base::DiffId, LayerSource> {
    let mut sources = BTreeMap::new();
    for base in found {
        for (diff_id, descriptor) in base.config.layers().iter().zip(&base.manifest.layers) {
            let (diff_id, descriptor) = (diff_id.clone(), descriptor.clone());
            let source = LayerSource { diff_id: diff_id.clone(), descriptor, origin: base.origin.clone() };
            sources.entry(diff_id).or_insert(source);
        }
    }
    sources
}

async fn finish(
    cx: &Context,
    world: &Arc<World>,
    outline: &Outline,
    found: &[BaseImage],
    plan: &Plan,
) -> Result<Built, Error> {
    let stage = world.stages[outline.target.0].as_ref();
    let stage = stage.ok_or_else(|| Error::Bug("the target was not evaluated".into()))?;
    let tree = world.tree(stage.result)?;
    let config = image::finish(stage, &tree.base, &tree.layers, world.epoch);
    let base = base_of(world, stage, found);
    let mut layers: Vec<Descriptor> = base.iter().flat_map(|b| &b.manifest.layers).map(as_oci).collect();
    layers.truncate(tree.base.len());
    layers.extend(tree.layers.iter().map(|l| Descriptor::new(media::OCI_LAYER, l.diff_id.clone(), l.size)));
    let sum = |layers: &[Descriptor]| Layers {
        count: layers.len(),
        bytes: layers.iter().map(|layer| layer.size).sum(),
    };
    let (inherited, own) = layers.split_at(tree.base.len().min(layers.len()));
    let (inherited, own) = (sum(inherited), sum(own));
    let tags = world.request.tags.clone();
    if let Some(base) = base.filter(|_| needs_blobs(&world.request)) {
        keep_base(cx, &world.doors, base).await?;
    }
    let (store, names) = (world.doors.store().clone(), tags.clone());
    let annotations = world.request.annotations.clone();
    let image = blocking(move || {
        let mut image = store.put_image(&config, layers)?;
        image.descriptor = export::annotated(&store, &image.descriptor, &annotations, &config.platform())?;
        for name in &names {
            store.tag(&name.with_default_tag(), &image.descriptor)?;
        }
        Ok(image)
    })
    .await?;
    let made = plan.verdicts.iter().filter(|verdict| **verdict == Verdict::Make).count();
    let mut built = Built {
        id: image.id(),
        config: image.config,
        manifest: image.descriptor,
        inherited,
        own,
        tags,
        warnings: Vec::new(),
        outputs: Vec::new(),
        steps: plan.verdicts.len(),
        made,
    };
    for output in &world.request.outputs {
        if *output != Output::CacheOnly {
            built.outputs.push(export::export(cx, world, &built, output).await?);
        }
    }
    Ok(built)
}

/// Whether the blobs of the base image are needed here: to keep the image, or to write it into a file.
fn needs_blobs(request: &Request) -> bool {
    !request.tags.is_empty() || request.outputs.iter().any(Output::needs_base)
}

/// Brings the layers of the base image here that are neither blobs of the store nor unpacked layers made here.
async fn keep_base(cx: &Context, doors: &Doors, base: &BaseImage) -> Result<(), Error> {
    let snapshots = doors.snapshots()?;
    let missing = base.config.layers().iter().zip(&base.manifest.layers).filter(|(layer, descriptor)| {
        let made_here = *descriptor.digest.digest() == *layer.digest() && snapshots.contains(layer);
        !made_here
    });
    let fetches = missing.map(|(_, descriptor)| fetch_blob(cx, doors, descriptor, base.origin.as_ref()));
    futures_util::future::try_join_all(fetches).await.map(|_| ())
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
