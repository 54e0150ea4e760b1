//! Blobs on their way in: downloads of a known digest that can be resumed, and data whose digest is found on the way.

use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::base::{Algorithm, BlobDigest, DiffId, Digest, Hasher};
use crate::content::follow::Beacon;
use crate::content::{Error, Follower, Store, Trail, disk};
use crate::host::fs::{File, OpenOptions};
use crate::host::lock::release;
use crate::host::{self, fs, random};
use crate::oci::compress::{Compression, Layer, LayerWriter};

impl Store {
    /// Stores `bytes`. What is there already is not written again.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::DiskFull`], and those of the file system.
    pub fn put(&self, bytes: &[u8]) -> Result<BlobDigest, Error> {
        let digest = BlobDigest::of(bytes);
        if self.blob_size(&digest) == Some(bytes.len() as u64) {
            return Ok(digest);
        }
        let mut writer = self.writer()?;
        writer.write_all(bytes).map_err(Error::from_stream)?;
        writer.commit().map(|(digest, _)| digest)
    }

    /// Stores everything `reader` gives, and says what it was.
    ///
    /// # Errors
    /// [`Error::Input`] if `reader` fails, and as [`Store::put`].
    pub fn put_stream(&self, reader: &mut dyn Read) -> Result<(BlobDigest, u64), Error> {
        let mut writer = self.writer()?;
        io::copy(reader, &mut writer).map_err(Error::from_stream)?;
        writer.commit()
    }

    /// A writer for a blob whose digest is not known yet. Dropped before its commit it leaves nothing.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::DiskFull`], and those of the file system.
    pub fn writer(&self) -> Result<BlobWriter, Error> {
        Ok(BlobWriter { file: self.temporary("new")?, hasher: Hasher::default(), size: 0 })
    }

    /// Copies a stream into a nameless file of the store's file system, which goes away when it is closed: for what
    /// must be read at random and cannot be.
    ///
    /// # Errors
    /// [`Error::Input`] if `reader` fails, and as [`Store::put`].
    pub fn spool(&self, reader: &mut dyn Read) -> Result<File, Error> {
        let mut spooled = self.temporary("spool")?;
        io::copy(reader, &mut spooled).map_err(Error::from_stream)?;
        spooled.file.try_clone().map_err(spooled.fail("reopen"))
    }

    /// A writer that takes a layer's tar and stores its blob.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::DiskFull`], and those of the file system.
    pub fn layer_writer(&self, compression: Compression) -> Result<LayerIngest, Error> {
        let file = self.temporary("layer")?;
        let progress = Beacon::default();
        let trail = progress.trail(file.file.try_clone().map_err(file.fail("reopen"))?);
        let told = Told { file, progress, position: 0 };
        let writer = LayerWriter::new(told, compression).map_err(Error::from_stream)?;
        Ok(LayerIngest { writer, trail })
    }

    /// Begins or resumes the download of a blob. What an earlier attempt left is read again and counted in
    /// [`Ingest::position`]. If somebody else is downloading the same blob now, this is a second download beside it:
    /// neither waits for the other, and both end well.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::DiskFull`], and those of the file system.
    pub fn ingest(&self, digest: &BlobDigest, size: Option<u64>) -> Result<Ingest, Error> {
        self.writable()?;
        let name = format!("{}-{}", digest.digest().algorithm().name(), digest.hex());
        let partial = match open_locked(&self.ingest_folder().join(&name)).map_err(Error::of)? {
            Some(file) => {
                Partial { store: self.clone(), path: self.ingest_folder().join(&name), file, keep: true }
            }
            None => self.temporary(&name)?,
        };
        let mut ingest = Ingest {
            partial,
            expected: digest.clone(),
            size,
            hasher: digest.digest().algorithm().hasher(),
            position: 0,
            progress: Beacon::default(),
        };
        ingest.resume()?;
        Ok(ingest)
    }

