//! A directory held open, and what can be done to the names in it. Nothing here follows a link.

use crate::host::fs::File;
use std::ffi::{CStr, CString, OsStr};
use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Gid, IFlags, Mode, OFlags, StatxFlags, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;

/// The attribute that marks opaque directories of overlays mounted with `userxattr`.
pub(super) const OPAQUE: &str = "user.overlay.opaque";

/// What the kernel says of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub kind: FileType,
    /// Permission bits, special ones included.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    pub mtime: (i64, u32),
    pub ctime: (i64, u32),
    /// Major and minor number of a device node.
    pub device: (u32, u32),
    /// File system and inode.
    pub inode: (u64, u64),
    pub links: u32,
}

impl Node {
    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == FileType::Directory
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == FileType::RegularFile
    }

    /// Whether it is a symbolic link.
    pub fn is_link(&self) -> bool {
        self.kind == FileType::Symlink
    }

    /// Whether it is an overlay's mark of a deleted entry.
    pub fn is_whiteout(&self) -> bool {
        self.kind == FileType::CharacterDevice && self.device == (0, 0)
    }
}

fn statx(directory: BorrowedFd<'_>, name: &OsStr, flags: AtFlags) -> Result<Node, Errno> {
    let stat = rustix::fs::statx(directory, name, flags, StatxFlags::BASIC_STATS)?;
    let raw = u32::from(stat.stx_mode);
    Ok(Node {
        kind: FileType::from_raw_mode(raw),
        mode: raw & 0o7777,
        uid: stat.stx_uid,
        gid: stat.stx_gid,
        size: stat.stx_size,
        mtime: (stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec),
        ctime: (stat.stx_ctime.tv_sec, stat.stx_ctime.tv_nsec),
        device: (stat.stx_rdev_major, stat.stx_rdev_minor),
        inode: (u64::from(stat.stx_dev_major) << 32 | u64::from(stat.stx_dev_minor), stat.stx_ino),
        links: stat.stx_nlink,
    })
}

/// What an open file is.
pub(super) fn node_of(file: impl AsFd) -> Result<Node, Errno> {
    statx(file.as_fd(), OsStr::new(""), AtFlags::EMPTY_PATH)
}

