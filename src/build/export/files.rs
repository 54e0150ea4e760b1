//! The files of an image: into a folder, or as one tar.

use std::path::PathBuf;
use std::sync::Arc;

use crate::base::DiffId;
use crate::build::execute::{World, unpacked};
use crate::build::export::archive::to_file;
use crate::build::{Built, Error, ExportedOutput, blocking};
use crate::host::fs;
use crate::report::Context;
use crate::snapshot::copy::{self, CopyRequest, Item, Ownership, Pattern};
use crate::snapshot::tree::Source;

/// The image's files into a folder. They belong to whoever called: owners of an image mean nothing outside of it.
///
/// # Errors
/// If they cannot be read or written.
pub async fn write_files(
    cx: &Context,
    world: &Arc<World>,
    built: &Built,
    destination: PathBuf,
) -> Result<ExportedOutput, Error> {
    let layers = target_layers(cx, world, built).await?;
    let (cx, doors) = (cx.clone(), world.doors.clone());
    blocking(move || {
        fs::create_dir_all(&destination)?;
        let root = fs::canonicalize(&destination)?;
        let view = doors.snapshots()?.view(&layers)?;
        let source = Source { root: view.root(), filter: None, root_owned: false };
        let everything = [Pattern { text: b"/", wildcard: false }];
        let selected = copy::select(&source, &everything, &|_, _| false)?;
        let items: Vec<Item<'_>> = selected.iter().map(Item::Selected).collect();
        let request = CopyRequest {
            source,
            items: &items,
            root: &root,
            destination: b"/",
            owner: Some(Ownership { uid: 0, gid: 0 }),
            mode: None,
            unpack: false,
            created: 0,
            landing: None,
        };
        let copied = copy::copy(&cx, &request)?;
        copied.warnings.into_iter().for_each(|warning| cx.report.warn(warning));
        Ok(ExportedOutput::Written { destination: Some(destination), manifest: None })
    })
    .await
}

/// The image's files as one tar, owners and all.
///
/// # Errors
/// If they cannot be read or written.
pub async fn write_tree(
    cx: &Context,
    world: &Arc<World>,
    built: &Built,
    destination: Option<PathBuf>,
) -> Result<ExportedOutput, Error> {
    let layers = target_layers(cx, world, built).await?;
    let doors = world.doors.clone();
    blocking(move || {
        let view = doors.snapshots()?.view(&layers)?;
        to_file(destination.as_deref(), |out| Ok(view.write_tar(out)?))?;
        Ok(ExportedOutput::Written { destination, manifest: None })
    })
    .await
}

async fn target_layers(cx: &Context, world: &Arc<World>, built: &Built) -> Result<Vec<DiffId>, Error> {
    let all = built.config.layers().iter().map(|layer| unpacked(cx, world, layer));
    futures_util::future::try_join_all(all).await?;
    Ok(built.config.layers().to_vec())
}
