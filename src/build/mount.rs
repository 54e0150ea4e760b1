//! What a RUN step is shown that is no part of its tree: `RUN --mount`, with nothing left to expand.

use crate::base::{ContentHash, KeyHasher};

pub use crate::dockerfile::command::Sharing;

/// A mount of a RUN step. Targets are absolute and clean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunMount {
    /// Files of the context, a stage or an image; what the step changes in them is thrown away.
    Bind(Bind),
    /// A folder that stays between builds.
    Cache(Cache),
    /// Memory.
    Tmpfs(Tmpfs),
    /// A secret as a file, a variable or both.
    Secret(Secret),
    /// The socket of an agent.
    Ssh(Ssh),
}

/// `type=bind`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// Which of the step's reads it shows.
    pub read: usize,
    /// Where to.
    pub target: String,
    /// Whether the step may only read it.
    pub read_only: bool,
}

/// `type=cache`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Its name, the namespace of `BUILDKIT_CACHE_MOUNT_NS` in front.
    pub id: String,
    /// Which of the step's reads it begins with; nothing if not given.
    pub read: Option<usize>,
    /// The folder of it that is mounted, absolute.
    pub source: String,
    /// Where to.
    pub target: String,
    /// Whether the step may only read it.
    pub read_only: bool,
    /// Who may use it at once.
    pub sharing: Sharing,
    /// Owner and mode if any of them was given: such a cache is one of its own and begins empty.
    pub access: Option<Access>,
}

/// `type=tmpfs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tmpfs {
    /// Where to.
    pub target: String,
    /// Its limit in bytes.
    pub size: Option<u64>,
    /// Whether the step may only read it.
    pub read_only: bool,
}

/// `type=secret`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Its name on the command line.
    pub id: String,
    /// The file, if it is shown as one.
    pub target: Option<String>,
    /// The variable, if it is shown as one.
    pub env: Option<String>,
    /// Whether the step cannot do without.
    pub required: bool,
    /// Owner and mode of the file.
    pub access: Access,
}

/// `type=ssh`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssh {
    /// Its name on the command line.
    pub id: String,
    /// The socket.
    pub target: String,
    /// Whether the step cannot do without.
    pub required: bool,
    /// Owner and mode of the socket.
    pub access: Access,
}

/// Owner and mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Access {
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Cache {
    /// The identity of the folder: what it is called, and what it begins as. `seed` is the content of what it begins with.
    pub fn key(&self, seed: Option<&ContentHash>) -> ContentHash {
        let mut hasher = KeyHasher::new("lapstrake cache mount v1");
        hasher.field("id", &self.id);
        match &self.access {
            None => hasher.field("access", "usual"),
            Some(Access { mode, uid, gid }) => hasher.field("access", format!("{mode:o} {uid} {gid}")),
        };
        hasher.field("seed", seed.map_or(&[][..], |hash| hash.as_bytes()));
        hasher.finish()
    }
}

impl RunMount {
    /// Puts what the program can see of a mount into a key: kind and place. Not ids, sharing, values, and not the content
    /// of a bind, which enters as what the step reads.
    pub(super) fn hash(&self, hasher: &mut KeyHasher) {
        match self {
            Self::Bind(bind) => hasher
                .field("mount", "bind")
                .field("target", &bind.target)
                .number("read-only", u64::from(bind.read_only)),
            Self::Cache(cache) => hasher
                .field("mount", "cache")
                .field("target", &cache.target)
                .number("read-only", u64::from(cache.read_only)),
            Self::Tmpfs(tmpfs) => hasher.field("mount", "tmpfs").field("target", &tmpfs.target),
            Self::Secret(secret) => hasher
                .field("mount", "secret")
                .field("target", secret.target.as_deref().unwrap_or_default())
                .field("env", secret.env.as_deref().unwrap_or_default()),
            Self::Ssh(ssh) => hasher.field("mount", "ssh").field("target", &ssh.target),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_differ_by_name_owner_and_beginning_and_by_nothing_else() {
        let cache = |id: &str, target: &str, sharing, access| Cache {
            id: id.into(),
            read: None,
            source: "/".into(),
            target: target.into(),
            read_only: false,
            sharing,
            access,
        };
        let usual = Some(Access { mode: 0o755, uid: 0, gid: 0 });
        let plain = cache("a", "/x", Sharing::Shared, None).key(None);
        assert_eq!(plain, cache("a", "/y", Sharing::Locked, None).key(None));
        let seed = ContentHash::of(b"seed");
        let others = [
            cache("b", "/x", Sharing::Shared, None).key(None),
            cache("a", "/x", Sharing::Shared, usual).key(None),
            cache("a", "/x", Sharing::Shared, Some(Access { mode: 0o700, uid: 0, gid: 0 })).key(None),
            cache("a", "/x", Sharing::Shared, None).key(Some(&seed)),
        ];
        let all: std::collections::BTreeSet<_> = others.into_iter().chain([plain]).collect();
        assert_eq!(all.len(), 5);
    }
}
