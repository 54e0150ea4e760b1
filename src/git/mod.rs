//! Git without the program: fetching a commit, reading it, writing its tree into a folder.
//!
//! # Design note
//!
//! - [`Repository`] is a folder of objects: a bare one of ours into which commits of a remote are fetched (shallow, one
//!   commit deep), one with a work tree for those who want `.git`, or one of the user's that is only read.
//! - [`export`] is the whole way: find what a reference means, fetch it if it is not there, write the tree with Git's
//!   modes (0644, 0755, links), submodules included, every time that of the commit. Equal commits give equal trees.
//! - Over http and https we speak ourselves; over ssh through the program `ssh`, which knows the user's keys. A repository
//!   in a folder (`file://` or a path) is opened where it is.
//!
//! [`WorkTree`] and [`Files`] are the user's own repository: the files of its commit, or of its disk as a commit of them
//! would have them, read folder by folder without a checkout, and how the two differ.
//!
//! Names in a tree are made by strangers: one that leads out of its folder, or into `.git`, is refused.
//!
//! Not done: filters and line endings of `.gitattributes`, LFS.

mod checkout;
mod error;
mod export;
mod fetch;
mod files;
mod listing;
mod submodules;
mod worktree;

pub use checkout::Submodule;
pub use error::Error;
pub use export::{ExportRequest, Exported, export, local};
pub use fetch::{Located, Remote};
pub use files::{Entry, EntryKind, Files, Id, Ignored};
pub use listing::Listing;
pub use worktree::{Head, OnDisk, State, WorkTree, lfs_pointer};

use std::path::{Path, PathBuf};

type Result<T, E = Error> = std::result::Result<T, E>;

/// A repository.
pub struct Repository {
    inner: gix::Repository,
    path: PathBuf,
}

impl Repository {
    /// Opens the repository of a folder: a bare one, or one with a work tree.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(path: &Path) -> Result<Self> {
        let options = gix::open::Options::default().permissions(gix::open::Permissions::all());
        let inner = gix::open_opts(path, options.with(gix::sec::Trust::Full));
        Self::of(path, inner, "open the repository")
    }

    /// Opens a bare repository, or makes it.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn open_or_create(path: &Path) -> Result<Self> {
        if path.join("HEAD").exists() {
            return Self::open(path);
        }
        Self::of(path, gix::init_bare(path), "make a repository in")
    }

    /// Makes a repository with a work tree.
    ///
    /// # Errors
    /// If the folder cannot be written, or has one.
    pub fn create(path: &Path) -> Result<Self> {
        Self::of(path, gix::init(path), "make a repository in")
    }

    fn of(path: &Path, inner: gix::Result<gix::Repository>, doing: &'static str) -> Result<Self> {
        let fail = |e| Error::git(format!("{doing} {}", path.display()), e);
        // What is read once is not read again soon: one commit's tree is all that is wanted.
        let mut inner = inner.map_err(fail)?;
        inner.object_cache_size(None);
        Ok(Self { inner, path: path.to_owned() })
    }

    /// Whether the commit is here.
    pub fn has(&self, commit: &str) -> bool {
        commit
            .parse::<gix::ObjectId>()
            .is_ok_and(|id| self.inner.find_commit(id).is_ok_and(|c| c.tree().is_ok()))
    }

    /// The commit that a name means here: a branch, a tag, a commit or the beginning of one; empty is `HEAD`.
    ///
    /// # Errors
    /// [`Error::NoReference`].
    pub fn resolve(&self, name: &str) -> Result<String> {
        let spec = if name.is_empty() { "HEAD" } else { name };
        let spec = format!("{spec}^{{commit}}");
        let found = self.inner.rev_parse_single(spec.as_str());
        let missing = |e| Error::NoReference {
            name: if name.is_empty() { "HEAD".into() } else { name.to_owned() },
            remote: self.path.display().to_string(),
            near: None,
            reason: Some(error::words(&e)),
        };
        Ok(found.map_err(missing)?.to_string())
    }

    /// When the commit was made: seconds since the Unix epoch.
    ///
    /// # Errors
    /// If it is not here.
    pub fn time(&self, commit: &str) -> Result<i64> {
        let fail = |e| Error::git(format!("read commit {commit}"), e);
        Ok(self.commit(commit)?.time().map_err(fail)?.seconds)
    }

    fn commit(&self, commit: &str) -> Result<gix::Commit<'_>> {
        let fail = |e| Error::git(format!("read commit {commit}"), e);
        let id: gix::ObjectId = commit.parse().map_err(|_| Error::NoReference {
            name: commit.to_owned(),
            remote: self.path.display().to_string(),
            near: None,
            reason: Some("it is not the name of a commit".into()),
        })?;
        self.inner.find_commit(id).map_err(fail)
    }
}
