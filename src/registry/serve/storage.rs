//! The directory.
//!
//! ```text
//! <root>/repositories/<name>/_blobs/<algorithm>/<hex>       the blob
//!                            _manifests/<algorithm>/<hex>   media type, line feed, the manifest
//!                            _tags/<tag>                    the manifest's digest
//!                            _referrers/<algorithm>/<hex of the subject>/<algorithm>-<hex>
//!                            _uploads/<id>                  what an upload has so far
//! ```
//!
//! No part of a repository's name begins with `_`, so the two kinds of names cannot meet.

use std::collections::BTreeMap;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use super::problem::Problem;
use super::route::Name;
use crate::base::{Digest, Hasher};
use crate::host::{Error, fs, random};

/// Tries to get hold of an upload that another request has.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// The directory of a registry. All functions block.
pub(super) struct Storage {
    repositories: PathBuf,
    /// Running digests of uploads, so that an upload in pieces is not read again at its end. Whoever is not here is
    /// read.
    digests: Mutex<BTreeMap<String, (u64, Hasher)>>,
}

/// A manifest as it is kept.
pub(super) struct Manifest {
    pub(super) media_type: String,
    pub(super) bytes: Vec<u8>,
}

/// An upload that one request writes to; others wait.
pub(super) struct Upload {
    file: fs::File,
    path: PathBuf,
    id: String,
    length: u64,
    hasher: Option<Hasher>,
}

impl Storage {
    pub(super) fn open(root: &Path) -> Result<Self, Error> {
        let repositories = root.join("repositories");
        fs::create_dir_all(&repositories)?;
        Ok(Self { repositories, digests: Mutex::default() })
    }

    fn place(&self, name: &Name, kind: &str) -> PathBuf {
        self.repositories.join(name.as_str()).join(kind)
    }

    fn digest_path(&self, name: &Name, kind: &str, digest: &Digest) -> PathBuf {
        self.place(name, kind).join(digest.algorithm().name()).join(digest.hex())
    }

    pub(super) fn has_repository(&self, name: &Name) -> bool {
        ["_manifests", "_tags", "_blobs"].iter().any(|kind| fs::exists(self.place(name, kind)))
    }

    /// Where a blob lies.
    pub(super) fn blob(&self, name: &Name, digest: &Digest) -> PathBuf {
        self.digest_path(name, "_blobs", digest)
    }

    pub(super) fn has_blob(&self, name: &Name, digest: &Digest) -> bool {
        fs::exists(self.blob(name, digest))
    }

    pub(super) fn has_manifest(&self, name: &Name, digest: &Digest) -> bool {
        fs::exists(self.digest_path(name, "_manifests", digest))
    }

    /// Whether the blob was there.
    pub(super) fn remove_blob(&self, name: &Name, digest: &Digest) -> Result<bool, Error> {
        let path = self.blob(name, digest);
        let there = fs::exists(&path);
        fs::remove_file(path)?;
        Ok(there)
    }

    /// Makes a blob of one repository one of another too. Whether the first one has it.
    pub(super) fn mount(&self, from: &Name, to: &Name, digest: &Digest) -> Result<bool, Error> {
        let (source, target) = (self.blob(from, digest), self.blob(to, digest));
        if fs::exists(&target) {
            return Ok(true);
        }
        if !fs::exists(&source) {
            return Ok(false);
        }
        make_parent(&target)?;
        match fs::hard_link(&source, &target) {
            Ok(()) => Ok(true),
            Err(e) if e.source.kind() == std::io::ErrorKind::AlreadyExists => Ok(true),
            Err(e) if e.is_not_found() => Ok(false),
            Err(e) => Err(e),
        }
    }

    pub(super) fn manifest(&self, name: &Name, digest: &Digest) -> Result<Option<Manifest>, Error> {
        let bytes = match fs::read(self.digest_path(name, "_manifests", digest)) {
            Ok(bytes) => bytes,
            Err(e) if e.is_not_found() => return Ok(None),
            Err(e) => return Err(e),
        };
        let end = bytes.iter().position(|b| *b == b'\n').unwrap_or(0);
        let media_type = String::from_utf8_lossy(&bytes[..end]).into_owned();
        Ok(Some(Manifest { media_type, bytes: bytes.get(end + 1..).unwrap_or_default().to_vec() }))
    }

    /// Keeps a manifest; `media_type` has no line feed, being a header's value.
    pub(super) fn put_manifest(
        &self,
        name: &Name,
        digest: &Digest,
        media_type: &str,
        (bytes, subject): (&[u8], Option<&Digest>),
    ) -> Result<(), Error> {
        let path = self.digest_path(name, "_manifests", digest);
        make_parent(&path)?;
        let mut whole = format!("{media_type}\n").into_bytes();
        whole.extend_from_slice(bytes);
        fs::write_atomic(&path, whole)?;
        if let Some(subject) = subject {
            let marker = self.marker(name, subject, digest);
            make_parent(&marker)?;
            fs::write(marker, b"")?;
        }
        Ok(())
    }

