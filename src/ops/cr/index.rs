//! Lists of images: made of images, and made smaller.

use crate::base::{Failure, Kind, Platform, Reference};
use crate::oci::{AnyManifest, Descriptor, DescriptorPlatform, Index, media};
use crate::ops::cr::change::Made;
use crate::ops::cr::{Door, Found, copy};
use crate::report::{Outcome, TaskKind};

/// What to add to a list.
#[derive(Clone, Debug)]
pub struct Append {
    /// The list to begin with; without it, an empty one.
    pub base: Option<Reference>,
    /// Images and lists of images.
    pub manifests: Vec<Reference>,
    /// Whether of a list its images are added, and not the list itself.
    pub flatten: bool,
    /// Whether an empty list to begin with is Docker's kind.
    pub docker: bool,
}

/// Adds images to a list and writes the result under `to`; without it beside the list, by digest.
///
/// # Errors
/// If something cannot be read, is no list, or cannot be written.
pub async fn append(door: &Door, request: &Append, to: Option<&Reference>) -> Result<Made, Failure> {
    let (mut index, from) = match &request.base {
        Some(base) => list(door, base).await?,
        None => {
            let mut index = Index::new(Vec::new());
            if request.docker {
                media::DOCKER_LIST.clone_into(&mut index.media_type);
            }
            (index, None)
        }
    };
    let mut all = children(&index, from.as_ref());
    for name in &request.manifests {
        let found = door.find(name, None).await?;
        match &found.manifest {
            AnyManifest::Index(more) if request.flatten => all.extend(children(more, Some(&found.reference))),
            _ => all.push(described(door, found).await?),
        }
    }
    index.manifests = all.iter().map(|(descriptor, _)| descriptor.clone()).collect();
    write(door, index, &all, to.or(from.as_ref())).await
}

/// Keeps of a list what is for one of the platforms.
///
/// # Errors
/// See [`append`].
pub async fn filter(
    door: &Door,
    image: &Reference,
    platforms: &[Platform],
    to: Option<&Reference>,
) -> Result<Made, Failure> {
    let (mut index, from) = list(door, image).await?;
    let is_wanted = |descriptor: &Descriptor| {
        let own = descriptor.platform.as_ref().map(DescriptorPlatform::normalised);
        own.is_some_and(|own| platforms.iter().any(|wanted| serves(&own, wanted)))
    };
    index.manifests.retain(is_wanted);
    let all = children(&index, from.as_ref());
    write(door, index, &all, to.or(from.as_ref())).await
}

/// Whether it is what was asked for; what was not said may be anything.
fn serves(own: &Platform, wanted: &Platform) -> bool {
    let same = |own: &str, wanted: &str| wanted.is_empty() || own == wanted;
    own.os == wanted.os
        && own.architecture == wanted.architecture
        && same(&own.variant, &wanted.variant)
        && same(&own.os_version, &wanted.os_version)
}

/// A list, and where it is by digest.
async fn list(door: &Door, name: &Reference) -> Result<(Index, Option<Reference>), Failure> {
    let found = door.find(name, None).await?;
    let place = found.reference.with_digest(found.digest.digest().clone());
    match found.manifest {
        AnyManifest::Index(index) => Ok((index, Some(place))),
        AnyManifest::Image(_) => Err(Failure::new(Kind::Input, format!("read {name}"))
            .because("it is one image, not a list of images")
            .hint("`lap cr index append -m IMAGE -t NAME` makes a list of images")),
    }
}

/// What a list names, each with where it is.
fn children(index: &Index, place: Option<&Reference>) -> Vec<(Descriptor, Reference)> {
    let at = |child: &Descriptor| Some(place?.with_digest(child.digest.digest().clone()));
    index.manifests.iter().filter_map(|child| Some((child.clone(), at(child)?))).collect()
}

/// What was found, as a list names it: with the platform that its configuration says.
async fn described(door: &Door, found: Found) -> Result<(Descriptor, Reference), Failure> {
    let mut descriptor = Descriptor::of(found.manifest.media_type(), &found.bytes);
    let place = found.reference.with_digest(found.digest.digest().clone());
    if matches!(&found.manifest, AnyManifest::Image(manifest) if manifest.is_image()) {
        let platform = door.opened(found).await?.config.platform();
        // An image that says nothing is for every platform.
        let says = !(platform.os.is_empty() && platform.architecture.is_empty());
        descriptor.platform = says.then(|| DescriptorPlatform::from(&platform));
    }
    Ok((descriptor, place))
}

/// Brings everything that the list names into its repository, then the list itself.
async fn write(
    door: &Door,
    index: Index,
    parts: &[(Descriptor, Reference)],
    to: Option<&Reference>,
) -> Result<Made, Failure> {
    let to = to.ok_or_else(|| {
        Failure::new(Kind::Usage, "make a list of images")
            .because("neither a list to begin with nor a name for the result is given")
            .hint("name the result with -t NAME:TAG")
    })?;
    let task = door.cx.report.task(TaskKind::Export, format!("writing to {}", to.name()));
    let done = written(door, index, parts, (to, &task)).await;
    match &done {
        Ok(made) => task.finish(Outcome::Done, Some(made.digest.clone())),
        Err(e) => task.finish(Outcome::Failed(e.message().to_owned()), None),
    }
    done
}

async fn written(
    door: &Door,
    index: Index,
    parts: &[(Descriptor, Reference)],
    (to, task): (&Reference, &crate::report::Task),
) -> Result<Made, Failure> {
    for (_, from) in parts {
        let found = door.find(from, None).await?;
        let place = to.with_digest(found.digest.digest().clone());
        copy::put(door, &found, &place, task).await?;
    }
    let bytes = index.to_bytes();
    let media_type = AnyManifest::Index(index).media_type().to_owned();
    let made = Descriptor::of(media_type.as_str(), &bytes);
    let place = match to.digest() {
        Some(_) => to.with_digest(made.digest.digest().clone()),
        None => to.with_default_tag(),
    };
    door.client.push_manifest(&door.cx, &place, &media_type, &bytes).await?;
    Ok(Made::of(&place, &made))
}
