//! What came out of a build.

use std::path::PathBuf;

use crate::base::{ImageId, ManifestDigest, Reference};
use crate::build::transfer::PushReport;
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
    /// Bytes of all layers as tars; those of base layers are counted compressed where nobody unpacked them.
    pub size: u64,
    /// The names it was given.
    pub tags: Vec<Reference>,
    /// What was made of it.
    pub outputs: Vec<ExportedOutput>,
    /// Steps that the target consists of, and how many of them had to be made.
    pub steps: usize,
    /// Steps that had to be made.
    pub made: usize,
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
        manifest: Option<ManifestDigest>,
    },
}

impl Built {
    /// The manifest as others see it: the pushed or written one, else the store's.
    pub fn published(&self) -> ManifestDigest {
        let outside = self.outputs.iter().find_map(|output| match output {
            ExportedOutput::Pushed(report) => Some(report.manifest.manifest_digest()),
            ExportedOutput::Written { manifest, .. } => manifest.clone(),
        });
        outside.unwrap_or_else(|| self.manifest.manifest_digest())
    }
}