    fn marker(&self, name: &Name, subject: &Digest, referrer: &Digest) -> PathBuf {
        let file = format!("{}-{}", referrer.algorithm().name(), referrer.hex());
        self.digest_path(name, "_referrers", subject).join(file)
    }

    /// The digests of manifests that name `subject`, in order. Some may be gone.
    pub(super) fn referrers(&self, name: &Name, subject: &Digest) -> Result<Vec<Digest>, Error> {
        let names = names_in(&self.digest_path(name, "_referrers", subject))?;
        Ok(names.iter().filter_map(|n| n.replacen('-', ":", 1).parse().ok()).collect())
    }

    /// Removes a manifest, the tags that stand for it and its place among the referrers of `subject`. Whether it was
    /// there.
    pub(super) fn remove_manifest(
        &self,
        name: &Name,
        digest: &Digest,
        subject: Option<&Digest>,
    ) -> Result<bool, Error> {
        let path = self.digest_path(name, "_manifests", digest);
        let there = fs::exists(&path);
        for tag in self.tags(name)? {
            if self.tag(name, &tag)?.as_ref() == Some(digest) {
                self.remove_tag(name, &tag)?;
            }
        }
        if let Some(subject) = subject {
            fs::remove_file(self.marker(name, subject, digest))?;
        }
        fs::remove_file(path)?;
        Ok(there)
    }

