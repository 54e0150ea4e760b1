//! Layers that exist only as snapshots, for those who read images of the store.

use std::io::{self, Write};

use crate::base::DiffId;
use crate::content::Unpacked;
use crate::snapshot::{Origin, Snapshots};

/// The layers of a snapshot store whose tars can be made again: those that were made here. What was unpacked from an
/// archive needs its blob.
pub struct UnpackedLayers<'a>(pub &'a Snapshots);

impl Unpacked for UnpackedLayers<'_> {
    fn contains(&self, layer: &DiffId) -> bool {
        matches!(self.0.info(layer), Ok(Some(info)) if matches!(info.origin, Origin::Committed { .. }))
    }

    fn write_tar(&self, layer: &DiffId, out: &mut dyn Write) -> io::Result<()> {
        self.0.write_tar(layer, out).map(|_| ()).map_err(io::Error::other)
    }
}
