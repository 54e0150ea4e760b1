//! Merged trees as plain copies, for machines where overlays do not work.
//!
//! A chain of layers is merged once into `flat/<key>/fs`, which is only read; a writable tree is a copy of that. Copies
//! share blocks where the file system can do it.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::base::KeyHasher;
use crate::host::fs;
use crate::snapshot::chain::Chain;
use crate::snapshot::folder::{Folder, Node, os};
use crate::snapshot::{Error, Result, Snapshots, derived, transfer};

/// The merged tree of a chain; made on first use, kept for later ones.
pub(super) fn tree(store: &Snapshots, chain: &Chain) -> Result<PathBuf> {
    let mut key = KeyHasher::new("lapstrake flat v1");
    key.list("layers", chain.layers.iter().map(|(info, _)| info.diff_id.to_string()).collect::<Vec<_>>());
    let parent = store.root().join(derived::FLAT);
    fs::create_dir_all(&parent)?;
    let place = parent.join(key.finish().to_string());
    if fs::exists(&place) {
        return Ok(place.join("fs"));
    }
    let scratch = store.scratch()?;
    let flat = scratch.dir_apart("flat")?;
    let target = scratch.dir("flat/fs")?;
    for (info, layer) in &chain.layers {
        let implicit = info.implicit_paths().collect();
        let mut copier = Copier { links: HashMap::new(), implicit, target: &target };
        copier.layer(layer)?;
    }
    derived::describe(&flat, chain.layers.iter().map(|(info, _)| &info.diff_id))?;
    match fs::rename(&flat, &place) {
        Err(e) if !fs::exists(&place) => Err(e.into()),
        _ => Ok(place.join("fs")),
    }
}

/// Copies a merged tree; gives the change time of every file of the copy.
pub(super) fn copy(from: &Path, target: &Path) -> Result<HashMap<(u64, u64), (i64, u32)>> {
    let mut copier = Copier { links: HashMap::new(), implicit: Vec::new(), target };
    copier.layer(from)?;
    let fail = |e| Error::system("look at", target, e);
    let mut times = HashMap::new();
    let folder = Folder::at(target).map_err(fail)?;
    change_times(&folder, &mut times).map_err(fail)?;
    if let Some(newest) = times.values().max() {
        settle(&folder, *newest).map_err(fail)?;
    }
    Ok(times)
}

