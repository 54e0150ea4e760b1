//! An image as a layout: one tar, or a folder.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::base::{Platform, Reference};
use crate::build::export::form::formed;
use crate::build::output::Form;
use crate::build::{Doors, Error, ExportedOutput, UnpackedLayers};
use crate::content::{Export, LayoutFolder, Leaving};
use crate::host::{self, fs};
use crate::oci::Descriptor;
use crate::oci::archive::{Format, TarSink};
use crate::report::Context;

/// An image on its way into a layout.
pub struct Archive {
    pub cx: Context,
    pub doors: Doors,
    /// The image in the store.
    pub image: Descriptor,
    pub names: Vec<Reference>,
    pub platform: Platform,
    /// Where to; `None` is standard output.
    pub destination: Option<PathBuf>,
    pub format: Format,
    /// One tar, or a folder.
    pub tar: bool,
    pub form: Form,
}

impl Archive {
    /// Writes it.
    ///
    /// # Errors
    /// If a part of the image cannot be had, or the place cannot be written.
    pub fn write(self) -> Result<ExportedOutput, Error> {
        let snapshots = self.doors.snapshots()?;
        let unpacked = UnpackedLayers(&snapshots);
        let store = self.doors.store();
        let image = formed(&self.cx, &self.doors, (&self.image, &self.platform), &self.form)?;
        let leaving = Leaving { compression: self.form.compression, force: false, unpacked: &unpacked };
        let image = store.materialise(&self.cx, &image, &leaving)?;
        let manifest = Some(image.clone());
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
///
/// # Errors
/// Those of `write`, and if the file cannot be made.
pub fn to_file(
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
