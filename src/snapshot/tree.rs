//! Trees as sources, and content hashes of parts of them: what COPY's step key is made of.

use std::ffi::{CString, OsStr};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rayon::prelude::*;
use rustix::fs::FileType;
use rustix::io::Errno;

use crate::base::{ContentHash, KeyHasher};
use crate::snapshot::attributes::{self, CAPABILITY};
use crate::snapshot::folder::{Folder, Node, os};
use crate::snapshot::rooted::Rooted;
use crate::snapshot::{Error, Result};

/// What a source says of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is there.
    Keep,
    /// It is not there, nor is anything below.
    Drop,
    /// It is not there by itself, but things below may be; then it is too.
    Descend,
    /// As [`Verdict::Descend`], and a copy of it leaves the owner of a directory alone that is there already: it is on the
    /// way to what an instruction picks out.
    Pass,
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
    /// Whether everything belongs to 0:0 and no file has capabilities, whatever the disk says (contexts).
    pub root_owned: bool,
}

/// Remembers hashes of file contents, found again by what `stat` says of the file. Files with capabilities are not
/// remembered: whoever is has none, since setting them changes the file's `ctime`, and need not be asked for them.
pub trait HashCache: Sync {
    /// The hash of the file that looks so, if known.
    fn get(&self, key: &StatKey) -> Option<ContentHash>;
    /// Remembers it.
    fn put(&self, key: &StatKey, hash: &ContentHash);
    /// Bytes of the largest file that is read at all.
    fn largest(&self) -> u64 {
        u64::MAX
    }
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

impl Source<'_> {
    /// The owner that copies of something get.
    pub(super) fn owner(&self, node: &Node) -> (u32, u32) {
        if self.root_owned { (0, 0) } else { (node.uid, node.gid) }
    }

    /// The file capabilities that a copy gets, as layers carry them.
    pub(super) fn capability(&self, folder: &Folder, name: &OsStr) -> Result<Option<Vec<u8>>, Errno> {
        if self.root_owned {
            return Ok(None);
        }
        let value = folder.attribute(name, OsStr::new(CAPABILITY))?;
        Ok(value.map(|value| attributes::portable(&value).into_owned()))
    }

    /// What the source says of `path`, which is in a directory it shows.
    pub(super) fn verdict(&self, path: &[u8], directory: bool) -> Verdict {
        self.filter.map_or(Verdict::Keep, |filter| filter(path, directory))
    }

    /// What the source shows of a directory, sorted; sockets and overlay marks are never shown.
    pub(super) fn list(&self, folder: &Folder, path: &[u8]) -> Result<Vec<(CString, Node)>, Errno> {
        let mut shown = Vec::new();
        for name in folder.names()? {
            let Some(node) = folder.look(os(&name))? else { continue };
            if node.kind == FileType::Socket || node.is_whiteout() {
                continue;
            }
            if self.filter.is_some() {
                let path = join(path, name.as_bytes());
                match self.verdict(&path, node.is_dir()) {
                    Verdict::Keep => {}
                    Verdict::Descend | Verdict::Pass
                        if node.is_dir() && self.shows_below(&folder.child(os(&name))?, &path)? => {}
                    _ => continue,
                }
            }
            shown.push((name, node));
        }
        Ok(shown)
    }

    /// Whether the source shows anything in a directory.
    pub(super) fn shows_below(&self, folder: &Folder, path: &[u8]) -> Result<bool, Errno> {
        for name in folder.names()? {
            let Some(node) = folder.look(os(&name))? else { continue };
            let path = join(path, name.as_bytes());
            match self.verdict(&path, node.is_dir()) {
                Verdict::Keep => return Ok(true),
                Verdict::Descend | Verdict::Pass
                    if node.is_dir() && self.shows_below(&folder.child(os(&name))?, &path)? =>
                {
                    return Ok(true);
                }
                _ => {}
            }
        }
        Ok(false)
    }
}

/// A path with one more component; the root is the empty path.
pub fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() { name.to_vec() } else { [path, name].join(&b'/') }
}

/// The hash of what `path` (cleaned, relative, as [`crate::snapshot::copy::select`] gives it) shows in the source:
/// kinds, modes, owners, sizes, contents, link targets and `security.capability`, never times; of a directory the names
/// and hashes of everything below. The name of `path` itself is not part of it.
///
/// # Errors
/// If something cannot be read, or `path` is not there.
pub fn hash(source: &Source<'_>, path: &Path, cache: Option<&dyn HashCache>) -> Result<ContentHash> {
    let tree = Rooted::open(source.root)?;
    let fail = |e: Errno| Error::system("hash", tree.show(path), e);
    let hashing = Hashing { source, cache, tree: &tree };
    let Some(name) = path.file_name() else {
        let folder = tree.folder(Path::new("")).map_err(fail)?;
        let node = folder.node().map_err(fail)?;
        return hashing.folder(&folder, &node, b"");
    };
    let parent = tree.folder(path.parent().unwrap_or(Path::new(""))).map_err(fail)?;
    let node = parent.look(name).map_err(fail)?.ok_or_else(|| fail(Errno::NOENT))?;
    hashing.entry(&parent, name, &node, path.as_os_str().as_bytes())
}

