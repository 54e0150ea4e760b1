//! Images looked at, copied and changed where they are: in registries. Nothing is unpacked, and nothing needs a store
//! but layers that are made on the way (`change`) and what goes to the disk or comes from there (`archive`).

pub mod archive;
pub mod change;
pub mod copy;
pub mod delete;
pub mod files;
pub mod index;
pub mod look;
pub mod validate;

mod write;

use crate::base::{Failure, Kind, ManifestDigest, Platform, Reference};
use crate::oci::{AnyManifest, CONFIG_LIMIT, Descriptor, ImageConfig, Manifest};
use crate::registry::{BlobRequest, Client, Pulled};
use crate::report::Context;

/// Indexes in indexes that are followed.
const DEPTH: usize = 8;

/// What these operations act with.
#[derive(Clone)]
pub struct Door {
    /// Where to report, when to stop.
    pub cx: Context,
    /// Who speaks to registries.
    pub client: Client,
}

/// A manifest or index of a registry.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its repository, by tag as it was asked for, or by digest.
    pub reference: Reference,
    /// What it is.
    pub manifest: AnyManifest,
    /// Its bytes as the registry has them.
    pub bytes: Vec<u8>,
    /// The digest of the bytes.
    pub digest: ManifestDigest,
}

/// One image for one platform.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its repository, by digest.
    pub reference: Reference,
    /// What it consists of.
    pub manifest: Manifest,
    /// How it runs.
    pub config: ImageConfig,
    /// The bytes of its configuration as the registry has them.
    pub config_bytes: Vec<u8>,
}

impl Door {
    /// What `reference` stands for; with a platform, what an index has for it.
    ///
    /// # Errors
    /// If there is no such manifest, or nothing for the platform.
    pub async fn find(&self, reference: &Reference, platform: Option<&Platform>) -> Result<Found, Failure> {
        let mut found = self.manifest(&reference.with_default_tag()).await?;
        let Some(platform) = platform else { return Ok(found) };
        for _ in 0..DEPTH {
            let AnyManifest::Index(index) = &found.manifest else { return Ok(found) };
            let digest = index.choose(platform).map_err(|e| Failure::from(e).hint(PLATFORMS))?.digest.clone();
            found = self.manifest(&found.reference.with_digest(digest.digest().clone())).await?;
        }
        Err(Failure::new(Kind::Input, format!("read {reference}"))
            .because("its indexes name indexes without end"))
    }

    /// The image behind `reference`: the one for `platform` if there are several, that of this machine if none is said.
    ///
    /// # Errors
    /// If there is none, or what is there is no image.
    pub async fn image(&self, reference: &Reference, platform: Option<&Platform>) -> Result<Image, Failure> {
        let host = Platform::host();
        let found = self.find(reference, Some(platform.unwrap_or(&host))).await?;
        self.opened(found).await
    }

    /// The image that was found.
    ///
    /// # Errors
    /// If it is not an image, or its configuration cannot be read.
    pub async fn opened(&self, found: Found) -> Result<Image, Failure> {
        let AnyManifest::Image(manifest) = found.manifest else {
            return Err(
                Failure::new(Kind::Input, format!("read {}", found.reference)).because("it is an index")
            );
        };
        if !manifest.is_image() {
            let kind = match manifest.artifact_type.as_str() {
                "" => &manifest.config.media_type,
                artifact => artifact,
            };
            return Err(Failure::new(Kind::Input, format!("read {}", found.reference))
                .because(format!("it is not an image but an artifact ({kind})"))
                .hint("`lap cr manifest` shows it, `lap cr blob` gives its parts"));
        }
        let reference = found.reference.with_digest(found.digest.digest().clone());
        let config_bytes = self.bytes(&reference, &manifest.config).await?;
        let config = ImageConfig::parse(&config_bytes)?;
        Ok(Image { reference, manifest, config, config_bytes })
    }

    /// The bytes of a small blob.
    ///
    /// # Errors
    /// If it is not there, wrong, or larger than configurations may be.
    pub async fn bytes(&self, repository: &Reference, blob: &Descriptor) -> Result<Vec<u8>, Failure> {
        let request = BlobRequest::new(repository, &blob.digest, blob.size);
        Ok(self.client.blob_bytes(&self.cx, &request, CONFIG_LIMIT).await?)
    }

    /// The manifests that `found` consists of: the images of an index, or itself.
    ///
    /// # Errors
    /// If one cannot be read.
    pub async fn leaves(&self, found: Found) -> Result<Vec<Found>, Failure> {
        let mut open = vec![(found, 0)];
        let mut leaves = Vec::new();
        while let Some((found, depth)) = open.pop() {
            let AnyManifest::Index(index) = &found.manifest else {
                leaves.push(found);
                continue;
            };
            if depth == DEPTH {
                return Err(Failure::new(Kind::Input, format!("read {}", found.reference))
                    .because("its indexes name indexes without end"));
            }
            for child in index.manifests.iter().rev().filter(|child| !child.is_attestation()) {
                let child = found.reference.with_digest(child.digest.digest().clone());
                open.push((self.manifest(&child).await?, depth + 1));
            }
        }
        Ok(leaves)
    }

    async fn manifest(&self, reference: &Reference) -> Result<Found, Failure> {
        let Pulled { digest, media_type, bytes } = self.client.manifest(&self.cx, reference).await?;
        let manifest = AnyManifest::parse(media_type.as_deref(), &bytes)
            .map_err(|e| Failure::from(e).while_doing(format!("read {reference}")))?;
        Ok(Found { reference: reference.clone(), manifest, bytes, digest })
    }
}

/// What to do when an image has nothing for a platform.
const PLATFORMS: &str = "choose one of these with --platform OS/ARCH";

/// Work on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(e) => Err(Failure::of(Kind::Bug, &e)),
    }
}
