//! The outline of a build: which stages and base images the target needs.

use std::collections::BTreeMap;

use crate::base::{InvalidPlatform, InvalidReference, Platform, Reference, Span};
use crate::build::Error;
use crate::build::evaluate::expansion::Expansion;
use crate::build::evaluate::named::{self, Layout, NamedContext, NamedValue};
use crate::build::evaluate::{Parameters, Vars, soundness};
use crate::build::step::{BaseIndex, ContextIndex, ContextRequest, From, StageIndex};
use crate::dockerfile::{self, Command, Dockerfile, StageLookup, Word, nearest};

/// A base image that has to be known.
#[derive(Clone, Debug)]
pub struct BaseRequest {
    /// As written, variables expanded.
    pub name: String,
    /// In full.
    pub reference: Reference,
    /// For which platform.
    pub platform: Platform,
    /// Where it is named first.
    pub span: Span,
    /// The folder it is in, if not in a registry.
    pub layout: Option<Layout>,
}

impl BaseRequest {
    /// Whether both ask for the same image.
    pub fn is_same(&self, other: &Self) -> bool {
        self.reference == other.reference && self.platform == other.platform && self.layout == other.layout
    }
}

/// What a stage begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageFrom {
    /// Nothing.
    Scratch,
    /// An earlier stage.
    Stage(StageIndex),
    /// A base image.
    Base(BaseIndex),
    /// The files of a named context.
    Context(ContextIndex),
}

/// Where a tree is named: the position of the instruction in its stage, and that of the mount in a RUN (else 0).
pub type Position = (usize, usize);

/// A stage that the target needs.
#[derive(Clone, Debug)]
pub struct OutlinedStage {
    /// What it begins with.
    pub from: StageFrom,
    /// Its platform.
    pub platform: Platform,
    /// What the `--from` of its instructions and the `from` of their mounts mean.
    pub sources: BTreeMap<Position, From>,
    /// Whether a named context stands for the whole stage, so that none of its instructions are carried out.
    pub replaced: bool,
}

/// The outline.
#[derive(Clone, Debug)]
pub struct Outline {
    /// The stage to build.
    pub target: StageIndex,
    /// The stages; `None` for those that the target does not need.
    pub stages: Vec<Option<OutlinedStage>>,
    /// The base images of all needed stages.
    pub bases: Vec<BaseRequest>,
    /// The named contexts of all needed stages that are files; the first has index 1.
    pub contexts: Vec<ContextRequest>,
    /// Values of the global arguments, predefined ones included.
    pub globals: Vars,
}

/// Reads global arguments and FROM lines.
///
/// # Errors
/// [`Error::Definition`] and [`Error::Input`], in the order in which BuildKit finds them.
pub fn outline(file: &Dockerfile, parameters: &Parameters) -> Result<Outline, Error> {
    outline_of(file, parameters, false)
}

/// The same for all stages, whatever the target needs: what a check looks at.
///
/// # Errors
/// See [`outline`].
pub fn outline_all(file: &Dockerfile, parameters: &Parameters) -> Result<Outline, Error> {
    outline_of(file, parameters, true)
}

fn outline_of(file: &Dockerfile, parameters: &Parameters, all: bool) -> Result<Outline, Error> {
    if file.stages.is_empty() {
        let message = "dockerfile contains no stages to build";
        return Err(Error::Definition { span: None, message: message.into(), hints: vec![] }
            .hint("a Dockerfile begins with FROM; `FROM scratch` starts from nothing"));
    }
    let globals = global_args(file, parameters)?;
    let mut froms = Vec::new();
    for stage in &file.stages {
        let name = base_name(file, &stage.from, &globals)?;
        let platform = stage.from.platform.as_ref().map(|word| platform(file, word, &globals)).transpose()?;
        froms.push(Written { name, platform });
    }
    let target = find_target(file, parameters.target.as_deref())?;
    let replaced = |name: &str| named::find(&parameters.contexts, name, &parameters.platform).is_some();
    soundness::check(file, froms.iter().map(|from| from.name.as_str()), &replaced)?;
    let (bases, contexts, stages) = (Vec::new(), Vec::new(), vec![None; file.stages.len()]);
    let mut walk = Walk { file, parameters, froms, bases, contexts, stages };
    let needed = if all { (0..file.stages.len()).collect() } else { walk.needed(target) };
    for index in needed {
        walk.stage(index)?;
    }
    let Walk { bases, contexts, stages, .. } = walk;
    Ok(Outline { target: StageIndex(target), stages, bases, contexts, globals })
}

