//! COPY and ADD on real trees.

use crate::build::Error;
use crate::build::execute::World;
use crate::build::execute::reading::{self, Ready};
use crate::build::facts::context;
use crate::build::step::{Copy, Read};
use crate::report::Context;
use crate::snapshot::Writable;
use crate::snapshot::copy::{self, CopyRequest, Item, ModeChange};
use crate::snapshot::tree::Source;

/// Copies into `tree` what the step reads, then its documents.
pub fn copy(
    cx: &Context,
    world: &World,
    (copy, reads): (&Copy, &[(&Read, &Ready)]),
    tree: &mut Writable,
) -> Result<(), Error> {
    let root = tree.mounted()?.to_owned();
    let owner = match &copy.chown {
        Some(spec) => Some(copy::resolve_owner(&root, spec)?),
        None => None,
    };
    let mode: Option<ModeChange> = match &copy.chmod {
        Some(text) => Some(text.parse()?),
        None => None,
    };
    let put = |source: Source<'_>, items: &[Item<'_>]| -> Result<(), Error> {
        let request = CopyRequest {
            source,
            items,
            root: &root,
            destination: copy.destination.as_bytes(),
            owner,
            mode: mode.as_ref(),
            unpack: copy.unpack,
            created: world.epoch,
        };
        for warning in copy::copy(cx, &request)?.warnings {
            cx.report.warn(warning);
        }
        Ok(())
    };
    for (read, ready) in reads {
        reading::with_source(world, read, ready, |source| {
            let selected = context::select(&source, read).map_err(|e| reading::not_found(e, world, read))?;
            let items: Vec<Item<'_>> = selected.iter().map(Item::Selected).collect();
            put(source, &items)
        })?;
    }
    if copy.documents.is_empty() {
        return Ok(());
    }
    let documents = copy.documents.iter().map(|d| Item::Inline { name: &d.name, content: &d.bytes });
    let items: Vec<Item<'_>> = documents.collect();
    put(Source { root: &root, filter: None, root_owned: true }, &items)
}
