//! `RUN --mount`.

use crate::dockerfile::{Error, Word, parse};

/// A `--mount` flag as written. It is read twice, as BuildKit does: `from` at once, everything else after expansion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountFlag {
    /// The value as written: one CSV record.
    pub word: Word,
    /// The value of `from`, known without expansion: a stage, a named context or an image.
    pub from: Option<String>,
}

/// Expands the value of a field; [`MountFlag::resolve`] takes one.
pub type ExpandField<'a> = dyn FnMut(&str) -> Result<String, Error> + 'a;

impl MountFlag {
    /// The mount, every value expanded by `expand`.
    ///
    /// # Errors
    /// Those of `expand`, and [`Error::Parse`] at the flag when a key or a value is wrong or does not fit the type.
    pub fn resolve(&self, expand: &mut ExpandField<'_>) -> Result<Mount, Error> {
        parse::mount::resolve(&self.word, expand)
    }
}

/// A mount of a `RUN` step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What it is.
    pub kind: MountType,
    /// `from`: a stage, a named context or an image.
    pub from: Option<String>,
    /// `source`.
    pub source: Option<String>,
    /// `target`; relative ones are below WORKDIR.
    pub target: Option<String>,
    /// Whether it is read-only: as written, else bind, secret and ssh are, cache and tmpfs are not.
    pub read_only: bool,
    /// `size` of a tmpfs in bytes; 0 means no limit.
    pub size: u64,
    /// `id` of a cache, secret or ssh mount.
    pub id: Option<String>,
    /// `sharing` of a cache, if written; shared otherwise.
    pub sharing: Option<Sharing>,
    /// `required` of a secret or ssh mount.
    pub required: bool,
    /// `env` of a secret, if written.
    pub env: Option<String>,
    /// `mode` of a cache, secret or ssh mount.
    pub mode: Option<u32>,
    /// `uid` of a cache, secret or ssh mount.
    pub uid: Option<u32>,
    /// `gid` of a cache, secret or ssh mount.
    pub gid: Option<u32>,
}

/// The kinds of mounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MountType {
    /// Files of the context, a stage or an image.
    #[default]
    Bind,
    /// A folder that stays between builds.
    Cache,
    /// Memory.
    Tmpfs,
    /// A secret file or variable.
    Secret,
    /// The agent's socket.
    Ssh,
}

impl MountType {
    /// All kinds by name.
    pub const ALL: [(&str, Self); 5] = [
        ("bind", Self::Bind),
        ("cache", Self::Cache),
        ("secret", Self::Secret),
        ("ssh", Self::Ssh),
        ("tmpfs", Self::Tmpfs),
    ];

    /// The name in a Dockerfile.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Cache => "cache",
            Self::Tmpfs => "tmpfs",
            Self::Secret => "secret",
            Self::Ssh => "ssh",
        }
    }
}

/// Who may use a cache mount at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// Everybody.
    #[default]
    Shared,
    /// One user; a second gets a fresh one.
    Private,
    /// One user; a second waits.
    Locked,
}

impl Sharing {
    /// All modes by name.
    pub const ALL: [(&str, Self); 3] =
        [("locked", Self::Locked), ("private", Self::Private), ("shared", Self::Shared)];

    /// The name in a Dockerfile.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Private => "private",
            Self::Locked => "locked",
        }
    }
}
