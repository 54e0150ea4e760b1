//! What the author of a Dockerfile wants to know about it: what is wrong although it builds, and what can be set.
//!
//! The same walk finds the warnings that need variables and base images (those about the text alone are
//! `dockerfile::checks`) and the arguments, secrets and agents that a target takes. It never fails: where something cannot
//! be expanded it stops with that stage, and the evaluation says why.
//!
//! Source of the rules: BuildKit `frontend/dockerfile/dockerfile2llb` (its validations and outline), measured.

pub mod document;
mod files;
mod froms;
mod globals;
mod line;
mod parameters;
mod secrets;
mod stage;
mod targets;

pub use parameters::{Argument, Parameters as TargetParameters, Wanted};
pub use targets::{Target, targets};

use std::collections::BTreeSet;

use crate::build::Error;
use crate::build::evaluate::{Outline, Parameters};
use crate::dockerfile::{Check, Dockerfile, Rule, Warning, checks, ignore};
use crate::oci::ImageConfig;

/// The build argument that overrides `# check=`.
const CHECK_ARG: &str = "BUILDKIT_DOCKERFILE_CHECK";

/// What is looked at.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The file.
    pub file: &'a Dockerfile,
    /// Which of its stages.
    pub outline: &'a Outline,
    /// The configurations of the outline's base images.
    pub bases: &'a [ImageConfig],
    /// What the command line says.
    pub parameters: &'a Parameters,
    /// What the ignore file hides.
    pub ignore: &'a ignore::Matcher,
    /// Which rules are looked at.
    pub check: &'a Check,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Warnings, in order of lines.
    pub warnings: Vec<Warning>,
    /// What the target takes.
    pub parameters: TargetParameters,
}

/// Which rules are looked at: the file's `# check=`, or what the build argument says instead.
///
/// # Errors
/// If the build argument cannot be read.
pub fn options(file: &Dockerfile, parameters: &Parameters) -> Result<Check, Error> {
    let Some(text) = parameters.build_args.get(CHECK_ARG) else {
        return Ok(file.directives.check.clone().unwrap_or_default());
    };
    Check::parse(text).map_err(|part| {
        Error::input(format!("failed to parse build-arg {CHECK_ARG}: invalid check option {part:?}"))
            .hint("write skip=RULE,RULE or skip=all, error=true, experimental=RULE or experimental=all, with ; between")
    })
}

/// What `# check=error=true` makes of warnings. Our own rules are no reason to refuse what BuildKit takes.
pub fn violation(check: &Check, warnings: &[Warning]) -> Option<Error> {
    let broken = warnings.iter().map(|warning| warning.rule).filter(|rule| *rule != Rule::IgnoredFlag);
    let rules: BTreeSet<&str> = broken.map(Rule::name).collect();
    if !check.error || rules.is_empty() {
        return None;
    }
    let rules: Vec<&str> = rules.into_iter().collect();
    let message = format!("lint violation found for rules: {}", rules.join(", "));
    Some(Error::Definition { span: None, message, hints: Vec::new() }.hint(format!(
        "`# check=error=true` makes warnings errors; `# check=skip={}` leaves them out",
        rules.join(",")
    )))
}

/// The warnings that need no base image: all there is when the stages cannot be outlined.
pub fn text(file: &Dockerfile, parameters: &Parameters, check: &Check) -> Vec<Warning> {
    let mut warnings = checks::check(file, check);
    warnings.extend(froms::check(file, parameters, check));
    warnings.sort_by_key(|warning| warning.lines);
    warnings
}

/// Looks at the outlined stages.
pub fn survey(subject: &Subject<'_>) -> Survey {
    let mut warnings = text(subject.file, subject.parameters, subject.check);
    warnings.extend(froms::platforms(subject));
    let (found, parameters) = stage::walk(subject);
    warnings.extend(found);
    warnings.sort_by_key(|warning| warning.lines);
    Survey { warnings, parameters }
}
