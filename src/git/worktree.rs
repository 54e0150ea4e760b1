//! The user's own repository with its work tree: what is committed, what lies on the disk, and how they differ.
//!
//! A commit is read from the object database, folder by folder as they are asked for, and nothing is checked out. What the
//! disk says of a file is compared the way `git status` does it: by the index's memory of its `stat`, else by its content.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gix::bstr::ByteSlice as _;
use gix::index::entry::{Flags, Mode, Stat};

use crate::git::{Entry, EntryKind, Error, Id, Repository, Result};
use crate::host::{self, fs};

/// The largest file of a work tree whose content is read.
const LARGEST: u64 = 8 << 30;

/// A repository with a work tree and a commit.
pub struct WorkTree {
    repository: Mutex<gix::Repository>,
    index: gix::worktree::Index,
    modes_count: bool,
    root: PathBuf,
    head: Head,
    /// Submodules that were opened, by path.
    modules: Mutex<BTreeMap<Vec<u8>, Arc<WorkTree>>>,
}

/// The commit a work tree stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its id.
    pub commit: String,
    /// When it was made: seconds since the Unix epoch.
    pub seconds: i64,
    /// The offset of its maker's clock from UTC, in seconds.
    pub offset: i32,
    tree: Id,
}

/// How a file of the disk stands to the one of the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has it.
    Nowhere,
    /// They are the same.
    Same,
    /// The disk has it, the commit does not.
    Untracked,
    /// They differ, or the index is about to change it.
    Changed,
    /// The commit has it, the disk does not.
    Deleted,
}

/// Something in a folder of the disk that is tracked, or neither tracked nor ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDisk {
    /// Its name.
    pub name: Vec<u8>,
    /// What it is; `None` for what Git does not keep, such as sockets.
    pub kind: Option<EntryKind>,
    /// Whether the index has it, or something in it.
    pub is_tracked: bool,
}

impl WorkTree {
    /// The repository around `folder`: the nearest folder upwards with a `.git`.
    ///
    /// # Errors
    /// [`Error::Unusable`] if there is none, it has no work tree or no commit, or cannot be read.
    pub fn around(folder: &Path) -> Result<Self> {
        let folder = fs::canonicalize(folder)?;
        let mut place = Some(folder.as_path());
        while let Some(path) = place {
            if fs::symlink_metadata(path.join(".git")).is_ok() {
                return Self::open(path);
            }
            let bare = ["HEAD", "objects", "refs"].iter().all(|name| fs::exists(path.join(name)));
            if bare {
                return Err(Error::Unusable {
                    place: path.to_owned(),
                    reason: "it is bare: it has no work tree".into(),
                    hint: "make a work tree of it: `git worktree add FOLDER`, or clone it".into(),
                });
            }
            place = path.parent();
        }
        Err(Error::Unusable {
            place: folder,
            reason: "neither it nor any folder above it is a Git repository".into(),
            hint: "a project is read from a commit: `git init && git add . && git commit`; or build a Dockerfile alone \
                   with `lap image build`"
                .into(),
        })
    }

    /// The repository whose work tree is `root`.
    ///
    /// # Errors
    /// See [`WorkTree::around`].
    pub fn open(root: &Path) -> Result<Self> {
        let root = fs::canonicalize(root)?;
        let unusable = |reason: String, hint: &str| Error::Unusable {
            place: root.clone(),
            reason,
            hint: hint.to_owned(),
        };
        let damaged = |error: Error| match error {
            Error::Git { reason, .. } => unusable(reason, "`git fsck` says what is wrong with a repository"),
            other => other,
        };
        let inner = Repository::open(&root).map_err(damaged)?.inner;
        let fail = |doing: &str, e: gix::Error| damaged(Error::git(doing, e));
        let Some(workdir) = inner.workdir().map(Path::to_owned) else {
            return Err(unusable(
                "it is bare: it has no work tree".into(),
                "clone it, or `git worktree add FOLDER`",
            ));
        };
        let head = inner.head().map_err(|e| fail("read HEAD", e))?;
        if head.is_unborn() {
            let hint = "`git add . && git commit`: a project is read from a commit";
            return Err(unusable("it has no commit yet".into(), hint));
        }
        let commit = inner.head_commit().map_err(|e| fail("read the commit of HEAD", e))?;
        let time = commit.time().map_err(|e| fail("read the commit of HEAD", e))?;
        let tree = commit.tree_id().map_err(|e| fail("read the tree of HEAD", e))?;
        let head = Head {
            commit: commit.id.to_string(),
            seconds: time.seconds,
            offset: time.offset,
            tree: Id(tree.detach()),
        };
        let index = inner.index_or_empty().map_err(|e| fail("read the index", e))?;
        let modes_count = inner.config_snapshot().boolean("core.fileMode").unwrap_or(true);
        let root = fs::canonicalize(&workdir)?;
        let (repository, modules) = (Mutex::new(inner.clone()), Mutex::default());
        Ok(Self { repository, index, modes_count, root, head, modules })
    }

