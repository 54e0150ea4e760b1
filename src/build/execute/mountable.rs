//! What a step reads, as something that can be mounted into it.

use std::path::{Path, PathBuf};

use crate::build::Error;
use crate::build::execute::World;
use crate::build::execute::reading::{self, Ready};
use crate::build::facts::selection;
use crate::build::step::Read;
use crate::report::Context;
use crate::snapshot::copy::{self, CopyRequest, Item, Selected};
use crate::snapshot::rooted::Rooted;
use crate::snapshot::tree::Source;
use crate::snapshot::{self, View, Writable};

/// A path of a tree that can be mounted into a step while this lives.
#[derive(Debug)]
pub struct Mountable {
    path: PathBuf,
    _tree: Holder,
}

#[derive(Debug)]
enum Holder {
    View { _view: View },
    Writable { _tree: Box<Writable> },
}

impl Mountable {
    /// Where it is in this process's mount namespace: a file or a directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The one path of `read` as something to mount. What is written to it (if `writable`) is gone afterwards. What is read
/// of a context is copied first: a mount would show hidden files, and owners that the image does not know.
///
/// # Errors
/// If the path is not there or the tree cannot be made.
pub fn mountable(
    cx: &Context,
    world: &World,
    (read, ready): (&Read, &Ready),
    writable: bool,
) -> Result<Mountable, Error> {
    let snapshots = world.doors.snapshots()?;
    let [path] = read.paths.as_slice() else {
        return Err(Error::Bug("a mount shows one path".into()));
    };
    if let Some(tree) = &ready.tree {
        let (root, holder) = if writable {
            let mut tree = snapshots.writable(&tree.chain())?;
            (tree.mounted()?.to_owned(), Holder::Writable { _tree: Box::new(tree) })
        } else {
            let view = snapshots.view(&tree.chain())?;
            (view.root().to_owned(), Holder::View { _view: view })
        };
        let Some(inside) = Rooted::open(&root)?.resolve(path)? else {
            let missing = snapshot::Error::NoSource { path: path.clone(), hidden: false };
            return Err(reading::not_found(missing, world, read));
        };
        return Ok(Mountable { path: root.join(inside), _tree: holder });
    }
    let mut tree = snapshots.writable(&[])?;
    let root = tree.mounted()?.to_owned();
    let place = copied(cx, world, (read, ready), &root)?;
    Ok(Mountable { path: root.join(place), _tree: Holder::Writable { _tree: Box::new(tree) } })
}

/// Copies what is read into `root`, under a name of its own; gives that name.
fn copied(
    cx: &Context,
    world: &World,
    (read, ready): (&Read, &Ready),
    root: &Path,
) -> Result<&'static str, Error> {
    reading::with_source(cx, world, (read, ready), |source| {
        let put = &mut |source: Source<'_>, selected: &[Selected]| -> Result<(), snapshot::Error> {
            let items: Vec<Item<'_>> = selected.iter().map(Item::Selected).collect();
            let request = CopyRequest {
                source,
                items: &items,
                root,
                destination: b"/content",
                owner: None,
                mode: None,
                unpack: false,
                created: world.epoch,
                landing: None,
            };
            let copied = copy::copy(cx, &request)?;
            copied.warnings.into_iter().for_each(|warning| cx.report.warn(warning));
            Ok(())
        };
        selection::each(&source, read, put).map_err(|e| reading::not_found(e, world, read))?;
        Ok("content")
    })
}
