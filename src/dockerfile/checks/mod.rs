//! Build checks: what is legal in a Dockerfile and still wrong. Here are the rules about the text alone; those about
//! variables and base images need an evaluation (`build::evaluate::survey`).
//!
//! What is looked at says `# check=…` in the first lines, or above an instruction for that one alone. Rules, names and
//! words are BuildKit's (`frontend/dockerfile/linter`), measured; so is which rules look at the line above an instruction:
//! those that compare instructions with each other do not.

mod casing;
mod rule;
mod stages;

pub use rule::Rule;

use crate::dockerfile::{Check, Command, Dockerfile, Instruction, Warning};

/// Checks the text of a file, in order of lines. `check` is the file's own directive, or what overrides it.
pub fn check(file: &Dockerfile, check: &Check) -> Vec<Warning> {
    let mut found: Vec<Warning> = file
        .warnings
        .iter()
        .map(|warning| match warning.rule {
            Rule::NoEmptyContinuation => {
                Warning { message: "Empty continuation line".into(), ..warning.clone() }
            }
            _ => warning.clone(),
        })
        .collect();
    found.extend(stages::names(file));
    found.extend(casing::keywords(file));
    found.retain(|warning| check.allows(warning.rule));
    for instruction in file.instructions() {
        let own = check.at(instruction);
        found.extend(alone(instruction).into_iter().filter(|warning| own.allows(warning.rule)));
    }
    found.sort_by_key(|warning| warning.lines);
    found
}

/// What an instruction says about itself.
fn alone(instruction: &Instruction) -> Vec<Warning> {
    match &instruction.command {
        Command::From(from) => {
            let mut found = stages::writing(instruction);
            let name = from.name.iter().map(|name| name.text.as_str()).collect();
            found.extend(description(instruction, "FROM", name));
            found
        }
        Command::Arg(arg) => {
            let names = arg.items.iter().map(|item| item.name.text.as_str()).collect();
            description(instruction, "ARG", names).into_iter().collect()
        }
        Command::Maintainer(_) => {
            let message = "Maintainer instruction is deprecated in favor of using label";
            let span = instruction.keyword.span.clone();
            vec![Warning::new(Rule::MaintainerDeprecated, instruction, span, message)]
        }
        _ => Vec::new(),
    }
}

/// The comment directly above a stage or an argument begins with its name.
fn description(instruction: &Instruction, keyword: &str, names: Vec<&str>) -> Option<Warning> {
    let comment = instruction.comments.last()?;
    let first = comment.split(' ').next().unwrap_or_default();
    let shown = match names.as_slice() {
        [] => return None,
        names if names.contains(&first) => return None,
        [name] => name,
        _ => "<arg_key>",
    };
    let message = format!("Comment for {keyword} should follow the format: `# {shown} <description>`");
    let span = instruction.keyword.span.clone();
    Some(Warning::new(Rule::InvalidDefinitionDescription, instruction, span, message))
}
