//! Which file system the store is on, and what it can do.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::host::fs;

/// Where the file system of `path` is mounted: the highest folder above it that is on the same device.
pub(super) fn mount_point(path: &Path) -> PathBuf {
    let Some(mut place) = path.ancestors().find_map(|p| fs::canonicalize(p).ok()) else {
        return path.to_owned();
    };
    let device = |p: &Path| fs::metadata(p).ok().map(|m| m.dev());
    let own = device(&place);
    while let Some(parent) = place.parent() {
        if device(parent) != own {
            break;
        }
        place = parent.to_owned();
    }
    place
}

/// Whether files there may be shared with other machines, or mapped memory not between processes: there SQLite's
/// write-ahead log does not work.
pub(super) fn is_remote(path: &Path) -> bool {
    const REMOTE: [u64; 9] = [
        0x6969,      // NFS
        0x517b,      // SMB
        0xff53_4d42, // CIFS
        0xfe53_4d42, // SMB2
        0x6573_5546, // FUSE
        0x0102_1997, // 9P
        0x00c3_6400, // Ceph
        0x5346_414f, // AFS
        0x0bd0_0bd0, // Lustre
    ];
    let found = rustix::fs::statfs(path).map(|s| u64::try_from(s.f_type).unwrap_or(0) & 0xffff_ffff);
    found.is_ok_and(|kind| REMOTE.contains(&kind))
}

/// Whether there is less room than the smallest of our writes needs, or no file can be made.
pub(super) fn is_full(path: &Path) -> bool {
    const LEAST: u64 = 256 << 10;
    rustix::fs::statvfs(path)
        .is_ok_and(|s| s.f_bavail * s.f_frsize < LEAST || s.f_files > 0 && s.f_favail == 0)
}

/// Whether this process may make files in the folder.
pub(super) fn is_writable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok()
}

/// Makes a rename in the folder survive a power cut.
pub(super) fn sync_folder(path: &Path) -> Result<(), crate::host::Error> {
    fs::open(path)?.sync_all().map_err(|e| crate::host::Error::new("sync", path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points() {
        assert_eq!(mount_point(Path::new("/proc/self/no/such")), Path::new("/proc"));
        assert_eq!(mount_point(Path::new("/")), Path::new("/"));
        assert!(!is_remote(Path::new("/proc")));
    }
}
