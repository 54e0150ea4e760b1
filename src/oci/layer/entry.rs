//! One entry of a layer, whatever dialect carried it.

use std::collections::BTreeMap;

use super::Segment;

/// Names beginning so mean that something is removed (OCI image-spec: layer.md, "Whiteouts").
pub const WHITEOUT_PREFIX: &[u8] = b".wh.";

/// The name that hides everything lower layers have in its directory (OCI image-spec: layer.md, "Opaque Whiteout").
pub const OPAQUE_NAME: &[u8] = b".wh..wh..opq";

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file; its content follows in the archive.
    File,
    /// A directory.
    Directory,
    /// A symbolic link and its target, any bytes.
    Symlink(Vec<u8>),
    /// Another name of an earlier entry, by its cleaned path.
    Hardlink(Vec<u8>),
    /// A named pipe.
    Fifo,
    /// A character device.
    CharDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

/// An entry of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where: relative, without `.`, `..`, doubled or outer slashes; empty is the root itself. Any bytes but NUL.
    pub path: Vec<u8>,
    /// What.
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky (`0o7777`).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length of a regular file's content, holes included; 0 for everything else.
    pub size: u64,
    /// Modification time, seconds since the Unix epoch.
    pub mtime: i64,
    /// The fraction of `mtime` in nanoseconds. Read, never written.
    pub mtime_nanos: u32,
    /// Extended attributes by name.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Where the content lies when the file has holes. Read, never written: layers carry holes as zeros.
    pub sparse: Option<Vec<Segment>>,
}

/// What a whiteout entry removes from the layers below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whiteout<'a> {
    /// The entry `name` of `directory`.
    Removed {
        /// The directory; empty is the root.
        directory: &'a [u8],
        /// The name in it.
        name: &'a [u8],
    },
    /// Everything in the directory.
    Opaque {
        /// The directory; empty is the root.
        directory: &'a [u8],
    },
}

impl Entry {
    /// A root-owned entry without content, time or attributes.
    pub fn new(path: impl Into<Vec<u8>>, kind: Kind, mode: u32) -> Self {
        Self {
            path: path.into(),
            kind,
            mode,
            uid: 0,
            gid: 0,
            size: 0,
            mtime: 0,
            mtime_nanos: 0,
            xattrs: BTreeMap::new(),
            sparse: None,
        }
    }

    /// The directory part of the path; empty for entries of the root.
    pub fn directory(&self) -> &[u8] {
        split(&self.path).0
    }

    /// The last component of the path.
    pub fn name(&self) -> &[u8] {
        split(&self.path).1
    }

    /// What the entry removes, if it is a whiteout. A bare `.wh.` is none; who applies layers must refuse it.
    pub fn whiteout(&self) -> Option<Whiteout<'_>> {
        let (directory, name) = split(&self.path);
        if name == OPAQUE_NAME {
            return Some(Whiteout::Opaque { directory });
        }
        let name = name.strip_prefix(WHITEOUT_PREFIX).filter(|n| !n.is_empty())?;
        Some(Whiteout::Removed { directory, name })
    }

    /// The path for messages.
    pub fn display(&self) -> String {
        String::from_utf8_lossy(&self.path).into_owned()
    }
}

/// Splits a cleaned path at its last slash.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&b| b == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[], path),
    }
}

/// Why a name cannot be used.
pub(super) type Refusal = &'static str;

/// The cleaned form of a name in an archive. A leading slash is dropped, as every tool does; `..` is refused.
pub(super) fn clean(name: &[u8], depth: usize) -> Result<Vec<u8>, Refusal> {
    if name.contains(&0) {
        return Err("the name contains a NUL byte");
    }
    let mut cleaned = Vec::with_capacity(name.len());
    let mut components = 0;
    for component in name.split(|&b| b == b'/').filter(|c| !c.is_empty() && *c != b".") {
        if component == b".." {
            return Err("the name contains `..`");
        }
        if component.len() > 255 {
            return Err("a part of the name is longer than 255 bytes");
        }
        components += 1;
        if components > depth {
            return Err("the name has too many directories");
        }
        if !cleaned.is_empty() {
            cleaned.push(b'/');
        }
        cleaned.extend_from_slice(component);
    }
    Ok(cleaned)
}
