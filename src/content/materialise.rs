//! Images made ready to leave: every layer a blob, compressed as asked.

use std::io;

use crate::base::DiffId;
use crate::content::import::Stoppable;
use crate::content::{Error, Store, Unpacked};
use crate::oci::compress::{Compression, Kind};
use crate::oci::{AnyManifest, Descriptor, Index, Manifest, media};
use crate::report::Context;

/// How an image is to leave.
pub struct Leaving<'a> {
    /// How layers that are not compressed are to be.
    pub compression: Compression,
    /// Compress again what is compressed in another way.
    pub force: bool,
    /// Knows the layers that have no blob.
    pub unpacked: &'a dyn Unpacked,
}

impl Store {
    /// Makes sure that every layer of the image (or of all images of an index) is a blob in the store, and compressed:
    /// those that are not, or exist only unpacked, are written in one pass each, or found if the same compressor has
    /// written them before. Gives back the image that names these blobs: a new manifest unless nothing changed. Hold a
    /// lease around it, or name the result.
    ///
    /// # Errors
    /// [`Error::NotFound`] for layers that are neither stored nor unpacked, [`Error::DiskFull`],
    /// [`Error::Cancelled`], and those of the file system.
    pub fn materialise(
        &self,
        cx: &Context,
        descriptor: &Descriptor,
        leaving: &Leaving<'_>,
    ) -> Result<Descriptor, Error> {
        let (bytes, media_type) = match self.manifest(descriptor)? {
            AnyManifest::Image(manifest) => {
                let layers = self.materialise_layers(cx, &manifest, leaving)?;
                if layers == manifest.layers {
                    return Ok(descriptor.clone());
                }
                let manifest = Manifest { layers, ..manifest };
                (manifest.to_bytes(), manifest.effective_media_type().to_owned())
            }
            AnyManifest::Index(index) => {
                let manifests = index
                    .manifests
                    .iter()
                    .map(|child| self.materialise(cx, child, leaving))
                    .collect::<Result<Vec<_>, _>>()?;
                if manifests == index.manifests {
                    return Ok(descriptor.clone());
                }
                let index = Index { manifests, ..index };
                (index.to_bytes(), descriptor.media_type.clone())
            }
        };
        let digest = self.put(&bytes)?;
        Ok(Descriptor { media_type, digest, size: bytes.len() as u64, ..descriptor.clone() })
    }

    fn materialise_layers(
        &self,
        cx: &Context,
        manifest: &Manifest,
        leaving: &Leaving<'_>,
    ) -> Result<Vec<Descriptor>, Error> {
        if !manifest.is_image() {
            return Ok(manifest.layers.clone());
        }
        let config = self.config(manifest)?;
        let layers = manifest.layers.iter().zip(config.layers());
        layers.map(|(layer, diff_id)| self.materialise_layer(cx, layer, diff_id, leaving)).collect()
    }

    /// Makes sure that one layer is a blob in the store, as [`Store::materialise`] does; `layer` is what its image says
    /// of it.
    ///
    /// # Errors
    /// As [`Store::materialise`].
    pub fn materialise_layer(
        &self,
        cx: &Context,
        layer: &Descriptor,
        diff_id: &DiffId,
        leaving: &Leaving<'_>,
    ) -> Result<Descriptor, Error> {
        let wanted = leaving.compression.kind();
        let is_here = self.has(&layer.digest);
        let as_asked = kind_of(&layer.media_type) == wanted;
        if is_here && (as_asked || !leaving.force && kind_of(&layer.media_type) != Kind::Plain) {
            return Ok(layer.clone());
        }
        if media::is_foreign(&layer.media_type) {
            return Ok(layer.clone());
        }
        let compressor = leaving.compression.compressor();
        let known = self.layer_blobs(diff_id)?.into_iter().map(|blob| (blob.compressor, blob.descriptor));
        let known =
            known.filter(|(by, blob)| *by == compressor && self.has(&blob.digest)).map(|(_, blob)| blob);
        let blob = match known.into_iter().next() {
            Some(blob) => blob,
            None => self.compress_layer(cx, is_here.then_some(layer), diff_id, leaving)?,
        };
        let media_type = media_type_like(&layer.media_type, wanted);
        Ok(Descriptor { media_type, digest: blob.digest, size: blob.size, ..layer.clone() })
    }

