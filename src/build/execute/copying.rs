//! COPY and ADD on real trees.

use crate::base::ContentHash;
use crate::build::Error;
use crate::build::execute::{Tree, World};
use crate::build::facts::context;
use crate::build::step::{Action, Copy, From, StepIndex};
use crate::report::Context;
use crate::snapshot::copy::{self, CopyRequest, Item, ModeChange};
use crate::snapshot::tree::Source;
use crate::snapshot::{self, Writable};

/// The content of what the COPY of `index` selects in an unpacked tree.
pub fn hash_of_tree(world: &World, index: StepIndex, tree: &Tree) -> Result<ContentHash, Error> {
    let step = &world.steps[index.0];
    let Action::Copy(copy) = &step.action else {
        return Err(Error::Bug("only COPY and ADD read a tree".into()));
    };
    let view = world.doors.snapshots()?.view(&tree.chain())?;
    let source = Source { root: view.root(), filter: None, root_owned: false };
    context::selection(&source, copy, None).map_err(|e| not_found(e, world, copy))
}

fn not_found(error: snapshot::Error, world: &World, copy: &Copy) -> Error {
    let snapshot::Error::NoSource { path, .. } = &error else { return error.into() };
    let place = match copy.from {
        From::Context => "the build context".to_owned(),
        From::Stage(stage) => format!("stage {}", stage.0),
        From::Image(base) => format!("image {}", world.base_names[base.0]),
    };
    Error::input(format!("{path:?}: not found in {place}"))
}

/// Copies into `tree`; `from` is the unpacked source, if it is not the context.
pub fn copy(
    cx: &Context,
    world: &World,
    copy: &Copy,
    tree: &mut Writable,
    from: Option<&Tree>,
) -> Result<(), Error> {
    let view = match from {
        Some(from) => Some(world.doors.snapshots()?.view(&from.chain())?),
        None => None,
    };
    let filter = |path: &[u8], directory: bool| context::shows(&world.ignore, path, directory);
    let source = match &view {
        Some(view) => Source { root: view.root(), filter: None, root_owned: false },
        None => context::source(&world.context, &world.ignore, &filter),
    };
    let selected = match copy.paths.is_empty() {
        true => Vec::new(),
        false => context::select(&source, copy).map_err(|e| not_found(e, world, copy))?,
    };
    let documents = copy.documents.iter().map(|d| Item::Inline { name: &d.name, content: &d.bytes });
    let items: Vec<Item<'_>> = selected.iter().map(Item::Selected).chain(documents).collect();
    let root = tree.mounted()?.to_owned();
    let owner = match &copy.chown {
        Some(spec) => Some(copy::resolve_owner(&root, spec)?),
        None => None,
    };
    let mode: Option<ModeChange> = match &copy.chmod {
        Some(text) => Some(text.parse()?),
        None => None,
    };
    let copied = copy::copy(
        cx,
        &CopyRequest {
            source,
            items: &items,
            root: &root,
            destination: copy.destination.as_bytes(),
            owner,
            mode: mode.as_ref(),
            unpack: copy.unpack,
            created: world.epoch,
        },
    )?;
    for warning in copied.warnings {
        cx.report.warn(warning);
    }
    Ok(())
}
