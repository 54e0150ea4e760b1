//! The files of a commit or, in development, those of the work tree as if they had been committed: read folder by folder
//! when they are asked for, without a checkout. Submodules are part of it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gix::object::tree::EntryKind as GitKind;

use crate::git::worktree::{join, missing, read_blob};
use crate::git::{Error, OnDisk, Repository, Result, WorkTree};
use crate::host::fs;

/// The name of an object: the hash of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub(super) gix::ObjectId);

impl Id {
    /// The hash.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What Git keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// A file.
    File,
    /// A file that can be executed.
    Executable,
    /// A symbolic link.
    Link,
    /// A folder.
    Folder,
    /// A commit of another repository.
    Submodule,
}

impl EntryKind {
    /// Whether something can be in it.
    pub fn is_folder(self) -> bool {
        matches!(self, Self::Folder | Self::Submodule)
    }

    /// Whether it has content.
    pub fn is_file(self) -> bool {
        matches!(self, Self::File | Self::Executable)
    }
}

/// Something in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Its content; of a folder of the disk the null id.
    pub id: Id,
    /// Whether the content is on the disk and maybe nowhere else.
    pub(super) on_disk: bool,
}

/// Files by paths from the root of a repository; components are separated by `/`, the root is empty.
pub struct Files {
    worktree: Arc<WorkTree>,
    development: Option<Development>,
    folders: Mutex<HashMap<Vec<u8>, Arc<Folder>>>,
}

/// Which files of the work tree stay as they are committed.
pub type Ignored = dyn Fn(&[u8]) -> bool + Send + Sync;

struct Development {
    ignored: Box<Ignored>,
}

/// A folder that was read.
struct Folder {
    entries: Vec<Entry>,
    owner: Owner,
}

/// Whose objects the entries of a folder are.
#[derive(Clone)]
enum Owner {
    Project,
    Module(Arc<Mutex<gix::Repository>>),
}

impl Files {
    /// The files of the commit.
    pub fn of_commit(worktree: &Arc<WorkTree>) -> Self {
        Self { worktree: Arc::clone(worktree), development: None, folders: Mutex::default() }
    }

    /// The files of the disk, without ignored ones, as a commit of them would have them; those that `ignored` names stay
    /// as they are committed.
    pub fn of_disk(worktree: &Arc<WorkTree>, ignored: Box<Ignored>) -> Self {
        let development = Some(Development { ignored });
        Self { worktree: Arc::clone(worktree), development, folders: Mutex::default() }
    }

    /// The repository.
    pub fn worktree(&self) -> &Arc<WorkTree> {
        &self.worktree
    }

    /// Whether these are the files of the disk.
    pub fn is_development(&self) -> bool {
        self.development.is_some()
    }

