//! What stands under the content tags already.

use crate::base::{Failure, ManifestDigest, Reference};
use crate::build::{Doors, blocking};
use crate::oci::{AnyManifest, CONFIG_LIMIT, ImageConfig, MANIFEST_LIMIT, Manifest};
use crate::ops::cr;
use crate::ops::project::Project;
use crate::ops::project::build::{Plan, Request, Source, Standing, Unit};
use crate::registry::BlobRequest;
use crate::report::Context;

/// Takes note of what is there, all tags at once; brings what only other repositories have, unless it is a dry run.
///
/// # Errors
/// If the repository does not answer; others that do not answer are only said.
pub async fn look(
    cx: &Context,
    doors: &Doors,
    (_, request): (&Project, &Request),
    plan: &mut Plan,
) -> Result<(), Failure> {
    let found = plan.units.iter().map(|unit| one(cx, doors, request, unit));
    let found = futures_util::future::try_join_all(found).await?;
    for (unit, standing) in plan.units.iter_mut().zip(found) {
        unit.found = standing;
    }
    Ok(())
}

/// What stands under the unit's own name.
///
/// # Errors
/// If the repository does not answer.
pub async fn own(
    cx: &Context,
    doors: &Doors,
    request: &Request,
    unit: &Unit,
) -> Result<Option<Standing>, Failure> {
    let (digest, source) = match request.repo {
        Some(_) => (behind(cx, doors, &unit.name).await?, Source::Repo),
        None => {
            let (store, name) = (doors.store().clone(), unit.name.clone());
            let found = blocking(move || Ok(store.resolve(&name)?)).await?;
            (found.map(|found| found.manifest_digest()), Source::Local)
        }
    };
    Ok(digest.map(|digest| Standing { digest, source, seconds: 0.0 }))
}

async fn one(
    cx: &Context,
    doors: &Doors,
    request: &Request,
    unit: &Unit,
) -> Result<Option<Standing>, Failure> {
    let standing = own(cx, doors, request, unit).await?;
    if standing.is_some() || request.repo.is_none() {
        return Ok(standing);
    }
    let near = request.cache_repos.iter().map(|repo| (repo, Source::Cache));
    for (repo, source) in near.chain(request.secondary_repos.iter().map(|repo| (repo, Source::Secondary))) {
        let Ok(there) = repo.with_tag(&unit.tag) else { continue };
        let digest = match behind(cx, doors, &there).await {
            Ok(Some(digest)) => digest,
            Ok(None) => continue,
            Err(failure) => {
                cx.report.warn(format!("{repo} was not asked for {}: {}", unit.tag, first(&failure)));
                continue;
            }
        };
        if !request.dry_run
            && !request.require_built
            && let Err(failure) = copy(cx, doors, &there, &unit.name).await
        {
            cx.report.warn(format!("{there} was not copied: {}", first(&failure)));
            continue;
        }
        return Ok(Some(Standing { digest, source, seconds: 0.0 }));
    }
    Ok(None)
}

/// The shortest words on a failure.
pub fn first(failure: &Failure) -> String {
    failure.causes().first().cloned().unwrap_or_else(|| failure.message().to_owned())
}

/// What a name of a registry stands for.
///
/// # Errors
/// If the registry does not answer.
pub async fn behind(
    cx: &Context,
    doors: &Doors,
    name: &Reference,
) -> Result<Option<ManifestDigest>, Failure> {
    match doors.registry().resolve(cx, name).await {
        Ok(resolved) => Ok(Some(resolved.digest)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Copies an image or an index with all its parts between repositories: mounted or streamed.
///
/// # Errors
/// If a registry refuses.
pub async fn copy(cx: &Context, doors: &Doors, from: &Reference, to: &Reference) -> Result<(), Failure> {
    let door = cr::Door { cx: cx.clone(), client: doors.registry().clone() };
    let request = cr::copy::Request {
        from: from.clone(),
        to: to.clone(),
        platform: None,
        all_tags: false,
        no_clobber: false,
    };
    cr::copy::run(&door, &request).await.map(|_| ())
}

/// The manifest of an image and its configuration, from the store if it has them; then it keeps them.
///
/// # Errors
/// If they cannot be had.
pub async fn documents(
    cx: &Context,
    doors: &Doors,
    (name, digest): (&Reference, &ManifestDigest),
) -> Result<(Manifest, ImageConfig), Failure> {
    let (store, wanted) = (doors.store().clone(), digest.clone());
    let known = blocking(move || {
        let manifest = store.read_blob(&wanted.into(), MANIFEST_LIMIT).ok();
        Ok(manifest.and_then(|bytes| match AnyManifest::parse(None, &bytes) {
            Ok(AnyManifest::Image(manifest)) => {
                let config = store.read_blob(&manifest.config.digest, CONFIG_LIMIT).ok()?;
                Some((manifest, ImageConfig::parse(&config).ok()?))
            }
            _ => None,
        }))
    })
    .await?;
    if let Some(known) = known {
        return Ok(known);
    }
    let place = name.with_digest(digest.digest().clone());
    let pulled = doors.registry().manifest(cx, &place).await?;
    let manifest = match AnyManifest::parse(pulled.media_type.as_deref(), &pulled.bytes) {
        Ok(AnyManifest::Image(manifest)) => manifest,
        _ => {
            return Err(Failure::new(crate::base::Kind::Input, format!("read {place}"))
                .because("it is not the image that was expected there"));
        }
    };
    let blob = BlobRequest::new(&place, &manifest.config.digest, manifest.config.size);
    let config = doors.registry().blob_bytes(cx, &blob, CONFIG_LIMIT).await?;
    let parsed = ImageConfig::parse(&config).map_err(|e| {
        Failure::new(crate::base::Kind::Input, format!("read {place}")).because(e.to_string())
    })?;
    let (store, bytes) = (doors.store().clone(), pulled.bytes);
    blocking(move || {
        store.put(&config)?;
        store.put(&bytes)?;
        Ok(())
    })
    .await?;
    Ok((manifest, parsed))
}
