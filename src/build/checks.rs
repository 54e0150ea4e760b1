//! What is told about a Dockerfile: beside a build, or instead of one (`--call`).

use std::sync::Arc;

use crate::base::{Failure, SourceFile};
use crate::build::evaluate::survey::{self, Subject, Target, TargetParameters};
use crate::build::evaluate::{self, Outline, Parameters};
use crate::build::facts::{Definition, bases};
use crate::build::run::{definition_of, parameters};
use crate::build::{Doors, Error, Request};
use crate::dockerfile::{Check, Warning};
use crate::oci::ImageConfig;
use crate::report::{self, Context};

/// A checked Dockerfile.
#[derive(Debug)]
pub struct Checked {
    /// The file.
    pub source: Arc<SourceFile>,
    /// What is wrong although it builds.
    pub warnings: Vec<Warning>,
    /// Why it does not build.
    pub error: Option<Failure>,
}

/// What a Dockerfile's target takes.
#[derive(Debug)]
pub struct Outlined {
    /// The file.
    pub source: Arc<SourceFile>,
    /// Arguments, secrets, agents.
    pub parameters: TargetParameters,
}

/// The stages of a Dockerfile.
#[derive(Debug)]
pub struct Listed {
    /// The file.
    pub source: Arc<SourceFile>,
    /// In order of the file.
    pub targets: Vec<Target>,
}

/// Warns about what `subject` shows.
///
/// # Errors
/// If the file says that warnings are errors, and there are any.
pub fn warn(cx: &Context, subject: &Subject<'_>) -> Result<Vec<Warning>, Error> {
    let warnings = survey::survey(subject).warnings;
    warnings.iter().for_each(|warning| cx.report.warning(told(warning)));
    survey::violation(subject.check, &warnings).map_or(Ok(warnings), Err)
}

/// A warning as it is reported.
pub fn told(warning: &Warning) -> report::Warning {
    report::Warning {
        rule: Some(warning.rule.name().to_owned()),
        message: warning.message.clone(),
        file: Some(warning.span.file().name().to_owned()),
        line: Some(warning.lines.0),
        url: warning.rule.url(),
        place: Some(warning.span.clone()),
    }
}

/// Checks the stage that is asked for and what it needs; without one, all stages. Nothing is built.
///
/// # Errors
/// If there is no file to check; what is wrong with the file is in the answer.
pub async fn check(cx: &Context, doors: &Doors, request: &Request) -> Result<Checked, Error> {
    let definition = match definition_of(cx, doors, request).await {
        Ok(definition) => definition,
        Err(error) => return unreadable(error),
    };
    let parameters = parameters(request);
    let (source, options) = match survey::options(&definition.file, &parameters) {
        Ok(options) => (Arc::clone(&definition.file.file), options),
        Err(error) => return Err(error),
    };
    let looked = look(cx, doors, (request, &definition), (&parameters, &options)).await;
    let (warnings, error) = match looked {
        Ok((warnings, error)) => (warnings, error),
        Err(Error::Cancelled) => return Err(Error::Cancelled),
        Err(error) => (survey::text(&definition.file, &parameters, &options), Some(error)),
    };
    let error = error.or_else(|| survey::violation(&options, &warnings));
    Ok(Checked { source, warnings, error: error.map(Failure::from) })
}

/// A file that is no Dockerfile is an answer too, if it is known where it stops being one.
fn unreadable(error: Error) -> Result<Checked, Error> {
    let Error::Language(language) = &error else { return Err(error) };
    let Some(source) = language.span().map(|span| Arc::clone(span.file())) else { return Err(error) };
    Ok(Checked { source, warnings: Vec::new(), error: Some(error.into()) })
}

/// Warnings, and the first error of the evaluation.
async fn look(
    cx: &Context,
    doors: &Doors,
    (request, definition): (&Request, &Definition),
    (parameters, check): (&Parameters, &Check),
) -> Result<(Vec<Warning>, Option<Error>), Error> {
    let Definition { file, ignore } = definition;
    let outline = match request.target {
        None => evaluate::outline_all(file, parameters)?,
        Some(_) => evaluate::outline(file, parameters)?,
    };
    let configs = configs(cx, doors, &outline, request.pull).await?;
    let subject = Subject { file, outline: &outline, bases: &configs, parameters, ignore, check };
    let error = evaluate::evaluate(file, &outline, &configs, parameters).err();
    Ok((survey::survey(&subject).warnings, error))
}

async fn configs(
    cx: &Context,
    doors: &Doors,
    outline: &Outline,
    pull: bool,
) -> Result<Vec<ImageConfig>, Error> {
    let found = bases::resolve(cx, doors, (&outline.bases, Vec::new()), pull).await?;
    Ok(found.into_iter().map(|base| base.config).collect())
}

/// What the target takes.
///
/// # Errors
/// If the file cannot be built.
pub async fn outline(cx: &Context, doors: &Doors, request: &Request) -> Result<Outlined, Error> {
    let Definition { file, ignore } = definition_of(cx, doors, request).await?;
    let parameters = parameters(request);
    let check = survey::options(&file, &parameters)?;
    let outline = evaluate::outline(&file, &parameters)?;
    let configs = configs(cx, doors, &outline, request.pull).await?;
    evaluate::evaluate(&file, &outline, &configs, &parameters)?;
    let subject = Subject {
        file: &file,
        outline: &outline,
        bases: &configs,
        parameters: &parameters,
        ignore: &ignore,
        check: &check,
    };
    let parameters = survey::survey(&subject).parameters;
    Ok(Outlined { source: Arc::clone(&file.file), parameters })
}

/// The stages that can be built.
///
/// # Errors
/// If there is no Dockerfile.
pub async fn targets(cx: &Context, doors: &Doors, request: &Request) -> Result<Listed, Error> {
    let Definition { file, .. } = definition_of(cx, doors, request).await?;
    Ok(Listed { source: Arc::clone(&file.file), targets: survey::targets(&file) })
}
