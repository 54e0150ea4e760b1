//! Images that stand in the repository and lost a part there: found when somebody is about to build on them.
//!
//! That an image is there costs one question; that it is whole, one for each part. So only those are looked at that
//! something missing needs: nobody builds on what cannot be had.

use std::collections::BTreeSet;

use crate::base::Failure;
use crate::build::Doors;
use crate::oci::AnyManifest;
use crate::ops::project::Project;
use crate::ops::project::build::{Plan, Request, Standing, Unit};
use crate::registry;
use crate::report::Context;

/// Counts as missing what others need and is not whole.
///
/// # Errors
/// If the repository does not answer.
pub async fn mend(
    cx: &Context,
    doors: &Doors,
    (project, request): (&Project, &Request),
    plan: &mut Plan,
) -> Result<(), Failure> {
    if request.repo.is_none() {
        return Ok(());
    }
    // What is damaged is made again, and may need others for it.
    let mut looked = BTreeSet::new();
    loop {
        let missing = plan.units.iter().filter(|unit| unit.found.is_none());
        let needed: Vec<usize> =
            missing.flat_map(|unit| unit.needs.iter().copied()).filter(|at| looked.insert(*at)).collect();
        let there = needed.into_iter().filter_map(|at| Some((at, plan.units[at].found.clone()?)));
        let there: Vec<(usize, Standing)> = there.collect();
        if there.is_empty() {
            return Ok(());
        }
        let asked = there.iter().map(|(at, standing)| damage(cx, doors, &plan.units[*at], standing));
        let damages = futures_util::future::try_join_all(asked).await?;
        for ((at, standing), damage) in there.into_iter().zip(damages) {
            let Some(damage) = damage else { continue };
            let unit = &mut plan.units[at];
            let image = project.config.images[unit.image].shown_name();
            cx.report.warn(format!("{image} is damaged in the repository and is made again: {damage}"));
            unit.found = None;
            unit.damaged = Some(standing.digest);
        }
    }
}

/// What the image lacks in the repository.
async fn damage(
    cx: &Context,
    doors: &Doors,
    unit: &Unit,
    standing: &Standing,
) -> Result<Option<String>, Failure> {
    let (client, place) = (doors.registry(), unit.name.with_digest(standing.digest.digest().clone()));
    let pulled = match client.manifest(cx, &place).await {
        Ok(pulled) => pulled,
        Err(error) if error.is_not_found() || matches!(error, registry::Error::Corrupt(_)) => {
            return Ok(Some(format!("the manifest {} cannot be had", standing.digest)));
        }
        Err(error) => return Err(error.into()),
    };
    let Ok(AnyManifest::Image(manifest)) = AnyManifest::parse(pulled.media_type.as_deref(), &pulled.bytes)
    else {
        return Ok(Some(format!("{} is no manifest of an image", standing.digest)));
    };
    let parts = manifest.layers.iter().chain([&manifest.config]);
    let asked = parts.map(|part| client.blob_exists(cx, &unit.name, &part.digest));
    let found = futures_util::future::try_join_all(asked).await?;
    let mut parts = manifest.layers.iter().chain([&manifest.config]).zip(found);
    Ok(parts.find(|(_, found)| found.is_none()).map(|(part, _)| format!("the blob {} is gone", part.digest)))
}
