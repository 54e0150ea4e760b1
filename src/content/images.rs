//! Reading of whole images.

use crate::base::{ImageId, Platform};
use crate::content::{Error, Store};
use crate::oci::{AnyManifest, CONFIG_LIMIT, Descriptor, ImageConfig, MANIFEST_LIMIT, Manifest, media};

/// Indexes within indexes are followed this deep.
pub(super) const DEEPEST: usize = 8;

/// One image of one platform, as it is in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// Its manifest's descriptor.
    pub descriptor: Descriptor,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its configuration.
    pub config: ImageConfig,
}

impl Image {
    /// The image id: the digest of the configuration.
    pub fn id(&self) -> ImageId {
        ImageId::new(self.manifest.config.digest.digest().clone())
    }
}

impl Store {
    /// Reads and verifies a manifest or index.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Damaged`], [`Error::Image`], and those of the file system.
    pub fn manifest(&self, descriptor: &Descriptor) -> Result<AnyManifest, Error> {
        self.protect(&descriptor.digest)?;
        self.manifest_unleased(descriptor)
    }

    pub(super) fn manifest_unleased(&self, descriptor: &Descriptor) -> Result<AnyManifest, Error> {
        let bytes = self.read_unleased(&descriptor.digest, MANIFEST_LIMIT)?;
        Ok(AnyManifest::parse(Some(&descriptor.media_type), &bytes)?)
    }

    /// Reads and verifies an image's configuration.
    ///
    /// # Errors
    /// As [`Store::manifest`]; an artifact without a configuration is an [`Error::Image`].
    pub fn config(&self, manifest: &Manifest) -> Result<ImageConfig, Error> {
        self.protect(&manifest.config.digest)?;
        self.config_unleased(manifest)
    }

    pub(super) fn config_unleased(&self, manifest: &Manifest) -> Result<ImageConfig, Error> {
        if !manifest.is_image() {
            let what = format!("an artifact of type {}", manifest.config.media_type);
            let reason = "only images have a configuration and layers that can be unpacked";
            return Err(crate::oci::Error::Unsupported { what, reason }.into());
        }
        let config = ImageConfig::parse(&self.read_unleased(&manifest.config.digest, CONFIG_LIMIT)?)?;
        if config.layers().len() != manifest.layers.len() {
            let (ids, layers) = (config.layers().len(), manifest.layers.len());
            let rule = format!("it names {ids} diff ids, the manifest names {layers} layers");
            return Err(crate::oci::Error::malformed("the image configuration", rule).into());
        }
        Ok(config)
    }

    /// The image for a platform behind a manifest or index. A single manifest is taken whatever its platform is.
    ///
    /// # Errors
    /// As [`Store::manifest`], and [`crate::oci::Error::NoPlatform`].
    pub fn image(&self, descriptor: &Descriptor, platform: &Platform) -> Result<Image, Error> {
        let mut descriptor = descriptor.clone();
        for _ in 0..DEEPEST {
            match self.manifest(&descriptor)? {
                AnyManifest::Index(index) => descriptor = index.choose(platform)?.clone(),
                AnyManifest::Image(manifest) => {
                    let config = self.config(&manifest)?;
                    return Ok(Image { descriptor, manifest, config });
                }
            }
        }
        let rule = format!("more than {DEEPEST} indexes lie within each other");
        Err(crate::oci::Error::malformed("the index", rule).into())
    }

    /// Stores an image's configuration and manifest (not its layers), and gives back the manifest's descriptor, with
    /// its platform.
    ///
    /// # Errors
    /// Those of [`Store::put`].
    pub fn put_image(&self, config: &ImageConfig, layers: Vec<Descriptor>) -> Result<Image, Error> {
        let bytes = config.to_bytes();
        self.put(&bytes)?;
        let manifest = Manifest::new(Descriptor::of(media::OCI_CONFIG, &bytes), layers);
        let bytes = manifest.to_bytes();
        self.put(&bytes)?;
        let mut descriptor = Descriptor::of(media::OCI_MANIFEST, &bytes);
        descriptor.platform = Some((&config.platform()).into());
        Ok(Image { descriptor, manifest, config: config.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::DiffId;
    use crate::content::OpenOptions;
    use crate::oci::Index;

    #[test]
    fn image_of_a_platform() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &OpenOptions::default()).unwrap();
        let make = |platform: &str| {
            let config = ImageConfig::new(&platform.parse().unwrap());
            store.put_image(&config, Vec::new()).unwrap()
        };
        let (amd, arm) = (make("linux/amd64"), make("linux/arm64"));
        let index = Index::new(vec![amd.descriptor.clone(), arm.descriptor.clone()]).to_bytes();
        store.put(&index).unwrap();
        let outer = Index::new(vec![Descriptor::of(media::OCI_INDEX, &index)]).to_bytes();
        store.put(&outer).unwrap();
        let outer = Descriptor::of(media::OCI_INDEX, &outer);
        assert_eq!(store.image(&outer, &"linux/arm64".parse().unwrap()).unwrap(), arm);
        assert_eq!(store.image(&amd.descriptor, &"linux/arm64".parse().unwrap()).unwrap(), amd);
        let none = store.image(&outer, &"linux/s390x".parse().unwrap()).unwrap_err();
        assert!(matches!(none, Error::Image(crate::oci::Error::NoPlatform { .. })), "{none}");
    }

    #[test]
    fn layers_and_diff_ids_must_agree() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &OpenOptions::default()).unwrap();
        let mut config = ImageConfig::new(&Platform::host());
        config.rootfs.diff_ids.push(DiffId::of(b"x"));
        let image = store.put_image(&config, Vec::new()).unwrap();
        assert!(store.image(&image.descriptor, &Platform::host()).is_err());
        let artifact = Manifest::new(Descriptor::of(media::OCI_EMPTY, b"{}"), Vec::new());
        assert!(store.config(&artifact).unwrap_err().to_string().contains("artifact"));
    }
}
