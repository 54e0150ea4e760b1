//! Entering a namespace in place, before any thread exists.
//!
//! The rungs are tried from the best down. Trying must not spoil what comes after a failure: a user namespace is made
//! by a forked child, mapped from here, tested there, and only then joined. Further rungs (one id with recorded
//! ownership, chroot) will stand below [`Rung::UserNamespace`].
//!
//! user_namespaces(7), newuidmap(1), subuid(5).

mod diagnose;
mod holder;
mod subids;

use std::fmt::Write as _;
use std::fs;

use nix::mount::{MntFlags, MsFlags};
use nix::sched::CloneFlags;
use rustix::process::{getegid, geteuid, getgid, getuid};

pub use diagnose::Diagnosis;

/// The method by which this process may act as root of its own files and mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rung {
    /// Real root: identity ids, a mount namespace of our own.
    RootfulNamespaces,
    /// Root inside a user namespace that somebody else made (a pod with its own users, `unshare -r`).
    InsideNamespace,
    /// A user namespace of our own with a range of subordinate ids.
    UserNamespace,
    /// None: nothing can be unpacked or executed.
    None,
}

impl Rung {
    /// The rung in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::RootfulNamespaces => "rootful namespaces",
            Self::InsideNamespace => "namespaces inside a user namespace",
            Self::UserNamespace => "user namespace with sub-ids",
            Self::None => "none",
        }
    }
}

/// How this process entered its namespace.
#[derive(Clone, Debug)]
pub struct Entered {
    /// By which method.
    pub rung: Rung,
    /// The user's id outside.
    pub uid: u32,
    /// The user's group outside.
    pub gid: u32,
    /// A stable text that names the id mapping: snapshots unpacked under one mapping mean nothing under another.
    /// Only `[a-z0-9-]`, at most 80 characters; `identity` without a mapping.
    pub map_key: String,
    /// Why there is no better rung; only with [`Rung::None`].
    pub diagnosis: Option<Diagnosis>,
}

/// Enters the best namespace this machine lets us. Call it first thing in `main`: no thread may exist yet, because the
/// kernel moves only single-threaded processes into a user namespace.
///
/// With [`Rung::None`] nothing was changed and the process goes on outside.
pub fn enter() -> Entered {
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    let (rung, diagnosis) = match climb(uid, gid) {
        Ok(rung) => (rung, None),
        Err(diagnosis) => (Rung::None, Some(diagnosis)),
    };
    Entered { rung, uid, gid, map_key: map_key(), diagnosis }
}

fn climb(uid: u32, gid: u32) -> Result<Rung, Diagnosis> {
    if !geteuid().is_root() {
        return holder::enter_user_namespace(holder::Ids::Subordinate { uid, gid })
            .map(|()| Rung::UserNamespace);
    }
    match mounts_of_our_own() {
        Ok(()) if is_identity(&read_map("uid")) => Ok(Rung::RootfulNamespaces),
        Ok(()) => Ok(Rung::InsideNamespace),
        // Root without CAP_SYS_ADMIN may still be allowed a user namespace, with its own ids mapped to themselves.
        Err(first) => match holder::enter_user_namespace(holder::Ids::Own) {
            Ok(()) => Ok(Rung::UserNamespace),
            Err(second) => Err(first.or(second)),
        },
    }
}

/// Makes a mount namespace whose mounts nobody else sees, and tries a mount in it.
fn mounts_of_our_own() -> Result<(), Diagnosis> {
    private_mounts().map_err(|(call, errno)| Diagnosis::of_mounting(call, errno))?;
    let place = ["/mnt", "/tmp", "/run"].into_iter().find(|p| fs::metadata(p).is_ok_and(|m| m.is_dir()));
    let Some(place) = place else { return Ok(()) };
    nix::mount::mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), Some("size=4k"))
        .map_err(|e| Diagnosis::of_mounting("mount tmpfs", e))?;
    nix::mount::umount2(place, MntFlags::MNT_DETACH).map_err(|e| Diagnosis::of_mounting("umount tmpfs", e))
}

/// Unshares the mount namespace; on failure says in which call.
fn private_mounts() -> Result<(), (&'static str, nix::errno::Errno)> {
    nix::sched::unshare(CloneFlags::CLONE_NEWNS).map_err(|e| ("unshare(CLONE_NEWNS)", e))?;
    nix::mount::mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .map_err(|e| ("mount --make-rprivate /", e))
}

/// One line of a map: first id inside, first id outside, how many.
type Extent = [u32; 3];

fn read_map(kind: &str) -> Vec<Extent> {
    parse_map(&fs::read_to_string(format!("/proc/self/{kind}_map")).unwrap_or_default())
}

fn parse_map(text: &str) -> Vec<Extent> {
    text.lines()
        .filter_map(|line| {
            let mut numbers = line.split_ascii_whitespace().map(|n| n.parse().ok());
            Some([numbers.next()??, numbers.next()??, numbers.next()??])
        })
        .collect()
}

fn is_identity(map: &[Extent]) -> bool {
    map == [[0, 0, u32::MAX]]
}

fn map_key() -> String {
    key_of(&read_map("uid"), &read_map("gid"), geteuid().as_raw(), getegid().as_raw())
}

/// Outside of any namespace an ordinary user's files are all his own: a mapping of its own kind.
fn key_of(uids: &[Extent], gids: &[Extent], euid: u32, egid: u32) -> String {
    let mut key = String::new();
    if is_identity(uids) && is_identity(gids) {
        return if euid == 0 { "identity".to_owned() } else { format!("single-{euid}-{egid}") };
    }
    for (letter, map) in [('u', uids), ('g', gids)] {
        key.push(letter);
        for [inside, outside, count] in map {
            let _ = write!(key, "-{inside}-{outside}-{count}");
        }
        key.push('-');
    }
    key.pop();
    if key.len() <= 80 {
        return key;
    }
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{}-{hash:016x}", &key[..60])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_mappings() {
        let identity = parse_map("         0          0 4294967295\n");
        assert_eq!(key_of(&identity, &identity, 0, 0), "identity");
        assert_eq!(key_of(&identity, &identity, 1000, 100), "single-1000-100");
        let ranges = parse_map("0 1000 1\n1 100000 65536\n");
        assert_eq!(key_of(&ranges, &ranges, 0, 0), "u-0-1000-1-1-100000-65536-g-0-1000-1-1-100000-65536");
        let many: Vec<Extent> = (0..40).map(|n| [n, n + 7, 1]).collect();
        let other: Vec<Extent> = (0..40).map(|n| [n, n + 7, 1 + n / 39]).collect();
        assert!(key_of(&many, &many, 0, 0).len() <= 80);
        assert_ne!(key_of(&many, &many, 0, 0), key_of(&other, &many, 0, 0));
    }
}
