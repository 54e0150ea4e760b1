//! Moving content between files inside the kernel.

use std::ffi::OsStr;
use std::io::{self, Read as _, Write as _};

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::host::fs::File;
use crate::snapshot::folder::{Folder, Node};

/// Makes at `to` what is at `from`: content or target, nothing else of it. What it makes must not be there yet.
pub(super) fn make_like(
    (from, name, node): (&Folder, &OsStr, &Node),
    (to, new_name): (&Folder, &OsStr),
) -> Result<(), Errno> {
    match node.kind {
        FileType::RegularFile => {
            let mut source = from.open_file(name)?;
            let mut target = to.create_file(new_name)?;
            content(&mut source, &mut target, node.size).map(|_| ())
        }
        FileType::Symlink => to.make_link(new_name, &from.read_link(name)?),
        FileType::Directory => to.make_dir(new_name),
        kind => to.make_special(new_name, kind, node.device),
    }
}

/// Bytes that are moved at once where the kernel does not do it alone.
const BUFFER: usize = 128 << 10;
/// Files up to this long are moved through here: asking the kernel to share their blocks costs more, and mostly in vain.
const SMALL: usize = 64 << 10;

/// Copies a file's content, sharing blocks if the file system can; gives the number of bytes.
pub(super) fn content(source: &mut File, target: &mut File, size: u64) -> Result<u64, Errno> {
    if size == 0 {
        // Files of proc and sysfs say so and have content all the same.
        return plain(source, target, (BUFFER, u64::MAX));
    }
    if let Ok(buffer) = usize::try_from(size)
        && buffer <= SMALL
    {
        return plain(source, target, (buffer, size));
    }
    if rustix::fs::ioctl_ficlone(&*target, &*source).is_ok() {
        return Ok(size);
    }
    let mut copied = 0;
    loop {
        match rustix::fs::copy_file_range(&*source, None, &*target, None, 1 << 30) {
            Ok(0) if copied == 0 => return plain(source, target, (BUFFER, u64::MAX)),
            Ok(0) => return Ok(copied),
            Ok(count) => {
                copied += count as u64;
                // What is added meanwhile is not of this copy.
                if copied >= size {
                    return Ok(copied);
                }
            }
            Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL | Errno::PERM)
                if copied == 0 =>
            {
                return plain(source, target, (BUFFER, u64::MAX));
            }
            Err(e) => return Err(e),
        }
    }
}

/// Moves content through a buffer until it ends, or there is enough.
fn plain(source: &mut File, target: &mut File, (buffer, enough): (usize, u64)) -> Result<u64, Errno> {
    let errno = |e: io::Error| Errno::from_io_error(&e).unwrap_or(Errno::IO);
    let mut buffer = vec![0; buffer];
    let mut copied = 0;
    loop {
        let count = match source.read(&mut buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            other => other.map_err(errno)?,
        };
        if count == 0 {
            return Ok(copied);
        }
        target.write_all(&buffer[..count]).map_err(errno)?;
        copied += count as u64;
        if copied >= enough {
            return Ok(copied);
        }
    }
}
