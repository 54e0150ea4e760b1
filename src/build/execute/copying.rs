//! COPY and ADD on real trees.

use crate::build::Error;
use crate::build::execute::World;
use crate::build::execute::reading::{self, Ready};
use crate::build::facts::selection;
use crate::build::step::{Copy, Read};
use crate::report::Context;
use crate::snapshot::copy::{self, CopyRequest, Item, Landing, ModeChange, Selected};
use crate::snapshot::tree::Source;
use crate::snapshot::{self, Writable};

/// Copies into `tree` what the step reads, then its documents.
pub fn copy(
    cx: &Context,
    world: &World,
    (copy, reads): (&Copy, &[(&Read, &Ready)]),
    tree: &mut Writable,
) -> Result<(), Error> {
    let root = tree.mounted()?.to_owned();
    let owner = match &copy.chown {
        Some(spec) if copy.lenient => Some(copy::resolve_owner_leniently(&root, spec)?),
        Some(spec) => Some(copy::resolve_owner(&root, spec)?),
        None => None,
    };
    let mode: Option<ModeChange> = match &copy.chmod {
        Some(text) => Some(text.parse()?),
        None => None,
    };
    let landing = Landing::default();
    let put = |source: Source<'_>, items: &[Item<'_>], unpack: bool| -> Result<(), snapshot::Error> {
        let request = CopyRequest {
            source,
            items,
            root: &root,
            destination: copy.destination.as_bytes(),
            owner,
            mode: mode.as_ref(),
            unpack,
            created: world.epoch,
            landing: (!copy.lenient).then_some(&landing),
        };
        for warning in copy::copy(cx, &request)?.warnings {
            cx.report.warn(warning);
        }
        Ok(())
    };
    for (read, ready) in reads {
        reading::with_source(cx, world, (read, ready), |source| {
            let put = &mut |source: Source<'_>, selected: &[Selected]| {
                let items: Vec<Item<'_>> = selected.iter().map(Item::Selected).collect();
                put(source, &items, read.unpack)
            };
            selection::each(&source, read, put).map_err(|e| reading::not_found(e, world, read))
        })?;
    }
    if copy.documents.is_empty() {
        return Ok(());
    }
    let documents = copy.documents.iter().map(|d| Item::Inline { name: &d.name, content: &d.bytes });
    let items: Vec<Item<'_>> = documents.collect();
    Ok(put(Source { root: &root, filter: None, root_owned: true }, &items, false)?)
}
