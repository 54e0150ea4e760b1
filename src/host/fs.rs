//! Files. Every error names the path; every publication is atomic.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

pub use std::fs::{DirEntry, File, FileType, Metadata, OpenOptions};

use crate::host::{Error, random};

type Result<T> = std::result::Result<T, Error>;

/// Opens a file for reading.
pub fn open(path: impl AsRef<Path>) -> Result<File> {
    let path = path.as_ref();
    File::open(path).map_err(|e| Error::new("open", path, e))
}

/// Opens a regular file for reading. Anything else is an error: a pipe that nobody writes would be waited for, a device
/// may never end.
pub fn open_regular(path: impl AsRef<Path>) -> Result<File> {
    let path = path.as_ref();
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(nonblock).open(path).and_then(|file| {
        let regular = file.metadata()?.is_file();
        regular
            .then_some(file)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    });
    opened.map_err(|e| Error::new("open", path, e))
}

/// Creates a file, or empties the one that is there.
pub fn create(path: impl AsRef<Path>) -> Result<File> {
    let path = path.as_ref();
    File::create(path).map_err(|e| Error::new("create", path, e))
}

/// Opens a file as `options` say.
pub fn open_with(options: &OpenOptions, path: impl AsRef<Path>) -> Result<File> {
    let path = path.as_ref();
    options.open(path).map_err(|e| Error::new("open", path, e))
}

/// Reads a whole file.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    let path = path.as_ref();
    fs::read(path).map_err(|e| Error::new("read", path, e))
}

/// Reads a whole file of at most `limit` bytes; a longer one is an error.
pub fn read_limited(path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>> {
    limited(path.as_ref(), open(path.as_ref())?, limit)
}

/// Reads a whole regular file of at most `limit` bytes; a longer one, or one of another kind, is an error.
pub fn read_regular(path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>> {
    limited(path.as_ref(), open_regular(path.as_ref())?, limit)
}

fn limited(path: &Path, file: File, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|e| Error::new("read", path, e))?;
    if bytes.len() as u64 > limit {
        let reason = io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {limit} bytes"));
        return Err(Error::new("read", path, reason));
    }
    Ok(bytes)
}

/// Reads a whole file as text.
pub fn read_to_string(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    fs::read_to_string(path).map_err(|e| Error::new("read", path, e))
}

/// Writes a file in place. For files nobody else reads meanwhile; else [`write_atomic`].
pub fn write(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Result<()> {
    let path = path.as_ref();
    fs::write(path, bytes).map_err(|e| Error::new("write", path, e))
}

/// Writes a file so that a reader, or a crash, sees either the old or the new content whole.
pub fn write_atomic(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Result<()> {
    let path = path.as_ref();
    let temporary = beside(path);
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes.as_ref())?;
        file.sync_all()
    });
    let published = written.and_then(|()| fs::rename(&temporary, path));
    published.map_err(|e| {
        let _ = fs::remove_file(&temporary);
        Error::new("write", path, e)
    })
}

/// As [`write_atomic`], readable by the owner only.
pub fn write_private(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = path.as_ref();
    let temporary = beside(path);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let written = options.open(&temporary).and_then(|mut file| {
        file.write_all(bytes.as_ref())?;
        file.sync_all()
    });
    let published = written.and_then(|()| fs::rename(&temporary, path));
    published.map_err(|e| {
        let _ = fs::remove_file(&temporary);
        Error::new("write", path, e)
    })
}

/// Creates a temporary file in the folder of `path`, to be renamed to it when it is whole.
pub fn create_beside(path: impl AsRef<Path>) -> Result<(PathBuf, File)> {
    let temporary = beside(path.as_ref());
    let file = create(&temporary)?;
    Ok((temporary, file))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", random::token()));
    path.with_file_name(name)
}

/// Makes a directory and its parents.
pub fn create_dir_all(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    fs::create_dir_all(path).map_err(|e| Error::new("create directory", path, e))
}

/// Makes one directory, which must not be there yet.
pub fn create_dir(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    fs::create_dir(path).map_err(|e| Error::new("create directory", path, e))
}

/// Removes a file. One that is not there is fine.
pub fn remove_file(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::new("remove", path, e)),
        _ => Ok(()),
    }
}

/// Removes a directory and everything below. One that is not there is fine.
pub fn remove_dir_all(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::new("remove", path, e)),
        _ => Ok(()),
    }
}

/// Renames, replacing what is there.
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
    let to = to.as_ref();
    fs::rename(from.as_ref(), to).map_err(|e| Error::new("rename to", to, e))
}

/// Gives a file a second name, which must not be there yet.
pub fn hard_link(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
    let to = to.as_ref();
    fs::hard_link(from.as_ref(), to).map_err(|e| Error::new("link", to, e))
}

/// The entries of a directory, sorted by name.
pub fn read_dir(path: impl AsRef<Path>) -> Result<Vec<DirEntry>> {
    let path = path.as_ref();
    let mut entries = fs::read_dir(path)
        .and_then(Iterator::collect::<io::Result<Vec<_>>>)
        .map_err(|e| Error::new("list", path, e))?;
    entries.sort_by_key(DirEntry::file_name);
    Ok(entries)
}

/// Metadata of what `path` leads to.
pub fn metadata(path: impl AsRef<Path>) -> Result<Metadata> {
    let path = path.as_ref();
    fs::metadata(path).map_err(|e| Error::new("look at", path, e))
}

/// Metadata of `path` itself, links not followed.
pub fn symlink_metadata(path: impl AsRef<Path>) -> Result<Metadata> {
    let path = path.as_ref();
    fs::symlink_metadata(path).map_err(|e| Error::new("look at", path, e))
}

/// Where a symbolic link points.
pub fn read_link(path: impl AsRef<Path>) -> Result<PathBuf> {
    let path = path.as_ref();
    fs::read_link(path).map_err(|e| Error::new("read link", path, e))
}

/// The absolute path with all links resolved.
pub fn canonicalize(path: impl AsRef<Path>) -> Result<PathBuf> {
    let path = path.as_ref();
    fs::canonicalize(path).map_err(|e| Error::new("resolve", path, e))
}

/// Makes a symbolic link at `path` that holds `target`.
pub fn symlink(target: impl AsRef<Path>, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    std::os::unix::fs::symlink(target, path).map_err(|e| Error::new("make a link", path, e))
}

/// Sets the permission bits of a file or directory.
pub fn set_mode(path: impl AsRef<Path>, mode: u32) -> Result<()> {
    let path = path.as_ref();
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(path, permissions).map_err(|e| Error::new("set the mode of", path, e))
}

/// Sets both times of a file, a directory or a link itself: seconds since the Unix epoch.
pub fn set_modified(path: impl AsRef<Path>, seconds: i64) -> Result<()> {
    let path = path.as_ref();
    let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    let set = rustix::fs::utimensat(rustix::fs::CWD, path, &times, flags);
    set.map_err(|e| Error::new("set the time of", path, e))
}

/// Whether something is there, link targets included. Errors count as absent.
pub fn exists(path: impl AsRef<Path>) -> bool {
    path.as_ref().exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn atomic_write_leaves_no_trace_and_names_the_path_on_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write_atomic(&path, "1").unwrap();
        write_atomic(&path, "2").unwrap();
        assert_eq!(read(&path).unwrap(), b"2");
        assert_eq!(read_dir(dir.path()).unwrap().len(), 1);
        let error = write_atomic(dir.path().join("no/such"), "x").unwrap_err();
        assert!(error.to_string().contains("no/such"), "{error}");
        assert!(read_limited(&path, 0).is_err());
    }
}
