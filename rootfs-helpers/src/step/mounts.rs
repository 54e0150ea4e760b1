//! What a step is given beside the usual: binds, tmpfs, files, name resolution.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use nix::mount::MsFlags;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};

use super::inside::{Inside, Kind, Made, Place};
use super::place::{bind, make_read_only, mount_new};
use super::trouble::{Doing as _, Result};
use crate::job::{Job, Mount, MountKind};

/// The mounts of a job, parents before children.
pub(super) fn of_job(job: &Job) -> Vec<Mount> {
    let text = |target: &str, content: &str| Mount {
        target: target.to_owned(),
        what: MountKind::File { content: content.as_bytes().to_vec(), mode: 0o644, uid: 0, gid: 0 },
    };
    let mut all = vec![text("/etc/resolv.conf", &job.resolv_conf), text("/etc/hosts", &job.hosts)];
    all.extend(job.mounts.iter().cloned());
    // Of two mounts on one place, and of places equally deep, the later one lies above.
    all.sort_by_key(|mount| Path::new(&mount.target).components().count());
    all
}

/// Makes the mount points that are missing, and says which.
pub(super) fn make_points(inside: &Inside, mounts: &[Mount]) -> Result<Vec<Made>> {
    let mut made = Vec::new();
    for mount in mounts {
        inside.ensure(&mount.target, kind(mount)?, &mut made).doing(format!("make {}", mount.target))?;
    }
    Ok(made)
}

fn kind(mount: &Mount) -> Result<Kind> {
    Ok(match &mount.what {
        MountKind::Tmpfs { .. } => Kind::Directory,
        MountKind::File { .. } => Kind::File,
        MountKind::Bind { source, .. } => {
            let found = fs::metadata(source).doing(format!("look at {}", source.display()))?;
            if found.is_dir() { Kind::Directory } else { Kind::File }
        }
    })
}

/// Mounts all of them. `/dev` is mounted already: its tmpfs holds the contents of files.
pub(super) fn mount_all(inside: &Inside, mounts: &[Mount]) -> Result<()> {
    for mount in mounts {
        let doing = || format!("mount {}", mount.target);
        let place = inside.ensure(&mount.target, kind(mount)?, &mut Vec::new()).doing(doing())?;
        match &mount.what {
            MountKind::Tmpfs { size, mode, read_only } => {
                let size = size.map(|bytes| format!(",size={bytes}")).unwrap_or_default();
                let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
                mount_new("tmpfs", &place, flags, &format!("mode={mode:o}{size}")).doing(doing())?;
                if *read_only {
                    make_read_only(inside, &place.path).doing(doing())?;
                }
            }
            MountKind::Bind { source, read_only } => {
                bind(source, &place).doing(doing())?;
                if *read_only {
                    make_read_only(inside, &place.path).doing(doing())?;
                }
            }
            MountKind::File { content, mode, uid, gid } => {
                let held = Held::new(inside, content, *mode, (*uid, *gid)).doing(doing())?;
                bind(&held.path(), &place).doing(doing())?;
                make_read_only(inside, &place.path).doing(doing())?;
            }
        }
    }
    Ok(())
}

/// A file in the tmpfs of `/dev` that loses its name when it has been bound.
struct Held {
    directory: Place,
}

const HELD_NAME: &str = ".lapstrake-held";

impl Held {
    fn new(inside: &Inside, content: &[u8], mode: u32, owner: (u32, u32)) -> std::io::Result<Self> {
        let directory = inside.find("/dev")?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&directory.fd, HELD_NAME, flags, Mode::from_raw_mode(0o600))?;
        let held = Self { directory };
        let mut file = File::from(file);
        file.write_all(content)?;
        rustix::fs::fchown(&file, Some(Uid::from_raw(owner.0)), Some(Gid::from_raw(owner.1)))?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
        Ok(held)
    }

    fn path(&self) -> PathBuf {
        Path::new(&self.directory.name()).join(HELD_NAME)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // The mount keeps the file. In a tmpfs of our own the removal cannot fail.
        let _ = rustix::fs::unlinkat(&self.directory.fd, HELD_NAME, AtFlags::empty());
    }
}
