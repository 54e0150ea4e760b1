//! The store itself: where things lie, how it is opened, blobs in and out.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::base::BlobDigest;
use crate::content::blob::Blob;
use crate::content::database::Database;
use crate::content::lease::ActiveLease;
use crate::content::{Error, disk};
use crate::host::lock::{FileLock, Sharing};
use crate::host::{self, fs};

/// Version of the files beside the OCI layout. A store with a higher one is refused.
const VERSION: u32 = 1;

const LAYOUT: &str = "{\"imageLayoutVersion\":\"1.0.0\"}";
const EMPTY_INDEX: &str =
    "{\"manifests\":[],\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"schemaVersion\":2}";

/// How a store is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// Never write, and never make a store where there is none.
    pub read_only: bool,
}

/// A content store. Cheap to clone: clones are the same store, and share its leases.
#[derive(Clone)]
pub struct Store(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) root: PathBuf,
    pub(super) writable: bool,
    pub(super) database: Database,
    pub(super) lease: Mutex<Option<ActiveLease>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.root().display())
    }
}

impl Store {
    /// Opens the store at `root`, making it if need be. One that may not be written is opened for reading: see
    /// [`Store::is_writable`]. Cheap: nothing is read but two small files.
    ///
    /// # Errors
    /// [`Error::NewerVersion`], [`Error::NoStore`] for reading where there is none, and those of the file system.
    pub fn open(root: impl AsRef<Path>, options: &OpenOptions) -> Result<Self, Error> {
        let root = root.as_ref();
        if !options.read_only {
            fs::create_dir_all(root).map_err(Error::of)?;
        }
        let exists = fs::exists(root.join("oci-layout"));
        let writable = !options.read_only && disk::is_writable(root);
        if !exists && !writable {
            let root = root.to_owned();
            return Err(if options.read_only { Error::NoStore { root } } else { Error::ReadOnly { root } });
        }
        check_version(root)?;
        if writable {
            prepare(root).map_err(Error::of)?;
        }
        let database = Database::new(writable.then(|| root.join("index.db")));
        Ok(Self(Arc::new(Inner { root: root.to_owned(), writable, database, lease: Mutex::default() })))
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// Where the store's file system is mounted, if there is no room left on it.
    pub fn is_full(&self) -> Option<PathBuf> {
        disk::is_full(&self.0.root).then(|| disk::mount_point(&self.0.root))
    }

    /// Whether it can be written.
    pub fn is_writable(&self) -> bool {
        self.0.writable
    }

    pub(super) fn writable(&self) -> Result<(), Error> {
        if self.0.writable { Ok(()) } else { Err(Error::ReadOnly { root: self.0.root.clone() }) }
    }

    pub(super) fn blob_path(&self, digest: &BlobDigest) -> PathBuf {
        self.blob_folder(digest).join(digest.hex())
    }

    pub(super) fn blob_folder(&self, digest: &BlobDigest) -> PathBuf {
        self.0.root.join("blobs").join(digest.digest().algorithm().name())
    }

    pub(super) fn ingest_folder(&self) -> PathBuf {
        self.0.root.join("ingest")
    }

    pub(super) fn lease_folder(&self) -> PathBuf {
        self.0.root.join("leases")
    }

    /// Takes one of the store's locks: `index` for writers of `index.json`; `prune` shared to begin using a blob and
    /// exclusive to delete.
    pub(super) fn lock(&self, name: &str, sharing: Sharing) -> Result<FileLock, Error> {
        FileLock::wait(self.0.root.join("locks").join(format!("content-{name}")), sharing).map_err(Error::of)
    }

    /// Whether the blob is there. Under a [`crate::content::Lease`] it then stays until the lease ends.
    pub fn has(&self, digest: &BlobDigest) -> bool {
        // Protect first: a blob seen before it is protected may be gone after.
        self.protect(digest).is_ok() && fs::metadata(self.blob_path(digest)).is_ok_and(|m| m.is_file())
    }

    /// Size of the blob in bytes, if it is there.
    pub fn blob_size(&self, digest: &BlobDigest) -> Option<u64> {
        self.has(digest).then(|| fs::metadata(self.blob_path(digest)).ok())?.map(|m| m.len())
    }

    /// Opens a blob. What is read is not verified again: whoever gives it out hashes it anyway.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of the file system.
    pub fn open_blob(&self, digest: &BlobDigest) -> Result<Blob, Error> {
        self.protect(digest)?;
        self.open_unleased(digest)
    }

    /// Reads a blob of at most `limit` bytes and verifies it.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::TooLarge`], [`Error::Damaged`], and those of the file system.
    pub fn read_blob(&self, digest: &BlobDigest, limit: u64) -> Result<Vec<u8>, Error> {
        self.protect(digest)?;
        self.read_unleased(digest, limit)
    }

    /// Opens a blob without adding it to a lease: for those who look at everything, and for prune itself.
    pub(super) fn open_unleased(&self, digest: &BlobDigest) -> Result<Blob, Error> {
        let path = self.blob_path(digest);
        let file = fs::open(&path).map_err(|e| not_found(e, digest))?;
        let size = file.metadata().map_err(|e| host::Error::new("look at", &path, e))?.len();
        Ok(Blob { file, size })
    }

    /// Reads and verifies a blob without adding it to a lease.
    pub(super) fn read_unleased(&self, digest: &BlobDigest, limit: u64) -> Result<Vec<u8>, Error> {
        let blob = self.open_unleased(digest)?;
        if blob.size() > limit {
            return Err(Error::TooLarge { digest: digest.clone(), limit });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(blob.size()).unwrap_or(0));
        blob.take(limit)
            .read_to_end(&mut bytes)
            .map_err(|e| host::Error::new("read", self.blob_path(digest), e))?;
        let mut hasher = digest.digest().algorithm().hasher();
        hasher.update(&bytes);
        let actual = hasher.finish();
        if &actual != digest.digest() {
            return Err(Error::damaged(
                format!("blob {digest}"),
                format!("its content has the digest {actual}"),
            ));
        }
        Ok(bytes)
    }

    /// Every blob with its size. Strange files are left out; check names them.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn blobs(&self) -> Result<Vec<(BlobDigest, u64)>, Error> {
        let mut blobs = Vec::new();
        for algorithm in ["sha256", "sha512"] {
            let folder = self.0.root.join("blobs").join(algorithm);
            if !fs::exists(&folder) {
                continue;
            }
            for entry in fs::read_dir(&folder)? {
                let digest =
                    entry.file_name().to_str().and_then(|hex| format!("{algorithm}:{hex}").parse().ok());
                // One that vanishes meanwhile was pruned.
                if let (Some(digest), Ok(metadata)) = (digest, entry.metadata())
                    && metadata.is_file()
                {
                    blobs.push((digest, metadata.len()));
                }
            }
        }
        Ok(blobs)
    }