/// An entry of a tree, for lists of what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its path in the source.
    pub path: Vec<u8>,
    /// Type and permissions.
    pub mode: u32,
    /// Of a directory its metadata, of everything else what [`hash`] says of it.
    pub hash: ContentHash,
}

/// Everything that `path` shows in the source, itself included, in order of paths; see [`hash`].
///
/// # Errors
/// If something cannot be read, or `path` is not there.
pub fn list(source: &Source<'_>, path: &Path, cache: Option<&dyn HashCache>) -> Result<Vec<Listed>> {
    let tree = Rooted::open(source.root)?;
    let fail = |e: Errno| Error::system("list", tree.show(path), e);
    let hashing = Hashing { source, cache, tree: &tree };
    let mut listed = Vec::new();
    match path.file_name() {
        None => {
            let folder = tree.folder(Path::new("")).map_err(fail)?;
            hashing.list(&folder, b"", &mut listed)?;
        }
        Some(name) => {
            let parent = tree.folder(path.parent().unwrap_or(Path::new(""))).map_err(fail)?;
            let node = parent.look(name).map_err(fail)?.ok_or_else(|| fail(Errno::NOENT))?;
            hashing.list_entry(&parent, (name, &node), path.as_os_str().as_bytes(), &mut listed)?;
        }
    }
    Ok(listed)
}

struct Hashing<'a> {
    source: &'a Source<'a>,
    cache: Option<&'a dyn HashCache>,
    tree: &'a Rooted,
}

impl Hashing<'_> {
    fn fail(&self, path: &[u8]) -> impl Fn(Errno) -> Error {
        let path = self.tree.show(Path::new(OsStr::from_bytes(path)));
        move |e| Error::system("hash", &path, e)
    }

    fn head(&self, recipe: &str, node: &Node) -> KeyHasher {
        let mut hasher = KeyHasher::new(recipe);
        let (uid, gid) = self.source.owner(node);
        hasher.number("uid", uid.into()).number("gid", gid.into());
        if !node.is_link() {
            hasher.number("mode", node.mode.into());
        }
        hasher
    }

    fn folder(&self, folder: &Folder, node: &Node, path: &[u8]) -> Result<ContentHash> {
        let entries = self.source.list(folder, path).map_err(self.fail(path))?;
        let hashes = entries
            .par_iter()
            .map(|(name, node)| self.entry(folder, os(name), node, &join(path, name.as_bytes())))
            .collect::<Result<Vec<_>>>()?;
        let mut hasher = self.head("lapstrake directory v1", node);
        hasher.number("entries", entries.len() as u64);
        for ((name, _), hash) in entries.iter().zip(hashes) {
            hasher.field("name", name.as_bytes()).field("hash", hash.as_bytes());
        }
        Ok(hasher.finish())
    }

    fn list(&self, folder: &Folder, path: &[u8], listed: &mut Vec<Listed>) -> Result<()> {
        for (name, node) in self.source.list(folder, path).map_err(self.fail(path))? {
            self.list_entry(folder, (os(&name), &node), &join(path, name.as_bytes()), listed)?;
        }
        Ok(())
    }

    fn list_entry(
        &self,
        folder: &Folder,
        (name, node): (&OsStr, &Node),
        path: &[u8],
        listed: &mut Vec<Listed>,
    ) -> Result<()> {
        let mode = node.kind.as_raw_mode() | node.mode;
        if node.is_dir() {
            let hash = self.head("lapstrake directory v1", node).finish();
            listed.push(Listed { path: path.to_vec(), mode, hash });
            return self.list(&folder.child(name).map_err(self.fail(path))?, path, listed);
        }
        let hash = self.entry(folder, name, node, path)?;
        listed.push(Listed { path: path.to_vec(), mode, hash });
        Ok(())
    }

    fn entry(&self, folder: &Folder, name: &OsStr, node: &Node, path: &[u8]) -> Result<ContentHash> {
        let fail = self.fail(path);
        if node.is_dir() {
            return self.folder(&folder.child(name).map_err(fail)?, node, path);
        }
        let mut hasher = self.head("lapstrake entry v1", node);
        hasher.number("kind", u64::from(node.kind.as_raw_mode()));
        match node.kind {
            FileType::RegularFile => {
                if let Some(limit) = self.cache.map(|c| c.largest()).filter(|limit| node.size > *limit) {
                    return Err(Error::TooLarge { path: String::from_utf8_lossy(path).into_owned(), limit });
                }
                let key = stat_key(node);
                let content = match self.cache.and_then(|cache| cache.get(&key)) {
                    Some(known) => known,
                    None => {
                        let value = folder.attribute(name, OsStr::new(CAPABILITY)).map_err(&fail)?;
                        let content = self.content(folder, name, node, path)?;
                        match (value, self.cache) {
                            (Some(_), _) if self.source.root_owned => {}
                            (Some(value), _) => {
                                hasher.field("capability", attributes::portable(&value));
                            }
                            (None, Some(cache)) => cache.put(&key, &content),
                            (None, None) => {}
                        }
                        content
                    }
                };
                hasher.number("size", node.size);
                hasher.field("content", content.as_bytes());
            }
            FileType::Symlink => {
                hasher.field("target", folder.read_link(name).map_err(fail)?);
            }
            _ => {
                hasher.number("major", node.device.0.into()).number("minor", node.device.1.into());
            }
        }
        Ok(hasher.finish())
    }

    fn content(&self, folder: &Folder, name: &OsStr, node: &Node, path: &[u8]) -> Result<ContentHash> {
        let fail = self.fail(path);
        let mut file = folder.open_file(name).map_err(&fail)?;
        let mut hasher = blake3::Hasher::new();
        let wanted = usize::try_from(node.size).unwrap_or(usize::MAX);
        let mut buffer = vec![0; wanted.saturating_add(1).min(256 << 10)];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => hasher.update(&buffer[..count]),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(fail(Errno::from_io_error(&e).unwrap_or(Errno::IO))),
            };
        }
        Ok(ContentHash::from_bytes(*hasher.finalize().as_bytes()))
    }
}

