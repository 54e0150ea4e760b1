//! Outputs: what is made of a finished image.

mod archive;
mod files;
mod form;

pub use form::{annotated, check};

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::{Failure, Reference};
use crate::build::execute::{World, can_be_made_again};
use crate::build::export::archive::Archive;
use crate::build::output::{Form, Push};
use crate::build::transfer::{Origin, PushRequest, compress_all, push};
use crate::build::{Built, Error, ExportedOutput, Output, blocking};
use crate::oci::archive::Format;
use crate::report::{Context, Outcome, TaskKind};

/// Makes one output.
///
/// # Errors
/// If it cannot be pushed or written.
pub async fn export(
    cx: &Context,
    world: &Arc<World>,
    built: &Built,
    output: &Output,
) -> Result<ExportedOutput, Error> {
    if let Output::Image { form, push } = output {
        return keep(cx, world, built, (form, *push)).await;
    }
    let task = cx.report.task(TaskKind::Export, format!("exporting to {}", shown(output)));
    let written = write(cx, world, built, output).await;
    match &written {
        Ok(_) => task.finish(Outcome::Done, None),
        Err(e) => task.finish(Outcome::Failed(e.to_string()), None),
    }
    written.map_err(|e| match e {
        Error::Cancelled => Error::Cancelled,
        other => Error::Output { output: shown(output), source: Box::new(unwritten(other, output)) },
    })
}

/// A full disk behind an output is another one than the store's.
fn unwritten(error: Error, output: &Output) -> Failure {
    let failure = Failure::from(error);
    let full = failure.causes().iter().any(|cause| cause.contains("No space left on device"));
    match destination(output) {
        Some(path) if full && failure.hints().is_empty() => {
            failure.hint(format!("free space on the file system that holds {}", path.display()))
        }
        _ => failure,
    }
}

fn destination(output: &Output) -> Option<&Path> {
    match output {
        Output::Local { destination, .. } => Some(destination),
        Output::Oci { destination, .. }
        | Output::Docker { destination, .. }
        | Output::Tar { destination } => destination.as_deref(),
        Output::Image { .. } | Output::CacheOnly => None,
    }
}

fn shown(output: &Output) -> String {
    let kind = match output {
        Output::Image { push: Some(_), .. } => "registry",
        Output::Image { push: None, .. } => "image",
        Output::Oci { .. } => "oci",
        Output::Docker { .. } => "docker",
        Output::Local { .. } => "local",
        Output::Tar { .. } => "tar",
        Output::CacheOnly => "cache only",
    };
    match destination(output) {
        Some(path) => format!("{kind} {}", path.display()),
        None => kind.to_owned(),
    }
}

/// The names an output gives the image.
fn names(built: &Built, form: &Form) -> Vec<Reference> {
    let names = if form.names.is_empty() { &built.tags } else { &form.names };
    names.clone()
}

/// The image in its form under its names: in the store, and where it is pushed to.
async fn keep(
    cx: &Context,
    world: &Arc<World>,
    built: &Built,
    (form, how): (&Form, Option<Push>),
) -> Result<ExportedOutput, Error> {
    let names = names(built, form);
    let image = {
        let (cx, doors, form) = (cx.clone(), world.doors.clone(), form.clone());
        let (image, platform) = (built.manifest.clone(), built.config.platform());
        blocking(move || form::formed(&cx, &doors, (&image, &platform), &form)).await?
    };
    if how.is_none_or(|push| !push.by_digest) {
        let is_kept = built.is_kept;
        let (store, names, image) = (world.doors.store().clone(), names.clone(), image.clone());
        blocking(move || {
            for name in &names {
                let name = name.with_default_tag();
                match is_kept {
                    true => store.tag(&name, &image)?,
                    // The name means what is in the registry, and no older image of this store.
                    false => drop(store.untag(&name)?),
                }
            }
            Ok(())
        })
        .await?;
    }
    let Some(how) = how else { return Ok(ExportedOutput::Kept { manifest: image, names }) };
    let request = PushRequest {
        image: image.manifest_digest(),
        targets: names,
        compression: form.compression,
        sources: world.sources.all(),
        by_digest: how.by_digest,
        adopt: how.adopt,
    };
    let mut report = match push(cx, &world.doors, &request).await {
        Ok(report) => report,
        Err(error) => return Err(explained(cx, world, error).await),
    };
    report.manifest.annotations.extend(image.annotations);
    Ok(ExportedOutput::Pushed(Box::new(report)))
}

/// That a layer of a known result is gone, if that is why it was not pushed: then what made it can run again.
async fn explained(cx: &Context, world: &World, error: Error) -> Error {
    if !can_be_made_again(&error) {
        return error;
    }
    for source in world.sources.all() {
        let Some(origin) = source.origin.as_ref().and_then(Origin::registry) else { continue };
        let digest = &source.descriptor.digest;
        if world.is_of_base(&source.diff_id) || world.doors.store().has(digest) {
            continue;
        }
        if let Ok(None) = world.doors.registry().blob_exists(cx, origin, digest).await {
            return Error::Lost { layer: source.diff_id, source: Box::new(error.into()) };
        }
    }
    error
}

async fn write(
    cx: &Context,
    world: &Arc<World>,
    built: &Built,
    output: &Output,
) -> Result<ExportedOutput, Error> {
    let archive = |destination: &Option<PathBuf>, form: &Form, format, tar| Archive {
        cx: cx.clone(),
        doors: world.doors.clone(),
        image: built.manifest.clone(),
        names: names(built, form).iter().map(Reference::with_default_tag).collect(),
        platform: built.config.platform(),
        destination: destination.clone(),
        format,
        tar,
        form: form.clone(),
    };
    if let Output::Oci { form, .. } | Output::Docker { form, .. } = output {
        compress_all(cx, &world.doors, &built.manifest.manifest_digest(), form.compression).await?;
    }
    match output {
        Output::Oci { destination, tar, form } => {
            let archive = archive(destination, form, Format::Oci, *tar);
            blocking(move || archive.write()).await
        }
        Output::Docker { destination, form } => {
            let archive = archive(destination, form, Format::Docker, true);
            blocking(move || archive.write()).await
        }
        Output::Local { destination, platform_split } => {
            let platform = built.config.platform().to_string().replace('/', "_");
            let folder = if *platform_split { destination.join(platform) } else { destination.clone() };
            files::write_files(cx, world, built, folder).await
        }
        Output::Tar { destination } => files::write_tree(cx, world, built, destination.clone()).await,
        Output::Image { .. } | Output::CacheOnly => Err(Error::Bug("this output is not written".into())),
    }
}
