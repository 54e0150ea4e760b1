//! Changes found by walking two whole trees.

use std::collections::HashSet;
use std::ffi::{CString, OsStr};
use std::io::Write;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::FileType;

use super::Written;
use super::emit::{Emitter, Seen, differs, directory_changed};
use crate::base::Sha256Writer;
use crate::snapshot::folder::{Folder, Node, os};
use crate::snapshot::{Error, Result};

/// Says of a file in the new tree whether it can have changed at all: saves reading both.
pub(crate) type Changed<'a> = dyn Fn(&Node) -> bool + 'a;

/// Writes the archive of what makes `new` of `old`. `None` stands for an empty tree.
pub(crate) fn compare(
    new: &Path,
    old: &Path,
    epoch: Option<i64>,
    may_differ: &Changed<'_>,
    out: impl Write,
) -> Result<Written> {
    let open = |path| Folder::at(path).map_err(|e| Error::system("open directory", path, e));
    let (a, b) = (open(new)?, open(old)?);
    let look = |folder: &Folder| folder.node().map_err(|e| Error::system("look at", new, e));
    let (x, y) = (look(&a)?, look(&b)?);
    let mut emitter = Emitter::new(Sha256Writer::new(out), epoch, new);
    if (x.mode, x.uid, x.gid) != (y.mode, y.uid, y.gid) {
        emitter.root(&a)?;
    }
    walk(&mut emitter, &a, Some(&b), &mut Vec::new(), may_differ)?;
    emitter.finish()
}

fn walk<W: Write>(
    emitter: &mut Emitter<W>,
    new: &Folder,
    old: Option<&Folder>,
    path: &mut Vec<u8>,
    may_differ: &Changed<'_>,
) -> Result<()> {
    let mut entries = emitter.list(new, path)?;
    entries.retain(|(_, node)| node.kind != FileType::Socket && !node.is_whiteout());
    let before = match old {
        Some(old) => emitter.list(old, path)?,
        None => Vec::new(),
    };
    let present: HashSet<&CString> = entries.iter().map(|(name, _)| name).collect();
    for (name, _) in before.iter().filter(|(name, _)| !present.contains(name)) {
        emitter.within(path, name, |emitter, path| emitter.whiteout(path))?;
    }
    for (name, node) in &entries {
        let found = before.binary_search_by(|(other, _)| other.cmp(name));
        let then = found.ok().map(|at| before[at].1);
        let seen = Seen { folder: new, name: os(name), node };
        emitter.within(path, name, |emitter, path| {
            if node.is_dir() {
                let below = old.filter(|_| then.is_some_and(|then| then.is_dir()));
                let below = below.map(|old| emitter.child(old, name, path)).transpose()?;
                let changed = then.is_none_or(|then| directory_changed(node, &then));
                emitter.enter(seen, path, changed)?;
                let child = emitter.child(new, name, path)?;
                walk(emitter, &child, below.as_ref(), path, may_differ)?;
                emitter.leave();
                return Ok(());
            }
            if let (Some(old), Some(then)) = (old, then)
                && (!may_differ(node)
                    || !differs(seen, Seen { folder: old, node: &then, ..seen })
                        .map_err(|e| Error::system("compare", Path::new(OsStr::from_bytes(path)), e))?)
            {
                return Ok(());
            }
            emitter.changed(seen, path).map(drop)
        })?;
    }
    Ok(())
}
