//! Content hashes of parts of trees: what COPY's step key is made of.

use std::path::Path;

use crate::base::ContentHash;
use crate::snapshot::Result;

/// What a source says of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is there.
    Keep,
    /// It is not there, nor is anything below.
    Drop,
    /// It is not there by itself, but things below may be; then it is too.
    Descend,
}

/// Decides what a source shows, given the cleaned relative path (bytes) and whether it is a directory: `.dockerignore`.
pub type Filter<'a> = dyn Fn(&[u8], bool) -> Verdict + Sync + 'a;

/// A tree that is read from: a context directory or the root of a view.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// Its root; links never lead out of it.
    pub root: &'a Path,
    /// What it shows; `None` is everything.
    pub filter: Option<&'a Filter<'a>>,
    /// Whether everything belongs to 0:0 whatever the disk says (contexts).
    pub root_owned: bool,
}

/// Remembers hashes of file contents, found again by what `stat` says of the file.
pub trait HashCache: Sync {
    /// The hash of the file that looks so, if known.
    fn get(&self, key: &StatKey) -> Option<ContentHash>;
    /// Remembers it.
    fn put(&self, key: &StatKey, hash: &ContentHash);
}

/// What `stat` says of a file: two files equal in it hold the same content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StatKey {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// Modification time in nanoseconds since the Unix epoch.
    pub mtime: i128,
    /// Change time in nanoseconds since the Unix epoch.
    pub ctime: i128,
}

/// The hash of what `path` (cleaned, relative, as [`crate::snapshot::copy::select`] gives it) shows in the source:
/// modes, owners, sizes, contents, link targets and `security.capability`, never times; of a directory the names and
/// hashes of everything below.
///
/// The name of `path` itself is not part of it, nor are owner and mode of `path` if it is a directory: COPY does not
/// look at them.
pub fn hash(source: &Source<'_>, path: &Path, cache: Option<&dyn HashCache>) -> Result<ContentHash> {
    unimplemented!()
}
