//! The outline of a build: which stages and base images the target needs.

use std::collections::BTreeMap;

use crate::base::{Platform, Reference, Span};
use crate::build::Error;
use crate::build::evaluate::expansion::Expansion;
use crate::build::evaluate::{Parameters, Vars};
use crate::build::step::{BaseIndex, From, StageIndex};
use crate::dockerfile::{self, Command, Dockerfile, StageLookup, nearest};

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
}

/// A stage that the target needs.
#[derive(Clone, Debug)]
pub struct OutlinedStage {
    /// What it begins with.
    pub from: StageFrom,
    /// Its platform.
    pub platform: Platform,
    /// What the `--from` of its instructions mean, by position of the instruction.
    pub sources: BTreeMap<usize, From>,
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
    /// Values of the global arguments, predefined ones included.
    pub globals: Vars,
}

/// Reads global arguments and FROM lines.
///
/// # Errors
/// [`Error::Definition`] and [`Error::Input`].
pub fn outline(file: &Dockerfile, parameters: &Parameters) -> Result<Outline, Error> {
    if file.stages.is_empty() {
        let message = "dockerfile contains no stages to build";
        return Err(Error::Definition { span: None, message: message.into(), hints: vec![] }
            .hint("a Dockerfile begins with FROM; `FROM scratch` starts from nothing"));
    }
    let target = find_target(file, parameters.target.as_deref())?;
    let globals = global_args(file, parameters, target)?;
    let expansion = Expansion::new(file);
    let mut names = Vec::new();
    for stage in &file.stages {
        let name = expansion.word(&stage.from.image, &globals)?;
        if name.is_empty() {
            let message = format!("base name ({}) should not be blank", stage.from.image.text);
            return Err(Error::definition(&stage.from.image.span, message).hint(
                "give the argument a default in an ARG before the first FROM, or pass it with --build-arg",
            ));
        }
        names.push(name);
    }
    let mut walk =
        Walk { file, parameters, globals, names, bases: Vec::new(), stages: vec![None; file.stages.len()] };
    walk.visit(target)?;
    let Walk { globals, bases, stages, .. } = walk;
    Ok(Outline { target: StageIndex(target), stages, bases, globals })
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

fn global_args(file: &Dockerfile, parameters: &Parameters, target: usize) -> Result<Vars, Error> {
    let mut globals = predefined(parameters, file.stages[target].name().unwrap_or("default"));
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
fn predefined(parameters: &Parameters, target: &str) -> Vars {
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

struct Walk<'a> {
    file: &'a Dockerfile,
    parameters: &'a Parameters,
    globals: Vars,
    names: Vec<String>,
    bases: Vec<BaseRequest>,
    stages: Vec<Option<OutlinedStage>>,
}

impl Walk<'_> {
    /// Stages only lead to earlier ones, so this ends.
    fn visit(&mut self, index: usize) -> Result<(), Error> {
        if self.stages[index].is_some() {
            return Ok(());
        }
        let stage = &self.file.stages[index];
        let name = self.names[index].clone();
        let written = match &stage.from.platform {
            Some(word) => Some(self.stage_platform(word)?),
            None => None,
        };
        let mut platform = written.clone().unwrap_or_else(|| self.parameters.platform.clone());
        let from = if name == "scratch" {
            StageFrom::Scratch
        } else if let Some(base) = self.file.base_stage(index, &name) {
            let base = base.index;
            self.visit(base)?;
            if let (None, Some(below)) = (&written, &self.stages[base]) {
                platform = below.platform.clone();
            }
            StageFrom::Stage(StageIndex(base))
        } else {
            StageFrom::Base(self.base(&name, &platform, &stage.from.image.span)?)
        };
        let mut sources = BTreeMap::new();
        for (position, instruction) in stage.instructions.iter().enumerate() {
            if let Command::Copy(copy) = &instruction.command
                && let Some(word) = &copy.from
            {
                sources.insert(position, self.source(index, word, &platform)?);
            }
        }
        self.stages[index] = Some(OutlinedStage { from, platform, sources });
        Ok(())
    }

    fn stage_platform(&self, word: &dockerfile::Word) -> Result<Platform, Error> {
        let text = Expansion::new(self.file).word(word, &self.globals)?;
        if text.is_empty() {
            let message = format!("empty platform value from expression {}", word.text);
            let error = Error::definition(&word.span, message);
            let asked = word.text.trim_matches(['$', '{', '}']);
            let known: Vec<&str> = self.globals.names().collect();
            return Err(match nearest(asked, &known, true) {
                Some(near) => error.hint(format!("did you mean ${near}?")),
                None => error,
            });
        }
        text.parse().map_err(|e: crate::base::InvalidPlatform| {
            Error::definition(&word.span, format!("failed to parse platform {}: {}", word.text, e.reason))
        })
    }

    fn source(&mut self, index: usize, word: &dockerfile::Word, platform: &Platform) -> Result<From, Error> {
        if Expansion::new(self.file).word(word, &Vars::default())? != word.text {
            let message = "variable expansion is not supported for --from, define a new stage with FROM using ARG \
                           from global scope as a workaround";
            return Err(Error::definition(&word.span, message));
        }
        match self.file.source_stage(index, &word.text) {
            StageLookup::Stage(source) => {
                self.visit(source)?;
                Ok(From::Stage(StageIndex(source)))
            }
            StageLookup::NotBefore(other) if other >= self.file.stages.len() => {
                Err(Error::definition(&word.span, format!("invalid stage index {other}"))
                    .hint(format!("this Dockerfile has the stages 0 to {}", self.file.stages.len() - 1)))
            }
            StageLookup::NotBefore(other) => {
                let message = format!(
                    "cannot copy from stage {:?}, it needs to be defined before current stage {:?}",
                    self.file.stages[other].title(),
                    self.file.stages[index].title()
                );
                Err(Error::definition(&word.span, message))
            }
            StageLookup::NotAStage => Ok(From::Image(self.base(&word.text, platform, &word.span)?)),
        }
    }

    fn base(&mut self, name: &str, platform: &Platform, span: &Span) -> Result<BaseIndex, Error> {
        let reference: Reference = name.parse().map_err(|e: crate::base::InvalidReference| {
            Error::definition(span, format!("failed to parse image name {name:?}: {}", e.reason))
        })?;
        let reference = reference.with_default_tag();
        let known = self.bases.iter().position(|b| b.reference == reference && b.platform == *platform);
        let index = known.unwrap_or_else(|| {
            let (name, platform, span) = (name.to_owned(), platform.clone(), span.clone());
            self.bases.push(BaseRequest { name, reference, platform, span });
            self.bases.len() - 1
        });
        Ok(BaseIndex(index))
    }
}
