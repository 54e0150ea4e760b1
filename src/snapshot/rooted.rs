//! Paths inside a tree: links lead only to places inside, as if the tree's root were `/`.
//!
//! The kernel does it (`openat2` with `RESOLVE_IN_ROOT`, Linux 5.6); where it is missing or forbidden by a seccomp
//! profile, the path is walked a component at a time. Both ways pass the same tests.

use crate::host::fs::File;
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::snapshot::folder::{Folder, Node, node_of};
use crate::snapshot::{Error, Result};

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// Set once `openat2` has proved to be missing.
static WALK: AtomicBool = AtomicBool::new(false);

/// A tree whose paths are resolved as if its root were `/`.
#[derive(Debug)]
pub struct Rooted {
    root: Folder,
    path: PathBuf,
    walk: bool,
}

/// What a walk came to.
pub(super) struct Walked {
    /// The directories passed, below the root, with their names.
    directories: Vec<(Folder, Vec<u8>)>,
    /// What stands at the end, if it is no directory; its name, and a handle good only for looking.
    leaf: Option<(OwnedFd, Vec<u8>)>,
}

impl Walked {
    /// The path with all links followed, relative to the root.
    pub(super) fn path(&self) -> PathBuf {
        let mut path = PathBuf::new();
        for name in self.directories.iter().map(|(_, n)| n).chain(self.leaf.iter().map(|(_, n)| n)) {
            path.push(OsStr::from_bytes(name));
        }
        path
    }
}

/// Makes a missing directory of a path: parent, name, its path from the root.
pub(super) type Make<'a> = dyn FnMut(&Folder, &OsStr, &Path) -> Result<(), Errno> + 'a;

impl Rooted {
    /// The tree below `root`.
    ///
    /// # Errors
    /// If it cannot be opened or is no directory.
    pub fn open(root: &Path) -> Result<Self> {
        let folder = Folder::at(root).map_err(|e| Error::system("open directory", root, e))?;
        Ok(Self { root: folder, path: root.to_owned(), walk: WALK.load(Ordering::Relaxed) })
    }

    /// Where `path` is in the host's tree, for messages only.
    pub(super) fn show(&self, path: &Path) -> PathBuf {
        self.path.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Reads a file of at most `limit` bytes, links followed inside the tree; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read, is no regular file or is longer.
    pub fn read(&self, path: impl AsRef<Path>, limit: u64) -> Result<Option<Vec<u8>>> {
        let path = path.as_ref();
        let fail = |e: std::io::Error| Error::system("read", self.show(path), e);
        let file = match self.open_at(path, OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(e) => return Err(fail(e.into())),
        };
        if !node_of(&file).map_err(|e| fail(e.into()))?.is_file() {
            return Err(fail(std::io::Error::other("not a regular file")));
        }
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes).map_err(fail)?;
        if bytes.len() as u64 > limit {
            return Err(fail(std::io::Error::other(format!("larger than {limit} bytes"))));
        }
        Ok(Some(bytes))
    }

    /// The path, relative to the root, that `path` leads to with all links followed; `None` if there is nothing.
    ///
    /// # Errors
    /// If a directory on the way cannot be looked into, or links go in circles.
    pub fn resolve(&self, path: impl AsRef<Path>) -> Result<Option<PathBuf>> {
        let path = path.as_ref();
        match self.walk(path, true, None) {
            Ok(walked) => Ok(Some(walked.path())),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(e) => Err(Error::system("resolve", self.show(path), e)),
        }
    }

    /// Opens a path, links followed inside (unless `flags` hold `NOFOLLOW`, for the last one).
    pub(super) fn open_at(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::CLOEXEC;
        if !self.walk {
            let name = if path.as_os_str().is_empty() { Path::new(".") } else { path };
            let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
            for _ in 0..8 {
                match rustix::fs::openat2(&self.root, name, flags, Mode::empty(), resolve) {
                    // Something was renamed meanwhile.
                    Err(Errno::AGAIN | Errno::INTR) => {}
                    Err(Errno::NOSYS | Errno::PERM) => {
                        WALK.store(true, Ordering::Relaxed);
                        break;
                    }
                    other => return other,
                }
            }
        }
        let walked = self.walk(path, !flags.contains(OFlags::NOFOLLOW), None)?;
        match (&walked.leaf, walked.directories.last()) {
            (Some((_, name)), last) => {
                let directory = last.map_or(&self.root, |(folder, _)| folder);
                rustix::fs::openat(
                    directory,
                    OsStr::from_bytes(name),
                    flags | OFlags::NOFOLLOW,
                    Mode::empty(),
                )
            }
            (None, last) => {
                let directory = last.map_or(&self.root, |(folder, _)| folder);
                rustix::fs::openat(directory, ".", flags, Mode::empty())
            }
        }
    }

