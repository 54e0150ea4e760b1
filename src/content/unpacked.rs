//! Layers that exist as snapshots and not as blobs.

use std::io::{self, Write};

use crate::base::DiffId;

/// Knows unpacked layers and can make their tars again.
pub trait Unpacked: Sync {
    /// Whether the layer is there, unpacked.
    fn contains(&self, layer: &DiffId) -> bool;

    /// Writes the layer's tar: exactly the bytes that have its diff id.
    ///
    /// # Errors
    /// Those of `out`, and if the layer is not there or cannot be read.
    fn write_tar(&self, layer: &DiffId, out: &mut dyn Write) -> io::Result<()>;
}

/// No layer is unpacked anywhere.
pub struct NothingUnpacked;

impl Unpacked for NothingUnpacked {
    fn contains(&self, _: &DiffId) -> bool {
        false
    }

    fn write_tar(&self, layer: &DiffId, _: &mut dyn Write) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::NotFound, format!("layer {layer} is not unpacked")))
    }
}
