//! Giving up what a step may not have: capabilities, privileged system calls, ids. In an order in which nothing needed
//! later is lost earlier.

use std::io;

use rustix::fs::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::trouble::{Doing as _, Result};
use super::user::User;
use crate::job::ResourceLimit;
use crate::seccomp;

/// The neighbours' default (containerd: pkg/oci; Docker).
const DEFAULT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::AUDIT_WRITE);

/// Becomes `user` with what a step may have, for good.
pub(super) fn drop_to(user: &User, filter: &[seccomp::Instruction]) -> Result<()> {
    bound()?;
    // Without no_new_privs this takes CAP_SYS_ADMIN, so it comes before capabilities go.
    seccomp::install(filter).doing("install the system call filter")?;
    let groups: Vec<Gid> = user.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    let who = format!("become user {} with group {}", user.uid, user.gid);
    match rustix::thread::set_thread_groups(&groups) {
        // A namespace that an ordinary user made without sub-ids: there are no groups to be had, and all files have one
        // owner, so that none is needed.
        Err(rustix::io::Errno::PERM) if groups_are_fixed() => {}
        other => other.map_err(unmapped).doing(&who)?,
    }
    let gid = Gid::from_raw(user.gid);
    rustix::thread::set_thread_res_gid(gid, gid, gid).map_err(unmapped).doing(&who)?;
    let uid = Uid::from_raw(user.uid);
    rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(unmapped).doing(&who)?;
    let kept = if user.uid == 0 { DEFAULT } else { CapabilitySet::empty() };
    // What the outer namespace does not give cannot be kept.
    let have = rustix::thread::capabilities(None).doing("read capabilities")?.permitted;
    let kept = kept.intersection(have);
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).doing("give up capabilities")
}

/// user_namespaces(7): `/proc/[pid]/setgroups`.
fn groups_are_fixed() -> bool {
    std::fs::read_to_string("/proc/self/setgroups").is_ok_and(|text| text.trim() == "deny")
}

/// An id outside of the namespace's mapping gives EINVAL, which says nothing to a user.
fn unmapped(errno: rustix::io::Errno) -> io::Error {
    if errno == rustix::io::Errno::INVAL {
        return io::Error::other(
            "the id lies outside of the ids mapped into this namespace (/etc/subuid, /etc/subgid)",
        );
    }
    errno.into()
}

fn bound() -> Result<()> {
    rustix::thread::clear_ambient_capability_set().doing("clear ambient capabilities")?;
    for number in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if DEFAULT.contains(one) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(one) {
            // The first number the kernel does not know.
            Err(rustix::io::Errno::INVAL) => break,
            other => other.doing("bound capabilities")?,
        }
    }
    Ok(())
}

/// Many programs close every descriptor they could have, or make a table of them: a limit in the millions makes old
/// package managers crawl.
const FILES: (u64, u64) = (1024, 524_288);

/// Sets the default limits and then the job's.
pub(super) fn set_limits(limits: &[ResourceLimit]) -> Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    // What is asked for may be more than the default, and a limit once lowered cannot be raised again.
    if !limits.iter().any(|limit| limit.name == "nofile") {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).doing("read limits")?;
        let hard = hard.min(FILES.1);
        setrlimit(Resource::RLIMIT_NOFILE, FILES.0.min(hard), hard).doing("limit open files")?;
    }
    for limit in limits {
        let doing = || format!("set the limit {}", limit.name);
        let resource = match limit.name.as_str() {
            "as" => Resource::RLIMIT_AS,
            "core" => Resource::RLIMIT_CORE,
            "cpu" => Resource::RLIMIT_CPU,
            "data" => Resource::RLIMIT_DATA,
            "fsize" => Resource::RLIMIT_FSIZE,
            "locks" => Resource::RLIMIT_LOCKS,
            "memlock" => Resource::RLIMIT_MEMLOCK,
            "msgqueue" => Resource::RLIMIT_MSGQUEUE,
            "nice" => Resource::RLIMIT_NICE,
            "nofile" => Resource::RLIMIT_NOFILE,
            "nproc" => Resource::RLIMIT_NPROC,
            "rss" => Resource::RLIMIT_RSS,
            "rtprio" => Resource::RLIMIT_RTPRIO,
            "rttime" => Resource::RLIMIT_RTTIME,
            "sigpending" => Resource::RLIMIT_SIGPENDING,
            "stack" => Resource::RLIMIT_STACK,
            _ => return Err(io::Error::other("there is no such limit")).doing(doing()),
        };
        let [soft, hard] = [limit.soft, limit.hard].map(|value| value.unwrap_or(u64::MAX));
        setrlimit(resource, soft, hard).doing(doing())?;
    }
    Ok(())
}