/// An image's name in full.
///
/// # Errors
/// [`Error::Definition`] at `span`.
pub(super) fn reference(name: &str, span: &Span) -> Result<Reference, Error> {
    let parsed: Result<Reference, InvalidReference> = name.parse();
    match parsed {
        Ok(reference) => Ok(reference.with_default_tag()),
        Err(e) => Err(Error::definition(span, format!("failed to parse image name {name:?}: {}", e.reason))),
    }
}

fn find_target(file: &Dockerfile, target: Option<&str>) -> Result<usize, Error> {
    if let Some(stage) = file.target(target) {
        return Ok(stage.index);
    }
    let name = target.unwrap_or_default();
    let known: Vec<&str> = file.stages.iter().filter_map(|stage| stage.name()).collect();
    let error = Error::input(format!("target stage {name:?} could not be found"));
    Err(match nearest(name, &known, false) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None if known.is_empty() => {
            error.hint("no stage of this Dockerfile has a name: write FROM … AS name")
        }
        None => error.hint(format!("the stages of this Dockerfile are: {}", known.join(", "))),
    })
}

fn global_args(file: &Dockerfile, parameters: &Parameters) -> Result<Vars, Error> {
    let mut globals = predefined(file, parameters);
    let expansion = Expansion::new(file);
    for instruction in &file.global_args {
        let Command::Arg(arg) = &instruction.command else { continue };
        for item in &arg.items {
            let name = &item.name.text;
            if let Some(value) = parameters.build_args.get(name) {
                globals.set(name, value);
            } else if let Some(default) = &item.default {
                let value = expansion.word(default, &globals)?;
                globals.set(name, value);
            }
        }
    }
    Ok(globals)
}

/// The platform arguments, each open to `--build-arg`.
pub(super) fn predefined(file: &Dockerfile, parameters: &Parameters) -> Vars {
    let last = file.stages.last().and_then(|stage| stage.name());
    let target = parameters.target.as_deref().or(last).unwrap_or("default");
    let (build, wanted) = (&parameters.build_platform, &parameters.platform);
    let pairs = [
        ("BUILDPLATFORM", build.to_string()),
        ("BUILDOS", build.os.clone()),
        ("BUILDOSVERSION", build.os_version.clone()),
        ("BUILDARCH", build.architecture.clone()),
        ("BUILDVARIANT", build.variant.clone()),
        ("TARGETPLATFORM", wanted.to_string()),
        ("TARGETOS", wanted.os.clone()),
        ("TARGETOSVERSION", wanted.os_version.clone()),
        ("TARGETARCH", wanted.architecture.clone()),
        ("TARGETVARIANT", wanted.variant.clone()),
        ("TARGETSTAGE", target.to_owned()),
    ];
    let value = |name: &str, own: String| parameters.build_args.get(name).cloned().unwrap_or(own);
    pairs.into_iter().map(|(name, own)| (name.to_owned(), value(name, own))).collect()
}

fn base_name(file: &Dockerfile, from: &dockerfile::command::From, globals: &Vars) -> Result<String, Error> {
    let name = Expansion::new(file).word(&from.image, globals)?;
    if name.is_empty() {
        let message = format!("base name ({}) should not be blank", from.image.text);
        return Err(Error::definition(&from.image.span, message).hint(
            "give the argument a default in an ARG before the first FROM, or pass it with --build-arg",
        ));
    }
    Ok(name)
}

fn platform(file: &Dockerfile, word: &Word, globals: &Vars) -> Result<Platform, Error> {
    let text = Expansion::new(file).word(word, globals)?;
    if text.is_empty() {
        let message = format!("empty platform value from expression {}", word.text);
        let error = Error::definition(&word.span, message);
        let asked = word.text.trim_matches(['$', '{', '}']);
        let known: Vec<&str> = globals.names().collect();
        return Err(match nearest(asked, &known, true) {
            Some(near) => error.hint(format!("did you mean ${near}?")),
            None => error,
        });
    }
    text.parse().map_err(|e: InvalidPlatform| {
        Error::definition(&word.span, format!("failed to parse platform {}: {}", word.text, e.reason))
    })
}

/// A FROM line, expanded.
struct Written {
    name: String,
    platform: Option<Platform>,
}

struct Walk<'a> {
    file: &'a Dockerfile,
    parameters: &'a Parameters,
    froms: Vec<Written>,
    bases: Vec<BaseRequest>,
    contexts: Vec<ContextRequest>,
    stages: Vec<Option<OutlinedStage>>,
}

