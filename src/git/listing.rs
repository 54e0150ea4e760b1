//! The files of a commit by their paths, for those who read a few of them without a folder to write into.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use gix::bstr::ByteSlice as _;
use gix::object::tree::EntryKind as GitKind;

use crate::base;
use crate::git::checkout::{DEEPEST, is_plain};
use crate::git::worktree::{missing, read_blob};
use crate::git::{EntryKind, Error, Id, Repository, Result};

/// More files than a repository of configuration has; trees can share folders, so a small one may name very many.
const MOST_FILES: usize = 1_000_000;

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// The files and links of a commit; what submodules have is not among them.
pub struct Listing {
    repository: Mutex<gix::Repository>,
    commit: String,
    files: BTreeMap<String, (EntryKind, Id)>,
}

impl Repository {
    /// The files and links of a commit.
    ///
    /// # Errors
    /// If the commit cannot be read, or is not one that may be written.
    pub fn listing(&self, commit: &str) -> Result<Listing> {
        let fail = |e| Error::git(format!("read commit {commit}"), e);
        let tree = self.commit(commit)?.tree_id().map_err(fail)?.detach();
        let repository = Mutex::new(self.inner.clone());
        let mut found = Listing { repository, commit: commit.to_owned(), files: BTreeMap::new() };
        let mut open = vec![(String::new(), tree, 0)];
        while let Some((path, tree, depth)) = open.pop() {
            if depth > DEEPEST || open.len() > MOST_FILES {
                return Err(found.wrong("its folders lie too deep within each other".into()));
            }
            found.add(&path, &Id(tree), |below, id| open.push((below, id, depth + 1)))?;
        }
        Ok(found)
    }
}

impl Listing {
    fn wrong(&self, reason: String) -> Error {
        Error::Tree { commit: self.commit.clone(), reason }
    }

    /// Takes note of a folder's files; gives its folders to `enter`.
    fn add(&mut self, path: &str, tree: &Id, mut enter: impl FnMut(String, gix::ObjectId)) -> Result<()> {
        let fail = |e| Error::git(format!("read tree {tree}"), e);
        let repository = self.repository.get_mut().unwrap_or_else(PoisonError::into_inner);
        let object = repository.find_object(tree.0).map_err(|e| missing(repository, tree, e))?;
        let object = object
            .try_into_tree()
            .map_err(|e| Error::Git { doing: format!("read tree {tree}"), reason: e.to_string() })?;
        let mut files = Vec::new();
        for entry in object.iter() {
            let entry = entry.map_err(fail)?;
            let name = entry.filename();
            if !is_plain(name) {
                let reason = format!("it has a file called {name:?}");
                return Err(Error::Tree { commit: self.commit.clone(), reason });
            }
            // A name that is not UTF-8 cannot be asked for.
            let Ok(name) = name.to_str() else { continue };
            let below = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            match entry.mode().kind() {
                GitKind::Tree => enter(below, entry.object_id()),
                GitKind::Commit => {}
                GitKind::Link => files.push((below, (EntryKind::Link, Id(entry.object_id())))),
                GitKind::Blob => files.push((below, (EntryKind::File, Id(entry.object_id())))),
                GitKind::BlobExecutable => {
                    files.push((below, (EntryKind::Executable, Id(entry.object_id()))))
                }
            }
        }
        drop(object);
        self.files.extend(files);
        match self.files.len() > MOST_FILES {
            true => Err(self.wrong(format!("it has more than {MOST_FILES} files"))),
            false => Ok(()),
        }
    }

    /// The paths of all files and links, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The content of a file, links followed within the commit; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read, or is a link that leads out of the commit, to a folder or in a circle.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let mut here = path.to_owned();
        for _ in 0..MOST_LINKS {
            let Some((kind, id)) = self.files.get(&here) else {
                return match here == path {
                    true => Ok(None),
                    false => {
                        Err(self
                            .wrong(format!("its link {path:?} leads to {here:?}, which is no file in it")))
                    }
                };
            };
            let bytes = read_blob(&self.repository.lock().unwrap_or_else(PoisonError::into_inner), id)?;
            if *kind != EntryKind::Link {
                return Ok(Some(bytes));
            }
            let target = String::from_utf8_lossy(&bytes).into_owned();
            here = beside(&here, &target)
                .ok_or_else(|| self.wrong(format!("its link {path:?} leads out of it, to {target:?}")))?;
        }
        Err(self.wrong(format!("its link {path:?} leads in a circle")))
    }
}

impl std::fmt::Debug for Listing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listing").field("commit", &self.commit).field("files", &self.files.len()).finish()
    }
}

/// Where a link that lies at `path` leads; `None` is out.
fn beside(path: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let (folder, _) = path.rsplit_once('/').unwrap_or_default();
    // The folder may be the root, from which `/` would not lead.
    base::inside(&format!("./{folder}/{target}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_inside() {
        for (path, target, place) in [
            ("a/b", "c", Some("a/c")),
            ("a/b", "../c/./d", Some("c/d")),
            ("a", "../c", None),
            ("a/b", "../../c", None),
            ("a", "/etc/passwd", None),
        ] {
            assert_eq!(beside(path, target).as_deref(), place, "{path} {target}");
        }
    }
}
