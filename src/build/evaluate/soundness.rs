//! What has to hold for the whole file, also for stages that the target does not need.

use crate::base::Span;
use crate::build::Error;
use crate::build::evaluate::Vars;
use crate::build::evaluate::expansion::Expansion;
use crate::build::evaluate::outline::{Named, reference, sources};
use crate::dockerfile::{Dockerfile, Stage, StageLookup};

/// Checks `--from` and the names of images; `bases` are the names after FROM, expanded, one a stage. What `replaced` knows
/// is no name of an image.
///
/// # Errors
/// [`Error::Definition`] at the word.
pub fn check<'a>(
    file: &Dockerfile,
    bases: impl Iterator<Item = &'a str>,
    replaced: &dyn Fn(&str) -> bool,
) -> Result<(), Error> {
    for source in file.stages.iter().flat_map(sources) {
        check_source(file, &source)?;
    }
    check_circles(file)?;
    for (stage, base) in file.stages.iter().zip(bases) {
        if file.base_stage(stage.index, base).is_none() && base != "scratch" && !replaced(base) {
            reference(base, &stage.from.image.span)?;
        }
        for source in sources(stage) {
            let image = file.source_stage(stage.index, source.name) == StageLookup::NotAStage;
            if image && source.name != "scratch" && !replaced(source.name) {
                reference(source.name, source.span)?;
            }
        }
    }
    Ok(())
}

/// `--from` is a name without variables (the parser has looked at those of mounts), or the number of a stage.
fn check_source(file: &Dockerfile, source: &Named<'_>) -> Result<(), Error> {
    let fixed = |text: &str| Expansion::new(file).text(text, source.span, &Vars::default());
    if !source.mount && fixed(source.name)? != source.name {
        let message = "variable expansion is not supported for --from, define a new stage with FROM using ARG from \
                       global scope as a workaround";
        return Err(Error::definition(source.span, message));
    }
    let known = file.stages.len();
    let wrong = |number: i64| usize::try_from(number).map_or(true, |number| number >= known);
    if source.name.parse::<i64>().is_ok_and(wrong) {
        return Err(Error::definition(source.span, format!("invalid stage index {}", source.name))
            .hint(format!("this Dockerfile has the stages 0 to {}", known - 1)));
    }
    Ok(())
}

/// Stages that copy from each other, or from themselves.
fn check_circles(file: &Dockerfile) -> Result<(), Error> {
    let leads: Vec<Vec<(usize, &Span)>> = file.stages.iter().map(|stage| leads(file, stage)).collect();
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
                let (_, span) = leads[root][first];
                let root = &file.stages[root];
                let name = root.name().map_or_else(|| format!("stage-{}", root.index), str::to_owned);
                let message = format!("circular dependency detected on stage: {name}");
                return Err(Error::definition(span, message));
            }
            if !seen[source] {
                (seen[source], on_path[source]) = (true, true);
                path.push((source, 0));
            }
        }
    }
    Ok(())
}

/// The stages that a stage reads, earlier or not.
fn leads<'a>(file: &Dockerfile, stage: &'a Stage) -> Vec<(usize, &'a Span)> {
    let meant = |named: Named<'a>| match file.source_stage(stage.index, named.name) {
        StageLookup::Stage(source) | StageLookup::NotBefore(source) => Some((source, named.span)),
        StageLookup::NotAStage => None,
    };
    sources(stage).filter_map(meant).collect()
}