    /// The folder of the work tree, without links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The commit.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The tree of the commit.
    pub(super) fn tree(&self) -> Id {
        self.head.tree
    }

    pub(super) fn repository(&self) -> MutexGuard<'_, gix::Repository> {
        self.repository.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a path of the repository lies on the disk.
    pub fn disk(&self, path: &[u8]) -> PathBuf {
        self.root.join(OsStr::from_bytes(path))
    }

    /// How the disk stands to `committed`, what the commit has at `path`.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn state(&self, path: &[u8], committed: Option<&Entry>) -> Result<State> {
        let disk = self.disk(path);
        let found = match gix::index::fs::Metadata::from_path_no_follow(&disk) {
            Ok(found) => Some(found),
            Err(e)
                if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) =>
            {
                None
            }
            Err(e) => return Err(host::Error::new("look at", &disk, e).into()),
        };
        let Some(committed) = committed else {
            return Ok(if found.is_some() { State::Untracked } else { State::Nowhere });
        };
        let index = self.index.entry_by_path(path.as_bstr());
        let Some(index) = index else {
            if let Some(state) = self.state_in_module(path, committed)? {
                return Ok(state);
            }
            // A commit of which nothing is in the index: everything is about to be deleted.
            return Ok(if found.is_some() { State::Changed } else { State::Deleted });
        };
        if index.id != committed.id.0 || kind_of(index.mode) != Some(committed.kind) {
            return Ok(State::Changed);
        }
        let Some(found) = found else {
            let absent_on_purpose = index.flags.contains(Flags::SKIP_WORKTREE);
            return Ok(if absent_on_purpose { State::Same } else { State::Deleted });
        };
        let Some(kind) = kind_of_file(&found) else { return Ok(State::Changed) };
        let same_kind = match (committed.kind, kind) {
            (EntryKind::File | EntryKind::Executable, EntryKind::File | EntryKind::Executable) => {
                !self.modes_count || committed.kind == kind
            }
            (EntryKind::Submodule, EntryKind::Folder) => return self.state_of_module(&disk, committed),
            (a, b) => a == b,
        };
        if !same_kind {
            return Ok(State::Changed);
        }
        if self.remembers(index, &found) {
            return Ok(State::Same);
        }
        let same = self.is_content(&disk, committed)?;
        Ok(if same { State::Same } else { State::Changed })
    }

    /// Whether the index was written after it last saw the file as it is now.
    fn remembers(&self, index: &gix::index::Entry, found: &gix::index::fs::Metadata) -> bool {
        let options = gix::index::entry::stat::Options::default();
        Stat::from_fs(found).is_ok_and(|now| {
            now.matches(&index.stat, options) && !index.stat.is_racy(self.index.timestamp(), options)
        })
    }

    /// How the disk stands to `committed` if that lies in a submodule: its work tree decides, and has to be at the commit
    /// that is named.
    fn state_in_module(&self, path: &[u8], committed: &Entry) -> Result<Option<State>> {
        let ends = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at);
        for end in ends {
            let place = &path[..end];
            let Some(index) = self.index.entry_by_path(place.as_bstr()) else { continue };
            if index.mode != Mode::COMMIT || !fs::exists(self.disk(place).join(".git")) {
                return Ok((index.mode == Mode::COMMIT).then_some(State::Same));
            }
            let known = self.modules.lock().unwrap_or_else(PoisonError::into_inner).get(place).cloned();
            let module = match known {
                Some(module) => module,
                None => {
                    let module = Arc::new(Self::open(&self.disk(place))?);
                    let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
                    modules.insert(place.to_vec(), Arc::clone(&module));
                    module
                }
            };
            if module.head.commit.parse().ok() != Some(index.id) {
                return Ok(Some(State::Changed));
            }
            return module.state(&path[end + 1..], Some(committed)).map(Some);
        }
        Ok(None)
    }

    /// A submodule is unchanged if its `HEAD` is the commit that is named, and nothing in its index differs from the disk.
    fn state_of_module(&self, disk: &Path, committed: &Entry) -> Result<State> {
        if !fs::exists(disk.join(".git")) {
            // Not checked out: the disk says nothing.
            return Ok(State::Same);
        }
        let module = Self::open(disk)?;
        if module.head.commit.parse().ok() != Some(committed.id.0) {
            return Ok(State::Changed);
        }
        for entry in module.index.entries() {
            let path = entry.path(&module.index);
            let Some(kind) = kind_of(entry.mode) else { continue };
            let own = Entry { name: path.to_vec(), kind, id: Id(entry.id), on_disk: false };
            if module.state(path, Some(&own))? != State::Same {
                return Ok(State::Changed);
            }
        }
        Ok(State::Same)
    }

    /// Whether the file of the disk is what the commit has, as far as Git would see it.
    fn is_content(&self, disk: &Path, committed: &Entry) -> Result<bool> {
        let bytes = self.content(disk, committed.kind)?;
        if self.id_of(&bytes)? == committed.id {
            return Ok(true);
        }
        if bytes.contains(&b'\r') {
            let plain = bytes.replace("\r\n", "\n");
            if self.id_of(&plain)? == committed.id {
                return Ok(true);
            }
        }
        // LFS: the commit has a pointer that names the content by its hash.
        let stored = self.blob(&committed.id)?;
        Ok(lfs_pointer(&stored).is_some_and(|oid| oid == crate::base::Digest::sha256(&bytes).hex()))
    }

    pub(super) fn content(&self, disk: &Path, kind: EntryKind) -> Result<Vec<u8>> {
        match kind {
            EntryKind::Link => Ok(fs::read_link(disk)?.into_os_string().into_encoded_bytes()),
            _ => Ok(fs::read_regular(disk, LARGEST)?),
        }
    }

    /// The id that a file of this content has.
    ///
    /// # Errors
    /// If it cannot be had.
    pub fn id_of(&self, bytes: &[u8]) -> Result<Id> {
        let kind = self.repository().object_hash();
        let hash = gix::objs::compute_hash(kind, gix::objs::Kind::Blob, bytes);
        hash.map(Id).map_err(|e| Error::Git { doing: "hash a file".into(), reason: e.to_string() })
    }

    pub(super) fn blob(&self, id: &Id) -> Result<Vec<u8>> {
        read_blob(&self.repository(), id)
    }

    /// What the disk has in a folder, sorted by name: without what is ignored, unless it is tracked.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn folder(&self, path: &[u8]) -> Result<Vec<OnDisk>> {
        let mut listed = Vec::new();
        let mut unknown = Vec::new();
        for found in fs::read_dir(self.disk(path))? {
            let name = found.file_name().as_bytes().to_vec();
            if name == b".git" {
                continue;
            }
            let below = join(path, &name);
            let kind = found.file_type().ok().and_then(|kind| {
                if kind.is_dir() {
                    Some(EntryKind::Folder)
                } else if kind.is_symlink() {
                    Some(EntryKind::Link)
                } else {
                    kind.is_file().then_some(EntryKind::File)
                }
            });
            let index = self.index.entry_by_path(below.as_bstr());
            let is_module = index.is_some_and(|entry| entry.mode == Mode::COMMIT);
            let is_tracked = index.is_some()
                || kind == Some(EntryKind::Folder) && self.index.path_is_directory(below.as_bstr());
            let kind =
                if is_module && kind == Some(EntryKind::Folder) { Some(EntryKind::Submodule) } else { kind };
            if !is_tracked {
                unknown.push(below);
            }
            listed.push(OnDisk { name, kind, is_tracked });
        }
        if !unknown.is_empty() {
            let ignored = self.ignored(&unknown, &listed)?;
            listed.retain(|found| found.is_tracked || !ignored.contains(&found.name));
        }
        listed.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    /// The names among those of `paths` that are ignored.
    fn ignored(&self, paths: &[Vec<u8>], listed: &[OnDisk]) -> Result<BTreeSet<Vec<u8>>> {
        let repository = self.repository();
        let fail = |e| Error::git("read the ignore files", e);
        let source = gix::worktree::stack::state::ignore::Source::WorktreeThenIdMappingIfNotSkipped;
        let mut stack = repository.excludes(&self.index, None, source).map_err(fail)?;
        let mut ignored = BTreeSet::new();
        for path in paths {
            let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
            let is_folder =
                listed.iter().any(|found| found.name == name && found.kind == Some(EntryKind::Folder));
            let mode = if is_folder { Mode::DIR } else { Mode::FILE };
            if stack.at_path(OsStr::from_bytes(path), Some(mode)).map_err(fail)?.is_excluded() {
                ignored.insert(name.to_vec());
            }
        }
        Ok(ignored)
    }

    /// What a file of the disk is to Git, and its id: from the index if it remembers it, else of its content.
    pub(super) fn entry(&self, path: &[u8], name: &[u8]) -> Result<Option<Entry>> {
        let disk = self.disk(path);
        let found = gix::index::fs::Metadata::from_path_no_follow(&disk)
            .map_err(|e| host::Error::new("look at", &disk, e))?;
        let Some(kind) = kind_of_file(&found) else { return Ok(None) };
        let index = self.index.entry_by_path(path.as_bstr());
        let kind = match (kind, index) {
            (EntryKind::File | EntryKind::Executable, Some(index)) if !self.modes_count => {
                kind_of(index.mode).unwrap_or(kind)
            }
            _ => kind,
        };
        let id = match index.filter(|index| self.remembers(index, &found)) {
            Some(index) => Id(index.id),
            None => self.id_of(&self.content(&disk, kind)?)?,
        };
        Ok(Some(Entry { name: name.to_vec(), kind, id, on_disk: true }))
    }
}