    fn temporary(&self, name: &str) -> Result<Partial, Error> {
        self.writable()?;
        let path = self.ingest_folder().join(format!("{name}.{}", random::token()));
        let file = fs::open_with(OpenOptions::new().create_new(true).read(true).write(true), &path)
            .map_err(Error::of)?;
        // Nobody else knows the name; prune sees by the lock that the file is in use.
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|e| host::Error::new("lock", &path, e))?;
        Ok(Partial { store: self.clone(), path, file, keep: false })
    }
}

/// Opens and locks the file, or `None` if somebody holds its lock.
fn open_locked(path: &Path) -> Result<Option<File>, host::Error> {
    loop {
        let file =
            fs::open_with(OpenOptions::new().create(true).truncate(false).read(true).write(true), path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(e) => return Err(host::Error::new("lock", path, e)),
        }
        // Between opening and locking it may have been published or pruned; then the lock is on something else.
        let is_same = |there: fs::Metadata| file.metadata().is_ok_and(|own| own.ino() == there.ino());
        if fs::metadata(path).is_ok_and(is_same) {
            return Ok(Some(file));
        }
    }
}

/// Whether a file of the ingest folder is used by a living process.
pub(super) fn is_in_use(path: &Path) -> bool {
    match fs::open(path) {
        Ok(file) => flock(&file, FlockOperation::NonBlockingLockShared).is_err(),
        Err(_) => false,
    }
}

/// A file below `ingest/`, locked by this process.
struct Partial {
    store: Store,
    path: PathBuf,
    file: File,
    /// Whether it stays for the next attempt when it is dropped.
    keep: bool,
}

impl Partial {
    fn fail(&self, action: &'static str) -> impl Fn(io::Error) -> Error + use<> {
        let path = self.path.clone();
        move |e| Error::of(host::Error::new(action, &path, e))
    }

    /// Makes the file the blob `digest`, which it is: the caller has verified it.
    fn publish(mut self, digest: &BlobDigest) -> Result<(), Error> {
        self.file.sync_all().map_err(self.fail("sync"))?;
        self.store.protect(digest)?;
        let folder = self.store.blob_folder(digest);
        if digest.digest().algorithm() != Algorithm::Sha256 {
            fs::create_dir_all(&folder).map_err(Error::of)?;
        }
        // Over an older file of the same name: if that one was damaged, it is whole now.
        fs::rename(&self.path, self.store.blob_path(digest)).map_err(Error::of)?;
        // The name is no longer its own; there is nothing to remove.
        self.keep = true;
        disk::sync_folder(&folder).map_err(Error::of)
    }
}

impl Write for Partial {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.file.write(buf).map_err(|e| self.fail("write")(e).into_stream())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.keep {
            // If this fails, prune removes it later.
            let _ = fs::remove_file(&self.path);
        }
        // Who reads along has it open too, and does not need the lock.
        release(&self.file);
    }
}

/// Stores a blob whose digest is not known yet.
pub struct BlobWriter {
    file: Partial,
    hasher: Hasher,
    size: u64,
}

impl BlobWriter {
    /// Publishes the blob, and says its digest and size.
    ///
    /// # Errors
    /// [`Error::DiskFull`] and those of the file system.
    pub fn commit(self) -> Result<(BlobDigest, u64), Error> {
        let digest = BlobDigest::new(self.hasher.finish());
        self.file.publish(&digest)?;
        Ok((digest, self.size))
    }
}

impl Write for BlobWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.file.write(buf)?;
        self.hasher.update(&buf[..n]);
        self.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes a layer's tar and stores its blob, compressed or not, in one pass.
pub struct LayerIngest {
    writer: LayerWriter<Told>,
    trail: Trail,
}

/// A file that others read while it is written.
struct Told {
    file: Partial,
    progress: Beacon,
    position: u64,
}

