//! Mounting overlays, the same way in the main process and in the sandbox.
//!
//! Always with `userxattr`, as root too, so that layers on disk have one form; never with `redirect_dir`, `metacopy` or
//! `index`, which `userxattr` excludes or which would leave artefacts in the upper directory. `volatile` (no syncing)
//! where the kernel takes it: an upper directory that a crash left behind is thrown away, not reused.
//!
//! Linux: Documentation/filesystems/overlayfs.rst.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount,
};

use crate::root::Root;

/// The directories of an overlay.
#[derive(Clone, Copy, Debug)]
pub struct Layers<'a> {
    /// Read-only layers, topmost first; without [`Layers::writable`] there must be two at least.
    pub lowers: &'a [PathBuf],
    /// The upper and the work directory; `None` for a read-only overlay.
    pub writable: Option<(&'a Path, &'a Path)>,
}

/// Mounts `root` at the existing directory `target`. A plain directory is bound there, recursively.
///
/// # Errors
/// What the kernel says.
pub fn mount_root(root: &Root, target: &Path) -> io::Result<()> {
    match root {
        Root::Overlay { lowers, upper, work } => {
            mount(Layers { lowers, writable: Some((upper.as_path(), work.as_path())) }, target)
        }
        Root::Directory(directory) => Ok(rustix::mount::mount_bind_recursive(directory, target)?),
    }
}

/// Mounts an overlay at the existing directory `target`, by the new mount API (one call per layer) or, where that is
/// missing or older than `lowerdir+`, by `mount(2)`.
///
/// # Errors
/// What the kernel says; more than 500 layers are refused by it.
pub fn mount(layers: Layers<'_>, target: &Path) -> io::Result<()> {
    if let Some((_, work)) = layers.writable {
        // Left by an earlier volatile mount of the same upper in this step; the kernel refuses to mount over it.
        match fs::remove_dir_all(work.join("work/incompat")) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    match mount_new(layers, target) {
        Err(Errno::NOSYS | Errno::PERM | Errno::INVAL | Errno::OPNOTSUPP) => mount_old(layers, target),
        other => Ok(other?),
    }
}

/// Unmounts what is mounted at `target`, even if somebody still looks at it.
///
/// # Errors
/// What the kernel says.
pub fn unmount(target: &Path) -> io::Result<()> {
    Ok(rustix::mount::unmount(target, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)?)
}

/// A string option of fsconfig is at most 255 bytes; a longer path goes by the name of a descriptor.
const OPTION_LIMIT: usize = 255;

fn mount_new(layers: Layers<'_>, target: &Path) -> Result<(), Errno> {
    let mount = match create_new(layers, true) {
        Err(Errno::INVAL) => create_new(layers, false)?,
        other => other?,
    };
    move_mount(mount.as_fd(), "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

fn create_new(layers: Layers<'_>, volatile: bool) -> Result<OwnedFd, Errno> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let mut held = Vec::new();
    let mut set = |key: &str, path: &Path| {
        if path.as_os_str().len() <= OPTION_LIMIT {
            return fsconfig_set_string(context.as_fd(), key, path);
        }
        let directory = open_path(path)?;
        let name = format!("/proc/self/fd/{}", directory.as_raw_fd());
        held.push(directory);
        fsconfig_set_string(context.as_fd(), key, name)
    };
    for lower in layers.lowers {
        set("lowerdir+", lower)?;
    }
    if let Some((upper, work)) = layers.writable {
        set("upperdir", upper)?;
        set("workdir", work)?;
        if volatile {
            fsconfig_set_flag(context.as_fd(), "volatile")?;
        }
    }
    fsconfig_set_flag(context.as_fd(), "userxattr")?;
    fsconfig_create(context.as_fd())?;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

fn open_path(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// The option page of `mount(2)` holds 4096 bytes, so layers are named by the shortest names there are: numbers of
/// descriptors, looked up from `/proc/self/fd` as the working directory of a thread that has one of its own.
fn mount_old(layers: Layers<'_>, target: &Path) -> io::Result<()> {
    let target = File::from(open_path(target)?);
    let lowers = layers.lowers.iter().map(|l| open_path(l)).collect::<Result<Vec<_>, _>>()?;
    let writable = match layers.writable {
        Some((upper, work)) => Some((open_path(upper)?, open_path(work)?)),
        None => None,
    };
    let names: Vec<String> = lowers.iter().map(|fd| fd.as_raw_fd().to_string()).collect();
    let mut options = format!("userxattr,lowerdir={}", names.join(":"));
    if let Some((upper, work)) = &writable {
        options += &format!(",upperdir={},workdir={}", upper.as_raw_fd(), work.as_raw_fd());
    }
    let attempt = |options: &str| -> Result<(), nix::errno::Errno> {
        let target = format!("{}", target.as_raw_fd());
        nix::mount::mount(
            Some("overlay"),
            target.as_str(),
            Some("overlay"),
            nix::mount::MsFlags::empty(),
            Some(options),
        )
    };
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| -> io::Result<()> {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS)?;
            nix::unistd::chdir("/proc/self/fd")?;
            if writable.is_some() {
                match attempt(&format!("{options},volatile")) {
                    Err(nix::errno::Errno::EINVAL) => {}
                    other => return Ok(other?),
                }
            }
            Ok(attempt(&options)?)
        });
        worker.join().unwrap_or_else(|_| Err(io::Error::other("the mounting thread ended early")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Dirs(PathBuf);

    impl Dirs {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("lap-overlay-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn dir(&self, name: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::create_dir_all(&path).unwrap();
            path
        }
    }

    impl Drop for Dirs {
        fn drop(&mut self) {
            let _ = unmount(&self.0.join("m"));
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    type How = fn(Layers<'_>, &Path) -> io::Result<()>;

    /// Mounting needs root, at least of a namespace: an ordinary user runs the test again in one.
    fn as_root(test: &str, body: impl FnOnce()) {
        if rustix::process::geteuid().is_root() {
            return body();
        }
        let status = std::process::Command::new("unshare")
            .args(["--map-root-user", "--mount"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .status()
            .expect("util-linux's unshare is needed");
        assert!(status.success());
    }

    #[test]
    fn both_ways_mount_many_layers_and_a_second_time() {
        as_root("overlay::tests::both_ways_mount_many_layers_and_a_second_time", both_ways);
    }

    fn both_ways() {
        let new: How = |layers, target| Ok(mount_new(layers, target)?);
        let old: How = mount_old;
        for (name, how) in [("new", new), ("old", old)] {
            let dirs = Dirs::new(name);
            let lowers: Vec<PathBuf> =
                (0..60).map(|n| dirs.dir(&format!("{}/{n}", "long".repeat(60)))).collect();
            fs::write(lowers[59].join("bottom"), "b").unwrap();
            let (upper, work, target) = (dirs.dir("u"), dirs.dir("w"), dirs.dir("m"));
            let layers = Layers { lowers: &lowers, writable: Some((upper.as_path(), work.as_path())) };
            for round in 0..2 {
                let _ = fs::remove_dir_all(work.join("work/incompat"));
                how(layers, &target).unwrap();
                assert_eq!(fs::read(target.join("bottom")).unwrap(), b"b");
                fs::write(target.join(format!("top{round}")), "t").unwrap();
                unmount(&target).unwrap();
            }
            assert!(upper.join("top1").exists());
        }
    }
}
