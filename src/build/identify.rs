//! What an image is by its inputs, before anything of it or of the images it stands on is built: what content tags are
//! made of.
//!
//! | input | in the identity |
//! |---|---|
//! | the steps that the image's tree comes from | by their definition keys, see [`crate::build::keys`] |
//! | a base image | by its layers and configuration |
//! | a base image that the same project builds | by its own identity, and the configuration it will have |
//! | the configuration: ENV, CMD, LABEL, `imageSpec` … | yes |
//! | platform, `cacheVersion` | yes |
//! | labels that say who built what when, times, secrets, names of images | no |

use crate::base::{ContentHash, DiffId, KeyHasher, ManifestDigest, Reference};
use crate::build::facts::secrets::Secrets;
use crate::build::facts::{BaseImage, Definition, contexts};
use crate::build::run::{Prepared, Wish, prepare, read_definition};
use crate::build::step::Parent;
use crate::build::{Doors, Error, Request};
use crate::oci::{Descriptor, ImageConfig, Manifest, media};
use crate::report::Context;

/// An image of the same project in the place of a base image.
#[derive(Clone, Debug)]
pub struct StandIn {
    /// The names by which Dockerfiles know it.
    pub names: Vec<Reference>,
    /// Its identity.
    pub identity: ContentHash,
    /// Its configuration.
    pub config: ImageConfig,
}

/// What an image is by its inputs.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Equal for equal inputs, and only for these.
    pub hash: ContentHash,
    /// The configuration it will have, without layers.
    pub config: ImageConfig,
    /// How many steps it takes.
    pub steps: usize,
    /// Base images from outside the project.
    pub bases: Vec<Reference>,
    /// Stand-ins that it begins with or reads from, by their places in the list.
    pub stands_on: Vec<usize>,
    /// The steps as shown, with their keys.
    pub keys: Vec<(String, String)>,
}

/// Finds out what the image of `request` is. `stand_ins` are the images of the project that it may stand on.
///
/// # Errors
/// If the Dockerfile is wrong, a base image or a file to copy is missing.
pub async fn identify(
    cx: &Context,
    doors: &Doors,
    (request, cache_version): (&Request, Option<&str>),
    stand_ins: &[StandIn],
) -> Result<Identity, Error> {
    let context = contexts::main(cx, doors, &request.context, &Secrets::default()).await?;
    let (context, Definition { file, ignore }) = read_definition(cx, request, context, true).await?;
    let wish = Wish { request, stand_ins, quiet: true };
    let prepared = prepare(cx, doors, &wish, (file, context, ignore, &Secrets::default())).await?;
    let Prepared { stages, keys, outline, found, steps, facts, .. } = &prepared;
    let stage = stages[outline.target.0].as_ref();
    let stage = stage.ok_or_else(|| Error::Bug("the target was not evaluated".into()))?;
    let mut config = stage.image.clone();
    if let Some(changes) = &request.changes {
        changes.apply(&mut config);
    }
    config.created = None;
    config.history.iter_mut().for_each(|entry| entry.created = None);
    config.rootfs.diff_ids.clear();
    let mut hasher = KeyHasher::new("lapstrake image v1");
    match stage.result {
        Parent::Scratch => hasher.field("tree", "scratch"),
        Parent::Image(base) => {
            let layers: Vec<String> = facts.bases[base.0].iter().map(ToString::to_string).collect();
            hasher.list("layers", &layers)
        }
        Parent::Step(step) => hasher.field("tree", keys[step.0].to_string()),
    };
    hasher.field("config", config.to_bytes()).field("cache version", cache_version.unwrap_or_default());
    let place =
        |base: &BaseImage| stand_ins.iter().position(|own| own.names.contains(&base.request.reference));
    Ok(Identity {
        hash: hasher.finish(),
        steps: steps.len(),
        bases: found
            .iter()
            .filter(|base| place(base).is_none())
            .map(|base| base.request.reference.clone())
            .collect(),
        stands_on: found.iter().filter_map(place).collect(),
        keys: steps.iter().zip(keys).map(|(step, key)| (step.name.clone(), key.to_string())).collect(),
        config,
    })
}

impl StandIn {
    /// The image in the place of a base image: one layer that stands for all.
    pub(super) fn base(&self, request: crate::build::evaluate::BaseRequest) -> BaseImage {
        let bytes = self.config.to_bytes();
        let mut config = self.config.clone();
        config.rootfs.diff_ids = vec![DiffId::of(self.identity.as_bytes())];
        let manifest = Manifest::new(Descriptor::of(media::OCI_CONFIG, &bytes), Vec::new());
        BaseImage {
            request,
            digest: ManifestDigest::of(self.identity.as_bytes()),
            manifest,
            config,
            origin: None,
        }
    }
}
