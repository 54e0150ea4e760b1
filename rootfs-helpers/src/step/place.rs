//! Mounting on places that were found inside a root: by descriptor, so no path of an untrusted tree is followed.

use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use nix::mount::MsFlags;

use super::inside::{Inside, Place};

/// Mounts a new file system on `place`.
pub(super) fn mount_new(kind: &str, place: &Place, flags: MsFlags, options: &str) -> io::Result<()> {
    Ok(nix::mount::mount(Some(kind), place.name().as_str(), Some(kind), flags, Some(options))?)
}

/// Binds `source` (outside) on `place`, with everything mounted below.
pub(super) fn bind(source: &Path, place: &Place) -> io::Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    nix::mount::mount(Some(source), place.name().as_str(), None::<&str>, flags, None::<&str>)?;
    Ok(())
}

/// Makes the mount whose root `path` leads to read-only, and with it everything mounted below where the kernel can.
pub(super) fn make_read_only(inside: &Inside, path: &Path) -> io::Result<()> {
    // Found again: the descriptor from before the mount names what is below it.
    let place = inside.find(path)?;
    match set_read_only_recursively(&place) {
        Ok(()) => Ok(()),
        Err(_) => remount_read_only(&place),
    }
}

/// `struct mount_attr` of mount_setattr(2).
#[repr(C)]
struct Attributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

fn set_read_only_recursively(place: &Place) -> io::Result<()> {
    let attributes = Attributes { set: libc::MOUNT_ATTR_RDONLY, clear: 0, propagation: 0, user_namespace: 0 };
    // SAFETY: the path is an empty C string, as AT_EMPTY_PATH wants it, and the attributes are as large as said; both
    // live until the call returns.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            place.fd.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// In a user namespace the flags a mount came with are locked: a remount must repeat them.
fn remount_read_only(place: &Place) -> io::Result<()> {
    let now = rustix::fs::fstatvfs(&place.fd)?.f_flag;
    let mut flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    for (bit, flag) in [
        (rustix::fs::StatVfsMountFlags::NOSUID, MsFlags::MS_NOSUID),
        (rustix::fs::StatVfsMountFlags::NODEV, MsFlags::MS_NODEV),
        (rustix::fs::StatVfsMountFlags::NOEXEC, MsFlags::MS_NOEXEC),
        (rustix::fs::StatVfsMountFlags::NOATIME, MsFlags::MS_NOATIME),
        (rustix::fs::StatVfsMountFlags::NODIRATIME, MsFlags::MS_NODIRATIME),
        (rustix::fs::StatVfsMountFlags::RELATIME, MsFlags::MS_RELATIME),
    ] {
        flags.set(flag, now.contains(bit));
    }
    Ok(nix::mount::mount(None::<&str>, place.name().as_str(), None::<&str>, flags, None::<&str>)?)
}
