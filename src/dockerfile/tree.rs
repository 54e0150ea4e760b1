//! The whole file: directives, global arguments, stages, warnings; looking stages up.

use std::sync::Arc;

use crate::base::SourceFile;
use crate::dockerfile::command::From;
use crate::dockerfile::{Directives, Instruction, Warning};

/// A parsed Dockerfile.
///
/// Equality is equality of meaning, as of [`Instruction`]; warnings do not count.
#[derive(Clone, Debug)]
pub struct Dockerfile {
    /// The file it was read from.
    pub file: Arc<SourceFile>,
    /// The parser directives of its first lines.
    pub directives: Directives,
    /// The `ARG` instructions before the first `FROM`.
    pub global_args: Vec<Instruction>,
    /// The stages in order; may be empty when the file holds only `ARG`s.
    pub stages: Vec<Stage>,
    /// What only the parser sees, in order of lines; [`crate::dockerfile::checks`] has the rest.
    pub warnings: Vec<Warning>,
}

impl PartialEq for Dockerfile {
    fn eq(&self, other: &Self) -> bool {
        self.directives == other.directives
            && self.global_args == other.global_args
            && self.stages == other.stages
    }
}

impl Eq for Dockerfile {}

/// A `FROM` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Its place in the file, from 0.
    pub index: usize,
    /// What it is built from.
    pub from: From,
    /// The `FROM` instruction itself; its command is equal to `from`.
    pub instruction: Instruction,
    /// The instructions below, in order.
    pub instructions: Vec<Instruction>,
}

impl Stage {
    /// Its name in lower case, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.from.name.as_ref().map(|name| name.text.as_str())
    }

    /// The name if it has one, else the number: what messages call it.
    pub fn title(&self) -> String {
        self.name().map_or_else(|| self.index.to_string(), str::to_owned)
    }
}

/// How a reference of `COPY --from=` or `RUN --mount=from=` was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageLookup {
    /// An earlier stage.
    Stage(usize),
    /// No stage: a named context or an image.
    NotAStage,
    /// A number past the last stage, or a stage that is not before the one that asks (itself or a later one).
    NotBefore(usize),
}

impl Dockerfile {
    /// All instructions in order of the file, `FROM`s included.
    pub fn instructions(&self) -> impl Iterator<Item = &Instruction> {
        let stages = self
            .stages
            .iter()
            .flat_map(|stage| std::iter::once(&stage.instruction).chain(&stage.instructions));
        self.global_args.iter().chain(stages)
    }

    /// The stage that `--target name` means: names fold case; of stages of one name the last wins. `None` as name means the last stage. Numbers are no targets (measured: `--target 0` is an error).
    pub fn target(&self, name: Option<&str>) -> Option<&Stage> {
        match name {
            None => self.stages.last(),
            Some(name) => {
                self.stages.iter().rfind(|s| s.name().is_some_and(|n| n.eq_ignore_ascii_case(name)))
            }
        }
    }

    /// The earlier stage that `FROM base` of stage `index` means. The base is compared as written (stage names are lower
    /// case, so `FROM Base` never finds `AS Base`); of several stages of one name the last one before `index` wins.
    pub fn base_stage(&self, index: usize, base: &str) -> Option<&Stage> {
        self.stages.iter().take(index).rev().find(|stage| stage.name() == Some(base))
    }

    /// The stage that `--from=reference` in stage `index` means: a number is an index, a name folds case and means the
    /// last earlier stage of that name; everything else is a named context or an image.
    pub fn source_stage(&self, index: usize, reference: &str) -> StageLookup {
        if let Ok(number) = reference.parse::<usize>() {
            return if number < index { StageLookup::Stage(number) } else { StageLookup::NotBefore(number) };
        }
        let folded = reference.to_lowercase();
        let named = |stage: &&Stage| stage.name() == Some(folded.as_str());
        if let Some(stage) = self.stages.iter().take(index).rev().find(named) {
            return StageLookup::Stage(stage.index);
        }
        match self.stages.iter().skip(index).find(named) {
            Some(later) => StageLookup::NotBefore(later.index),
            None => StageLookup::NotAStage,
        }
    }
}