/// Waits until a change gets another time than `newest`: before Linux 6.13 the clock of files moves in steps of some
/// milliseconds, and what is changed within the step of the copy would look unchanged.
fn settle(folder: &Folder, newest: (i64, u32)) -> Result<(), Errno> {
    let node = folder.node()?;
    // Giving it the mode it has is a change all the same.
    for _ in 0..100 {
        rustix::fs::fchmod(folder, rustix::fs::Mode::from_raw_mode(node.mode))?;
        if folder.node()?.ctime > newest {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    Ok(())
}

fn change_times(folder: &Folder, times: &mut HashMap<(u64, u64), (i64, u32)>) -> Result<(), Errno> {
    for name in folder.names()? {
        let Some(node) = folder.look(os(&name))? else { continue };
        if node.is_dir() {
            change_times(&folder.child(os(&name))?, times)?;
        } else {
            times.insert(node.inode, node.ctime);
        }
    }
    Ok(())
}

/// Puts one layer's tree over what is there.
struct Copier<'a> {
    /// Where files with several names were put first.
    links: HashMap<(u64, u64), PathBuf>,
    implicit: Vec<PathBuf>,
    target: &'a Path,
}

impl Copier<'_> {
    fn layer(&mut self, layer: &Path) -> Result<()> {
        let fail = |e| Error::system("copy the tree", layer, e);
        let (from, to) = (Folder::at(layer).map_err(fail)?, Folder::at(self.target).map_err(fail)?);
        self.folder(&from, &to, Path::new(""))?;
        if self.implicit.iter().any(|path| path.as_os_str().is_empty()) {
            return Ok(());
        }
        let node = from.node().map_err(fail)?;
        self.dress(&to, OsStr::new("."), &node, Path::new(""))?;
        to.set_own_time(node.mtime).map_err(fail)
    }

    fn folder(&mut self, from: &Folder, to: &Folder, path: &Path) -> Result<()> {
        let fail = |e| Error::system("copy the tree", self.target.join(path), e);
        if from.is_opaque().map_err(fail)? {
            for name in to.names().map_err(fail)? {
                to.remove(os(&name)).map_err(fail)?;
            }
        }
        for name in from.names().map_err(fail)? {
            let Some(node) = from.look(os(&name)).map_err(fail)? else { continue };
            let path = path.join(os(&name));
            if node.is_dir() {
                self.directory((from, os(&name), &node), to, &path)?;
            } else {
                to.remove(os(&name)).map_err(fail)?;
                if !node.is_whiteout() {
                    self.file((from, os(&name), &node), to, &path)?;
                }
            }
        }
        Ok(())
    }

    fn directory(
        &mut self,
        (from, name, node): (&Folder, &OsStr, &Node),
        to: &Folder,
        path: &Path,
    ) -> Result<()> {
        let shown = self.target.join(path);
        let fail = |e| Error::system("copy directory", &shown, e);
        let there = to.look(name).map_err(fail)?;
        if there.is_some_and(|there| !there.is_dir()) {
            to.remove(name).map_err(fail)?;
        }
        let before = there.filter(Node::is_dir);
        if before.is_none() {
            to.make_dir(name).map_err(fail)?;
        }
        let (source, target) = (from.child(name).map_err(fail)?, to.child(name).map_err(fail)?);
        self.folder(&source, &target, path)?;
        match before {
            Some(before) if self.implicit.iter().any(|known| known == path) => {
                target.set_own_time(before.mtime).map_err(fail)
            }
            _ => {
                self.dress(to, name, node, path)?;
                target.set_own_time(node.mtime).map_err(fail)
            }
        }
    }

    fn file(&mut self, (from, name, node): (&Folder, &OsStr, &Node), to: &Folder, path: &Path) -> Result<()> {
        let shown = self.target.join(path);
        let fail = |e| Error::system("copy", &shown, e);
        if node.links > 1 {
            if let Some(first) = self.links.get(&node.inode) {
                let (parent, last) = (first.parent(), first.file_name());
                let parent = Folder::at(&self.target.join(parent.unwrap_or(Path::new("")))).map_err(fail)?;
                return to.make_hardlink(name, &parent, last.unwrap_or_default()).map_err(fail);
            }
            self.links.insert(node.inode, path.to_owned());
        }
        transfer::make_like((from, name, node), (to, name)).map_err(fail)?;
        self.dress(to, name, node, path)?;
        for attribute in from.attributes(name).map_err(fail)? {
            let attribute_name = OsStr::from_bytes(&attribute);
            if attribute.starts_with(b"user.overlay.") {
                continue;
            }
            if let Some(value) = from.attribute(name, attribute_name).map_err(fail)? {
                match to.set_attribute(name, attribute_name, &value) {
                    Ok(()) | Err(Errno::OPNOTSUPP | Errno::PERM) => {}
                    Err(e) => return Err(fail(e)),
                }
            }
        }
        if !node.is_link() {
            // Attributes of access control change the mode.
            to.set_mode(name, node.mode).map_err(fail)?;
        }
        to.set_time(name, node.mtime).map_err(fail)
    }

    fn dress(&self, folder: &Folder, name: &OsStr, node: &Node, path: &Path) -> Result<()> {
        let fail = |e| Error::system("copy the metadata of", self.target.join(path), e);
        folder.set_owner(name, node.uid, node.gid).map_err(fail)?;
        if node.is_link() { Ok(()) } else { folder.set_mode(name, node.mode).map_err(fail) }
    }
}
