//! What changed in a tree, as a layer archive.
//!
//! Two ways to find out, with the same bytes for the same change: reading the upper directory of an overlay
//! ([`upper`]), and walking two whole trees ([`compare`]). Common rules, as BuildKit's (`util/overlay`) and containerd's
//! (`archive.ChangeWriter`):
//!
//! - Of each directory: whiteouts first, then entries, both sorted by bytes; a directory before what is in it.
//! - Directories on the way to a change are entries too. The root is one only if its mode or owner changed.
//! - Something counts as changed if its kind, mode, owner, device number, `security.capability`, size, link target or
//!   time differ; if times are equal and whole seconds, if its content differs.
//! - Of extended attributes only `security.capability` is kept, in its portable form. Sockets are as good as absent.
//! - Times are whole seconds, and no later than `SOURCE_DATE_EPOCH` if that is set.
//! - A second name of a file that is in this layer is a hard link to the first.

mod compare;
mod emit;
mod upper;

use std::io::Write;
use std::path::Path;

use crate::base::{DiffId, Sha256Writer};
use crate::snapshot::folder::{Folder, os};
use crate::snapshot::{Error, Result};

pub(super) use compare::compare;
pub(super) use upper::normalise;

/// An archive was written.
#[derive(Debug)]
pub(super) struct Written {
    pub diff_id: DiffId,
    pub size: u64,
    pub entries: u64,
    /// Whether the root is among them.
    pub root: bool,
}

/// Writes the archive of a tree that is in layer form: everything in it, 0:0 devices as whiteouts.
pub(super) fn remake(tree: &Path, root: bool, epoch: Option<i64>, out: impl Write) -> Result<Written> {
    remade(tree, root, epoch, Sha256Writer::new(out))?.finish()
}

/// As [`remake`], for an `out` that takes the digest itself.
pub(super) fn remake_unhashed(tree: &Path, root: bool, epoch: Option<i64>, out: impl Write) -> Result<()> {
    remade(tree, root, epoch, out)?.end().map(drop)
}

fn remade<W: Write>(tree: &Path, root: bool, epoch: Option<i64>, out: W) -> Result<emit::Emitter<W>> {
    let folder = Folder::at(tree).map_err(|e| Error::system("open directory", tree, e))?;
    let mut emitter = emit::Emitter::new(out, epoch, tree);
    if root {
        emitter.root(&folder)?;
    }
    remake_folder(&mut emitter, &folder, &mut Vec::new())?;
    Ok(emitter)
}

fn remake_folder<W: Write>(
    emitter: &mut emit::Emitter<W>,
    folder: &Folder,
    path: &mut Vec<u8>,
) -> Result<()> {
    let entries = emitter.list(folder, path)?;
    for (name, _) in entries.iter().filter(|(_, node)| node.is_whiteout()) {
        emitter.within(path, name, |emitter, path| emitter.whiteout(path))?;
    }
    for (name, node) in entries.iter().filter(|(_, node)| !node.is_whiteout()) {
        emitter.within(path, name, |emitter, path| {
            let seen = emit::Seen { folder, name: os(name), node };
            if !node.is_dir() {
                return emitter.changed(seen, path).map(drop);
            }
            emitter.enter(seen, path, true)?;
            let child = emitter.child(folder, name, path)?;
            remake_folder(emitter, &child, path)?;
            emitter.leave();
            Ok(())
        })?;
    }
    Ok(())
}
