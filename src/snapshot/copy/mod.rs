//! COPY and ADD on trees.

use std::path::{Path, PathBuf};

use crate::report::Context;
use crate::snapshot::Result;
use crate::snapshot::tree::Source;

/// One source of COPY or ADD as written, expanded.
#[derive(Clone, Copy, Debug)]
pub struct Pattern<'a> {
    /// The text, any bytes; `../x`, `/x` and `x` are the same.
    pub text: &'a [u8],
    /// Whether it may hold wildcards.
    pub wildcard: bool,
}

/// Go's `filepath.Match` on a whole relative path: pattern, path.
pub type Matcher<'a> = dyn Fn(&[u8], &[u8]) -> bool + Sync + 'a;

/// A path in the source that a pattern led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// Cleaned, relative, links resolved; empty is the root.
    pub path: PathBuf,
    /// The name a file gets in a destination directory (that of the path as written, before links were followed).
    pub name: Vec<u8>,
    /// Whether it is a directory, whose contents are copied.
    pub directory: bool,
}

/// Finds what the patterns lead to, in order; matches of one wildcard sorted by name. A wildcard that matches nothing
/// gives nothing; a plain name that is not there is [`crate::snapshot::Error::NoSource`].
pub fn select(source: &Source<'_>, patterns: &[Pattern<'_>], matches: &Matcher<'_>) -> Result<Vec<Selected>> {
    unimplemented!()
}

/// Something to copy.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// From the source.
    Selected(&'a Selected),
    /// A file with this name and content (a heredoc), mode 0644.
    Inline {
        /// Its name.
        name: &'a str,
        /// Its content.
        content: &'a [u8],
    },
}

/// Owner and group, as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// What `--chmod` says: `FromStr` reads octal numbers up to 7777 and symbolic lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModeChange;

/// A COPY or ADD.
pub struct CopyRequest<'a> {
    /// Where from.
    pub source: Source<'a>,
    /// What, in order.
    pub items: &'a [Item<'a>],
    /// The root of the tree to copy into.
    pub root: &'a Path,
    /// The destination in it: absolute, WORKDIR joined; a final slash (or `/.`) means a directory.
    pub destination: &'a [u8],
    /// `--chown`.
    pub owner: Option<Ownership>,
    /// `--chmod`.
    pub mode: Option<&'a ModeChange>,
    /// ADD: archives among the items are unpacked.
    pub unpack: bool,
    /// The time of directories that are created on the way, and of inline files: seconds since the Unix epoch.
    pub created: i64,
}

/// What was copied.
#[derive(Clone, Debug, Default)]
pub struct Copied {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What could not be copied as it was.
    pub warnings: Vec<String>,
}

/// Copies.
pub fn copy(cx: &Context, request: &CopyRequest<'_>) -> Result<Copied> {
    unimplemented!()
}

/// Resolves `user[:group]` in the `/etc/passwd` and `/etc/group` of a tree. Numbers need no file; a number alone is
/// its group too; a name alone takes its group from passwd. Unknown names are
/// [`crate::snapshot::Error::UnknownOwner`].
pub fn resolve_owner(root: &Path, spec: &str) -> Result<Ownership> {
    unimplemented!()
}

/// Makes a directory and its missing parents (WORKDIR); existing ones are left alone. Gives whether something was made.
pub fn make_directory(root: &Path, path: &[u8], owner: Ownership, created: i64) -> Result<bool> {
    unimplemented!()
}
