//! What goes in and out of the client: requests, answers, and where a blob's bytes come from or go to.

use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::base::{Algorithm, BlobDigest, Digest, Hasher, ManifestDigest, Reference};
use crate::host::fs;
use crate::report::Task;

/// Where the bytes of a pulled blob go. Called from one task at a time; calls block only as long as a file write does.
///
/// A sink may hold a prefix from an earlier run; the client then asks the registry only for the rest.
pub trait BlobSink: Send {
    /// Bytes held so far, from the blob's beginning.
    fn position(&self) -> u64;

    /// Appends.
    ///
    /// # Errors
    /// Any; the pull ends with `Error::Local`.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Forgets everything held: the server's bytes were wrong or it cannot continue in the middle.
    ///
    /// # Errors
    /// Any; the pull ends with `Error::Local`.
    fn restart(&mut self) -> io::Result<()>;

    /// The digest of everything held, by the algorithm of the expected digest. Asked once all bytes are there; only
    /// [`restart`](Self::restart) may follow.
    ///
    /// # Errors
    /// Any; the pull ends with `Error::Local`.
    fn digest(&mut self) -> io::Result<Digest>;
}

/// Where the bytes of a pushed blob come from. It must give the same bytes each time it is opened.
pub trait BlobSource: Send + Sync {
    /// The bytes from `offset` on. Opened again for every retry; read on a thread that may block.
    ///
    /// # Errors
    /// Any; the push ends with `Error::Local`.
    fn open(&self, offset: u64) -> io::Result<Box<dyn Read + Send>>;
}

impl BlobSource for Vec<u8> {
    fn open(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        Ok(Box::new(io::Cursor::new(self[offset..].to_vec())))
    }
}

/// A file as a source.
#[derive(Clone, Debug)]
pub struct FileSource(PathBuf);

impl FileSource {
    /// The file at `path`, opened when it is needed.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self(path.as_ref().to_owned())
    }
}

impl BlobSource for FileSource {
    fn open(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut file = fs::open(&self.0).map_err(io::Error::other)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Box::new(file))
    }
}

/// A sink in memory, for small blobs such as image configurations. It refuses to grow beyond its limit.
pub struct MemorySink {
    bytes: Vec<u8>,
    algorithm: Algorithm,
    limit: u64,
}

impl MemorySink {
    /// An empty sink for the blob `digest` of at most `limit` bytes.
    pub fn new(digest: &BlobDigest, limit: u64) -> Self {
        Self { bytes: Vec::new(), algorithm: digest.digest().algorithm(), limit }
    }

    /// What was pulled.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl BlobSink for MemorySink {
    fn position(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if (self.bytes.len() + bytes.len()) as u64 > self.limit {
            let words = format!("larger than the {} bytes allowed here", self.limit);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, words));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn restart(&mut self) -> io::Result<()> {
        self.bytes.clear();
        Ok(())
    }

    fn digest(&mut self) -> io::Result<Digest> {
        let mut hasher: Hasher = self.algorithm.hasher();
        hasher.update(&self.bytes);
        Ok(hasher.finish())
    }
}

/// A blob to transfer.
#[derive(Clone, Copy)]
pub struct BlobRequest<'a> {
    /// The repository; tag and digest of the reference are not looked at.
    pub repository: &'a Reference,
    /// The blob.
    pub digest: &'a BlobDigest,
    /// Its size in bytes, as its descriptor says.
    pub size: u64,
    /// Repositories that may have it already. Those on the same registry are offered for a mount, best first.
    pub mount_from: &'a [Reference],
    /// The task that reports the progress, item by the digest's short form.
    pub task: Option<&'a Task>,
}

impl<'a> BlobRequest<'a> {
    /// A request without mounts and progress.
    pub fn new(repository: &'a Reference, digest: &'a BlobDigest, size: u64) -> Self {
        Self { repository, digest, size, mount_from: &[], task: None }
    }
}

/// What a name stands for at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The manifest's digest.
    pub digest: ManifestDigest,
    /// Its media type, if the registry said one.
    pub media_type: Option<String>,
    /// Its size in bytes, if the registry said it.
    pub size: Option<u64>,
}

/// A manifest or index, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// Its digest, which is that of `bytes`.
    pub digest: ManifestDigest,
    /// Its media type: the `Content-Type`, else the `mediaType` field.
    pub media_type: Option<String>,
    /// The bytes as they came.
    pub bytes: Vec<u8>,
}

/// How a blob came to be in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It was there.
    Existed,
    /// It was mounted from this repository.
    Mounted(Reference),
    /// It was sent.
    Uploaded,
}
