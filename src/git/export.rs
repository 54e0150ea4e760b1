//! From an address and a reference to files in a folder.

use std::path::{Path, PathBuf};

use crate::git::{Error, Located, Remote, Repository, Result, submodules};
use crate::host::fs;
use crate::report::Context;

/// Submodules of submodules, so deep.
const DEEPEST: usize = 8;

/// What is wanted, and where.
#[derive(Clone, Copy)]
pub struct ExportRequest<'a> {
    /// The repository.
    pub remote: Remote<'a>,
    /// The commit, as [`Repository::locate`] found it.
    pub located: &'a Located,
    /// The folder of the tree that is wanted; empty is all of it.
    pub folder: &'a str,
    /// Where the files go: an empty folder.
    pub destination: &'a Path,
    /// Whether the repository itself is wanted too, as `.git`; not with a folder.
    pub keep_git_dir: bool,
    /// Whether submodules are left out.
    pub skip_submodules: bool,
    /// The folder for the objects that are fetched from an address.
    pub objects: &'a (dyn Fn(&str) -> PathBuf + Sync),
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// When the commit was made: seconds since the Unix epoch.
    pub time: i64,
}

/// Fetches a commit and writes its tree.
///
/// # Errors
/// Those of fetching and writing.
pub fn export(cx: &Context, request: &ExportRequest<'_>) -> Result<Exported> {
    one(cx, request, 0)
}

fn one(cx: &Context, request: &ExportRequest<'_>, depth: usize) -> Result<Exported> {
    let ExportRequest { remote, located, folder, destination, .. } = *request;
    let keep = request.keep_git_dir && folder.is_empty();
    let repository = match local(remote.url) {
        Some(path) if !keep => Repository::open(&path)?,
        _ if keep => Repository::create(destination)?,
        _ => Repository::open_or_create(&(request.objects)(remote.url))?,
    };
    repository.fetch(cx, &remote, located)?;
    let commit = located.commit.as_str();
    let found = repository.checkout(cx, (commit, folder), destination)?;
    if keep {
        repository.finish_worktree(commit, remote.url)?;
        settle(&destination.join(".git"), repository.time(commit)?)?;
        fs::set_modified(destination, repository.time(commit)?)?;
    }
    if request.skip_submodules || found.is_empty() {
        return Ok(Exported { time: repository.time(commit)? });
    }
    if depth >= DEEPEST {
        let reason = format!("its submodules have submodules more than {DEEPEST} deep");
        return Err(Error::Tree { commit: commit.to_owned(), reason });
    }
    let gitmodules = repository.file(commit, ".gitmodules")?;
    for submodule in &found {
        let url = submodules::address(gitmodules.as_deref(), submodule, (commit, remote.url))?;
        let below = submodule.path.strip_prefix(folder).unwrap_or(&submodule.path).trim_start_matches('/');
        let place = destination.join(below);
        // A password is for the host it was given for.
        let authorization = remote.authorization.filter(|_| host(&url) == host(remote.url));
        let inner = ExportRequest {
            remote: Remote { url: &url, authorization },
            located: &Located { commit: submodule.commit.clone(), reference: None },
            folder: "",
            destination: &place,
            keep_git_dir: false,
            ..*request
        };
        one(cx, &inner, depth + 1)?;
    }
    Ok(Exported { time: repository.time(commit)? })
}

/// Gives everything in a folder the time of the commit: what was made here tells nobody when.
fn settle(folder: &Path, time: i64) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry.path();
        if fs::symlink_metadata(&path)?.is_dir() {
            settle(&path, time)?;
        } else {
            fs::set_modified(&path, time)?;
        }
    }
    Ok(fs::set_modified(folder, time)?)
}

/// The folder of a repository on this machine, if its address says so: `file://` or an absolute path.
pub fn local(url: &str) -> Option<PathBuf> {
    match url.strip_prefix("file://") {
        Some(path) => Some(path.into()),
        None => url.starts_with('/').then(|| url.into()),
    }
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

impl Repository {
    /// Makes a repository of ours look as Git leaves it after a checkout: a detached `HEAD`, the remote's name, an index.
    fn finish_worktree(&self, commit: &str, url: &str) -> Result<()> {
        let fail = |e| Error::git(format!("write the repository {}", self.path.display()), e);
        let git = self.inner.git_dir().to_owned();
        let tree = self.commit(commit)?.tree_id().map_err(fail)?;
        let mut index = self.inner.index_from_tree(&tree).map_err(fail)?;
        index.write(gix::index::write::Options::default()).map_err(|e| Error::Git {
            doing: format!("write the index of {}", self.path.display()),
            reason: e.to_string(),
        })?;
        fs::write(git.join("HEAD"), format!("{commit}\n"))?;
        let mut config = fs::read_to_string(git.join("config"))?;
        config.push_str(&format!(
            "[remote \"origin\"]\n\turl = {}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n",
            Remote { url, authorization: None }.shown()
        ));
        fs::write(git.join("config"), config)?;
        // Examples of hooks are of no use in an image.
        for own in ["refs/lap", "hooks"].map(|name| git.join(name)) {
            if own.exists() {
                fs::remove_dir_all(own)?;
            }
        }
        Ok(())
    }
}
