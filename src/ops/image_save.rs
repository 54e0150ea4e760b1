//! Images of the store into an archive or a layout.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::base::{Failure, Kind, Platform, Reference};
use crate::content::{Export, LayoutFolder, Leaving, Store, Unpacked};
use crate::host::{self, fs};
use crate::oci::Descriptor;
use crate::oci::archive::{Format, TarSink};
use crate::oci::compress::Compression;
use crate::ops::image_find::find;
use crate::report::{Context, Outcome, TaskKind};

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A tar that `docker load` takes.
    DockerArchive,
    /// A tar of an OCI layout.
    OciArchive,
    /// A folder with an OCI layout; images that are there stay.
    OciFolder,
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "docker-archive" => Ok(Self::DockerArchive),
            "oci-archive" => Ok(Self::OciArchive),
            "oci-dir" => Ok(Self::OciFolder),
            _ => Err(format!("`{text}` is none of docker-archive, oci-archive, oci-dir")),
        }
    }
}

/// What to save.
pub struct Request<'a> {
    /// Names, ids or digests.
    pub images: Vec<String>,
    /// What is written.
    pub shape: Shape,
    /// Where to.
    pub output: Output<'a>,
    /// How layers that are not compressed are to be; `None` writes them as they are.
    pub compression: Option<Compression>,
    /// Of several platforms, the one that Docker is to load; by default the machine's own.
    pub platform: Option<Platform>,
    /// Knows the layers that have no blob.
    pub unpacked: &'a dyn Unpacked,
}

/// Where an archive goes.
pub enum Output<'a> {
    /// A file or folder. A file appears when it is complete.
    Path(PathBuf),
    /// A stream.
    Stream(&'a mut dyn Write),
}

/// What was saved.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// Its manifest or index as it was written.
    pub descriptor: Descriptor,
    /// The names it was written with.
    pub names: Vec<Reference>,
}

/// Saves.
///
/// # Errors
/// If an image is not there, a layer of it is neither stored nor unpacked, or the place cannot be written.
pub fn run(cx: &Context, store: &Store, request: Request<'_>) -> Result<Vec<Saved>, Failure> {
    let _lease = store.lease()?;
    let mut saved: Vec<Saved> = Vec::new();
    for image in &request.images {
        let found = find(store, image)?;
        let descriptor = match request.compression {
            None => found.descriptor,
            Some(compression) => {
                let leaving = Leaving { compression, force: false, unpacked: request.unpacked };
                store.materialise(cx, &found.descriptor, &leaving)?
            }
        };
        // Given by id, it takes all its names along; given by name, this one.
        let names = found.name.map_or(found.names, |name| vec![name]);
        match saved.iter_mut().find(|other| other.descriptor.digest == descriptor.digest) {
            Some(other) => other
                .names
                .extend(names.into_iter().filter(|name| !other.names.contains(name)).collect::<Vec<_>>()),
            None => saved.push(Saved { descriptor, names }),
        }
    }
    let images = saved.iter().map(|image| (image.descriptor.clone(), image.names.clone())).collect();
    let platform = request.platform.clone().unwrap_or_else(Platform::host);
    let format = if request.shape == Shape::DockerArchive { Format::Docker } else { Format::Oci };
    let export = Export { format, images, platform: &platform, unpacked: request.unpacked };
    let task = cx.report.task(TaskKind::Export, format!("save {}", request.images.join(" ")));
    match write(cx, store, &export, request.shape, request.output) {
        Ok(()) => task.finish(Outcome::Done, None),
        Err(failure) => {
            task.finish(Outcome::Failed(failure.to_string()), None);
            return Err(failure);
        }
    }
    Ok(saved)
}

/// Writes what `export` says, a file beside its place first: what is there under the name is always whole.
pub(in crate::ops) fn write(
    cx: &Context,
    store: &Store,
    export: &Export<'_>,
    shape: Shape,
    output: Output<'_>,
) -> Result<(), Failure> {
    match (shape, output) {
        (Shape::OciFolder, Output::Path(path)) => {
            store.export(cx, export, LayoutFolder::create(path)?)?;
            Ok(())
        }
        (Shape::OciFolder, Output::Stream(_)) => {
            Err(Failure::new(Kind::Usage, "write a folder to standard output").hint("name the folder"))
        }
        (_, Output::Stream(out)) => {
            store.export(cx, export, TarSink::new(BufWriter::with_capacity(1 << 18, out)))?.finish()?;
            Ok(())
        }
        (_, Output::Path(path)) => write_file(cx, store, export, &path),
    }
}

fn write_file(cx: &Context, store: &Store, export: &Export<'_>, path: &Path) -> Result<(), Failure> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", host::random::token()));
    let temporary = path.with_file_name(name);
    let written = || -> Result<(), Failure> {
        let file = fs::create(&temporary).map_err(|e| host::Error::new("create", path, e.source))?;
        let sink = TarSink::new(BufWriter::with_capacity(1 << 18, file));
        let out = store.export(cx, export, sink)?.finish()?;
        let file = out.into_inner().map_err(|e| host::Error::new("write", path, e.into_error()))?;
        file.sync_all().map_err(|e| host::Error::new("sync", path, e))?;
        fs::rename(&temporary, path)?;
        Ok(())
    };
    written().map_err(|failure| {
        // The error that is told is the first one.
        let _ = fs::remove_file(&temporary);
        failure.while_doing(format!("save images to {}", path.display()))
    })
}
