//! Layers as entries, and the tree they add up to, worked out in memory by nothing but the rules of the OCI image-spec.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use tar::{Archive, EntryType};

/// What a path is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `d`, `f`, `l`, `h` (a hard link in a layer), `p`, `c`, `b`.
    pub kind: char,
    pub mode: u32,
    pub uid: u64,
    pub gid: u64,
    pub mtime: i64,
    /// Target of a link.
    pub link: Vec<u8>,
    pub content: Content,
    pub device: (u32, u32),
    pub attributes: BTreeMap<String, Vec<u8>>,
}

/// A file's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    pub size: u64,
    pub sha256: String,
    /// The first bytes.
    pub start: Vec<u8>,
}

/// Contents up to this length are shown.
pub const SHOWN: usize = 400;

/// Reads a layer's tar, in the order of the archive. Names end in `/` for nothing; `.` is the root.
pub fn read_layer(bytes: &[u8]) -> Vec<(Vec<u8>, Entry)> {
    let mut archive = Archive::new(bytes);
    let mut list = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut attributes = BTreeMap::new();
        for pair in entry.pax_extensions().unwrap().into_iter().flatten() {
            let pair = pair.unwrap();
            if let Some(name) = String::from_utf8_lossy(pair.key_bytes()).strip_prefix("SCHILY.xattr.") {
                attributes.insert(name.to_owned(), pair.value_bytes().to_vec());
            }
        }
        let header = entry.header().clone();
        let kind = match header.entry_type() {
            EntryType::Directory => 'd',
            EntryType::Symlink => 'l',
            EntryType::Link => 'h',
            EntryType::Fifo => 'p',
            EntryType::Char => 'c',
            EntryType::Block => 'b',
            _ => 'f',
        };
        let device = match kind {
            'c' | 'b' => {
                (header.device_major().unwrap().unwrap_or(0), header.device_minor().unwrap().unwrap_or(0))
            }
            _ => (0, 0),
        };
        let path = clean(&entry.path_bytes());
        let link = entry.link_name_bytes().map(|link| link.into_owned()).unwrap_or_default();
        let content = if kind == 'f' { content(&mut entry) } else { Content::default() };
        let (uid, gid) = (header.uid().unwrap(), header.gid().unwrap());
        let (mode, mtime) = (header.mode().unwrap() & 0o7777, header.mtime().unwrap() as i64);
        list.push((path, Entry { kind, mode, uid, gid, mtime, link, content, device, attributes }));
    }
    list
}

fn clean(path: &[u8]) -> Vec<u8> {
    let path = path.strip_prefix(b"./").unwrap_or(path);
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let path = path.strip_suffix(b"/").unwrap_or(path);
    if path.is_empty() { b".".to_vec() } else { path.to_vec() }
}

fn content(entry: &mut impl std::io::Read) -> Content {
    let mut hash = Sha256::new();
    let mut content = Content::default();
    let mut buffer = [0; 65536];
    loop {
        let n = entry.read(&mut buffer).unwrap();
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
        content.size += n as u64;
        let room = (SHOWN + 1).saturating_sub(content.start.len());
        content.start.extend_from_slice(&buffer[..n.min(room)]);
    }
    content.sha256 = hex::encode(hash.finalize());
    content
}

/// A path, what it is, and the first name of the same file.
pub type Place<'a> = (&'a [u8], &'a Entry, Option<&'a [u8]>);

/// A tree: paths, and which of them are one file.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    paths: BTreeMap<Vec<u8>, usize>,
    files: Vec<Entry>,
}

impl Tree {
    /// Puts a layer on top.
    pub fn apply(&mut self, layer: &[(Vec<u8>, Entry)]) {
        for (path, _) in layer {
            let (folder, name) = split(path);
            if name == b".wh..wh..opq" {
                self.remove(folder, false);
            } else if let Some(name) = name.strip_prefix(b".wh.") {
                let gone = if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() };
                self.remove(&gone, true);
            }
        }
        for (path, entry) in layer {
            if split(path).1.starts_with(b".wh.") {
                continue;
            }
            if entry.kind == 'h' {
                let target = clean(&entry.link);
                let file = *self.paths.get(&target).unwrap_or_else(|| {
                    panic!("a hard link to nothing: {} -> {}", path.escape_ascii(), target.escape_ascii())
                });
                self.remove(path, true);
                self.paths.insert(path.clone(), file);
                continue;
            }
            let stays = self.get(path).is_some_and(|old| old.kind == 'd') && entry.kind == 'd';
            if !stays {
                self.remove(path, true);
            }
            self.files.push(entry.clone());
            self.paths.insert(path.clone(), self.files.len() - 1);
        }
    }

    /// Removes what is below `path`, and itself if asked to.
    fn remove(&mut self, path: &[u8], itself: bool) {
        let below = [path, b"/"].concat();
        self.paths.retain(|name, _| {
            !(name.starts_with(&below) || (itself && name == path) || (path.is_empty() && name != b"."))
        });
    }

    /// What a path is.
    pub fn get(&self, path: &[u8]) -> Option<&Entry> {
        self.paths.get(path).map(|file| &self.files[*file])
    }

    /// All paths, each with the first name of its file, if that is another one.
    pub fn list(&self) -> Vec<Place<'_>> {
        let mut first: BTreeMap<usize, &[u8]> = BTreeMap::new();
        let mut list = Vec::new();
        for (path, file) in &self.paths {
            let known = first.get(file).copied();
            first.entry(*file).or_insert(path);
            list.push((path.as_slice(), &self.files[*file], known));
        }
        list
    }

    /// All paths.
    pub fn paths(&self) -> BTreeSet<&[u8]> {
        self.paths.keys().map(Vec::as_slice).collect()
    }
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}
