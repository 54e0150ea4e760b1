//! A blob that is being read.

use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;

use crate::host::fs::File;

/// An open blob. It stays readable even if it is pruned meanwhile.
#[derive(Debug)]
pub struct Blob {
    pub(super) file: File,
    pub(super) size: u64,
}

impl Blob {
    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads at `offset` without moving the position.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buf, offset)
    }
}

impl Read for Blob {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.file.read(buf)
    }
}

impl Seek for Blob {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}
