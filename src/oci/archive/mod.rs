//! Images in one file: OCI archives and layout directories, and the archives of `docker save`.
//!
//! Readers see an archive as [`Files`] by name, so that a tar and a directory are one thing; a tar is indexed by one
//! pass over its headers and then read at random through a [`Source`]. Nothing an archive says is believed: names that
//! leave it, links in circles, sizes past its end and absurd numbers of entries are errors, and whoever takes a blob
//! out verifies its digest.
//!
//! What is written is always an OCI layout; for Docker it has a `manifest.json` too, as Docker's own archives have
//! since version 25 and as every `docker load` since 1.10 takes. The same images give the same bytes.

mod docker;
mod read;
mod tar_files;
mod write;

use std::io::{self, Read};

use crate::base::BlobDigest;
use crate::oci::Error;

pub use docker::DockerImage;
pub use read::{ArchivedContent, ArchivedImage, read_images};
pub use tar_files::TarFiles;
pub use write::{Exported, Format, ImageWriter, Sink, TarSink, copy_exactly};

/// Bytes that can be read at any offset: a file.
pub trait Source {
    /// Reads at `offset`; 0 is the end.
    ///
    /// # Errors
    /// Those of the file.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
}

impl Source for [u8] {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, buf)
    }
}

/// Files by name, with `/` between folders and none in front.
pub trait Files {
    /// Opens a file; `None` if there is none of that name.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    fn open(&self, name: &str) -> Result<Option<Body<'_>>, Error>;
}

/// An open file of an archive.
pub struct Body<'a> {
    /// Its bytes.
    pub size: u64,
    /// Gives exactly that many, or an error.
    pub reader: Box<dyn Read + 'a>,
}

impl Body<'_> {
    /// Reads all of it, at most `limit` bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`], and those of the archive.
    pub fn read(mut self, name: &str, limit: u64) -> Result<Vec<u8>, Error> {
        if self.size > limit {
            return Err(Error::TooLarge { what: name.to_owned(), limit });
        }
        let mut bytes = Vec::new();
        self.reader
            .read_to_end(&mut bytes)
            .map_err(|source| Error::Stream { action: "read the archive", source })?;
        Ok(bytes)
    }
}

/// Reads a file that must be there.
pub(super) fn read_file(files: &dyn Files, name: &str, limit: u64) -> Result<Vec<u8>, Error> {
    let missing = || Error::Missing { what: name.to_owned() };
    files.open(name)?.ok_or_else(missing)?.read(name, limit)
}

/// Where a layout keeps a blob.
pub fn blob_name(digest: &BlobDigest) -> String {
    format!("blobs/{}/{}", digest.digest().algorithm().name(), digest.hex())
}
