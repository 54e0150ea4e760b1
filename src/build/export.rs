//! Outputs: what is made of a finished image.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::{Failure, Platform};
use crate::build::execute::{World, unpacked};
use crate::build::transfer::{PushRequest, push};
use crate::build::{Built, Doors, Error, ExportedOutput, Output, UnpackedLayers, blocking};
use crate::content::{Export, LayoutFolder, Leaving};
use crate::host::{self, fs};
use crate::oci::Descriptor;
use crate::oci::archive::{Format, TarSink};
use crate::oci::compress::Compression;
use crate::report::{Context, Outcome, TaskKind};
use crate::snapshot::copy::{self, CopyRequest, Item, Ownership, Pattern};
use crate::snapshot::tree::Source;

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
    if let Output::Registry { compression } = output {
        let request = PushRequest {
            image: built.manifest.manifest_digest(),
            targets: built.tags.clone(),
            compression: *compression,
            sources: world.sources.values().cloned().collect(),
        };
        return push(cx, &world.doors, &request).await.map(|report| ExportedOutput::Pushed(Box::new(report)));
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
        Output::Local { destination } => Some(destination),
        Output::Oci { destination, .. } | Output::Docker { destination } | Output::Tar { destination } => {
            destination.as_deref()
        }
        Output::Registry { .. } | Output::CacheOnly => None,
    }
}

fn shown(output: &Output) -> String {
    let kind = match output {
        Output::Registry { .. } => "registry",
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

async fn write(
    cx: &Context,
    world: &Arc<World>,
    built: &Built,
    output: &Output,
) -> Result<ExportedOutput, Error> {
    let archive = |destination: &Option<PathBuf>, format, tar, compression| Archive {
        cx: cx.clone(),
        doors: world.doors.clone(),
        image: built.manifest.clone(),
        names: built.tags.iter().map(crate::base::Reference::with_default_tag).collect(),
        platform: built.config.platform(),
        destination: destination.clone(),
        format,
        tar,
        compression,
    };
    match output {
        Output::Oci { destination, tar, compression } => {
            let archive = archive(destination, Format::Oci, *tar, *compression);
            blocking(move || archive.write()).await
        }
        Output::Docker { destination } => {
            let archive = archive(destination, Format::Docker, true, Compression::default());
            blocking(move || archive.write()).await
        }
        Output::Local { destination } => write_files(cx, world, built, destination.clone()).await,
        Output::Tar { destination } => write_tree(cx, world, built, destination.clone()).await,
        Output::Registry { .. } | Output::CacheOnly => Err(Error::Bug("this output is not written".into())),
    }
}

struct Archive {
    cx: Context,
    doors: Doors,
    image: Descriptor,
    names: Vec<crate::base::Reference>,
    platform: Platform,
    destination: Option<PathBuf>,
    format: Format,
    tar: bool,
    compression: Compression,
}

impl Archive {
    fn write(self) -> Result<ExportedOutput, Error> {
        let snapshots = self.doors.snapshots()?;
        let unpacked = UnpackedLayers(&snapshots);
        let store = self.doors.store();
        let leaving = Leaving { compression: self.compression, force: false, unpacked: &unpacked };
        let image = store.materialise(&self.cx, &self.image, &leaving)?;
        let manifest = Some(image.manifest_digest());
        let export = Export {
            format: self.format,
            images: vec![(image, self.names)],
            platform: &self.platform,
            unpacked: &unpacked,
        };
        match (&self.destination, self.tar) {
            (Some(folder), false) => {
                store.export(&self.cx, &export, LayoutFolder::create(folder)?)?;
            }
            (destination, _) => to_file(destination.as_deref(), |out| {
                let sink = store.export(&self.cx, &export, TarSink::new(out))?;
                sink.finish().map_err(Error::Image).map(|_| ())
            })?,
        }
        Ok(ExportedOutput::Written { destination: self.destination, manifest })
    }
}

/// Gives `write` a file that appears under its name only when it is whole, or standard output.
fn to_file(
    destination: Option<&Path>,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Error>,
) -> Result<(), Error> {
    let Some(path) = destination else {
        let mut out = io::BufWriter::with_capacity(1 << 18, io::stdout().lock());
        write(&mut out)?;
        return out.flush().map_err(|e| host::Error::new("write", "standard output", e).into());
    };
    let (temporary, file) = fs::create_beside(path)?;
    let mut out = io::BufWriter::with_capacity(1 << 18, file);
    let written = write(&mut out)
        .and_then(|()| out.into_inner().map_err(|e| host::Error::new("write", path, e.into_error()).into()))
        .and_then(|file| file.sync_all().map_err(|e| host::Error::new("write", path, e).into()))
        .and_then(|()| Ok(fs::rename(&temporary, path)?));
    if written.is_err() {
        // What is told is why it could not be written.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// The image's files into a folder. They belong to whoever called: owners of an image mean nothing outside of it.
async fn write_files(
    cx: &Context,
    world: &Arc<World>,
    built: &Built,
    destination: PathBuf,
) -> Result<ExportedOutput, Error> {
    let layers = target_layers(cx, world, built).await?;
    let (cx, doors) = (cx.clone(), world.doors.clone());
    blocking(move || {
        fs::create_dir_all(&destination)?;
        let root = fs::canonicalize(&destination)?;
        let view = doors.snapshots()?.view(&layers)?;
        let source = Source { root: view.root(), filter: None, root_owned: true };
        let everything = [Pattern { text: b"/", wildcard: false }];
        let selected = copy::select(&source, &everything, &|_, _| false)?;
        let items: Vec<Item<'_>> = selected.iter().map(Item::Selected).collect();
        let request = CopyRequest {
            source,
            items: &items,
            root: &root,
            destination: b"/",
            owner: Some(Ownership { uid: 0, gid: 0 }),
            mode: None,
            unpack: false,
            created: 0,
        };
        let copied = copy::copy(&cx, &request)?;
        copied.warnings.into_iter().for_each(|warning| cx.report.warn(warning));
        Ok(ExportedOutput::Written { destination: Some(destination), manifest: None })
    })
    .await
}

/// The image's files as one tar, owners and all.
async fn write_tree(
    cx: &Context,
    world: &Arc<World>,
    built: &Built,
    destination: Option<PathBuf>,
) -> Result<ExportedOutput, Error> {
    let layers = target_layers(cx, world, built).await?;
    let doors = world.doors.clone();
    blocking(move || {
        let view = doors.snapshots()?.view(&layers)?;
        to_file(destination.as_deref(), |out| Ok(view.write_tar(out)?))?;
        Ok(ExportedOutput::Written { destination, manifest: None })
    })
    .await
}

async fn target_layers(
    cx: &Context,
    world: &Arc<World>,
    built: &Built,
) -> Result<Vec<crate::base::DiffId>, Error> {
    let all = built.config.layers().iter().map(|layer| unpacked(cx, world, layer));
    futures_util::future::try_join_all(all).await?;
    Ok(built.config.layers().to_vec())
}
