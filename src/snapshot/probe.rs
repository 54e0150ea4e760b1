//! Whether overlays work: found out by using one, for a mount that succeeds proves nothing (in a user namespace, an
//! overlay without `userxattr` mounts and then cannot remove a directory).

use std::ffi::OsStr;
use std::path::Path;

use rootfs_helpers::overlay::{self, Layers};

use crate::snapshot::Result;
use crate::snapshot::folder::Folder;
use crate::snapshot::scratch::Scratch;

/// Tries an overlay with its directories below `folder`. `None` if it does all that is needed, else what it does not.
pub(super) fn overlay(folder: &Path) -> Result<Option<String>> {
    let scratch = Scratch::create(folder)?;
    let (lower, empty) = (scratch.dir("lower")?, scratch.dir("empty")?);
    let (upper, work, merged) = (scratch.dir("upper")?, scratch.dir("work")?, scratch.dir("merged")?);
    for name in ["lower/replaced", "lower/replaced/old", "lower/removed"] {
        scratch.dir(name)?;
    }
    if let Err(e) =
        overlay::mount(Layers { lowers: &[lower, empty], writable: Some((&upper, &work)) }, &merged)
    {
        return Ok(Some(format!("mounting fails: {e}")));
    }
    let outcome = exercise(&merged, &upper);
    let unmounted = overlay::unmount(&merged);
    Ok(match (outcome, unmounted) {
        (Err(reason), _) => Some(reason),
        (_, Err(e)) => Some(format!("unmounting fails: {e}")),
        (Ok(()), Ok(())) => None,
    })
}

fn exercise(merged: &Path, upper: &Path) -> Result<(), String> {
    let (removed, replaced) = (OsStr::new("removed"), OsStr::new("replaced"));
    let said = |what: &str| format!("{what} in one fails");
    let tree = Folder::at(merged).map_err(|e| format!("{}: {e}", said("opening a directory")))?;
    let attempt = |what: &str, result: Result<(), rustix::io::Errno>| {
        result.map_err(|e| format!("{}: {e}", said(what)))
    };
    attempt("removing a lower directory", tree.remove(removed))?;
    attempt("replacing a lower directory", tree.remove(replaced).and_then(|()| tree.make_dir(replaced)))?;
    attempt("changing an owner", tree.set_owner(replaced, 0, 0))?;
    let upper = Folder::at(upper).map_err(|e| format!("{}: {e}", said("reading the upper directory")))?;
    match upper.look(removed) {
        Ok(Some(node)) if node.is_whiteout() => {}
        _ => return Err("a removed directory leaves no 0:0 device node".into()),
    }
    match upper.child(replaced).and_then(|folder| folder.is_opaque()) {
        Ok(true) => {}
        _ => return Err("a replaced directory gets no user.overlay.opaque attribute".into()),
    }
    let seen = tree.child(replaced).and_then(|folder| folder.names());
    if seen.is_ok_and(|names| names.is_empty()) {
        Ok(())
    } else {
        Err("a replaced directory shows old entries".into())
    }
}