    /// What a tag stands for.
    pub(super) fn tag(&self, name: &Name, tag: &str) -> Result<Option<Digest>, Error> {
        match fs::read_to_string(self.place(name, "_tags").join(tag)) {
            Ok(text) => Ok(text.trim().parse().ok()),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e),
        }
    }

    pub(super) fn set_tag(&self, name: &Name, tag: &str, digest: &Digest) -> Result<(), Error> {
        let path = self.place(name, "_tags").join(tag);
        make_parent(&path)?;
        fs::write_atomic(path, digest.to_string())
    }

    /// Sets a tag that nobody has; whether that was so. Of several at once one is told yes.
    pub(super) fn claim_tag(&self, name: &Name, tag: &str, digest: &Digest) -> Result<bool, Error> {
        let path = self.place(name, "_tags").join(tag);
        make_parent(&path)?;
        let (temporary, mut file) = fs::create_beside(&path)?;
        let written = file.write_all(digest.to_string().as_bytes()).and_then(|()| file.sync_all());
        let linked = match written {
            Ok(()) => fs::hard_link(&temporary, &path),
            Err(e) => Err(Error::new("write", &temporary, e)),
        };
        fs::remove_file(&temporary)?;
        match linked {
            Ok(()) => Ok(true),
            Err(e) if e.is_already_there() => Ok(self.tag(name, tag)?.as_ref() == Some(digest)),
            Err(e) => Err(e),
        }
    }

    /// Whether the tag was there.
    pub(super) fn remove_tag(&self, name: &Name, tag: &str) -> Result<bool, Error> {
        let path = self.place(name, "_tags").join(tag);
        let there = fs::exists(&path);
        fs::remove_file(path)?;
        Ok(there)
    }

    /// The tags in order.
    pub(super) fn tags(&self, name: &Name) -> Result<Vec<String>, Error> {
        names_in(&self.place(name, "_tags"))
    }

    /// The repositories that have manifests, in order.
    pub(super) fn repositories(&self) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        self.walk(&self.repositories, "", &mut |name, folder| {
            if fs::exists(folder.join("_manifests")) {
                found.push(name.to_owned());
            }
            Ok(())
        })?;
        found.sort();
        Ok(found)
    }

    fn walk(
        &self,
        folder: &Path,
        name: &str,
        visit: &mut dyn FnMut(&str, &Path) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for entry in names_in(folder)? {
            if !entry.starts_with('_') {
                let (inner, name) = (folder.join(&entry), format!("{name}{entry}"));
                visit(&name, &inner)?;
                self.walk(&inner, &format!("{name}/"), visit)?;
            }
        }
        Ok(())
    }

    /// Removes uploads that were not written to for `keep`.
    pub(super) fn remove_stale_uploads(&self, now: Duration, keep: Duration) -> Result<(), Error> {
        self.walk(&self.repositories, "", &mut |_, folder| {
            let uploads = folder.join("_uploads");
            for id in names_in(&uploads)? {
                let path = uploads.join(id);
                let written = fs::metadata(&path).ok().and_then(|m| m.modified().ok());
                let written = written.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or(now);
                if written + keep < now {
                    fs::remove_file(path)?;
                }
            }
            Ok(())
        })
    }

    /// Begins an upload and returns its name.
    pub(super) fn begin(&self, name: &Name) -> Result<String, Error> {
        let id = random::token();
        let path = self.place(name, "_uploads").join(&id);
        make_parent(&path)?;
        let mut options = fs::OpenOptions::new();
        fs::open_with(options.write(true).create_new(true), &path)?;
        self.remember(&id, 0, Hasher::default());
        Ok(id)
    }

    fn remember(&self, id: &str, length: u64, hasher: Hasher) {
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        digests.insert(id.to_owned(), (length, hasher));
    }

    /// Takes hold of an upload. A request whose client went away may have it for a moment longer.
    pub(super) fn take(&self, name: &Name, id: &str) -> Result<Upload, Problem> {
        let path = self.place(name, "_uploads").join(id);
        let mut options = fs::OpenOptions::new();
        let opened = fs::open_with(options.read(true).append(true), &path);
        let file = match opened {
            Err(e) if e.is_not_found() => return Err(Problem::upload_unknown()),
            other => other?,
        };
        let mut tries = 0;
        while file.try_lock().is_err() {
            tries += 1;
            if tries == LOCK_TRIES {
                return Err(Problem::upload_busy());
            }
            std::thread::sleep(LOCK_PAUSE);
        }
        // The one before us may have finished it.
        if !fs::exists(&path) {
            return Err(Problem::upload_unknown());
        }
        let length = file.metadata().map_err(|e| Error::new("look at", &path, e))?.len();
        let known = self.digests.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        let hasher = known.filter(|(at, _)| *at == length).map(|(_, hasher)| hasher);
        let hasher = hasher.or_else(|| (length == 0).then(Hasher::default));
        Ok(Upload { file, path, id: id.to_owned(), length, hasher })
    }

    /// How many bytes an upload has.
    pub(super) fn upload_length(&self, name: &Name, id: &str) -> Result<u64, Problem> {
        let upload = self.take(name, id)?;
        let length = upload.length;
        self.put_back(upload);
        Ok(length)
    }

    /// Lets go of an upload that goes on later.
    pub(super) fn put_back(&self, upload: Upload) {
        if let Some(hasher) = upload.hasher {
            self.remember(&upload.id, upload.length, hasher);
        }
    }

    /// Publishes an upload as the blob `digest`, or removes it if its bytes are others.
    pub(super) fn publish(&self, name: &Name, upload: Upload, digest: &Digest) -> Result<(), Problem> {
        let Upload { mut file, path, hasher, .. } = upload;
        let running = hasher.filter(|_| digest.algorithm() == crate::base::Algorithm::Sha256);
        let found = match running {
            Some(hasher) => hasher.finish(),
            None => digest_of(&mut file, &path, digest)?,
        };
        if found != *digest {
            fs::remove_file(&path)?;
            return Err(Problem::digest_invalid(format!("the bytes have digest {found}")));
        }
        file.sync_all().map_err(|e| Error::new("write", &path, e))?;
        let target = self.blob(name, digest);
        make_parent(&target)?;
        fs::rename(&path, &target)?;
        Ok(())
    }

    /// Removes an upload.
    pub(super) fn discard(&self, upload: &Upload) -> Result<(), Error> {
        fs::remove_file(&upload.path)
    }
}

impl Upload {
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|e| Error::new("write", &self.path, e))?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        self.length += bytes.len() as u64;
        Ok(())
    }
}

fn digest_of(file: &mut fs::File, path: &Path, like: &Digest) -> Result<Digest, Error> {
    use std::io::Read as _;
    let fail = |e| Error::new("read", path, e);
    file.seek(SeekFrom::Start(0)).map_err(fail)?;
    let mut hasher = like.algorithm().hasher();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer).map_err(fail)? {
            0 => return Ok(hasher.finish()),
            n => hasher.update(&buffer[..n]),
        }
    }
}

fn make_parent(path: &Path) -> Result<(), Error> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// The names in a folder in order, hidden ones left out; none if it is not there.
fn names_in(folder: &Path) -> Result<Vec<String>, Error> {
    match fs::read_dir(folder) {
        Ok(entries) => {
            let names = entries.iter().filter_map(|e| e.file_name().into_string().ok());
            Ok(names.filter(|name| !name.starts_with('.')).collect())
        }
        Err(e) if e.is_not_found() => Ok(Vec::new()),
        // A blob or a tag is no folder of repositories.
        Err(e) if e.source.kind() == std::io::ErrorKind::NotADirectory => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}
