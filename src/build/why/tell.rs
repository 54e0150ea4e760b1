//! From a build to its story.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{ContentHash, Hashed};
use crate::build::Error;
use crate::build::evaluate::Outline;
use crate::build::execute::World;
use crate::build::facts::{BaseImage, ContextTree, context};
use crate::build::keys::step_inputs;
use crate::build::plan::{Place, with_inputs};
use crate::build::step::{Action, BaseIndex, From, Parent, Read, StageIndex, Step, StepIndex};
use crate::build::why::{Below, FileList, History, Looked, Story, StoryStep};
use crate::dockerfile::{Command, Dockerfile};
use crate::report::Context;
use crate::snapshot::tree::Source;

/// Values of inputs are kept up to here, characters; of longer ones the beginning and a hash.
const LONGEST: usize = 2000;
/// Builds of more steps were not written by hand, and are not told.
const MOST: usize = 5000;

/// What a story is told from.
pub struct Telling<'a> {
    /// The Dockerfile.
    pub file: &'a Dockerfile,
    /// Its outline.
    pub outline: &'a Outline,
    /// The base images.
    pub bases: &'a [BaseImage],
    /// When the build began, seconds since the Unix epoch.
    pub began: i64,
}

/// The build context and the Dockerfile, as a story names them.
fn project(world: &World, file: &Dockerfile) -> (String, String) {
    let context = world.contexts.first().map(ContextTree::place);
    (context.unwrap_or_default(), file.file.name().to_owned())
}

/// The story of a build that has ended, one way or another; `None` if it is too long to be told.
pub fn tell(world: &World, telling: &Telling<'_>) -> Option<Story> {
    if world.steps.len() > MOST {
        return None;
    }
    let (context, dockerfile) = project(world, telling.file);
    let ended = world.ended();
    let arguments = argument_names(telling.file);
    let steps = world.steps.iter().enumerate().map(|(index, step)| {
        let place = Place { index: StepIndex(index), stages: &world.stages, facts: &world.facts };
        let inputs = with_inputs(&place, step, &world.keys, |inputs| step_inputs(step, inputs));
        StoryStep {
            name: step.name.clone(),
            origin: step.origin.clone(),
            stage: stage_name(telling.file, step.stage),
            key: world.keys[index],
            ended: ended[index].0,
            forced: forced(world, telling.file, index),
            below: below(world, telling, step.parent),
            looked: looked(world, telling, index, &ended[index].1),
            inputs: kept(inputs),
            arguments: arguments_of(world, step, &arguments),
        }
    });
    let steps = steps.collect();
    let mut given: BTreeMap<String, String> =
        telling.outline.globals.pairs().map(|(name, value)| (name.clone(), cut(value))).collect();
    for (name, default) in defaults(telling.file) {
        given.entry(name).or_insert(default);
    }
    given.extend(world.request.build_args.iter().map(|(name, value)| (name.clone(), cut(value))));
    let tags = world.request.tags.iter().map(|tag| tag.with_default_tag().to_string());
    let images = tags.chain(world.request.project_image.clone()).collect();
    let version = Story::VERSION;
    Some(Story { version, began: telling.began, context, dockerfile, images, arguments: given, steps })
}

/// Keeps the list of what a step read, which is about to run.
///
/// # Errors
/// If it cannot be read again, or not be written.
pub fn keep_files(
    cx: &Context,
    world: &World,
    (read, content): (&Read, &ContentHash),
    source: Source<'_>,
) -> Result<(), Error> {
    let Some(root) = world.contexts.first().map(ContextTree::place) else {
        return Ok(());
    };
    let history = History::of(world.doors.home());
    history.keep_files((&root, &world.dockerfile), content, || {
        let listed = match read.from {
            From::Context(nth) => {
                let known = context::remembered(cx, &world.doors, &world.contexts[nth.0])?;
                context::listing(&source, read, Some(&known))?
            }
            _ => context::listing(&source, read, None)?,
        };
        Ok(FileList::new(&listed))
    })
}

