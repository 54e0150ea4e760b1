//! What is done with images of a project once they are built: names kept in the repository, and copies under names of
//! their own.

use crate::base::{Failure, Kind, Reference};
use crate::build::transfer::{PushRequest, push};
use crate::build::{Doors, blocking};
use crate::oci::compress::Compression;
use crate::oci::{Descriptor, ImageConfig, Index, Manifest, media};
use crate::ops::cr;
use crate::ops::project::Project;
use crate::ops::project::build::publish::{fill, index_descriptor, managed, named, note};
use crate::ops::project::build::{Plan, Request, Unit, look};
use crate::registry::BlobRequest;
use crate::report::Context;

/// What tags of names of images begin with.
const MANAGED: &str = "managed-image-";

/// The names of images that the repository is known to have, in order.
///
/// # Errors
/// If the registry does not answer.
pub async fn list(cx: &Context, doors: &Doors, repo: &Reference) -> Result<Vec<String>, Failure> {
    let tags = match doors.registry().tags(cx, repo).await {
        Ok(tags) => tags,
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let name = |id: &str| match id {
        "__nameless__" => "~".to_owned(),
        id => id.replace("__space__", " ").replace("__slash__", "/").replace("__plus__", "+"),
    };
    let mut names: Vec<String> = tags.iter().filter_map(|tag| tag.strip_prefix(MANAGED)).map(name).collect();
    names.sort();
    Ok(names)
}

/// Adds a name.
///
/// # Errors
/// If the registry refuses.
pub async fn add(
    cx: &Context,
    doors: &Doors,
    (project, repo): (&Project, &Reference),
    name: &str,
) -> Result<(), Failure> {
    note(cx, doors, (project, repo), (&managed(plain(name)), &[])).await
}

/// Removes a name.
///
/// # Errors
/// If it is not there, or the registry refuses.
pub async fn remove(cx: &Context, doors: &Doors, repo: &Reference, name: &str) -> Result<(), Failure> {
    let there = named(repo, &managed(plain(name)))?;
    let door = cr::Door { cx: cx.clone(), client: doors.registry().clone() };
    cr::delete::run(&door, &there).await.map(|_| ())
}

fn plain(name: &str) -> &str {
    if name == "~" { "" } else { name }
}

/// Copies every final image that was asked for under names of their own, without the labels by which cleanups know it.
///
/// # Errors
/// If two images would get one name, or a registry refuses.
pub async fn export(
    cx: &Context,
    doors: &Doors,
    (project, request, plan): (&Project, &Request, &Plan),
    (templates, labels): (&[String], &[(String, String)]),
) -> Result<Vec<Reference>, Failure> {
    let mut given: Vec<Reference> = Vec::new();
    for at in plan.sets.iter().flatten() {
        let image = &project.config.images[*at];
        let units: Vec<&Unit> = plan.units_of(*at).collect();
        let Some(first) = units.first().filter(|_| image.is_final && plan.chosen.contains(at)) else {
            continue;
        };
        for template in templates {
            let text = fill(template, image, &first.tag)?;
            let target: Reference = text.parse().map_err(|e: crate::base::InvalidReference| {
                Failure::new(Kind::Usage, format!("read --tag {template}")).because(e.to_string())
            })?;
            let target = target.with_default_tag();
            if given.contains(&target) {
                return Err(Failure::new(Kind::Usage, format!("export several images as {target}"))
                    .because("each image needs a name of its own")
                    .hint("%image% stands for the name of the image"));
            }
            one(cx, doors, (request, &units), (&target, labels)).await?;
            given.push(target);
        }
    }
    Ok(given)
}

async fn one(
    cx: &Context,
    doors: &Doors,
    (request, units): (&Request, &[&Unit]),
    (target, labels): (&Reference, &[(String, String)]),
) -> Result<(), Failure> {
    let mut entries = Vec::new();
    for unit in units {
        let Some(found) = &unit.found else { continue };
        let (mut manifest, mut config) = look::documents(cx, doors, (&unit.name, &found.digest)).await?;
        config.config.labels.retain(|name, _| !name.starts_with("werf"));
        config.config.labels.extend(labels.iter().cloned());
        if request.repo.is_none() {
            return from_store(cx, doors, (manifest, config), target).await;
        }
        look::copy(cx, doors, &unit.name, target).await?;
        let bytes = config.to_bytes();
        manifest.config = Descriptor::of(manifest.config.media_type.clone(), &bytes);
        let blob = BlobRequest::new(target, &manifest.config.digest, manifest.config.size);
        doors.registry().push_blob(cx, &blob, &bytes).await?;
        let (media_type, bytes) = (manifest.effective_media_type().to_owned(), manifest.to_bytes());
        doors.registry().push_manifest(cx, target, &media_type, &bytes).await?;
        entries.push(index_descriptor(&unit.platform, &media_type, &bytes));
    }
    if entries.len() > 1 {
        let bytes = Index::new(entries).to_bytes();
        doors.registry().push_manifest(cx, target, media::OCI_INDEX, &bytes).await?;
    }
    Ok(())
}

/// An image that no repository has is pushed from here.
async fn from_store(
    cx: &Context,
    doors: &Doors,
    (manifest, config): (Manifest, ImageConfig),
    target: &Reference,
) -> Result<(), Failure> {
    let store = doors.store().clone();
    let image = blocking(move || Ok(store.put_image(&config, manifest.layers)?)).await?;
    let request = PushRequest {
        image: image.descriptor.manifest_digest(),
        targets: vec![target.clone()],
        compression: Compression::default(),
        sources: Vec::new(),
        by_digest: false,
        adopt: false,
    };
    push(cx, doors, &request).await?;
    Ok(())
}
