//! Writing the tree of a commit into a folder.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use gix::bstr::ByteSlice as _;
use gix::object::tree::EntryKind;

use crate::git::{Error, Repository, Result};
use crate::host::fs;
use crate::report::Context;

/// A commit of another repository that a tree names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submodule {
    /// Its folder, from the root of the tree.
    pub path: String,
    /// The commit.
    pub commit: String,
}

/// The deepest folder that is written.
pub(super) const DEEPEST: usize = 500;

impl Repository {
    /// Writes the tree of a commit, or the folder `folder` of it (empty: all), into `destination`, which is empty. Files
    /// are 0644 or 0755, folders 0755, all times that of the commit. Gives the submodules in it, whose folders are empty.
    ///
    /// # Errors
    /// [`Error::Tree`] if the folder is not there or the tree is not one that may be written; those of the file system.
    pub fn checkout(
        &self,
        cx: &Context,
        (commit, folder): (&str, &str),
        destination: &Path,
    ) -> Result<Vec<Submodule>> {
        let fail = |e| Error::git(format!("read commit {commit}"), e);
        let wrong = |reason: String| Error::Tree { commit: commit.to_owned(), reason };
        let time = self.time(commit)?;
        let mut tree = self.commit(commit)?.tree().map_err(fail)?;
        if !folder.is_empty() {
            let entry = tree.lookup_entry_by_path(folder).map_err(fail)?;
            let entry = entry.ok_or_else(|| wrong(format!("it has no folder {folder}")))?;
            if entry.mode().kind() != EntryKind::Tree {
                return Err(wrong(format!("{folder} is not a folder in it")));
            }
            tree = entry.object().map_err(fail)?.into_tree();
        }
        let mut writing = Writing { cx, repository: &self.inner, commit, time, submodules: Vec::new() };
        writing.folder(&tree, (folder, 0), destination)?;
        Ok(writing.submodules)
    }

    /// The content of a file of a commit; `None` if it has none there.
    ///
    /// # Errors
    /// If the commit cannot be read.
    pub fn file(&self, commit: &str, path: &str) -> Result<Option<Vec<u8>>> {
        let fail = |e| Error::git(format!("read {path} of commit {commit}"), e);
        let tree = self.commit(commit)?.tree().map_err(fail)?;
        let Some(entry) = tree.lookup_entry_by_path(path).map_err(fail)? else { return Ok(None) };
        match entry.mode().kind() {
            EntryKind::Blob | EntryKind::BlobExecutable => {
                Ok(Some(entry.object().map_err(fail)?.detach().data))
            }
            _ => Ok(None),
        }
    }
}

struct Writing<'a> {
    cx: &'a Context,
    repository: &'a gix::Repository,
    commit: &'a str,
    time: i64,
    submodules: Vec<Submodule>,
}

impl Writing<'_> {
    fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::Tree { commit: self.commit.to_owned(), reason: reason.into() }
    }

    fn folder(
        &mut self,
        tree: &gix::Tree<'_>,
        (path, depth): (&str, usize),
        destination: &Path,
    ) -> Result<()> {
        if depth > DEEPEST {
            return Err(self.wrong("its folders lie too deep within each other"));
        }
        let commit = self.commit;
        let fail = |e| Error::git(format!("read the tree {path:?} of commit {commit}"), e);
        for entry in tree.iter() {
            if self.cx.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let entry = entry.map_err(fail)?;
            let name = entry.filename();
            if !is_plain(name) {
                return Err(self.wrong(format!("it has a file called {name:?}")));
            }
            let place = destination.join(OsStr::from_bytes(name));
            let inside =
                if path.is_empty() { name.to_str_lossy().into_owned() } else { format!("{path}/{name}") };
            match entry.mode().kind() {
                EntryKind::Tree => {
                    fs::create_dir(&place)?;
                    let inner = self.repository.find_tree(entry.object_id()).map_err(fail)?;
                    self.folder(&inner, (&inside, depth + 1), &place)?;
                }
                EntryKind::Commit => {
                    fs::create_dir(&place)?;
                    let commit = entry.oid().to_string();
                    self.submodules.push(Submodule { path: inside, commit });
                    self.dress(&place, Some(0o755))?;
                }
                kind => self.leaf((kind, entry.object_id()), &place)?,
            }
        }
        self.dress(destination, Some(0o755))
    }

    fn leaf(&self, (kind, id): (EntryKind, gix::ObjectId), place: &Path) -> Result<()> {
        let fail = |e| Error::git(format!("read {} of commit {}", place.display(), self.commit), e);
        let content = self.repository.find_blob(id).map_err(fail)?;
        if kind == EntryKind::Link {
            fs::symlink(PathBuf::from(OsStr::from_bytes(&content.data)), place)?;
            return self.dress(place, None);
        }
        let mut file = fs::open_with(fs::OpenOptions::new().write(true).create_new(true), place)?;
        let written = file.write_all(&content.data);
        written.map_err(|e| crate::host::Error::new("write", place, e))?;
        self.dress(place, Some(if kind == EntryKind::BlobExecutable { 0o755 } else { 0o644 }))
    }

    fn dress(&self, place: &Path, mode: Option<u32>) -> Result<()> {
        if let Some(mode) = mode {
            fs::set_mode(place, mode)?;
        }
        Ok(fs::set_modified(place, self.time)?)
    }
}

/// Whether a name stays in its folder and does not speak for Git.
pub(super) fn is_plain(name: &[u8]) -> bool {
    let own = name.eq_ignore_ascii_case(b".git");
    !own && !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0)
}