impl Write for Told {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.file.write(buf)?;
        self.position += n as u64;
        self.progress.reach(self.position);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl LayerIngest {
    /// Where the blob can be read while it is written, before it is known to become one. Who reads it gets an error
    /// instead of an end if it does not.
    pub fn trail(&self) -> Trail {
        self.trail.clone()
    }

    /// Publishes the blob and records which layer it is.
    ///
    /// # Errors
    /// [`Error::DiskFull`] and those of the file system.
    pub fn commit(self) -> Result<Layer, Error> {
        self.commit_if(|_| Ok(()))
    }

    /// As [`LayerIngest::commit`], if what was written is the layer `expected`.
    ///
    /// # Errors
    /// [`Error::Damaged`] if it is another; then nothing stays.
    pub fn commit_as(self, expected: &DiffId) -> Result<Layer, Error> {
        self.commit_if(|layer| {
            if layer.diff_id() == expected {
                return Ok(());
            }
            let reason = format!("its content has the digest {}", layer.diff_id());
            Err(Error::damaged(format!("layer {expected}"), reason))
        })
    }

    fn commit_if(self, is_right: impl FnOnce(&Layer) -> Result<(), Error>) -> Result<Layer, Error> {
        let (Told { file, progress, .. }, layer) = self.writer.finish().map_err(Error::from_stream)?;
        is_right(&layer)?;
        // Who follows has what there is to have, while the file is being made durable.
        progress.complete();
        let store = file.store.clone();
        file.publish(layer.digest())?;
        store.record_layer(layer.diff_id(), &(&layer).into())?;
        Ok(layer)
    }
}

impl Write for LayerIngest {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.writer.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A blob of a known digest that is being received. Dropped before its commit it leaves what it has for the next
/// attempt.
pub struct Ingest {
    partial: Partial,
    expected: BlobDigest,
    size: Option<u64>,
    hasher: Hasher,
    position: u64,
    progress: Beacon,
}

impl Ingest {
    /// Reads the blob from its beginning while it is received. Nothing of it is verified before the commit: whoever uses
    /// it must verify it himself, or throw away what he made of it when the commit fails.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn follow(&self) -> Result<Follower, Error> {
        let file = self.partial.file.try_clone().map_err(self.partial.fail("reopen"))?;
        Ok(self.progress.follow(file))
    }

    /// Bytes that are there already: where to go on.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The digest it must have at the end.
    pub fn digest(&self) -> &BlobDigest {
        &self.expected
    }

    /// The digest of what is there so far.
    pub fn current_digest(&self) -> Digest {
        self.hasher.clone().finish()
    }

    /// Throws everything away that has come so far.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn reset(&mut self) -> Result<(), Error> {
        // Who follows must know before the bytes go.
        self.progress = Beacon::default();
        self.partial.file.set_len(0).map_err(self.partial.fail("truncate"))?;
        self.partial.file.seek(SeekFrom::Start(0)).map_err(self.partial.fail("rewind"))?;
        self.hasher = self.expected.digest().algorithm().hasher();
        self.position = 0;
        Ok(())
    }

    /// Verifies size and digest, and publishes the blob. If it is not the right one, all of it is thrown away.
    ///
    /// # Errors
    /// [`Error::WrongDigest`], [`Error::WrongSize`], [`Error::DiskFull`], and those of the file system.
    pub fn commit(mut self) -> Result<(), Error> {
        let wrong_size = self.size.filter(|expected| *expected != self.position);
        let actual: Digest = std::mem::take(&mut self.hasher).finish();
        let error = match wrong_size {
            Some(expected) => {
                Error::WrongSize { digest: self.expected.clone(), expected, actual: self.position }
            }
            None if &actual != self.expected.digest() => {
                Error::WrongDigest { expected: self.expected.clone(), actual }
            }
            None => {
                self.progress.complete();
                return self.partial.publish(&self.expected);
            }
        };
        // A short one can go on; anything else will never become right.
        self.partial.keep &= matches!(&error, Error::WrongSize { expected, actual, .. } if actual < expected);
        Err(error)
    }