    fn compress_layer(
        &self,
        cx: &Context,
        blob: Option<&Descriptor>,
        diff_id: &DiffId,
        leaving: &Leaving<'_>,
    ) -> Result<Descriptor, Error> {
        let mut writer = self.layer_writer(leaving.compression)?;
        let stopped_or = |e| if cx.cancel.is_cancelled() { Error::Cancelled } else { Error::from_stream(e) };
        match blob {
            Some(blob) => {
                let reader = Stoppable { cx, inner: self.open_blob(&blob.digest)? };
                let tar = crate::oci::compress::decompress(reader).map_err(stopped_or)?;
                let mut tar = crate::oci::compress::at_most(tar, cx.limits.layer_size);
                io::copy(&mut tar, &mut writer).map_err(stopped_or)?;
            }
            None if leaving.unpacked.contains(diff_id) => {
                leaving.unpacked.write_tar(diff_id, &mut writer).map_err(stopped_or)?;
            }
            None => return Err(Error::NotFound { digest: diff_id.clone().into() }),
        }
        Ok(writer.commit_as(diff_id)?.descriptor())
    }
}

fn kind_of(media_type: &str) -> Kind {
    if media_type.ends_with("+gzip") || media_type.ends_with(".gzip") {
        Kind::Gzip
    } else if media_type.ends_with("+zstd") || media_type.ends_with(".zstd") {
        Kind::Zstd
    } else {
        Kind::Plain
    }
}

/// The media type of a layer compressed as `kind`, of the same family as `old`.
fn media_type_like(old: &str, kind: Kind) -> String {
    let is_docker = old.starts_with("application/vnd.docker.");
    let media_type = match kind {
        Kind::Plain if is_docker => media::DOCKER_LAYER,
        Kind::Gzip if is_docker => media::DOCKER_LAYER_GZIP,
        Kind::Zstd if is_docker => media::DOCKER_LAYER_ZSTD,
        kind => kind.layer_media_type(),
    };
    media_type.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Platform;
    use crate::content::{NothingUnpacked, OpenOptions};
    use crate::oci::ImageConfig;
    use std::io::Write;

    struct Snapshot;

    impl Unpacked for Snapshot {
        fn contains(&self, layer: &DiffId) -> bool {
            *layer == DiffId::of(b"virtual")
        }

        fn write_tar(&self, _: &DiffId, out: &mut dyn Write) -> io::Result<()> {
            out.write_all(b"virtual")
        }
    }

    #[test]
    fn layers_become_compressed_blobs_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &OpenOptions::default()).unwrap();
        let cx = Context::silent(crate::host::clock::system());
        let mut config = ImageConfig::new(&Platform::host());
        let plain = store.put(b"plain").unwrap();
        config.rootfs.diff_ids = vec![DiffId::of(b"plain"), DiffId::of(b"virtual")];
        let layers = vec![
            Descriptor::new(media::OCI_LAYER, plain, 5),
            Descriptor::of(media::OCI_LAYER, b"virtual").annotated("own", "kept"),
        ];
        let image = store.put_image(&config, layers).unwrap();
        let leave = |compression, force, unpacked: &dyn Unpacked, from: &Descriptor| {
            store.materialise(&cx, from, &Leaving { compression, force, unpacked })
        };
        let gzip = Compression::Gzip(6);
        assert!(matches!(
            leave(gzip, false, &NothingUnpacked, &image.descriptor),
            Err(Error::NotFound { .. })
        ));
        let left = leave(gzip, false, &Snapshot, &image.descriptor).unwrap();
        let made = store.image(&left, &Platform::host()).unwrap();
        assert_eq!(made.config, image.config);
        assert!(
            made.manifest
                .layers
                .iter()
                .all(|l| l.media_type == media::OCI_LAYER_GZIP && store.has(&l.digest))
        );
        assert_eq!(made.manifest.layers[1].annotations["own"], "kept");
        assert_eq!(left.platform, image.descriptor.platform);
        // Found, not made again: there is nothing unpacked any more.
        assert_eq!(leave(gzip, false, &NothingUnpacked, &image.descriptor).unwrap(), left);
        let zstd = Compression::Zstd(3);
        assert_eq!(leave(zstd, false, &NothingUnpacked, &left).unwrap(), left);
        let forced = leave(zstd, true, &NothingUnpacked, &left).unwrap();
        let forced = store.image(&forced, &Platform::host()).unwrap();
        assert!(forced.manifest.layers.iter().all(|l| l.media_type == media::OCI_LAYER_ZSTD));
    }
}