fn stage_name(file: &Dockerfile, stage: StageIndex) -> String {
    let name = file.stages.get(stage.0).and_then(|stage| stage.name());
    name.map_or_else(|| format!("stage-{}", stage.0), str::to_owned)
}

fn forced(world: &World, file: &Dockerfile, index: usize) -> Option<String> {
    let is_forced = world.forced.contains(&StepIndex(index));
    is_forced.then(|| match world.request.no_cache {
        true => "--no-cache".to_owned(),
        false => format!("--no-cache-filter {}", stage_name(file, world.steps[index].stage)),
    })
}

fn below(world: &World, telling: &Telling<'_>, parent: Parent) -> Below {
    match parent {
        Parent::Scratch => Below::Scratch,
        Parent::Image(BaseIndex(base)) => Below::Image {
            name: world.base_names.get(base).cloned().unwrap_or_default(),
            digest: telling.bases.get(base).map(|base| base.digest.to_string()).unwrap_or_default(),
        },
        Parent::Step(step) => Below::Step(step.0),
    }
}

fn looked(world: &World, telling: &Telling<'_>, index: usize, seen: &[ContentHash]) -> Vec<Looked> {
    let reads = world.steps[index].reads.iter().enumerate();
    let one = |(nth, read): (usize, &Read)| {
        let known = world.facts.selections.get(&(StepIndex(index), nth)).or_else(|| seen.get(nth));
        let (tree, of) = match read.from {
            From::Scratch => ("scratch".to_owned(), None),
            From::Context(context) => (world.contexts[context.0].title.clone(), None),
            From::Stage(stage) => {
                let name = format!("stage {}", stage_name(telling.file, stage));
                (name, Some(below(world, telling, world.result_of(stage))))
            }
            From::Image(base) => {
                let name = format!("image {}", world.base_names[base.0]);
                (name, Some(below(world, telling, Parent::Image(base))))
            }
        };
        Looked { tree, paths: read.paths.clone(), content: known.copied(), of }
    };
    reads.map(one).collect()
}

/// The fields that are compared one by one; what is stood on and read is told in another way.
fn kept(inputs: Vec<Hashed>) -> Vec<(String, Vec<String>)> {
    let told = |hashed: &Hashed| {
        !matches!(hashed.tag.as_str(), "parent" | "source content" | "source tree" | "reads")
    };
    let words = |hashed: Hashed| {
        let values = hashed.values.iter().map(|value| cut(&String::from_utf8_lossy(value))).collect();
        (hashed.tag, values)
    };
    inputs.into_iter().filter(told).map(words).collect()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}… {}", &text[..at], ContentHash::of(text.as_bytes())),
    }
}

/// The names of all ARGs of the file.
fn argument_names(file: &Dockerfile) -> BTreeSet<String> {
    let args = file.instructions().filter_map(|instruction| match &instruction.command {
        Command::Arg(arg) => Some(arg.items.iter().map(|item| item.name.text.clone())),
        _ => None,
    });
    args.flatten().collect()
}

/// Arguments with their defaults as they are written.
fn defaults(file: &Dockerfile) -> Vec<(String, String)> {
    let items = file.instructions().filter_map(|instruction| match &instruction.command {
        Command::Arg(arg) => Some(&arg.items),
        _ => None,
    });
    let with_default =
        items.flatten().filter_map(|item| Some((item.name.text.clone(), cut(&item.default.as_ref()?.text))));
    with_default.collect()
}

fn arguments_of(world: &World, step: &Step, names: &BTreeSet<String>) -> Vec<String> {
    let Action::Run(run) = &step.action else { return Vec::new() };
    let stage = world.stages[step.stage.0].as_ref();
    let is_env = |name: &str| {
        let env = stage.map(|stage| stage.image.config.env.as_slice()).unwrap_or_default();
        env.iter().any(|pair| pair.split_once('=').map_or(pair.as_str(), |(own, _)| own) == name)
    };
    let seen = run.env.iter().map(|(name, _)| name).filter(|name| names.contains(*name) && !is_env(name));
    seen.cloned().collect()
}
