//! From statements to typed instructions and stages.

mod device;
mod duration;
mod files;
mod flags;
mod health;
mod instruction;
pub(super) mod mount;
mod onbuild;
mod run;
#[cfg(test)]
mod tests;

pub(super) use onbuild::parse_trigger;

use std::sync::Arc;

use crate::base::SourceFile;
use crate::dockerfile::read::{self, directives};
use crate::dockerfile::{Command, Dockerfile, Error, Instruction, Problem, Stage};

/// Parses a file: statements first (so that an unterminated heredoc is told before an unknown keyword above it, as
/// BuildKit does), then every statement in order.
pub(super) fn parse(file: &Arc<SourceFile>) -> Result<Dockerfile, Error> {
    let read = read::read(file)?;
    let mut out = Dockerfile {
        file: Arc::clone(file),
        directives: directives::find(file, read.escape)?,
        global_args: Vec::new(),
        stages: Vec::new(),
        warnings: read.warnings,
    };
    for statement in read.statements {
        let span = statement.span.clone();
        let instruction = instruction::parse(statement, &mut out.warnings)?;
        place(&mut out, instruction).map_err(|problem| Error::parse(span, problem))?;
    }
    out.warnings.sort_by_key(|warning| warning.span.range().start);
    Ok(out)
}

/// Puts an instruction where it belongs.
fn place(out: &mut Dockerfile, instruction: Instruction) -> Result<(), Problem> {
    match (&instruction.command, out.stages.last_mut()) {
        (Command::From(from), _) => {
            let (index, from) = (out.stages.len(), from.clone());
            out.stages.push(Stage { index, from, instruction, instructions: Vec::new() });
        }
        (Command::Arg(_), None) => out.global_args.push(instruction),
        (_, Some(stage)) => stage.instructions.push(instruction),
        (_, None) => return Err(Problem::NoStage),
    }
    Ok(())
}
