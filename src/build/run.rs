//! The straight line of a build, from the request to the report.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::{Failure, Platform, StepKey};
use crate::build::evaluate::survey::{self, Subject};
use crate::build::evaluate::{self, Evaluated, Outline, Parameters};
use crate::build::execute::{World, WorldInputs, execute, keep, trim};
use crate::build::facts::agents;
use crate::build::facts::context;
use crate::build::facts::contexts::MainContext;
use crate::build::facts::fetched::Fetched;
use crate::build::facts::secrets::Secrets;
use crate::build::facts::{BaseImage, ContextTree, Definition, bases, contexts, definition, secrets};
use crate::build::finish::{Target, finish};
use crate::build::identify::StandIn;
use crate::build::plan::{self, Facts};
use crate::build::step::{Stage, StageIndex, Step, StepIndex};
use crate::build::transfer::{LayerSource, Origin};
use crate::build::why::{self, History, Telling};
use crate::build::{Built, Doors, Error, Request, blocking, checks, export, known};
use crate::dockerfile::{self, Dockerfile, Syntax, Warning, ignore};
use crate::oci::ImageConfig;
use crate::report::{Context, Outcome, TaskKind};

/// Where neither the command line nor any input says a time: the first one that every archive format can hold.
const EARLIEST: i64 = 315_532_800;

/// Builds.
///
/// # Errors
/// See [`Error`]; nothing that was finished before the error is lost.
pub async fn run(cx: &Context, doors: &Doors, request: Request) -> Result<Built, Error> {
    let _lease = doors.store().lease()?;
    let began = cx.clock.now();
    let _fetched = doors.store().is_writable().then(|| Fetched::of(doors).in_use()).transpose()?;
    let (secrets, agents) = {
        let (cx, options) = (cx.clone(), request.run.clone());
        blocking(move || Ok((secrets::read(&cx, &options.secrets)?, agents::read(&options.agents)?))).await?
    };
    let context = contexts::main(cx, doors, &request.context, &secrets).await?;
    let (context, Definition { file, ignore }) = read_definition(cx, &request, context, false).await?;
    let wish = Wish { request: &request, stand_ins: &[], quiet: false };
    let Prepared { file, outline, found, steps, stages, contexts, facts, keys, warnings } =
        prepare(cx, doors, &wish, (file, context, ignore, &secrets)).await?;
    let epoch = facts.source_date_epoch.unwrap_or_else(|| newest(&found));
    let forced = forced(cx, &request, &file, &steps);
    let fresh = plan::fresh(&steps, &stages, &forced);
    let chain = plan::chain_of(&steps, &stages, outline.target);
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
        secrets,
        agents,
        base_names,
        dockerfile: file.file.name().to_owned(),
        forced,
        fresh,
        chain,
    };
    let world = Arc::new(World::new(doors.clone(), inputs)?);
    sources.into_iter().for_each(|source| world.sources.add(source));
    world.cache.imports.name_foreign(cx);
    let built = until_whole(cx, &world, &Target { stage: outline.target, bases: &found }).await;
    let began = i64::try_from(began.as_secs()).unwrap_or(i64::MAX);
    remember(cx, &world, &Telling { file: &file, outline: &outline, bases: &found, began }).await;
    let kept = if built.is_ok() { keep(cx, &world).await } else { Ok(()) };
    let trimmed = trim_cache_mounts(cx, &world).await;
    // What was finished is of use to others also if the build failed.
    let shared = world.cache.exports.finish(cx).await;
    // Layers that nobody asked for in the end, because the build failed or somebody else had made them too.
    doors.departures().stop().await;
    let mut built = built?;
    kept.and(trimmed).and(shared)?;
    built.warnings = warnings;
    Ok(built)
}

/// What is to be prepared.
pub(super) struct Wish<'a> {
    pub request: &'a Request,
    /// Images that stand in the place of base images.
    pub stand_ins: &'a [StandIn],
    /// Whether nothing is said that the build itself will say.
    pub quiet: bool,
}

