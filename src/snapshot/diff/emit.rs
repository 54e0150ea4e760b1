//! Turning findings into entries of an archive.

use std::collections::HashMap;
use std::ffi::{CString, OsStr};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use rustix::io::Errno;

use super::Written;
use crate::base::{DiffId, Sha256Writer};
use crate::oci::layer::{self, Entry, Kind, Writer};
use crate::snapshot::attributes::{self, CAPABILITY};
use crate::snapshot::folder::{Folder, Node, attributes_of, os};
use crate::snapshot::{Error, Result};

/// Something in a directory.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    /// The directory.
    pub folder: &'a Folder,
    /// The name in it; empty for the directory itself.
    pub name: &'a OsStr,
    /// What it is.
    pub node: &'a Node,
}

/// Writes entries; directories only when something in them, or they themselves, changed.
pub(super) struct Emitter<W: Write> {
    archive: Writer<W>,
    epoch: Option<i64>,
    entries: u64,
    root: bool,
    /// The directories around the current place, and whether they were written.
    around: Vec<(Entry, bool)>,
    /// First names of files with several.
    links: HashMap<(u64, u64), Vec<u8>>,
    /// For messages.
    tree: PathBuf,
}

impl<W: Write> Emitter<W> {
    /// An emitter of an archive into `out`, for the tree at `tree`.
    pub fn new(out: W, epoch: Option<i64>, tree: &Path) -> Self {
        Self {
            archive: Writer::new(out),
            epoch,
            entries: 0,
            root: false,
            around: Vec::new(),
            links: HashMap::new(),
            tree: tree.to_owned(),
        }
    }

    /// Runs `work` with `name` added to the path.
    pub fn within<T>(
        &mut self,
        path: &mut Vec<u8>,
        name: &CString,
        work: impl FnOnce(&mut Self, &mut Vec<u8>) -> Result<T>,
    ) -> Result<T> {
        let length = path.len();
        if length > 0 {
            path.push(b'/');
        }
        path.extend_from_slice(name.as_bytes());
        let outcome = work(self, path);
        path.truncate(length);
        outcome
    }

    /// Makes an error of what the system says about a path.
    pub fn fail(&self, action: &'static str, path: &[u8]) -> impl Fn(Errno) -> Error {
        let path = self.tree.join(OsStr::from_bytes(path));
        move |e| Error::system(action, &path, e)
    }

    /// The names of a directory, sorted, and what they are.
    pub fn list(&self, folder: &Folder, path: &[u8]) -> Result<Vec<(CString, Node)>> {
        let fail = self.fail("list", path);
        let mut entries = Vec::new();
        for name in folder.names().map_err(&fail)? {
            let node = folder.look(os(&name)).map_err(&fail)?.ok_or_else(|| fail(Errno::NOENT))?;
            entries.push((name, node));
        }
        Ok(entries)
    }

    /// Opens a directory in `folder`; `path` is its own.
    pub fn child(&self, folder: &Folder, name: &CString, path: &[u8]) -> Result<Folder> {
        folder.child(os(name)).map_err(self.fail("open directory", path))
    }

    /// The time an entry gets.
    pub fn clamp(&self, mtime: (i64, u32)) -> i64 {
        self.epoch.map_or(mtime.0, |epoch| mtime.0.min(epoch))
    }

    /// Goes into a directory. It becomes an entry now if it changed itself, else as soon as something in it is one.
    pub fn enter(&mut self, seen: Seen<'_>, path: &[u8], changed: bool) -> Result<()> {
        let entry = self.entry(seen, path, Kind::Directory);
        self.around.push((entry, false));
        if changed { self.write_around() } else { Ok(()) }
    }

    /// Leaves a directory; gives whether it became an entry.
    pub fn leave(&mut self) -> bool {
        self.around.pop().is_some_and(|(_, written)| written)
    }

    fn write_around(&mut self) -> Result<()> {
        let first = self.around.iter().rposition(|(_, written)| *written).map_or(0, |at| at + 1);
        for (entry, written) in &mut self.around[first..] {
            append(&mut self.archive, entry, io::empty())?;
            self.entries += 1;
            *written = true;
        }
        Ok(())
    }

    /// The root as an entry.
    pub fn root(&mut self, folder: &Folder) -> Result<()> {
        let node = folder.node().map_err(self.fail("look at", b""))?;
        let seen = Seen { folder, name: OsStr::new(""), node: &node };
        let entry = self.entry(seen, b"", Kind::Directory);
        append(&mut self.archive, &entry, io::empty())?;
        self.entries += 1;
        self.root = true;
        Ok(())
    }

    /// Something was removed.
    pub fn whiteout(&mut self, path: &[u8]) -> Result<()> {
        self.write_around()?;
        self.entries += 1;
        self.archive.whiteout(path).map_err(|source| unstorable(path, source))
    }

