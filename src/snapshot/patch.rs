//! Metadata of directories that archives leave out.
//!
//! An archive may hold `a/b/c` without an entry for `a` or `a/b`. Applied onto a tree such a directory keeps what it
//! had; in a layer directory of its own it must be given something, and would cover what lower layers say. So where
//! that makes a difference, a layer of nothing but directories with the right metadata goes on top of the chain.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;

use crate::base::KeyHasher;
use crate::host::fs;
use crate::snapshot::folder::{Folder, Node};
use crate::snapshot::record::LayerInfo;
use crate::snapshot::{Error, Result, Snapshots, derived};

/// Makes (or finds) the patch of layers, topmost first; `None` if there is nothing to put right.
pub(super) fn make(store: &Snapshots, layers: &[(LayerInfo, PathBuf)]) -> Result<Option<PathBuf>> {
    let mut right = BTreeMap::new();
    for (info, _) in layers {
        for path in info.implicit_paths() {
            if !right.contains_key(&path)
                && let Some(node) = effective(layers, &path)?
            {
                right.insert(path, node);
            }
        }
    }
    if right.is_empty() {
        return Ok(None);
    }
    let mut key = KeyHasher::new("lapstrake patch v1");
    key.list("layers", layers.iter().map(|(info, _)| info.diff_id.to_string()).collect::<Vec<_>>());
    let place = store.root().join(derived::PATCHES).join(key.finish().to_string());
    if fs::exists(&place) {
        return Ok(Some(place.join("fs")));
    }
    let scratch = store.scratch()?;
    let patch = scratch.dir("patch")?;
    let tree = scratch.dir("patch/fs")?;
    // A directory needs its parents, with the metadata they have in the merged tree.
    let mut whole = BTreeMap::new();
    for (path, node) in &right {
        whole.insert(path.clone(), *node);
        for parent in path.ancestors().skip(1) {
            if !whole.contains_key(parent)
                && !right.contains_key(parent)
                && let Some(node) = topmost(layers, parent)?
            {
                whole.insert(parent.to_owned(), node);
            }
        }
    }
    write(&tree, &whole).map_err(|e| Error::system("make directories in", &tree, e))?;
    derived::describe(&patch, layers.iter().map(|(info, _)| &info.diff_id))?;
    match fs::rename(&patch, &place) {
        Err(e) if !fs::exists(&place) => Err(e.into()),
        _ => Ok(Some(place.join("fs"))),
    }
}

fn write(tree: &Path, directories: &BTreeMap<PathBuf, Node>) -> Result<(), Errno> {
    let root = Folder::at(tree)?;
    for (path, node) in directories {
        let (folder, name) = match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => (descend(&root, parent)?.ok_or(Errno::NOENT)?, name),
            _ => (root.duplicate()?, OsStr::new(".")),
        };
        if name != "." {
            folder.make_dir(name)?;
        }
        folder.set_owner(name, node.uid, node.gid)?;
        folder.set_mode(name, node.mode)?;
    }
    for (path, node) in directories.iter().rev() {
        descend(&root, path)?.ok_or(Errno::NOENT)?.set_own_time(node.mtime)?;
    }
    Ok(())
}

/// What the directory at `path` should be like, if the merged tree would show something else.
fn effective(layers: &[(LayerInfo, PathBuf)], path: &Path) -> Result<Option<Node>> {
    let mut shown: Option<Node> = None;
    for (info, tree) in layers {
        match find(tree, path)? {
            Found::Nothing => {}
            Found::Covered => break,
            Found::Directory { node, opaque } => {
                let first = *shown.get_or_insert(node);
                if !info.implicit_paths().any(|known| known == path) {
                    let facts = |n: &Node| (n.mode, n.uid, n.gid);
                    // The time of the root is nobody's.
                    let same = facts(&first) == facts(&node)
                        && (path.as_os_str().is_empty() || first.mtime == node.mtime);
                    return Ok((!same).then_some(node));
                }
                if opaque {
                    break;
                }
            }
        }
    }
    Ok(None)
}

/// What the merged tree shows of the directory at `path`.
fn topmost(layers: &[(LayerInfo, PathBuf)], path: &Path) -> Result<Option<Node>> {
    for (_, tree) in layers {
        match find(tree, path)? {
            Found::Nothing => {}
            Found::Covered => break,
            Found::Directory { node, .. } => return Ok(Some(node)),
        }
    }
    Ok(None)
}

/// What one layer says of a path.
enum Found {
    /// Nothing; lower layers may.
    Nothing,
    /// Something that is no directory is there or on the way: lower layers do not matter.
    Covered,
    Directory {
        node: Node,
        /// Whether it, or one on the way, hides what lower layers have.
        opaque: bool,
    },
}

fn find(tree: &Path, path: &Path) -> Result<Found> {
    let fail = |e: Errno| Error::system("look at", tree.join(path), e);
    let mut folder = Folder::at(tree).map_err(fail)?;
    let mut opaque = false;
    for component in path.components() {
        let Component::Normal(name) = component else { continue };
        match folder.look(name).map_err(fail)? {
            None if opaque => return Ok(Found::Covered),
            None => return Ok(Found::Nothing),
            Some(node) if !node.is_dir() => return Ok(Found::Covered),
            Some(_) => folder = folder.child(name).map_err(fail)?,
        }
        opaque = opaque || folder.is_opaque().map_err(fail)?;
    }
    Ok(Found::Directory { node: folder.node().map_err(fail)?, opaque })
}

fn descend(root: &Folder, path: &Path) -> Result<Option<Folder>, Errno> {
    let mut folder = root.duplicate()?;
    for component in path.components() {
        let Component::Normal(name) = component else { return Ok(None) };
        folder = folder.child(name)?;
    }
    Ok(Some(folder))
}