/// All that is known before the first step.
pub(super) struct Prepared {
    pub file: Dockerfile,
    pub outline: Outline,
    pub found: Vec<BaseImage>,
    pub steps: Vec<Step>,
    pub stages: Vec<Option<Stage>>,
    pub contexts: Vec<ContextTree>,
    pub facts: Facts,
    pub keys: Vec<StepKey>,
    pub warnings: Vec<Warning>,
}

/// Reads the facts and works out steps and keys.
///
/// # Errors
/// See [`Error`].
pub(super) async fn prepare(
    cx: &Context,
    doors: &Doors,
    wish: &Wish<'_>,
    (mut file, context, ignore, secrets): (Dockerfile, MainContext, ignore::Matcher, &Secrets),
) -> Result<Prepared, Error> {
    let request = wish.request;
    let parameters = parameters(request);
    let written = file.clone();
    let (outline, found) = outlined(cx, doors, (&mut file, &parameters), wish).await?;
    let configs: Vec<ImageConfig> = found.iter().map(|base| base.config.clone()).collect();
    let check = survey::options(&file, &parameters)?;
    let subject = Subject {
        file: &written,
        outline: &outline,
        bases: &configs,
        parameters: &parameters,
        ignore: &ignore,
        check: &check,
    };
    let warnings = if wish.quiet { Vec::new() } else { checks::warn(cx, &subject)? };
    let Evaluated { steps, stages, contexts: more } =
        evaluate::evaluate(&file, &outline, &configs, &parameters)?;
    let source_date_epoch = source_date_epoch(request, &outline)?;
    if let Some(target) = stages[outline.target.0].as_ref() {
        export::check(request, &target.image.platform(), source_date_epoch)?;
    }
    let mut contexts = vec![context.into_tree(ignore)?];
    contexts.extend(contexts::open(cx, doors, &more, secrets).await?);
    let (selections, steps, contexts) = {
        let (cx, doors) = (cx.clone(), doors.clone());
        blocking(move || Ok((context::read(&cx, &doors, &contexts, &steps)?, steps, contexts))).await?
    };
    let layers = configs.iter().map(|config| config.layers().to_vec()).collect();
    let facts = Facts { bases: layers, selections, source_date_epoch };
    let keys = plan::definition_keys(&steps, &stages, &facts);
    Ok(Prepared { file, outline, found, steps, stages, contexts, facts, keys, warnings })
}

/// Also after a step failed: what the others have kept is kept within its limit.
async fn trim_cache_mounts(cx: &Context, world: &Arc<World>) -> Result<(), Error> {
    let (cx, world) = (cx.clone(), Arc::clone(world));
    blocking(move || trim(&cx, &world)).await
}

/// Builds, and again without those layers of known results that turn out to be gone or damaged. Each of them is met
/// once, so this ends.
async fn until_whole(cx: &Context, world: &Arc<World>, target: &Target<'_>) -> Result<Built, Error> {
    loop {
        let lost = match known::plan(cx, world, target.stage).await {
            Err(error) => Err(error),
            Ok(plan) => match execute(cx, world, &plan).await {
                Err(error) => Err(error),
                Ok(()) => finish(cx, world, target).await,
            },
        };
        match lost {
            Err(Error::Lost { layer, source }) if world.lose(&layer) => cx.report.warn(format!(
                "layer {} of a known result cannot be had, what made it runs again: {}",
                layer.short(),
                source.causes().first().map_or(source.message(), String::as_str)
            )),
            other => return other,
        }
    }
}

/// The Dockerfile that is asked for and its ignore file, wherever the context comes from.
pub(super) async fn definition_of(
    cx: &Context,
    doors: &Doors,
    request: &Request,
) -> Result<Definition, Error> {
    let secrets = {
        let (cx, sources) = (cx.clone(), request.run.secrets.clone());
        blocking(move || secrets::read(&cx, &sources)).await?
    };
    let context = contexts::main(cx, doors, &request.context, &secrets).await?;
    Ok(read_definition(cx, request, context, false).await?.1)
}