/// A directory held open.
#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Folder {
    fn from(directory: OwnedFd) -> Self {
        Self(directory)
    }
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Folder {
    /// Opens the directory at a path of ours (links in it are followed).
    pub fn at(path: &Path) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(CWD, path, flags, Mode::empty()).map(Self)
    }

    /// Opens a directory in this one.
    pub fn child(&self, name: &OsStr) -> Result<Self, Errno> {
        rustix::fs::openat(self, name, DIRECTORY, Mode::empty()).map(Self)
    }

    /// Another handle.
    pub fn duplicate(&self) -> Result<Self, Errno> {
        rustix::io::fcntl_dupfd_cloexec(self, 0).map(Self)
    }

    /// The names in it, sorted by their bytes.
    pub fn names(&self) -> Result<Vec<CString>, Errno> {
        let mut names = Vec::new();
        for entry in Dir::read_from(self)? {
            let name = entry?.file_name().to_owned();
            if !matches!(name.as_bytes(), b"." | b"..") {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// What this directory is.
    pub fn node(&self) -> Result<Node, Errno> {
        node_of(self)
    }

    /// What `name` is; `None` if it is not there.
    pub fn look(&self, name: &OsStr) -> Result<Option<Node>, Errno> {
        match statx(self.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Where the link `name` points.
    pub fn read_link(&self, name: &OsStr) -> Result<Vec<u8>, Errno> {
        Ok(rustix::fs::readlinkat(self, name, Vec::new())?.into_bytes())
    }

    /// Opens a regular file for reading.
    pub fn open_file(&self, name: &OsStr) -> Result<File, Errno> {
        // NONBLOCK: should it have become a pipe, opening must not wait.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        rustix::fs::openat(self, name, flags, Mode::empty()).map(File::from)
    }

    /// Creates a regular file that must not be there.
    pub fn create_file(&self, name: &OsStr) -> Result<File, Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(self, name, flags, Mode::RUSR | Mode::WUSR).map(File::from)
    }

    /// Creates a regular file that must not be there, with the permissions of `mode` that the process lets through.
    pub fn create_file_as(&self, name: &OsStr, mode: u32) -> Result<File, Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(self, name, flags, Mode::from_raw_mode(mode & 0o777)).map(File::from)
    }

    /// Creates a directory that must not be there.
    pub fn make_dir(&self, name: &OsStr) -> Result<(), Errno> {
        rustix::fs::mkdirat(self, name, Mode::RWXU)
    }

    /// Creates a symbolic link.
    pub fn make_link(&self, name: &OsStr, target: &[u8]) -> Result<(), Errno> {
        rustix::fs::symlinkat(OsStr::from_bytes(target), self, name)
    }

    /// Creates a device node or a pipe.
    pub fn make_special(&self, name: &OsStr, kind: FileType, device: (u32, u32)) -> Result<(), Errno> {
        let number = rustix::fs::makedev(device.0, device.1);
        rustix::fs::mknodat(self, name, kind, Mode::RUSR | Mode::WUSR, number)
    }

    /// Creates an overlay's mark of a deleted entry.
    pub fn make_whiteout(&self, name: &OsStr) -> Result<(), Errno> {
        self.make_special(name, FileType::CharacterDevice, (0, 0))
    }

    /// Gives `target` in `directory` another name here.
    pub fn make_hardlink(&self, name: &OsStr, directory: &Folder, target: &OsStr) -> Result<(), Errno> {
        rustix::fs::linkat(directory, target, self, name, AtFlags::empty())
    }

    /// Changes owner and group of `name` itself.
    pub fn set_owner(&self, name: &OsStr, uid: u32, gid: u32) -> Result<(), Errno> {
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        rustix::fs::chownat(self, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Changes the mode of `name`, which must not be a link.
    pub fn set_mode(&self, name: &OsStr, mode: u32) -> Result<(), Errno> {
        rustix::fs::chmodat(self, name, Mode::from_raw_mode(mode), AtFlags::empty())
    }

    /// Changes the modification time of `name` itself.
    pub fn set_time(&self, name: &OsStr, mtime: (i64, u32)) -> Result<(), Errno> {
        rustix::fs::utimensat(self, name, &timestamps(mtime), AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Changes the modification time of this directory.
    pub fn set_own_time(&self, mtime: (i64, u32)) -> Result<(), Errno> {
        rustix::fs::futimens(self, &timestamps(mtime))
    }

    /// Removes `name`, with everything below if it is a directory. One that is not there is fine.
    pub fn remove(&self, name: &OsStr) -> Result<(), Errno> {
        match rustix::fs::unlinkat(self, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(e) => return Err(e),
        }
        let directory = self.child(name)?;
        for child in directory.names()? {
            directory.remove(os(&child))?;
        }
        rustix::fs::unlinkat(self, name, AtFlags::REMOVEDIR)
    }

    /// Removes the empty directory `name`.
    pub fn remove_dir(&self, name: &OsStr) -> Result<(), Errno> {
        rustix::fs::unlinkat(self, name, AtFlags::REMOVEDIR)
    }

    /// A path by which system calls without a directory argument reach `name`.
    fn by_descriptor(&self, name: &OsStr) -> PathBuf {
        let mut path = String::with_capacity(32);
        let _ = write!(path, "/proc/self/fd/{}", self.0.as_raw_fd());
        if name.is_empty() { PathBuf::from(path + "/.") } else { Path::new(&path).join(name) }
    }

    /// The value of an extended attribute of `name` itself (empty: of this directory).
    pub fn attribute(&self, name: &OsStr, attribute: &OsStr) -> Result<Option<Vec<u8>>, Errno> {
        let path = self.by_descriptor(name);
        let mut value = [0; 1024];
        match rustix::fs::lgetxattr(&path, attribute, &mut value[..]) {
            Ok(length) => Ok(Some(value[..length].to_vec())),
            Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
            Err(Errno::RANGE) => {
                let mut value = vec![0; 1 << 16];
                let length = rustix::fs::lgetxattr(&path, attribute, &mut value[..])?;
                value.truncate(length);
                Ok(Some(value))
            }
            Err(e) => Err(e),
        }
    }

    /// The names of the extended attributes of `name` itself (empty: of this directory).
    pub fn attributes(&self, name: &OsStr) -> Result<Vec<Vec<u8>>, Errno> {
        let path = self.by_descriptor(name);
        attribute_names(|list| rustix::fs::llistxattr(&path, list))
    }

    /// Sets an extended attribute of `name` itself (empty: of this directory).
    pub fn set_attribute(&self, name: &OsStr, attribute: &OsStr, value: &[u8]) -> Result<(), Errno> {
        rustix::fs::lsetxattr(self.by_descriptor(name), attribute, value, XattrFlags::empty())
    }

    /// Removes an extended attribute of `name` itself (empty: of this directory).
    pub fn remove_attribute(&self, name: &OsStr, attribute: &OsStr) -> Result<(), Errno> {
        match rustix::fs::lremovexattr(self.by_descriptor(name), attribute) {
            Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
            other => other,
        }
    }

    /// Whether this directory hides what lower layers have in it.
    pub fn is_opaque(&self) -> Result<bool, Errno> {
        let value = self.attribute(OsStr::new(""), OsStr::new(OPAQUE))?;
        // `x` says that whiteouts are attributes; a directory like that is not opaque.
        Ok(value.as_deref() == Some(b"y"))
    }

    /// Asks the file system to place directories that are made in this one far from each other. Of the usual ones only
    /// ext4 knows what is meant; where it cannot be had nothing is lost but time.
    pub fn scatter(&self) {
        if let Ok(flags) = rustix::fs::ioctl_getflags(self) {
            let _ = rustix::fs::ioctl_setflags(self, flags | IFlags::TOPDIR);
        }
    }

    /// Hides what lower layers have in this directory.
    pub fn set_opaque(&self) -> Result<(), Errno> {
        self.set_attribute(OsStr::new(""), OsStr::new(OPAQUE), b"y")
    }
}

/// The names of the extended attributes of an open file.
pub(super) fn attributes_of(file: &File) -> Result<Vec<Vec<u8>>, Errno> {
    attribute_names(|list| rustix::fs::flistxattr(file, list))
}

fn attribute_names(ask: impl Fn(&mut [u8]) -> Result<usize, Errno>) -> Result<Vec<Vec<u8>>, Errno> {
    let mut short = [0; 256];
    let mut long = Vec::new();
    let list = match ask(&mut short) {
        Ok(length) => &short[..length],
        Err(Errno::OPNOTSUPP) => &[],
        Err(Errno::RANGE) => {
            long.resize(1 << 16, 0);
            let length = ask(&mut long)?;
            &long[..length]
        }
        Err(e) => return Err(e),
    };
    Ok(list.split(|&b| b == 0).filter(|n| !n.is_empty()).map(<[u8]>::to_vec).collect())
}

/// Access time is not kept; it gets the modification time, so that equal trees look equal.
pub(super) fn timestamps((seconds, nanos): (i64, u32)) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanos.into() };
    Timestamps { last_access: time, last_modification: time }
}

/// A name as the standard library wants it.
pub(super) fn os(name: &CStr) -> &OsStr {
    OsStr::from_bytes(name.to_bytes())
}

/// The content of a file is the same as another's.
pub(super) fn same_content(a: &mut File, b: &mut File) -> io::Result<bool> {
    use std::io::Read as _;
    let (mut left, mut right) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let count = a.read(&mut left)?;
        if count == 0 {
            return Ok(b.read(&mut right[..1])? == 0);
        }
        match b.read_exact(&mut right[..count]) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            other => other?,
        }
        if left[..count] != right[..count] {
            return Ok(false);
        }
    }
}