    fn resume(&mut self) -> Result<(), Error> {
        let mut buffer = vec![0; 256 << 10];
        loop {
            let n = match self.partial.file.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(self.partial.fail("read")(e)),
            };
            self.hasher.update(&buffer[..n]);
            self.position += n as u64;
            self.progress.reach(self.position);
        }
        if self.size.is_some_and(|size| self.position > size) { self.reset() } else { Ok(()) }
    }
}

impl Write for Ingest {
    /// Refuses what would make the blob longer than was said.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let after = self.position + buf.len() as u64;
        if let Some(expected) = self.size.filter(|expected| after > *expected) {
            self.partial.keep = false;
            let error = Error::WrongSize { digest: self.expected.clone(), expected, actual: after };
            return Err(error.into_stream());
        }
        let n = self.partial.write(buf)?;
        self.hasher.update(&buf[..n]);
        self.position += n as u64;
        self.progress.reach(self.position);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &content::OpenOptions::default()).unwrap();
        (dir, store)
    }

    fn partials(store: &Store) -> usize {
        fs::read_dir(store.ingest_folder()).unwrap().len()
    }

    #[test]
    fn resumes_where_it_was_dropped() {
        let (_dir, store) = store();
        let digest = BlobDigest::of(b"hello world");
        let mut ingest = store.ingest(&digest, Some(11)).unwrap();
        ingest.write_all(b"hello").unwrap();
        // Somebody who still reads what came keeps nobody from going on.
        let _follower = ingest.follow().unwrap();
        drop(ingest);
        assert!(!store.has(&digest));
        let mut ingest = store.ingest(&digest, Some(11)).unwrap();
        assert_eq!(ingest.position(), 5);
        ingest.write_all(b" world").unwrap();
        ingest.commit().unwrap();
        assert_eq!(store.read_blob(&digest, 100).unwrap(), b"hello world");
        assert_eq!(partials(&store), 0);
    }

    #[test]
    fn a_layer_is_read_while_it_is_written() {
        let (_dir, store) = store();
        let mut writer = store.layer_writer(Compression::None).unwrap();
        let trail = writer.trail();
        writer.write_all(b"tar").unwrap();
        let mut first = [0; 3];
        trail.follow(0).read_exact(&mut first).unwrap();
        let layer = writer.commit_as(&DiffId::of(b"tar")).unwrap();
        let mut rest = Vec::new();
        trail.follow(1).read_to_end(&mut rest).unwrap();
        assert_eq!((&first[..], rest.as_slice(), store.has(layer.digest())), (&b"tar"[..], &b"ar"[..], true));
        let mut other = store.layer_writer(Compression::None).unwrap();
        let trail = other.trail();
        other.write_all(b"other").unwrap();
        assert!(matches!(other.commit_as(&DiffId::of(b"tar")), Err(Error::Damaged { .. })));
        assert!(trail.follow(0).read_to_end(&mut rest).is_err(), "there is no end of it");
        assert_eq!((partials(&store), store.blobs().unwrap().len()), (0, 1));
    }

    #[test]
    fn wrong_bytes_never_become_a_blob() {
        let (_dir, store) = store();
        let digest = BlobDigest::of(b"right");
        let mut ingest = store.ingest(&digest, Some(5)).unwrap();
        ingest.write_all(b"wrong").unwrap();
        assert!(matches!(ingest.commit(), Err(Error::WrongDigest { .. })));
        let mut ingest = store.ingest(&digest, Some(5)).unwrap();
        assert_eq!(ingest.position(), 0, "the wrong bytes are gone");
        ingest.write_all(b"rig").unwrap();
        assert!(matches!(ingest.commit(), Err(Error::WrongSize { actual: 3, .. })));
        let mut ingest = store.ingest(&digest, Some(5)).unwrap();
        assert_eq!(ingest.position(), 3, "a short one goes on");
        let error = Error::from_stream(ingest.write_all(b"ht and more").unwrap_err());
        assert!(matches!(error, Error::WrongSize { .. }), "{error}");
        drop(ingest);
        assert_eq!((partials(&store), store.blobs().unwrap().len()), (0, 0));
    }

    #[test]
    fn a_download_is_read_while_it_comes() {
        let (_dir, store) = store();
        let data: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        let digest = BlobDigest::of(&data);
        drop(store.ingest(&digest, None).unwrap().write_all(&data[..50_000]));
        let mut ingest = store.ingest(&digest, Some(data.len() as u64)).unwrap();
        let read = |mut follower: Follower| {
            let mut out = Vec::new();
            follower.read_to_end(&mut out).map(|_| out)
        };
        let (first, second) = std::thread::scope(|scope| {
            let follower = ingest.follow().unwrap();
            let fate = follower.fate();
            let first = scope.spawn(move || read(follower).map_err(|_| fate.is_lost()));
            for piece in data[50_000..200_000].chunks(7001) {
                ingest.write_all(piece).unwrap();
            }
            ingest.reset().unwrap();
            let follower = ingest.follow().unwrap();
            let second = scope.spawn(move || read(follower));
            for piece in data.chunks(33_000) {
                ingest.write_all(piece).unwrap();
            }
            ingest.commit().unwrap();
            (first.join().unwrap(), second.join().unwrap())
        });
        assert_eq!(first, Err(true), "what was lost is said to be, never cut short");
        assert!(second.unwrap() == data);
        let ingest = store.ingest(&BlobDigest::of(b"never"), None).unwrap();
        let follower = ingest.follow().unwrap();
        drop(ingest);
        assert!(read(follower).is_err());
    }

    #[test]
    fn two_downloads_of_one_blob_do_not_meet() {
        let (_dir, store) = store();
        let digest = BlobDigest::of(b"data");
        let mut one = store.ingest(&digest, None).unwrap();
        let mut two = store.ingest(&digest, None).unwrap();
        one.write_all(b"da").unwrap();
        two.write_all(b"data").unwrap();
        two.commit().unwrap();
        one.write_all(b"ta").unwrap();
        one.commit().unwrap();
        assert_eq!(store.read_blob(&digest, 4).unwrap(), b"data");
        assert_eq!(partials(&store), 0);
    }

    #[test]
    fn reset_starts_anew_and_sha512_is_stored() {
        let (_dir, store) = store();
        let mut hasher = Algorithm::Sha512.hasher();
        hasher.update(b"x");
        let digest = BlobDigest::new(hasher.finish());
        let mut ingest = store.ingest(&digest, None).unwrap();
        ingest.write_all(b"nonsense").unwrap();
        ingest.reset().unwrap();
        ingest.write_all(b"x").unwrap();
        ingest.commit().unwrap();
        assert_eq!(store.blobs().unwrap(), [(digest, 1)]);
    }

    #[test]
    fn unknown_data_and_layers() {
        let (_dir, store) = store();
        let (digest, size) = store.put_stream(&mut &b"stream"[..]).unwrap();
        assert_eq!((digest, size), (BlobDigest::of(b"stream"), 6));
        drop(store.writer().unwrap());
        let mut layer = store.layer_writer(Compression::Gzip(6)).unwrap();
        layer.write_all(b"tar").unwrap();
        let layer = layer.commit().unwrap();
        assert_eq!(store.blob_size(layer.digest()), Some(layer.size()));
        let known = store.layer_blobs(layer.diff_id()).unwrap();
        assert_eq!(known.len(), 1);
        assert_eq!(known[0].descriptor, layer.descriptor());
        assert_eq!(partials(&store), 0);
    }

    #[test]
    fn a_full_disk_is_named() {
        let error =
            Error::of(host::Error::new("write", "/proc/x", io::Error::from(io::ErrorKind::StorageFull)));
        let failure = crate::base::Failure::from(Error::from_stream(error.into_stream()));
        assert!(failure.message().contains("/proc"), "{failure}");
        assert!(failure.hints()[0].contains("lap image prune"));
    }
}
