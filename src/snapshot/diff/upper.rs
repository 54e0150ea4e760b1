//! Changes from the upper directory of an overlay, which becomes a layer directory on the way.
//!
//! When this is done the directory alone, without what lies below, gives the same archive again: whiteouts over nothing,
//! opaque marks (turned into single whiteouts), copied-up files and directories that did not change, sockets,
//! attributes that layers do not carry, and what the archive does not say of times are gone.

use std::collections::HashSet;
use std::ffi::{CString, OsStr};
use std::io::Write;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::FileType;

use super::Written;
use super::emit::{Emitter, Seen, differs, directory_changed};
use crate::base::Sha256Writer;
use crate::snapshot::attributes::CAPABILITY;
use crate::snapshot::folder::{Folder, Node, os};
use crate::snapshot::{Error, Result};

/// Brings `upper` into normal form against the merged tree `lower` below it, and writes the archive.
pub(crate) fn normalise(upper: &Path, lower: &Path, epoch: Option<i64>, out: impl Write) -> Result<Written> {
    let open = |path| Folder::at(path).map_err(|e| Error::system("open directory", path, e));
    let (new, old) = (open(upper)?, open(lower)?);
    let mut emitter = Emitter::new(Sha256Writer::new(out), epoch, upper);
    let look = |folder: &Folder| folder.node().map_err(|e| Error::system("look at", upper, e));
    let (a, b) = (look(&new)?, look(&old)?);
    if (a.mode, a.uid, a.gid) != (b.mode, b.uid, b.gid) {
        emitter.root(&new)?;
    }
    walk(&mut emitter, &new, Some(&old), &mut Vec::new(), false)?;
    strip(&emitter, &new, OsStr::new(""), b"")?;
    let time = (emitter.clamp(a.mtime), 0);
    new.set_own_time(time).map_err(emitter.fail("set the time of", b""))?;
    emitter.finish()
}

/// Gone from the merged tree: marked so, or of a kind that layers cannot carry.
fn is_gone(node: &Node) -> bool {
    node.is_whiteout() || node.kind == FileType::Socket
}

fn walk<W: Write>(
    emitter: &mut Emitter<W>,
    upper: &Folder,
    lower: Option<&Folder>,
    path: &mut Vec<u8>,
    below_opaque: bool,
) -> Result<()> {
    let entries = emitter.list(upper, path)?;
    for name in gone(emitter, upper, lower, path, (&entries, below_opaque))? {
        emitter.within(path, &name, |emitter, path| emitter.whiteout(path))?;
    }
    let opaque = below_opaque || upper.is_opaque().map_err(emitter.fail("read attributes of", path))?;
    for (name, node) in entries.iter().filter(|(_, node)| !is_gone(node)) {
        let old = match lower {
            Some(lower) => lower.look(os(name)).map_err(emitter.fail("look at", path))?,
            None => None,
        };
        let seen = Seen { folder: upper, name: os(name), node };
        emitter.within(path, name, |emitter, path| {
            if node.is_dir() {
                let lower = lower.filter(|_| old.is_some_and(|old| old.is_dir()));
                let lower = lower.map(|lower| emitter.child(lower, name, path)).transpose()?;
                let changed = old.is_none_or(|old| directory_changed(node, &old));
                return directory(emitter, seen, lower.as_ref(), path, (changed, opaque));
            }
            file(emitter, seen, lower.zip(old.as_ref()), path)
        })?;
    }
    Ok(())
}

/// The names that are gone, sorted; leaves exactly a whiteout for each.
fn gone<W: Write>(
    emitter: &Emitter<W>,
    upper: &Folder,
    lower: Option<&Folder>,
    path: &[u8],
    (entries, below_opaque): (&[(CString, Node)], bool),
) -> Result<Vec<CString>> {
    let fail = emitter.fail("tidy", path);
    let opaque = below_opaque || upper.is_opaque().map_err(&fail)?;
    let mut gone = Vec::new();
    for (name, node) in entries.iter().filter(|(_, node)| is_gone(node)) {
        let below = match lower {
            Some(lower) => lower.look(os(name)).map_err(&fail)?,
            None => None,
        };
        if below.is_none() || !node.is_whiteout() {
            upper.remove(os(name)).map_err(&fail)?;
        }
        if below.is_some() {
            gone.push(name.clone());
            if !node.is_whiteout() {
                upper.make_whiteout(os(name)).map_err(&fail)?;
            }
        }
    }
    if let Some(lower) = lower.filter(|_| opaque) {
        let present: HashSet<&CString> = entries.iter().map(|(name, _)| name).collect();
        for name in lower.names().map_err(&fail)? {
            if !present.contains(&name) {
                upper.make_whiteout(os(&name)).map_err(&fail)?;
                gone.push(name);
            }
        }
        gone.sort_unstable();
    }
    Ok(gone)
}

fn directory<W: Write>(
    emitter: &mut Emitter<W>,
    seen: Seen<'_>,
    lower: Option<&Folder>,
    path: &mut Vec<u8>,
    (changed, opaque): (bool, bool),
) -> Result<()> {
    let Seen { folder: upper, name, node } = seen;
    emitter.enter(seen, path, changed)?;
    let child = upper.child(name).map_err(emitter.fail("open directory", path))?;
    walk(emitter, &child, lower, path, opaque)?;
    if !emitter.leave() {
        return upper.remove_dir(name).map_err(emitter.fail("tidy", path));
    }
    strip(emitter, upper, name, path)?;
    let time = (emitter.clamp(node.mtime), 0);
    child.set_own_time(time).map_err(emitter.fail("set the time of", path))
}

fn file<W: Write>(
    emitter: &mut Emitter<W>,
    seen: Seen<'_>,
    old: Option<(&Folder, &Node)>,
    path: &[u8],
) -> Result<()> {
    let Seen { folder: upper, name, node } = seen;
    if let Some((lower, old)) = old {
        let differs = differs(seen, Seen { folder: lower, name, node: old });
        let differs = differs.map_err(|e| Error::system("compare", Path::new(OsStr::from_bytes(path)), e))?;
        if !differs {
            return upper.remove(name).map_err(emitter.fail("tidy", path));
        }
    }
    if emitter.changed(seen, path)? {
        strip(emitter, upper, name, path)?;
    }
    let time = (emitter.clamp(node.mtime), 0);
    if time == node.mtime {
        return Ok(());
    }
    upper.set_time(name, time).map_err(emitter.fail("set the time of", path))
}

/// Drops the attributes that layers do not carry, the overlay's own among them.
fn strip<W: Write>(emitter: &Emitter<W>, folder: &Folder, name: &OsStr, path: &[u8]) -> Result<()> {
    let fail = emitter.fail("tidy the attributes of", path);
    for attribute in folder.attributes(name).map_err(&fail)? {
        let ours = attribute.starts_with(b"user.") || attribute.starts_with(b"system.posix_acl");
        let other = attribute.starts_with(b"security.") || attribute.starts_with(b"trusted.");
        if ours || (other && attribute != CAPABILITY.as_bytes()) {
            match folder.remove_attribute(name, OsStr::from_bytes(&attribute)) {
                // What belongs to the host (labels) is neither ours to remove nor to keep.
                Err(_) if other => {}
                outcome => outcome.map_err(&fail)?,
            }
        }
    }
    Ok(())
}
