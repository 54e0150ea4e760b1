//! What every step sees beside its own files: `/proc`, `/dev` and `/sys`, with the dangerous parts covered.
//!
//! The lists are those of the neighbours (containerd: pkg/oci, BuildKit), which programs in images expect.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use nix::mount::MsFlags;
use rustix::fs::{FileType, Mode};
use rustix::io::Errno;

use super::inside::{Inside, Kind};
use super::place::{bind, make_read_only, mount_new};
use super::trouble::{Doing as _, Result, Trouble};
use crate::job::Job;

/// Directories every root gets, and keeps, as with BuildKit.
pub(super) const KEPT: [&str; 3] = ["/dev", "/proc", "/sys"];

const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Name, major and minor number.
const DEVICES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
    ("ptmx", "pts/ptmx"),
];

fn closed() -> MsFlags {
    MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC
}

/// Mounts `/proc`, `/dev` and `/sys`. `own_processes`: whether this process is in a process namespace of its own.
pub(super) fn mount_world(inside: &Inside, job: &Job, own_processes: bool) -> Result<()> {
    proc(inside, own_processes)?;
    dev(inside, job.shm_size)?;
    sys(inside)
}

fn proc(inside: &Inside, own_processes: bool) -> Result<()> {
    let place = inside.find("/proc").doing("find /proc")?;
    if !own_processes {
        return bind(Path::new("/proc"), &place).doing("bind /proc");
    }
    match mount_new("proc", &place, closed(), "") {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Err(Trouble::NoProc),
        other => other.doing("mount /proc"),
    }
}

fn dev(inside: &Inside, shm_size: u64) -> Result<()> {
    let place = inside.find("/dev").doing("find /dev")?;
    // Not 1777: opening a device in a sticky world-writable directory with O_CREAT is forbidden (fs.protected_regular).
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_STRICTATIME;
    mount_new("tmpfs", &place, flags, "mode=755,size=65536k").doing("mount /dev")?;
    for (name, major, minor) in DEVICES {
        device(inside, name, (major, minor))?;
    }
    let place = inside.find("/dev").doing("find /dev")?;
    for (name, target) in LINKS {
        rustix::fs::symlinkat(target, &place.fd, name).doing("link in /dev")?;
    }
    for (name, mode) in [("pts", 0o755), ("shm", 0o1777), ("mqueue", 0o1777)] {
        rustix::fs::mkdirat(&place.fd, name, Mode::from_raw_mode(mode)).doing("make a directory in /dev")?;
    }
    pts(inside)?;
    let shm = inside.find("/dev/shm").doing("find /dev/shm")?;
    mount_new("tmpfs", &shm, closed(), &format!("mode=1777,size={shm_size}")).doing("mount /dev/shm")?;
    let queues = inside.find("/dev/mqueue").doing("find /dev/mqueue")?;
    match mount_new("mqueue", &queues, closed(), "") {
        // A kernel without POSIX message queues.
        Err(e) if e.raw_os_error() == Some(libc::ENODEV) => Ok(()),
        other => other.doing("mount /dev/mqueue"),
    }
}

fn pts(inside: &Inside) -> Result<()> {
    let place = inside.find("/dev/pts").doing("find /dev/pts")?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    let options = "newinstance,ptmxmode=0666,mode=0620";
    match mount_new("devpts", &place, flags, &format!("{options},gid=5")) {
        // The group of terminals is not mapped.
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => mount_new("devpts", &place, flags, options),
        other => other,
    }
    .doing("mount /dev/pts")
}

/// Binds the device of this machine: an ordinary user's namespace may not make devices.
fn device(inside: &Inside, name: &str, number: (u32, u32)) -> Result<()> {
    let source = format!("/dev/{name}");
    match fs::metadata(&source) {
        Ok(found) if found.file_type().is_char_device() && numbers(found.rdev()) == number => {}
        Ok(_) => return Err(Errno::NODEV).doing(format!("check that {source} is what it should be")),
        // Only the null device is indispensable.
        Err(_) if name != "null" => return Ok(()),
        Err(e) => return Err(e).doing(format!("look at {source}")),
    }
    let place = inside.ensure(&source, Kind::File, &mut Vec::new()).doing(format!("make {source}"))?;
    bind(Path::new(&source), &place).doing(format!("bind {source}"))
}

fn numbers(device: u64) -> (u32, u32) {
    (rustix::fs::major(device), rustix::fs::minor(device))
}

fn sys(inside: &Inside) -> Result<()> {
    let place = inside.find("/sys").doing("find /sys")?;
    // Allowed to real root, and to a user namespace that owns the network namespace.
    let fresh = mount_new("sysfs", &place, closed() | MsFlags::MS_RDONLY, "");
    if fresh.is_err() {
        if bind(Path::new("/sys"), &place).is_err() {
            // Most programs work without it; an empty directory is what they then see.
            return Ok(());
        }
        make_read_only(inside, Path::new("/sys")).doing("make /sys read-only")?;
    }
    cgroups(inside)
}

/// The step's own control groups, or nothing: those of this machine are nobody's business.
fn cgroups(inside: &Inside) -> Result<()> {
    const TARGET: &str = "/sys/fs/cgroup";
    const CGROUP2_MAGIC: i64 = 0x6367_7270;
    let Ok(place) = inside.find(TARGET) else { return Ok(()) };
    let flags = closed() | MsFlags::MS_RDONLY;
    let second = rustix::fs::statfs(TARGET).is_ok_and(|s| s.f_type == CGROUP2_MAGIC);
    if second && mount_new("cgroup2", &place, flags, "").is_ok() {
        return Ok(());
    }
    mount_new("tmpfs", &place, flags, "mode=755,size=4k").doing("cover /sys/fs/cgroup")
}

/// Covers what gives away or changes the machine. After everything else is mounted.
pub(super) fn cover(inside: &Inside) -> Result<()> {
    for path in READ_ONLY {
        let Ok(place) = inside.find(path) else { continue };
        let doing = || format!("make {path} read-only");
        nix::mount::mount(
            Some(place.name().as_str()),
            place.name().as_str(),
            None::<&str>,
            MsFlags::MS_BIND | MsFlags::MS_REC,
            None::<&str>,
        )
        .doing(doing())?;
        make_read_only(inside, Path::new(path)).doing(doing())?;
    }
    let null = inside.find("/dev/null").doing("find /dev/null")?;
    for path in MASKED {
        let Ok(place) = inside.find(path) else { continue };
        let covered = if place.file_type == FileType::Directory {
            mount_new("tmpfs", &place, closed() | MsFlags::MS_RDONLY, "mode=755,size=4k")
        } else {
            bind(Path::new(&null.name()), &place)
        };
        covered.doing(format!("cover {path}"))?;
    }
    Ok(())
}

/// Makes the directories every root gets, where the image has none. They stay in the layer, with the time of now like all
/// that a step makes, which is later cut to the build's. The root keeps its own, which no layer has.
pub(super) fn make_kept(inside: &Inside) -> Result<()> {
    let mut made = Vec::new();
    for path in KEPT {
        inside.ensure(path, Kind::Directory, &mut made).doing(format!("make {path}"))?;
    }
    let Some(first) = made.first() else { return Ok(()) };
    let root = inside.find("/").doing("find the root")?;
    inside.set_times(&root, first.before).doing("set the time of the root")?;
    Ok(())
}