    /// Something that is no directory is new or changed. Gives whether it may have extended attributes.
    pub fn changed(&mut self, seen: Seen<'_>, path: &[u8]) -> Result<bool> {
        self.write_around()?;
        let Seen { folder, name, node } = seen;
        self.entries += 1;
        if node.links > 1 {
            if let Some(first) = self.links.get(&node.inode) {
                let entry = self.entry(seen, path, Kind::Hardlink(first.clone()));
                append(&mut self.archive, &entry, io::empty())?;
                return Ok(true);
            }
            self.links.insert(node.inode, path.to_vec());
        }
        let (major, minor) = node.device;
        let kind = match node.kind {
            FileType::RegularFile => {
                let file = folder.open_file(name).map_err(self.fail("open", path))?;
                let attributes = attributes_of(&file).map_err(self.fail("read attributes of", path))?;
                let mut entry = self.entry(seen, path, Kind::File);
                if attributes.iter().any(|attribute| attribute == CAPABILITY.as_bytes()) {
                    self.add_capability(seen, path, &mut entry)?;
                }
                append(&mut self.archive, &entry, file)?;
                return Ok(!attributes.is_empty());
            }
            FileType::Symlink => Kind::Symlink(folder.read_link(name).map_err(self.fail("read link", path))?),
            FileType::Fifo => Kind::Fifo,
            FileType::CharacterDevice => Kind::CharDevice { major, minor },
            FileType::BlockDevice => Kind::BlockDevice { major, minor },
            _ => {
                let reason = "layers cannot carry it".to_owned();
                let name = String::from_utf8_lossy(path).into_owned();
                return Err(unstorable(path, layer::Error::Unsupported { name, reason }));
            }
        };
        let entry = self.entry(seen, path, kind);
        append(&mut self.archive, &entry, io::empty())?;
        Ok(true)
    }

    fn add_capability(&self, seen: Seen<'_>, path: &[u8], entry: &mut Entry) -> Result<()> {
        let value = capability(seen.folder, seen.name).map_err(self.fail("read attributes of", path))?;
        entry.xattrs.extend(value.map(|value| (CAPABILITY.into(), value)));
        Ok(())
    }

    fn entry(&self, seen: Seen<'_>, path: &[u8], kind: Kind) -> Entry {
        let node = seen.node;
        let mut entry = Entry::new(path, kind, node.mode);
        entry.uid = node.uid;
        entry.gid = node.gid;
        entry.mtime = self.clamp(node.mtime);
        if entry.kind == Kind::File {
            entry.size = node.size;
        }
        entry
    }

    /// Ends an archive whose digest somebody else takes.
    pub fn end(self) -> Result<W> {
        let mut out = self.archive.finish().map_err(|source| unstorable(b"", source))?;
        out.flush().map_err(|e| Error::system("write the archive of", &self.tree, e))?;
        Ok(out)
    }
}

impl<W: Write> Emitter<Sha256Writer<W>> {
    /// Ends the archive.
    pub fn finish(self) -> Result<Written> {
        let (entries, root) = (self.entries, self.root);
        let (_, digest, size) = self.end()?.finish();
        Ok(Written { diff_id: DiffId::new(digest), size, entries, root })
    }
}

fn append<W: Write>(archive: &mut Writer<W>, entry: &Entry, content: impl io::Read) -> Result<()> {
    archive.append(entry, content).map_err(|source| unstorable(&entry.path, source))
}

fn unstorable(path: &[u8], source: layer::Error) -> Error {
    Error::Unstorable { path: String::from_utf8_lossy(path).into_owned(), source }
}

/// The file capability in its portable form.
fn capability(folder: &Folder, name: &OsStr) -> Result<Option<Vec<u8>>, Errno> {
    let value = folder.attribute(name, OsStr::new(CAPABILITY))?;
    Ok(value.map(|value| attributes::portable(&value).into_owned()))
}

/// Whether two directories differ as entries.
pub(super) fn directory_changed(new: &Node, old: &Node) -> bool {
    !old.is_dir() || (new.mode, new.uid, new.gid, new.mtime) != (old.mode, old.uid, old.gid, old.mtime)
}

/// Whether something that is no directory differs from what stood at its place.
pub(super) fn differs(new: Seen<'_>, old: Seen<'_>) -> io::Result<bool> {
    let (name, a, b) = (new.name, new.node, old.node);
    let (new, old) = (new.folder, old.folder);
    let head = |n: &Node| (n.kind, n.mode, n.uid, n.gid, n.mtime);
    if head(a) != head(b) {
        return Ok(true);
    }
    match a.kind {
        FileType::RegularFile => {
            if a.size != b.size || capability(new, name)? != capability(old, name)? {
                return Ok(true);
            }
            // A time with a fraction was not cut off: nobody wrote at the same instant.
            if a.mtime.1 != 0 || a.size == 0 {
                return Ok(false);
            }
            Ok(!crate::snapshot::folder::same_content(&mut new.open_file(name)?, &mut old.open_file(name)?)?)
        }
        FileType::Symlink => Ok(new.read_link(name)? != old.read_link(name)?),
        FileType::CharacterDevice | FileType::BlockDevice => Ok(a.device != b.device),
        _ => Ok(false),
    }
}