    /// What is in a folder, sorted by the bytes of names; `None` if there is no folder at `path`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn list(&self, path: &[u8]) -> Result<Option<Vec<Entry>>> {
        Ok(self.folder(path)?.map(|folder| folder.entries.clone()))
    }

    /// What is at `path`, links not followed.
    ///
    /// # Errors
    /// If a folder on the way cannot be read.
    pub fn look(&self, path: &[u8]) -> Result<Option<Entry>> {
        let (parent, name) = split(path);
        let Some(folder) = self.folder(parent)? else { return Ok(None) };
        Ok(folder.find(name).cloned())
    }

    /// The content of the file at `path`, or where the link there points; `None` if there is neither.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(&self, path: &[u8]) -> Result<Option<Vec<u8>>> {
        let (parent, name) = split(path);
        let Some(folder) = self.folder(parent)? else { return Ok(None) };
        let Some(entry) = folder.find(name).filter(|entry| !entry.kind.is_folder()) else { return Ok(None) };
        if entry.on_disk {
            return self.worktree.content(&self.worktree.disk(path), entry.kind).map(Some);
        }
        self.with(&folder.owner, |repository| read_blob(repository, &entry.id)).map(Some)
    }

    fn with<T>(&self, owner: &Owner, work: impl FnOnce(&gix::Repository) -> T) -> T {
        match owner {
            Owner::Project => work(&self.worktree.repository()),
            Owner::Module(repository) => work(&locked(repository)),
        }
    }

    fn folder(&self, path: &[u8]) -> Result<Option<Arc<Folder>>> {
        if let Some(known) = locked(&self.folders).get(path) {
            return Ok(Some(Arc::clone(known)));
        }
        let Some(read) = self.read_folder(path)? else { return Ok(None) };
        let read = Arc::new(read);
        locked(&self.folders).insert(path.to_vec(), Arc::clone(&read));
        Ok(Some(read))
    }

    fn read_folder(&self, path: &[u8]) -> Result<Option<Folder>> {
        if path.is_empty() {
            return match self.development {
                Some(_) => self.read_disk(path).map(Some),
                None => self.read_tree(&self.worktree.tree(), Owner::Project).map(Some),
            };
        }
        let (parent, name) = split(path);
        let Some(parent) = self.folder(parent)? else { return Ok(None) };
        let Some(entry) = parent.find(name) else { return Ok(None) };
        match entry.kind {
            EntryKind::Folder if entry.on_disk => self.read_disk(path).map(Some),
            EntryKind::Folder => self.read_tree(&entry.id, parent.owner.clone()).map(Some),
            EntryKind::Submodule => self.read_module(path, entry).map(Some),
            _ => Ok(None),
        }
    }

    fn read_tree(&self, id: &Id, owner: Owner) -> Result<Folder> {
        let mut entries = self.with(&owner, |repository| {
            let object = repository.find_object(id.0).map_err(|e| missing(repository, id, e))?;
            let tree = object
                .try_into_tree()
                .map_err(|e| Error::Git { doing: format!("read tree {id}"), reason: e.to_string() })?;
            let entries = tree.iter().map(|entry| {
                let entry = entry
                    .map_err(|e| Error::Git { doing: format!("read tree {id}"), reason: e.to_string() })?;
                let kind = match entry.mode().kind() {
                    GitKind::Blob => EntryKind::File,
                    GitKind::BlobExecutable => EntryKind::Executable,
                    GitKind::Link => EntryKind::Link,
                    GitKind::Tree => EntryKind::Folder,
                    GitKind::Commit => EntryKind::Submodule,
                };
                let id = Id(entry.object_id());
                Ok(Entry { name: entry.filename().to_vec(), kind, id, on_disk: false })
            });
            entries.collect::<Result<Vec<_>>>()
        })?;
        // A tree comes from anywhere: a name that is no name leads elsewhere.
        if let Some(bad) = entries.iter().find(|entry| !is_name(&entry.name)) {
            let reason = format!("it has an entry called {:?}", String::from_utf8_lossy(&bad.name));
            return Err(Error::Git { doing: format!("read tree {id}"), reason });
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(Folder { entries, owner })
    }

    /// The commit of a submodule, from its checkout or from where Git keeps it.
    fn read_module(&self, path: &[u8], entry: &Entry) -> Result<Folder> {
        let places = {
            let modules = self.worktree.repository().common_dir().join("modules");
            [self.worktree.disk(path), modules.join(String::from_utf8_lossy(path).as_ref())]
        };
        let shown = String::from_utf8_lossy(path).into_owned();
        for place in &places {
            let is_module = fs::exists(place.join(".git")) || fs::exists(place.join("HEAD"));
            let Some(module) = is_module.then(|| Repository::open(place).ok()).flatten() else { continue };
            if module.has(&entry.id.to_string()) {
                let tree = {
                    let commit = module.commit(&entry.id.to_string())?;
                    Id(commit.tree_id().map_err(|e| Error::git("read a submodule's commit", e))?.detach())
                };
                return self.read_tree(&tree, Owner::Module(Arc::new(Mutex::new(module.inner))));
            }
        }
        Err(Error::Unusable {
            place: self.worktree.disk(path),
            reason: format!("the submodule {shown} does not have commit {} here", entry.id),
            hint: format!("`git submodule update --init -- {shown}`"),
        })
    }

    fn read_disk(&self, path: &[u8]) -> Result<Folder> {
        let kept = self.kept(path)?;
        let ignored = |below: &[u8]| self.development.as_ref().is_some_and(|own| (own.ignored)(below));
        let null = Id(gix::ObjectId::null(self.worktree.repository().object_hash()));
        let mut entries: Vec<Entry> = Vec::new();
        for OnDisk { name, kind, .. } in self.worktree.folder(path)? {
            let below = join(path, &name);
            let Some(kind) = kind else { continue };
            if ignored(&below) || kept.iter().any(|entry| entry.name == name) {
                continue;
            }
            match kind {
                EntryKind::Folder => {
                    // A repository inside that is no submodule is nobody's.
                    let foreign = fs::exists(self.worktree.disk(&below).join(".git"));
                    if !foreign && self.holds_files(&below)? {
                        entries.push(Entry { name, kind, id: null, on_disk: true });
                    }
                }
                EntryKind::Submodule => {
                    let module = Repository::open(&self.worktree.disk(&below)).and_then(|m| m.resolve(""));
                    let id = match module.ok().and_then(|commit| commit.parse().ok()) {
                        Some(commit) => Id(commit),
                        None => continue,
                    };
                    entries.push(Entry { name, kind, id, on_disk: false });
                }
                _ => entries.extend(self.worktree.entry(&below, &name)?),
            }
        }
        entries.extend(kept);
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(Folder { entries, owner: Owner::Project })
    }

    /// What the commit has in a folder that stays as it is committed.
    fn kept(&self, path: &[u8]) -> Result<Vec<Entry>> {
        let Some(development) = &self.development else { return Ok(Vec::new()) };
        let commit = Self::of_commit(&self.worktree);
        let committed = commit.list(path)?.unwrap_or_default();
        Ok(committed.into_iter().filter(|entry| (development.ignored)(&join(path, &entry.name))).collect())
    }

    /// Git keeps no empty folders.
    fn holds_files(&self, path: &[u8]) -> Result<bool> {
        Ok(self.folder_of_disk(path)?.is_some_and(|folder| !folder.entries.is_empty()))
    }

    fn folder_of_disk(&self, path: &[u8]) -> Result<Option<Arc<Folder>>> {
        if let Some(known) = locked(&self.folders).get(path) {
            return Ok(Some(Arc::clone(known)));
        }
        let read = Arc::new(self.read_disk(path)?);
        locked(&self.folders).insert(path.to_vec(), Arc::clone(&read));
        Ok(Some(read))
    }
}

impl Folder {
    fn find(&self, name: &[u8]) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|entry| entry.name.as_slice().cmp(name)).ok()?;
        self.entries.get(at)
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("worktree", &self.worktree).finish_non_exhaustive()
    }
}

fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0)
}

/// A path as its folder and its last component.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