impl<'a> Walk<'a> {
    /// The named context that stands for `name` in stage `index`.
    fn named(&self, index: usize, name: &str) -> Option<&'a NamedContext> {
        let platform = self.froms[index].platform.as_ref().unwrap_or(&self.parameters.platform);
        named::find(&self.parameters.contexts, name, platform)
    }

    /// The named context that stands for the whole stage.
    fn replacement(&self, index: usize) -> Option<&'a NamedContext> {
        self.named(index, self.file.stages[index].name()?)
    }

    /// The stages that stage `index` leads to.
    fn leads(&self, index: usize) -> Vec<usize> {
        let stage_of = |context: &NamedContext| match &context.value {
            NamedValue::Stage(name) => self.file.target(Some(name)).map(|stage| stage.index),
            _ => None,
        };
        if let Some(context) = self.replacement(index) {
            return stage_of(context).into_iter().collect();
        }
        let base = &self.froms[index].name;
        let below = match self.file.base_stage(index, base) {
            Some(stage) => Some(stage.index),
            None => self.named(index, base).and_then(stage_of),
        };
        let read = sources(&self.file.stages[index]).filter_map(|source| {
            match self.file.source_stage(index, source.name) {
                StageLookup::Stage(stage) => Some(stage),
                StageLookup::NotAStage => self.named(index, source.name).and_then(stage_of),
                StageLookup::NotBefore(_) => None,
            }
        });
        below.into_iter().chain(read).filter(|&stage| stage < index).collect()
    }

    /// The stages that `target` needs, itself included, in order of the file. Stages only lead to earlier ones.
    fn needed(&self, target: usize) -> Vec<usize> {
        let mut needed = vec![false; target + 1];
        needed[target] = true;
        for index in (0..=target).rev() {
            if !needed[index] {
                continue;
            }
            for stage in self.leads(index) {
                needed[stage] = true;
            }
        }
        (0..=target).filter(|&index| needed[index]).collect()
    }

    /// As in BuildKit, `--platform` means nothing to `FROM scratch` and to stages built from others.
    fn stage(&mut self, index: usize) -> Result<(), Error> {
        let stage = &self.file.stages[index];
        let Written { name, platform } = &self.froms[index];
        let (name, written) = (name.clone(), platform.clone());
        let default = self.parameters.platform.clone();
        let place = Place {
            index,
            platform: written.clone().unwrap_or(default.clone()),
            span: &stage.from.image.span,
        };
        if let Some(context) = self.replacement(index) {
            let from = self.context(context, &place)?;
            let platform = place.platform;
            self.stages[index] =
                Some(OutlinedStage { from, platform, sources: BTreeMap::new(), replaced: true });
            return Ok(());
        }
        let (from, platform) = if let Some(base) = self.file.base_stage(index, &name) {
            let below = self.stages[base.index].as_ref().map_or(default, |below| below.platform.clone());
            (StageFrom::Stage(StageIndex(base.index)), below)
        } else if name == "scratch" {
            (StageFrom::Scratch, default)
        } else if let Some(context) = self.named(index, &name) {
            (self.context(context, &place)?, place.platform)
        } else {
            let platform = written.unwrap_or(default);
            (StageFrom::Base(self.base(&name, &platform, &stage.from.image.span)?), platform)
        };
        let mut meant = BTreeMap::new();
        for source in sources(stage) {
            meant.insert(source.position, self.source(index, &source)?);
        }
        self.stages[index] = Some(OutlinedStage { from, platform, sources: meant, replaced: false });
        Ok(())
    }

    /// The tree that `--from` means. Images are asked for the platform of the build, whatever that of the stage is.
    fn source(&mut self, index: usize, source: &Named<'_>) -> Result<From, Error> {
        match self.file.source_stage(index, source.name) {
            StageLookup::Stage(source) => Ok(match &self.stages[source] {
                // A stage that is files has nothing else to be read.
                Some(OutlinedStage { from: StageFrom::Context(context), replaced: true, .. }) => {
                    From::Context(*context)
                }
                _ => From::Stage(StageIndex(source)),
            }),
            StageLookup::NotBefore(other) => {
                let message = format!(
                    "cannot {} from stage {:?}, it needs to be defined before current stage {:?}",
                    if source.mount { "mount" } else { "copy" },
                    self.file.stages.get(other).map_or_else(|| other.to_string(), dockerfile::Stage::title),
                    self.file.stages[index].title()
                );
                Err(Error::definition(source.span, message))
            }
            StageLookup::NotAStage if source.name == "scratch" && source.mount => Ok(From::Scratch),
            StageLookup::NotAStage if source.name == "scratch" => {
                Err(Error::definition(source.span, "scratch has no files that could be copied"))
            }
            StageLookup::NotAStage => {
                let platform = self.parameters.platform.clone();
                if let Some(context) = named::find(&self.parameters.contexts, source.name, &platform) {
                    let found = self.context(context, &Place { index, platform, span: source.span })?;
                    return Ok(match found {
                        StageFrom::Scratch => From::Scratch,
                        StageFrom::Stage(stage) => From::Stage(stage),
                        StageFrom::Base(base) => From::Image(base),
                        StageFrom::Context(context) => From::Context(context),
                    });
                }
                Ok(From::Image(self.base(source.name, &platform, source.span)?))
            }
        }
    }

    /// What a named context stands for.
    fn context(&mut self, context: &NamedContext, place: &Place<'_>) -> Result<StageFrom, Error> {
        let Place { index, platform, span } = place;
        match &context.value {
            NamedValue::Image(name) if name == "scratch" => Ok(StageFrom::Scratch),
            NamedValue::Image(name) => Ok(StageFrom::Base(self.base(name, platform, span)?)),
            NamedValue::Layout(layout) => {
                let request = BaseRequest {
                    name: format!("oci-layout://{}", layout.folder.display()),
                    reference: reference("localhost/layout", span)?,
                    platform: platform.clone(),
                    span: (*span).clone(),
                    layout: Some(layout.clone()),
                };
                Ok(StageFrom::Base(self.request(request)))
            }
            NamedValue::Stage(name) => match self.file.target(Some(name)) {
                Some(stage) if stage.index < *index => Ok(StageFrom::Stage(StageIndex(stage.index))),
                Some(_) => Err(Error::definition(
                    span,
                    format!("context {:?} means stage {name}, which is not before this one", context.name),
                )),
                None => Err(Error::definition(
                    span,
                    format!("context {:?} means stage {name}, which is not there", context.name),
                )),
            },
            NamedValue::Files(origin) => {
                let title = format!("context {:?}", context.name);
                let known = self.contexts.iter().position(|c| c.title == title);
                let nth = known.unwrap_or_else(|| {
                    let (origin, span) = (origin.clone(), (*span).clone());
                    self.contexts.push(ContextRequest { title, origin, span });
                    self.contexts.len() - 1
                });
                Ok(StageFrom::Context(ContextIndex(nth + 1)))
            }
        }
    }

    fn base(&mut self, name: &str, platform: &Platform, span: &Span) -> Result<BaseIndex, Error> {
        let reference = reference(name, span)?;
        let (name, platform, span) = (name.to_owned(), platform.clone(), span.clone());
        Ok(self.request(BaseRequest { name, reference, platform, span, layout: None }))
    }

    fn request(&mut self, request: BaseRequest) -> BaseIndex {
        let known = self.bases.iter().position(|base| base.is_same(&request));
        BaseIndex(known.unwrap_or_else(|| {
            self.bases.push(request);
            self.bases.len() - 1
        }))
    }
}

