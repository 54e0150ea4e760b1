//! Finding and making places inside a root file system that is not trusted: every component is opened by itself, links
//! are read and followed here, so nothing leads outside.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

/// A root file system, by its descriptor.
pub(super) struct Inside {
    root: OwnedFd,
}

/// What a mount point is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A directory, for directories and file systems.
    Directory,
    /// An empty file, for files.
    File,
}

/// Something made only as a mount point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    /// Where, inside the root and without links.
    pub(super) path: PathBuf,
    /// What.
    pub(super) kind: Kind,
    /// The times of its parent before.
    pub(super) before: Times,
    /// The modification time of its parent after.
    pub(super) after: (i64, i64),
}

/// Access and modification time, each seconds and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) accessed: (i64, i64),
    pub(super) modified: (i64, i64),
}

/// A place that was found.
pub(super) struct Place {
    /// Its `O_PATH` descriptor.
    pub(super) fd: OwnedFd,
    /// Its path inside the root, without links.
    pub(super) path: PathBuf,
    /// Its type.
    pub(super) file_type: FileType,
}

impl Place {
    /// A name for system calls that take no descriptor.
    pub(super) fn name(&self) -> String {
        format!("/proc/self/fd/{}", self.fd.as_raw_fd())
    }

    /// Its times.
    pub(super) fn times(&self) -> io::Result<Times> {
        Ok(times(&rustix::fs::fstat(&self.fd)?))
    }
}

const MAX_LINKS: usize = 40;

impl Inside {
    /// The root at `path`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { root: open_directory(rustix::fs::CWD, path.as_os_str())? })
    }

    /// Finds what `path` leads to.
    pub(super) fn find(&self, path: impl AsRef<Path>) -> io::Result<Place> {
        self.walk(path.as_ref(), None, &mut Vec::new())
    }

    /// Finds what `path` leads to, making directories (0755) and at the end a `kind` where nothing is. What was made
    /// is added to `made`.
    pub(super) fn ensure(
        &self,
        path: impl AsRef<Path>,
        kind: Kind,
        made: &mut Vec<Made>,
    ) -> io::Result<Place> {
        let place = self.walk(path.as_ref(), Some(kind), made)?;
        match (kind, place.file_type) {
            (Kind::Directory, FileType::Directory) => Ok(place),
            (Kind::Directory, _) => Err(Errno::NOTDIR.into()),
            (Kind::File, FileType::Directory) => Err(Errno::ISDIR.into()),
            (Kind::File, _) => Ok(place),
        }
    }

    /// Removes what was made, unless somebody used it meanwhile, and restores the times of parents nobody else changed.
    pub(super) fn remove(&self, made: &[Made]) -> io::Result<()> {
        let mut parents: Vec<(&Path, Place, Times)> = Vec::new();
        for path in made.iter().filter_map(|one| one.path.parent()) {
            if !parents.iter().any(|(known, ..)| *known == path)
                && let Ok(place) = self.find(path)
            {
                let now = place.times()?;
                parents.push((path, place, now));
            }
        }
        let mut kept = Vec::new();
        for one in made.iter().rev() {
            let parent = parents.iter().find(|(path, ..)| one.path.parent() == Some(*path));
            if let (Some((path, place, _)), Some(name)) = (parent, one.path.file_name())
                && !self.remove_one(place, name, one.kind)?
            {
                kept.push(*path);
            }
        }
        for (path, place, now) in &parents {
            let mut within = made.iter().filter(|one| one.path.parent() == Some(*path));
            let (first, last) = (within.next(), within.next_back());
            let untouched = last.or(first).is_some_and(|one| one.after == now.modified);
            let restored = first.filter(|_| untouched && !kept.contains(path)).map_or(*now, |one| one.before);
            self.set_times(place, restored)?;
        }
        Ok(())
    }

    /// Gives a place these times.
    pub(super) fn set_times(&self, place: &Place, times: Times) -> io::Result<()> {
        let stamp = |(seconds, nanoseconds)| Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
        let stamps =
            Timestamps { last_access: stamp(times.accessed), last_modification: stamp(times.modified) };
        match rustix::fs::utimensat(rustix::fs::CWD, place.name(), &stamps, AtFlags::empty()) {
            // A made directory that is gone by now.
            Err(Errno::NOENT | Errno::STALE) => Ok(()),
            other => Ok(other?),
        }
    }

    fn remove_one(&self, parent: &Place, name: &OsStr, kind: Kind) -> io::Result<bool> {
        let removed = match kind {
            Kind::Directory => rustix::fs::unlinkat(&parent.fd, name, AtFlags::REMOVEDIR),
            Kind::File => {
                match rustix::fs::statat(&parent.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) if stat.st_size == 0 && FileType::from_raw_mode(stat.st_mode).is_file() => {}
                    _ => return Ok(false),
                }
                rustix::fs::unlinkat(&parent.fd, name, AtFlags::empty())
            }
        };
        match removed {
            Ok(()) => Ok(true),
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT | Errno::NOTDIR) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    fn walk(&self, path: &Path, make: Option<Kind>, made: &mut Vec<Made>) -> io::Result<Place> {
        let mut rest = components(path);
        // The directories on the way, the root first.
        let mut way: Vec<(OwnedFd, PathBuf)> = vec![(rustix::io::dup(&self.root)?, PathBuf::new())];
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                if way.len() > 1 {
                    way.pop();
                }
                continue;
            }
            let Some((parent, parent_path)) = way.last() else { break };
            let here = parent_path.join(&name);
            let fd = match open_here(parent, &name) {
                Err(Errno::NOENT) if make.is_some() => {
                    let kind =
                        if rest.is_empty() { make.unwrap_or(Kind::Directory) } else { Kind::Directory };
                    made.push(make_one(parent, &name, &here, kind)?);
                    open_here(parent, &name)?
                }
                other => other?,
            };
            let file_type = FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode);
            match file_type {
                FileType::Symlink => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    let target = rustix::fs::readlinkat(&fd, "", Vec::new())?;
                    let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                    if target.is_absolute() {
                        way.truncate(1);
                    }
                    for name in components(&target).into_iter().rev() {
                        rest.push_front(name);
                    }
                }
                FileType::Directory => way.push((fd, here)),
                _ if rest.is_empty() => return Ok(Place { fd, path: here, file_type }),
                _ => return Err(Errno::NOTDIR.into()),
            }
        }
        let (fd, path) = way.pop().ok_or(Errno::NOENT)?;
        Ok(Place { fd, path, file_type: FileType::Directory })
    }
}