/// The outline with all triggers of base images in `file`, and the base images. Triggers may name further images, which may
/// have triggers of their own for other stages, so this goes round until nothing is new.
async fn outlined(
    cx: &Context,
    doors: &Doors,
    (file, parameters): (&mut Dockerfile, &Parameters),
    wish: &Wish<'_>,
) -> Result<(Outline, Vec<BaseImage>), Error> {
    let (mut known, mut expanded) = (Vec::new(), BTreeSet::new());
    loop {
        let outline = evaluate::outline(file, parameters)?;
        let stood_in = outline.bases.iter().filter_map(|base| {
            let own = wish.stand_ins.iter().find(|own| own.names.contains(&base.reference))?;
            Some(own.base(base.clone()))
        });
        known.extend(stood_in);
        known = bases::resolve(cx, doors, (&outline.bases, known), wish.request.pull).await?;
        let configs: Vec<ImageConfig> = known.iter().map(|base| base.config.clone()).collect();
        if !evaluate::expand_triggers(file, &outline, &configs, &mut expanded)? {
            return Ok((outline, known));
        }
    }
}

/// Keeps the build's story for `lap why`. The build does not depend on it.
async fn remember(cx: &Context, world: &Arc<World>, telling: &Telling<'_>) {
    let Some(story) = why::tell(world, telling) else { return };
    let (history, now) = (History::of(world.doors.home()), cx.clock.now());
    if let Err(error) = blocking(move || history.keep(&story, now)).await {
        cx.report.warn(format!("this build cannot be kept for `lap why`: {}", Failure::from(error)));
    }
}

/// The steps that are made whatever is known.
fn forced(cx: &Context, request: &Request, file: &Dockerfile, steps: &[Step]) -> BTreeSet<StepIndex> {
    let mut stages = BTreeSet::new();
    for name in &request.no_cache_filter {
        let named = |stage: &&dockerfile::Stage| {
            stage.name().is_some_and(|own| own.eq_ignore_ascii_case(name)) || *name == stage.index.to_string()
        };
        let before = stages.len();
        stages.extend(file.stages.iter().filter(named).map(|stage| StageIndex(stage.index)));
        if stages.len() == before {
            cx.report.warn(format!("--no-cache-filter {name}: there is no such stage"));
        }
    }
    let is_forced = |(_, step): &(usize, &Step)| request.no_cache || stages.contains(&step.stage);
    steps.iter().enumerate().filter(is_forced).map(|(index, _)| StepIndex(index)).collect()
}

pub(super) async fn read_definition(
    cx: &Context,
    request: &Request,
    context: MainContext,
    quiet: bool,
) -> Result<(MainContext, Definition), Error> {
    let task = (!quiet).then(|| cx.report.task(TaskKind::Internal, "[internal] load build definition"));
    let asked = request.dockerfile.clone();
    let read = blocking(move || {
        let definition = definition::read(&context, asked.as_deref())?;
        Ok((context, definition))
    })
    .await;
    if let Ok((_, definition)) = &read
        && !quiet
        && let Syntax::Other(syntax) = dockerfile::syntax(&definition.file.file)
    {
        cx.report.warn(format!("{syntax} is not fetched: the file is read as a Dockerfile"));
    }
    if let Some(task) = task {
        match &read {
            Ok(_) => task.finish(Outcome::Done, None),
            Err(e) => task.finish(Outcome::Failed(e.to_string()), None),
        }
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
        contexts: request.contexts.clone(),
        lenient: request.lenient,
        always_given: request.project_image.is_some(),
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

fn layer_sources(found: &[BaseImage]) -> Vec<LayerSource> {
    let layers = found.iter().flat_map(|base| {
        base.config.layers().iter().zip(&base.manifest.layers).map(|(layer, descriptor)| LayerSource {
            diff_id: layer.clone(),
            descriptor: descriptor.clone(),
            origin: base.origin.clone().map(Origin::Registry),
        })
    });
    layers.collect()
}