/// Where something is named.
struct Place<'a> {
    index: usize,
    platform: Platform,
    span: &'a Span,
}

/// A tree that an instruction names.
pub(super) struct Named<'a> {
    pub position: Position,
    /// As written.
    pub name: &'a str,
    pub span: &'a Span,
    /// Whether it is the `from` of a mount.
    pub mount: bool,
}

/// The trees that the instructions of a stage name: `COPY --from` and `RUN --mount=…,from=…`.
pub(super) fn sources(stage: &dockerfile::Stage) -> impl Iterator<Item = Named<'_>> {
    stage.instructions.iter().enumerate().flat_map(|(position, instruction)| {
        let (copied, mounts) = match &instruction.command {
            Command::Copy(copy) => (copy.from.as_ref(), [].as_slice()),
            Command::Run(run) => (None, run.mounts.as_slice()),
            _ => (None, [].as_slice()),
        };
        let copied = copied.map(move |word| Named {
            position: (position, 0),
            name: &word.text,
            span: &word.span,
            mount: false,
        });
        let mounts = mounts.iter().enumerate().filter_map(move |(nth, flag)| {
            let name = flag.from.as_deref()?;
            Some(Named { position: (position, nth), name, span: &flag.word.span, mount: true })
        });
        copied.into_iter().chain(mounts)
    })
}
