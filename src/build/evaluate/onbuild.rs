//! ONBUILD: the triggers of what a stage is built from become the first instructions of the stage.
//!
//! Triggers come from the configurations of base images, and from the ONBUILD instructions of stages of the same file.
//! They may name other stages and images, so a file is outlined again once they are known. Source of the rules: BuildKit
//! `dockerfile2llb`: initOnBuildTriggers.

use std::collections::BTreeSet;

use crate::build::Error;
use crate::build::evaluate::{Outline, StageFrom};
use crate::build::step::StageIndex;
use crate::dockerfile::{self, Command, Dockerfile, Instruction};
use crate::oci::ImageConfig;

/// The most instructions that triggers may add to one file.
const MOST: usize = 10_000;

/// Puts triggers into the stages that `outline` needs and `expanded` does not hold yet; tells whether there were any.
/// `bases` are the configurations of the outline's base images.
///
/// # Errors
/// If a trigger is no instruction, or not one that may be a trigger, at the FROM of the stage.
pub fn expand_triggers(
    file: &mut Dockerfile,
    outline: &Outline,
    bases: &[ImageConfig],
    expanded: &mut BTreeSet<StageIndex>,
) -> Result<bool, Error> {
    let mut any = false;
    for (index, outlined) in outline.stages.iter().enumerate() {
        let Some(outlined) = outlined else { continue };
        if outlined.replaced || !expanded.insert(StageIndex(index)) {
            continue;
        }
        let texts: Vec<String> = match outlined.from {
            StageFrom::Scratch | StageFrom::Context(_) => continue,
            StageFrom::Base(base) => bases[base.0].config.on_build.clone(),
            StageFrom::Stage(below) => own_triggers(file, outline, bases, below),
        };
        if texts.len() > MOST {
            let span = &file.stages[index].from.image.span;
            return Err(Error::definition(span, format!("{} ONBUILD triggers are too many", texts.len())));
        }
        let mut instructions = Vec::new();
        for text in &texts {
            let mut instruction = trigger(text).map_err(|error| at_from(error, file, index, text))?;
            instruction.span = file.stages[index].instruction.span.clone();
            instructions.push(instruction);
        }
        any |= !instructions.is_empty();
        let stage = &mut file.stages[index];
        instructions.append(&mut stage.instructions);
        stage.instructions = instructions;
    }
    Ok(any)
}

/// Whether an instruction of the stage came from a trigger: it stands where the stage begins.
pub(super) fn is_trigger(instruction: &Instruction, stage: &dockerfile::Stage) -> bool {
    instruction.span == stage.instruction.span
}

/// The triggers that a stage of the file leaves to those built from it: its own, and if a named context stands for it,
/// those of that image.
fn own_triggers(
    file: &Dockerfile,
    outline: &Outline,
    bases: &[ImageConfig],
    below: StageIndex,
) -> Vec<String> {
    let replaced = outline.stages[below.0].as_ref().filter(|stage| stage.replaced);
    if let Some(stage) = replaced {
        return match stage.from {
            StageFrom::Base(base) => bases[base.0].config.on_build.clone(),
            _ => Vec::new(),
        };
    }
    let instructions = file.stages[below.0].instructions.iter();
    let text = |instruction: &Instruction| match &instruction.command {
        Command::Onbuild(onbuild) => Some(onbuild.text.clone()),
        _ => None,
    };
    instructions.filter_map(text).collect()
}

/// A trigger as an instruction. What an instruction ONBUILD refuses is refused here too: images are made by anybody.
fn trigger(text: &str) -> Result<Instruction, Error> {
    let instruction = dockerfile::parse_trigger(text)?;
    match &instruction.command {
        Command::Onbuild(_) => {
            Err(Error::definition(&instruction.span, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"))
        }
        Command::From(_) | Command::Maintainer(_) => Err(Error::definition(
            &instruction.span,
            format!("{} isn't allowed as an ONBUILD trigger", instruction.command.name()),
        )),
        _ => Ok(instruction),
    }
}

/// The place of an error in a trigger is the FROM that pulls it in.
fn at_from(error: Error, file: &Dockerfile, index: usize, text: &str) -> Error {
    let failure = crate::base::Failure::from(error);
    let words: Vec<&str> =
        std::iter::once(failure.message()).chain(failure.causes().iter().map(String::as_str)).collect();
    let message = format!("the base image has the ONBUILD trigger {text:?}: {}", words.join(": "));
    Error::definition(&file.stages[index].from.image.span, message)
}
