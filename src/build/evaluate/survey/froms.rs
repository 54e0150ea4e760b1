//! Rules about FROM: its arguments, its platform, the image it names.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{Platform, Reference};
use crate::build::evaluate::expansion::Expansion;
use crate::build::evaluate::survey::Subject;
use crate::build::evaluate::survey::globals::Globals;
use crate::build::evaluate::{Parameters, StageFrom};
use crate::build::step::From;
use crate::dockerfile::{
    Check, Dockerfile, Expansion as Expanded, Instruction, Rule, Stage, Warning, Word, nearest,
};

const TARGET: &str = "TARGETPLATFORM";

/// The rules that need only the command line.
pub fn check(file: &Dockerfile, parameters: &Parameters, check: &Check) -> Vec<Warning> {
    let mut found = match parameters.always_given {
        true => Vec::new(),
        false => defaults(file, parameters),
    };
    found.retain(|warning| check.allows(warning.rule));
    let Some(globals) = Globals::read(file, parameters, &parameters.build_args) else { return found };
    let expansion = Expansion::new(file);
    for stage in &file.stages {
        let own = check.at(&stage.instruction);
        let line = FromLine { stage, globals: &globals };
        let words = line.check(&expansion);
        found.extend(words.into_iter().filter(|warning| own.allows(warning.rule)));
    }
    found
}

/// InvalidDefaultArgInFrom: names that mean nothing when nobody gives arguments.
fn defaults(file: &Dockerfile, parameters: &Parameters) -> Vec<Warning> {
    let Some(globals) = Globals::read(file, parameters, &BTreeMap::new()) else { return Vec::new() };
    let expansion = Expansion::new(file);
    let mut found = Vec::new();
    for stage in &file.stages {
        let image = &stage.from.image;
        let Ok(expanded) = expansion.whole(&image.text, &globals.vars) else { break };
        if expanded.text.parse::<Reference>().is_err() {
            let message =
                format!("Default value for ARG {} results in empty or invalid base image name", image.text);
            let span = image.span.clone();
            found.push(Warning::new(Rule::InvalidDefaultArgInFrom, &stage.instruction, span, message));
        }
    }
    found
}

struct FromLine<'a> {
    stage: &'a Stage,
    globals: &'a Globals,
}

impl FromLine<'_> {
    fn warning(&self, rule: Rule, word: &Word, message: String) -> Warning {
        Warning::new(rule, &self.stage.instruction, word.span.clone(), message)
    }

    fn check(&self, expansion: &Expansion) -> Vec<Warning> {
        let from = &self.stage.from;
        let mut found = Vec::new();
        if let Ok(name) = expansion.whole(&from.image.text, &self.globals.vars) {
            found.extend(self.undeclared(&from.image, &name.unmatched));
        }
        let Some(word) = &from.platform else { return found };
        let Ok(platform) = expansion.whole(&word.text, &self.globals.vars) else { return found };
        found.extend(self.undeclared(word, &platform.unmatched));
        found.extend(self.redundant(word, &platform));
        found.extend(self.constant(word, &platform));
        found
    }

    fn undeclared(&self, word: &Word, names: &BTreeSet<String>) -> Vec<Warning> {
        let known: Vec<&str> = self.globals.names().into_iter().collect();
        let undeclared = names.iter().filter(|name| !self.globals.has(name));
        undeclared
            .map(|name| {
                let near = nearest(name, &known, true);
                let near = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
                let message = format!("FROM argument '{name}' is not declared{near}");
                self.warning(Rule::UndefinedArgInFrom, word, message)
            })
            .collect()
    }

    /// The platform is that of the target, and nothing else.
    fn redundant(&self, word: &Word, platform: &Expanded) -> Option<Warning> {
        let only = platform.unmatched.is_empty() && platform.matched.iter().eq([TARGET]);
        if !only || self.globals.vars.get(TARGET) != Some(platform.text.as_str()) {
            return None;
        }
        let message = format!(
            "Setting platform to predefined {} in FROM is redundant as this is the default behavior",
            word.text
        );
        Some(self.warning(Rule::RedundantTargetPlatform, word, message))
    }

    /// A constant is fine in a stage that is named after it.
    fn constant(&self, word: &Word, expanded: &Expanded) -> Option<Warning> {
        if !expanded.matched.is_empty() || !expanded.unmatched.is_empty() {
            return None;
        }
        let platform: Platform = expanded.text.parse().ok()?;
        let name = self.stage.name().unwrap_or_default();
        if name.contains(&platform.os) || name.contains(&platform.architecture) {
            return None;
        }
        let message = format!("FROM --platform flag should not use constant value \"{}\"", expanded.text);
        Some(self.warning(Rule::FromPlatformFlagConstDisallowed, word, message))
    }
}

/// InvalidBaseImagePlatform: images that are for another machine than they were asked for.
pub fn platforms(subject: &Subject<'_>) -> Vec<Warning> {
    let mut found = Vec::new();
    for (stage, outlined) in subject.file.stages.iter().zip(&subject.outline.stages) {
        let Some(outlined) = outlined else { continue };
        if let StageFrom::Base(base) = outlined.from {
            found.extend(platform(subject, base.0, &stage.instruction, &stage.from.image));
        }
        for (position, source) in &outlined.sources {
            let (From::Image(base), Some(instruction)) = (source, stage.instructions.get(position.0)) else {
                continue;
            };
            let whole = Word::new("", instruction.span.clone());
            found.extend(platform(subject, base.0, instruction, &whole));
        }
    }
    found.retain(|warning| subject.check.allows(warning.rule));
    found
}

fn platform(subject: &Subject<'_>, base: usize, instruction: &Instruction, word: &Word) -> Option<Warning> {
    let (request, config) = (subject.outline.bases.get(base)?, subject.bases.get(base)?);
    let (wanted, got) = (&request.platform, config.platform());
    if config.layers().is_empty() || (wanted.os == got.os && wanted.architecture == got.architecture) {
        return None;
    }
    let message = format!(
        "Base image {} was pulled with platform \"{got}\", expected \"{wanted}\" for current build",
        request.name
    );
    Some(Warning::new(Rule::InvalidBaseImagePlatform, instruction, word.span.clone(), message))
}