    /// Opens a directory, links followed inside.
    pub(super) fn folder(&self, path: &Path) -> Result<Folder, Errno> {
        self.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY).map(Folder::from)
    }

    /// Opens a directory, links followed inside, and makes what is missing of it.
    pub(super) fn folder_making(&self, path: &Path, make: &mut Make<'_>) -> Result<(Folder, PathBuf), Errno> {
        let mut walked = self.walk(path, true, Some(make))?;
        let place = walked.path();
        if walked.leaf.is_some() {
            return Err(Errno::NOTDIR);
        }
        let folder = match walked.directories.pop() {
            Some((folder, _)) => folder,
            None => self.root.duplicate()?,
        };
        Ok((folder, place))
    }

    /// What stands at a path, links followed inside on the way, but not at its end; `None` if nothing.
    pub(super) fn look(&self, path: &Path) -> Result<Option<Node>, Errno> {
        match self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW) {
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            other => node_of(other?).map(Some),
        }
    }

    /// Walks a path a component at a time.
    fn walk(&self, path: &Path, follow: bool, mut make: Option<&mut Make<'_>>) -> Result<Walked, Errno> {
        let mut left: VecDeque<Vec<u8>> = components(path.as_os_str().as_bytes()).collect();
        let mut walked = Walked { directories: Vec::new(), leaf: None };
        let mut links = 0;
        while let Some(name) = left.pop_front() {
            if name == b".." {
                walked.directories.pop();
                continue;
            }
            let os = OsStr::from_bytes(&name);
            let here = walked.directories.last().map_or(&self.root, |(folder, _)| folder);
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let found = match (rustix::fs::openat(here, os, flags, Mode::empty()), &mut make) {
                (Err(Errno::NOENT), Some(make)) => {
                    make(here, os, &walked.path().join(os))?;
                    rustix::fs::openat(here, os, flags, Mode::empty())?
                }
                (found, _) => found?,
            };
            let node = node_of(&found)?;
            if node.is_dir() {
                let folder = here.child(os)?;
                walked.directories.push((folder, name));
            } else if node.is_link() && (follow || !left.is_empty()) {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::LOOP);
                }
                let target = here.read_link(os)?;
                if target.starts_with(b"/") {
                    walked.directories.clear();
                }
                // A link ending with a slash, or not the last component, must lead to a directory: checked on the way.
                for component in components(&target).collect::<Vec<_>>().into_iter().rev() {
                    left.push_front(component);
                }
            } else if left.is_empty() {
                walked.leaf = Some((found, name));
            } else {
                return Err(Errno::NOTDIR);
            }
        }
        Ok(walked)
    }
}

fn components(path: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    path.split(|&b| b == b'/').filter(|c| !c.is_empty() && *c != b".").map(<[u8]>::to_vec)
}

impl AsFd for Rooted {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.root.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::host::fs;

    /// Both ways give the same answers, and never one from outside.
    #[test]
    fn links_stay_inside_by_either_way() {
        let outer = tempfile::tempdir().unwrap();
        fs::write(outer.path().join("secret"), "outside").unwrap();
        let root = outer.path().join("root");
        fs::create_dir_all(root.join("etc/deep")).unwrap();
        fs::write(root.join("etc/passwd"), "inside").unwrap();
        for (target, name) in [
            ("/etc/passwd", "absolute"),
            ("../../../../etc/passwd", "up"),
            ("../secret", "escape"),
            ("/etc", "dir"),
            ("/nowhere/at/all", "dangling"),
            ("loop", "loop"),
            ("dir/../etc/deep/../passwd", "winding"),
        ] {
            symlink(target, root.join(name)).unwrap();
        }
        symlink(outer.path(), root.join("host")).unwrap();
        for walk in [false, true] {
            let rooted = Rooted { walk, ..Rooted::open(&root).unwrap() };
            let read =
                |path: &str| rooted.read(path, 100).map(|bytes| bytes.map(|b| String::from_utf8(b).unwrap()));
            for path in
                ["absolute", "up", "/dir/passwd", "winding", "etc/../../etc/passwd", "dir/deep/../passwd"]
            {
                assert_eq!(read(path).unwrap().as_deref(), Some("inside"), "{path} walk={walk}");
            }
            for path in ["escape", "dangling", "host/secret", "nothing/below", "etc/passwd/x"] {
                assert_eq!(read(path).unwrap(), None, "{path} walk={walk}");
            }
            assert!(read("loop").is_err() && read("etc").is_err());
            assert!(rooted.read("etc/passwd", 3).is_err());
            assert_eq!(rooted.resolve("winding").unwrap().unwrap(), Path::new("etc/passwd"));
            assert_eq!(rooted.resolve("/").unwrap().unwrap(), Path::new(""));
            let look = |path: &str| rooted.look(Path::new(path)).unwrap();
            assert!(look("dir/deep").unwrap().is_dir() && look("").unwrap().is_dir());
            assert!(look("dir").unwrap().is_link() && look("loop").unwrap().is_link());
            assert!(look("dangling/x").is_none() && look("none").is_none());
            let unfollowed = rooted.open_at(Path::new("dir"), OFlags::PATH | OFlags::NOFOLLOW).unwrap();
            assert!(node_of(unfollowed).unwrap().is_link());
        }
    }

    #[test]
    fn missing_directories_are_made_where_links_lead() {
        let root = tempfile::tempdir().unwrap();
        symlink("/real/place", root.path().join("link")).unwrap();
        let rooted = Rooted::open(root.path()).unwrap();
        let mut made = Vec::new();
        let (_, place) = rooted
            .folder_making(Path::new("link/a"), &mut |folder, name, path| {
                made.push(path.to_owned());
                folder.make_dir(name)
            })
            .unwrap();
        assert_eq!(place, Path::new("real/place/a"));
        assert_eq!(made, ["real", "real/place", "real/place/a"].map(PathBuf::from));
        assert!(root.path().join("real/place/a").is_dir());
    }
}