fn components(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        })
        .collect()
}

fn open_here(parent: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(parent, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

fn open_directory(at: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(at, name.as_bytes(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

fn make_one(parent: &OwnedFd, name: &OsStr, path: &Path, kind: Kind) -> io::Result<Made> {
    let before = times(&rustix::fs::fstat(parent)?);
    match kind {
        Kind::Directory => rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755))?,
        Kind::File => {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o644))?;
        }
    }
    let after = times(&rustix::fs::fstat(parent)?).modified;
    Ok(Made { path: path.to_owned(), kind, before, after })
}

#[allow(
    clippy::useless_conversion,
    clippy::cast_possible_wrap,
    clippy::unnecessary_cast,
    reason = "the types of the fields differ between architectures"
)]
fn times(stat: &rustix::fs::Stat) -> Times {
    Times {
        accessed: (stat.st_atime as i64, stat.st_atime_nsec as i64),
        modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    fn with_root(name: &str, body: impl FnOnce(&Path, Inside)) {
        let path = std::env::temp_dir().join(format!("lap-inside-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        body(&path, Inside::open(&path).unwrap());
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn links_never_lead_outside() {
        with_root("links", |path, inside| {
            symlink("/etc", path.join("absolute")).unwrap();
            symlink("../../../../../../etc", path.join("relative")).unwrap();
            symlink("loop", path.join("loop")).unwrap();
            let mut made = Vec::new();
            assert!(inside.find("absolute/passwd").is_err());
            let place = inside.ensure("/absolute/made", Kind::File, &mut made).unwrap();
            assert_eq!(place.path, Path::new("etc/made"));
            assert!(inside.find("/relative/made").is_ok());
            assert_eq!(inside.find("loop").err().unwrap().raw_os_error(), Some(libc::ELOOP));
            assert!(inside.find("../../etc/made").is_ok(), "the root is its own parent");
            assert!(inside.ensure("/etc/made", Kind::Directory, &mut made).is_err());
            assert_eq!(made.len(), 2);
        });
    }

    #[test]
    fn what_was_made_vanishes_with_its_traces() {
        with_root("traces", |path, inside| {
            fs::create_dir(path.join("etc")).unwrap();
            symlink("../run/conf", path.join("etc/link")).unwrap();
            let old = |p: &str| fs::metadata(path.join(p)).unwrap();
            let (root_time, etc_time) = (old("").mtime_nsec(), old("etc").mtime_nsec());
            std::thread::sleep(std::time::Duration::from_millis(5));
            let mut made = Vec::new();
            inside.ensure("/etc/link", Kind::File, &mut made).unwrap();
            inside.ensure("/etc/hosts", Kind::File, &mut made).unwrap();
            inside.ensure("/mnt/a/b", Kind::Directory, &mut made).unwrap();
            assert!(path.join("run/conf").exists() && path.join("mnt/a/b").is_dir());
            fs::write(path.join("mnt/used"), "kept").unwrap();
            inside.remove(&made).unwrap();
            assert!(!path.join("run").exists() && !path.join("etc/hosts").exists());
            assert!(path.join("mnt/used").exists() && !path.join("mnt/a").exists());
            assert_eq!(old("etc").mtime_nsec(), etc_time);
            // /mnt stays because it is used, so the root was changed by the step.
            assert_ne!(old("").mtime_nsec(), root_time);
        });
    }
}
