//! What came out of a build.

use std::path::PathBuf;

use crate::base::{ImageId, ManifestDigest, Reference};
use crate::build::transfer::PushReport;
use crate::dockerfile::Warning;
use crate::oci::{Descriptor, ImageConfig};

/// A finished build.
#[derive(Clone, Debug)]
pub struct Built {
    /// Digest of the configuration: what the image is, however its layers are compressed.
    pub id: ImageId,
    /// The configuration.
    pub config: ImageConfig,
    /// The manifest in the store.
    pub manifest: Descriptor,
    /// Layers of the base image, as its manifest has them (most often compressed).
    pub inherited: Layers,
    /// Layers made here, as tars.
    pub own: Layers,
    /// The names it was given.
    pub tags: Vec<Reference>,
    /// Whether all its layers are in the store, so that it can have its names there.
    pub is_kept: bool,
    /// What is wrong with the Dockerfile although it builds.
    pub warnings: Vec<Warning>,
    /// What was made of it.
    pub outputs: Vec<ExportedOutput>,
    /// Steps that the target consists of, and how many of them had to be made.
    pub steps: usize,
    /// Steps that had to be made.
    pub made: usize,
}

/// Layers summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// How many.
    pub count: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// An output that was made.
#[derive(Clone, Debug)]
pub enum ExportedOutput {
    /// It was pushed.
    Pushed(Box<PushReport>),
    /// It was written.
    Written {
        /// Where to; `None` is standard output.
        destination: Option<PathBuf>,
        /// The manifest as it was written, if the form has one.
        manifest: Option<Descriptor>,
    },
    /// It is in the store.
    Kept {
        /// The manifest in its form.
        manifest: Descriptor,
        /// The names it has there.
        names: Vec<Reference>,
    },
}

impl Built {
    /// The manifest as others see it: the pushed or written one, else the store's.
    pub fn published(&self) -> ManifestDigest {
        self.descriptor().manifest_digest()
    }

    /// Its descriptor, with what is said about it there.
    pub fn descriptor(&self) -> &Descriptor {
        let outside = self.outputs.iter().find_map(|output| match output {
            ExportedOutput::Pushed(report) => Some(&report.manifest),
            ExportedOutput::Written { manifest, .. } => manifest.as_ref(),
            ExportedOutput::Kept { manifest, .. } => Some(manifest),
        });
        outside.unwrap_or(&self.manifest)
    }
}