    pub(super) fn blob_set(&self) -> Result<BTreeSet<BlobDigest>, Error> {
        Ok(self.blobs()?.into_iter().map(|(digest, _)| digest).collect())
    }
}

fn not_found(error: host::Error, digest: &BlobDigest) -> Error {
    if error.is_not_found() { Error::NotFound { digest: digest.clone() } } else { Error::of(error) }
}

fn check_version(root: &Path) -> Result<(), Error> {
    let text = match fs::read_limited(root.join("version"), 100) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).trim().to_owned(),
        Err(e) if e.is_not_found() => return Ok(()),
        Err(e) => return Err(Error::of(e)),
    };
    match text.parse::<u32>() {
        Ok(version) if version <= VERSION => Ok(()),
        _ => Err(Error::NewerVersion { root: root.to_owned(), found: text, known: VERSION }),
    }
}

/// Makes what is missing. Every step may be done by several processes at once.
fn prepare(root: &Path) -> Result<(), host::Error> {
    for folder in ["blobs/sha256", "ingest", "leases", "locks"] {
        let folder = root.join(folder);
        if !fs::exists(&folder) {
            fs::create_dir_all(&folder)?;
        }
    }
    if !fs::exists(root.join("version")) {
        fs::write_atomic(root.join("version"), format!("{VERSION}\n"))?;
    }
    if !fs::exists(root.join("oci-layout")) {
        // Only in a new store: an index that was lost must not look like an empty one, or prune would empty the store.
        let _lock = FileLock::wait(root.join("locks/content-index"), Sharing::Exclusive)?;
        if !fs::exists(root.join("index.json")) {
            fs::write_atomic(root.join("index.json"), EMPTY_INDEX)?;
        }
        // Last: it says that this is a layout.
        fs::write_atomic(root.join("oci-layout"), LAYOUT)?;
        disk::sync_folder(root)?;
    }
    Ok(())
}