impl std::fmt::Debug for WorkTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkTree").field("root", &self.root).field("head", &self.head).finish_non_exhaustive()
    }
}

pub(super) fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() { name.to_vec() } else { [path, name].join(&b'/') }
}

pub(super) fn read_blob(repository: &gix::Repository, id: &Id) -> Result<Vec<u8>> {
    let object = repository.find_object(id.0).map_err(|e| missing(repository, id, e))?;
    Ok(object.detach().data)
}

/// An object that is not there has a reason: a clone without its files, or a damaged one.
pub(super) fn missing(repository: &gix::Repository, id: &Id, error: gix::Error) -> Error {
    let partial = repository
        .config_snapshot()
        .plumbing()
        .sections()
        .any(|section| section.header().name() == "remote" && section.value("promisor").is_some());
    match partial {
        true => Error::Unusable {
            place: repository.workdir().unwrap_or(repository.git_dir()).to_owned(),
            reason: format!("it is a partial clone, and object {id} was never fetched"),
            hint: "`git fetch --refetch --no-filter` brings everything".into(),
        },
        false => Error::git(format!("read object {id}"), error),
    }
}

fn kind_of(mode: Mode) -> Option<EntryKind> {
    Some(match mode {
        Mode::FILE => EntryKind::File,
        Mode::FILE_EXECUTABLE => EntryKind::Executable,
        Mode::SYMLINK => EntryKind::Link,
        Mode::COMMIT => EntryKind::Submodule,
        Mode::DIR => EntryKind::Folder,
        _ => return None,
    })
}

fn kind_of_file(found: &gix::index::fs::Metadata) -> Option<EntryKind> {
    if found.is_symlink() {
        Some(EntryKind::Link)
    } else if found.is_dir() {
        Some(EntryKind::Folder)
    } else if found.is_file() {
        Some(if found.is_executable() { EntryKind::Executable } else { EntryKind::File })
    } else {
        None
    }
}

/// The hash of the content that a pointer of Git LFS stands for.
pub fn lfs_pointer(bytes: &[u8]) -> Option<&str> {
    if bytes.len() > 1024 || !bytes.starts_with(b"version https://git-lfs.github.com/spec/") {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oid sha256:"))
}