fn stat_key(node: &Node) -> StatKey {
    let nanos = |(seconds, nanos): (i64, u32)| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    StatKey {
        device: node.inode.0,
        inode: node.inode.1,
        size: node.size,
        mtime: nanos(node.mtime),
        ctime: nanos(node.ctime),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::symlink;
    use std::sync::Mutex;

    use super::*;
    use crate::host::fs;

    fn source(root: &Path) -> Source<'_> {
        Source { root, filter: None, root_owned: true }
    }

    fn tree(folder: &Path, content: &str) {
        fs::create_dir_all(folder.join("a/b")).unwrap();
        fs::write(folder.join("a/b/f"), content).unwrap();
        fs::write(folder.join("a/ignored"), "x").unwrap();
        symlink("b/f", folder.join("a/link")).unwrap();
    }

    #[test]
    fn equal_content_is_equal_and_any_difference_shows() {
        let folders = [(); 4].map(|()| tempfile::tempdir().unwrap());
        let [one, two, three, four] = folders.each_ref().map(tempfile::TempDir::path);
        tree(one, "same");
        tree(two, "same");
        tree(three, "other");
        tree(four, "same");
        fs::remove_file(four.join("a/link")).unwrap();
        symlink("b/g", four.join("a/link")).unwrap();
        let hash_of = |root: &Path, path: &str| hash(&source(root), Path::new(path), None).unwrap();
        assert_eq!(hash_of(one, "a"), hash_of(two, "a"));
        assert_eq!(hash_of(one, ""), hash_of(two, ""));
        assert_ne!(hash_of(one, "a"), hash_of(three, "a"));
        assert_ne!(hash_of(one, "a"), hash_of(four, "a"));
        assert_eq!(hash_of(one, "a/b"), hash_of(four, "a/b"));
        assert!(hash(&source(one), Path::new("none"), None).is_err());
    }

    #[test]
    fn what_is_hidden_does_not_count() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        tree(one.path(), "same");
        tree(two.path(), "same");
        fs::write(two.path().join("a/ignored"), "different").unwrap();
        // Everything but `a/b/f`, as `*` and `!a/b/f` in .dockerignore.
        let only = |path: &[u8], directory: bool| match path {
            b"a/b/f" => Verdict::Keep,
            _ if directory => Verdict::Descend,
            _ => Verdict::Drop,
        };
        let filtered =
            |root| hash(&Source { filter: Some(&only), ..source(root) }, Path::new(""), None).unwrap();
        assert_eq!(filtered(one.path()), filtered(two.path()));
        fs::remove_file(two.path().join("a/b/f")).unwrap();
        assert_ne!(filtered(one.path()), filtered(two.path()));
    }

    #[derive(Default)]
    struct Known(Mutex<BTreeMap<StatKey, ContentHash>>);

    impl HashCache for Known {
        fn get(&self, key: &StatKey) -> Option<ContentHash> {
            self.0.lock().unwrap().get(key).copied()
        }

        fn put(&self, key: &StatKey, hash: &ContentHash) {
            self.0.lock().unwrap().insert(*key, *hash);
        }
    }

    #[test]
    fn known_files_are_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        tree(folder.path(), "same");
        let known = Known::default();
        let ask = || hash(&source(folder.path()), Path::new("a"), Some(&known)).unwrap();
        let first = ask();
        assert_eq!(known.0.lock().unwrap().len(), 2);
        assert_eq!(first, ask());
        for hash in known.0.lock().unwrap().values_mut() {
            *hash = ContentHash::of(b"believed");
        }
        assert_ne!(first, ask());
    }
}
