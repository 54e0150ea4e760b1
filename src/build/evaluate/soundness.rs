//! What has to hold for the whole file, also for stages that the target does not need.

use crate::build::Error;
use crate::build::evaluate::Vars;
use crate::build::evaluate::expansion::Expansion;
use crate::build::evaluate::outline::{reference, sources};
use crate::dockerfile::{Dockerfile, Stage, StageLookup, Word};

/// Checks `--from` and the names of images; `bases` are the names after FROM, expanded, one a stage.
///
/// # Errors
/// [`Error::Definition`] at the word.
pub fn check<'a>(file: &Dockerfile, bases: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    for (_, word) in file.stages.iter().flat_map(sources) {
        check_source(file, word)?;
    }
    check_circles(file)?;
    for (stage, base) in file.stages.iter().zip(bases) {
        if file.base_stage(stage.index, base).is_none() && base != "scratch" {
            reference(base, &stage.from.image.span)?;
        }
        for (_, word) in sources(stage) {
            if file.source_stage(stage.index, &word.text) == StageLookup::NotAStage {
                reference(&word.text, &word.span)?;
            }
        }
    }
    Ok(())
}

/// `--from` is a name without variables, or the number of a stage.
fn check_source(file: &Dockerfile, word: &Word) -> Result<(), Error> {
    if Expansion::new(file).word(word, &Vars::default())? != word.text {
        let message = "variable expansion is not supported for --from, define a new stage with FROM using ARG from \
                       global scope as a workaround";
        return Err(Error::definition(&word.span, message));
    }
    let known = file.stages.len();
    let wrong = |number: i64| usize::try_from(number).map_or(true, |number| number >= known);
    if word.text.parse::<i64>().is_ok_and(wrong) {
        return Err(Error::definition(&word.span, format!("invalid stage index {}", word.text))
            .hint(format!("this Dockerfile has the stages 0 to {}", known - 1)));
    }
    Ok(())
}

/// Stages that copy from each other, or from themselves.
fn check_circles(file: &Dockerfile) -> Result<(), Error> {
    let leads: Vec<Vec<(usize, &Word)>> = file.stages.iter().map(|stage| leads(file, stage)).collect();
    let mut seen = vec![false; leads.len()];
    let mut on_path = vec![false; leads.len()];
    for root in 0..leads.len() {
        let mut path = Vec::new();
        if !seen[root] {
            (seen[root], on_path[root]) = (true, true);
            path.push((root, 0));
        }
        while let Some((stage, next)) = path.last_mut() {
            let Some(&(source, _)) = leads[*stage].get(*next) else {
                on_path[*stage] = false;
                path.pop();
                continue;
            };
            *next += 1;
            if on_path[source] {
                let first = path.first().map_or(0, |(_, next)| next - 1);
                let (_, word) = leads[root][first];
                let root = &file.stages[root];
                let name = root.name().map_or_else(|| format!("stage-{}", root.index), str::to_owned);
                let message = format!("circular dependency detected on stage: {name}");
                return Err(Error::definition(&word.span, message));
            }
            if !seen[source] {
                (seen[source], on_path[source]) = (true, true);
                path.push((source, 0));
            }
        }
    }
    Ok(())
}

/// The stages that a stage copies from, earlier or not.
fn leads<'a>(file: &Dockerfile, stage: &'a Stage) -> Vec<(usize, &'a Word)> {
    let meant = |word: &Word| match file.source_stage(stage.index, &word.text) {
        StageLookup::Stage(source) | StageLookup::NotBefore(source) => Some(source),
        StageLookup::NotAStage => None,
    };
    sources(stage).filter_map(|(_, word)| meant(word).map(|source| (source, word))).collect()
}
