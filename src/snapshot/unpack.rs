//! Unpacking a layer into a directory of its own, in the form overlayfs wants.
//!
//! OCI image-spec: layer.md, "Applying Changesets", with whiteouts kept instead of carried out.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::base::{DiffId, Digest, Hasher};
use crate::oci::layer::{self, Entry, Kind, Reader, WHITEOUT_PREFIX, Whiteout};
use crate::snapshot::ahead::Ahead;
use crate::snapshot::apply::Applier;
use crate::snapshot::makers::{self, Makers};
use crate::snapshot::rooted::Rooted;
use crate::snapshot::{Error, Result};

/// What unpacking found out.
#[derive(Debug)]
pub(super) struct Outcome {
    pub size: u64,
    pub digest: Digest,
    pub entries: u64,
    pub notes: Vec<String>,
    /// Directories whose metadata the archive does not give; empty is the root.
    pub implicit: Vec<PathBuf>,
    /// Whether everything below the layer is hidden.
    pub opaque_root: bool,
}

/// Unpacks `archive` into the empty directory `target` and checks its digest.
pub(super) fn unpack(
    layer: &DiffId,
    archive: impl Read + Send,
    target: &Path,
    limits: layer::Limits,
) -> Result<Outcome> {
    let outcome = read(&format!("layer {layer}"), archive, target, limits)?;
    if outcome.digest != *layer.digest() {
        return Err(Error::WrongDigest { expected: layer.clone(), actual: outcome.digest });
    }
    Ok(outcome)
}

/// Unpacks an archive of our own making, whose digest somebody else takes.
pub(super) fn unpack_any(archive: impl Read + Send, target: &Path) -> Result<Outcome> {
    read("the new layer", archive, target, layer::Limits { entries: u64::MAX, ..layer::Limits::default() })
}

fn read(what: &str, archive: impl Read + Send, target: &Path, limits: layer::Limits) -> Result<Outcome> {
    let tree = Rooted::open(target)?;
    // Three things at once: the bytes are had (read, received, decompressed), understood, and written to disk.
    std::thread::scope(|scope| {
        let ahead = Ahead::start(scope, archive);
        let makers = Makers::start(scope, makers::count());
        put_all(what, Hashing { inner: ahead, hasher: Hasher::default(), count: 0 }, limits, |what| {
            Applier::new(&tree, what, Path::new(""), None).implicit_time(0).with_makers(makers)
        })
    })
}

fn put_all<'a, R: Read>(
    what: &str,
    archive: Hashing<R>,
    limits: layer::Limits,
    applier: impl FnOnce(&str) -> Applier<'a>,
) -> Result<Outcome> {
    let broken = |source| Error::Archive { what: what.to_owned(), source };
    let mut reader = Reader::with_limits(archive, limits);
    let mut unpacking = Unpacking { applier: applier(what), opaque_root: false };
    unpacking.applier.implicit.insert(PathBuf::new());
    unpacking.applier.time_at_end(PathBuf::new(), (0, 0));
    let mut entries = 0;
    while let Some(entry) = reader.next_entry().map_err(broken)? {
        entries += 1;
        unpacking.put(&entry, &mut reader)?;
    }
    let hashing = reader.finish().map_err(broken)?;
    unpacking.applier.finish_times()?;
    let Unpacking { applier, opaque_root } = unpacking;
    Ok(Outcome {
        size: hashing.count,
        digest: hashing.hasher.finish(),
        entries,
        notes: applier.notes,
        implicit: applier.implicit.into_iter().collect(),
        opaque_root,
    })
}

struct Unpacking<'a> {
    applier: Applier<'a>,
    opaque_root: bool,
}

impl Unpacking<'_> {
    fn put<R: Read>(&mut self, entry: &Entry, reader: &mut Reader<R>) -> Result<()> {
        match entry.whiteout() {
            Some(Whiteout::Opaque { directory }) => self.opaque(directory),
            Some(Whiteout::Removed { directory, name }) => self.removed(entry, directory, name),
            None if entry.name().starts_with(WHITEOUT_PREFIX) => {
                Err(self.refused(entry, "a whiteout needs a name behind `.wh.`"))
            }
            // Nothing can lie below a name that means a deletion (aufs kept its own files there).
            None if entry.directory().split(|&b| b == b'/').any(|c| c.starts_with(WHITEOUT_PREFIX)) => Ok(()),
            None if entry.path.is_empty() => self.root(entry),
            None => self.applier.put(entry, reader),
        }
    }

    fn root(&mut self, entry: &Entry) -> Result<()> {
        debug_assert_eq!(entry.kind, Kind::Directory);
        let root = self.applier.directory(Path::new(""))?;
        self.applier.dress(&root, OsStr::new("."), entry, Path::new(""))?;
        self.applier.time_at_end(PathBuf::new(), (entry.mtime, entry.mtime_nanos));
        self.applier.implicit.remove(Path::new(""));
        Ok(())
    }

    fn opaque(&mut self, directory: &[u8]) -> Result<()> {
        if directory.is_empty() {
            // Overlays take no notice of marks on roots: the store leaves out what lies below.
            self.opaque_root = true;
            return Ok(());
        }
        let path = Path::new(OsStr::from_bytes(directory));
        let folder = self.applier.directory(path)?;
        folder.set_opaque().map_err(|e| mark_error(path, e))
    }

    fn removed(&mut self, entry: &Entry, directory: &[u8], name: &[u8]) -> Result<()> {
        if matches!(name, b"." | b"..") {
            return Err(self.refused(entry, "a whiteout cannot remove `.` or `..`"));
        }
        if name.starts_with(WHITEOUT_PREFIX) {
            // aufs: its own bookkeeping, `.wh..wh.plnk` and such.
            return Ok(());
        }
        let folder = self.applier.directory(Path::new(OsStr::from_bytes(directory)))?;
        self.applier.wait()?;
        let os = OsStr::from_bytes(name);
        let path = Path::new(OsStr::from_bytes(directory)).join(os);
        let fail = |e: Errno| mark_error(&path, e);
        match folder.look(os).map_err(fail)? {
            None => folder.make_whiteout(os).map_err(fail),
            // A whiteout is about lower layers only: what this layer has here stays.
            Some(node) if node.is_dir() => folder.child(os).and_then(|c| c.set_opaque()).map_err(fail),
            Some(_) => Ok(()),
        }
    }

    fn refused(&self, entry: &Entry, reason: &'static str) -> Error {
        let source = layer::Error::Name { name: entry.display(), reason };
        Error::Archive { what: self.applier.what.clone(), source }
    }
}

fn mark_error(path: &Path, errno: Errno) -> Error {
    Error::system("mark what a layer removes at", path, errno)
}

/// Hashes and counts what passes.
struct Hashing<R> {
    inner: R,
    hasher: Hasher,
    count: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.count += count as u64;
        Ok(count)
    }
}
