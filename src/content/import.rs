//! Images from archives and layouts into the store.

use std::io::{self, Read, Write};

use crate::base::{DiffId, Hasher};
use crate::content::images::DEEPEST;
use crate::content::{Error, LayerBlob, Store};
use crate::oci::archive::{ArchivedContent, ArchivedImage, Body, DockerImage, Files, blob_name};
use crate::oci::compress::{at_most, decompress};
use crate::oci::{
    self, AnyManifest, CONFIG_LIMIT, Descriptor, ImageConfig, Index, MANIFEST_LIMIT, Manifest, media,
};
use crate::report::Context;

impl Store {
    /// Copies an image into the store, and says where it is. It is not named: see [`Store::tag`]. Every digest is
    /// verified. Of an index whose images are not all there, what is there is taken.
    ///
    /// # Errors
    /// [`Error::Image`] if the archive is not what it should be, [`Error::WrongDigest`], [`Error::DiskFull`],
    /// [`Error::Cancelled`], and those of the file system.
    pub fn import(
        &self,
        cx: &Context,
        files: &dyn Files,
        image: &ArchivedImage,
    ) -> Result<Descriptor, Error> {
        let import = Import { store: self, cx, files };
        match &image.content {
            ArchivedContent::Oci(descriptor) => import.manifest(descriptor, 0),
            ArchivedContent::Docker(image) => import.docker(image),
        }
    }
}

struct Import<'a> {
    store: &'a Store,
    cx: &'a Context,
    files: &'a dyn Files,
}

impl Import<'_> {
    fn open(&self, name: &str) -> Result<Body<'_>, Error> {
        let missing = || oci::Error::Missing { what: name.to_owned() };
        Ok(self.files.open(name)?.ok_or_else(missing)?)
    }

    fn manifest(&self, descriptor: &Descriptor, depth: usize) -> Result<Descriptor, Error> {
        if depth > DEEPEST {
            let rule = format!("more than {DEEPEST} indexes lie within each other");
            return Err(oci::Error::malformed("the index", rule).into());
        }
        let name = blob_name(&descriptor.digest);
        let bytes = self.open(&name)?.read(&name, MANIFEST_LIMIT)?;
        match AnyManifest::parse(Some(&descriptor.media_type), &bytes)? {
            AnyManifest::Image(manifest) => {
                for part in std::iter::once(&manifest.config).chain(&manifest.layers) {
                    self.blob(part)?;
                }
            }
            AnyManifest::Index(index) => {
                if let Some(partial) = self.children(&index, depth)? {
                    return Ok(partial);
                }
            }
        }
        // After everything it names, so that a manifest in the store is a whole image.
        self.blob(descriptor)?;
        Ok(descriptor.clone())
    }

    /// Copies what an index names. If some of it is not in the archive, gives back what stands for the rest.
    fn children(&self, index: &Index, depth: usize) -> Result<Option<Descriptor>, Error> {
        let mut present = Vec::new();
        for child in &index.manifests {
            if self.files.open(&blob_name(&child.digest))?.is_some() {
                present.push(self.manifest(child, depth + 1)?);
            }
        }
        if present == index.manifests {
            return Ok(None);
        }
        let images: Vec<_> = present.iter().filter(|child| !child.is_attestation()).cloned().collect();
        match images.as_slice() {
            [] => Err(oci::Error::Missing { what: "every image of its index".into() }.into()),
            [only] => Ok(Some(only.clone())),
            _ => {
                let bytes = Index { manifests: present, ..index.clone() }.to_bytes();
                self.store.put(&bytes)?;
                Ok(Some(Descriptor::of(media::OCI_INDEX, &bytes)))
            }
        }
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<(), Error> {
        if self.store.blob_size(&descriptor.digest) == Some(descriptor.size) {
            return Ok(());
        }
        let body = self.open(&blob_name(&descriptor.digest))?;
        let mut ingest = self.store.ingest(&descriptor.digest, Some(descriptor.size))?;
        ingest.reset()?;
        let mut reader = Stoppable { cx: self.cx, inner: body.reader };
        io::copy(&mut reader, &mut ingest).map_err(|e| self.failed(e))?;
        ingest.commit()
    }

    /// The error of a copy; a stop that was asked for is no error of the archive.
    fn failed(&self, error: io::Error) -> Error {
        if self.cx.cancel.is_cancelled() { Error::Cancelled } else { Error::from_stream(error) }
    }

    fn docker(&self, image: &DockerImage) -> Result<Descriptor, Error> {
        let bytes = self.open(&image.config)?.read(&image.config, CONFIG_LIMIT)?;
        let config = ImageConfig::parse(&bytes)?;
        if config.layers().len() != image.layers.len() {
            let (ids, layers) = (config.layers().len(), image.layers.len());
            let rule = format!("{} names {ids} layers, manifest.json names {layers}", image.config);
            return Err(oci::Error::malformed("the archive", rule).into());
        }
        let layers = image.layers.iter().zip(config.layers());
        let layers = layers.map(|(name, diff_id)| self.layer(name, diff_id)).collect::<Result<_, _>>()?;
        self.store.put(&bytes)?;
        let manifest = Manifest::new(Descriptor::of(media::OCI_CONFIG, &bytes), layers).to_bytes();
        self.store.put(&manifest)?;
        let mut descriptor = Descriptor::of(media::OCI_MANIFEST, &manifest);
        descriptor.platform = Some((&config.platform()).into());
        Ok(descriptor)
    }

    /// Copies a layer, compressed as it is, while its diff id is found on the way.
    fn layer(&self, name: &str, diff_id: &DiffId) -> Result<Descriptor, Error> {
        let body = self.open(name)?;
        let mut writer = self.store.writer()?;
        let reader = Stoppable { cx: self.cx, inner: body.reader };
        let unpacked = decompress(Tee { inner: reader, copy: &mut writer }).map_err(|e| self.failed(e))?;
        let kind = unpacked.kind();
        let mut unpacked = at_most(unpacked, self.cx.limits.layer_size);
        let mut tar = Counted { hasher: Hasher::default(), count: 0 };
        io::copy(&mut unpacked, &mut tar).map_err(|e| self.failed(e))?;
        drop(unpacked);
        let actual = tar.hasher.finish();
        if &actual != diff_id.digest() {
            let rule = format!("the configuration names {diff_id}, the layer has {actual}");
            return Err(oci::Error::malformed(name, rule).into());
        }
        let (digest, size) = writer.commit()?;
        let descriptor = Descriptor::new(kind.layer_media_type(), digest, size);
        let blob = LayerBlob {
            descriptor: descriptor.clone(),
            uncompressed_size: Some(tar.count),
            compressor: String::new(),
        };
        self.store.record_layer(diff_id, &blob)?;
        Ok(descriptor)
    }
}

/// Ends with an error when a stop is asked for.
pub(super) struct Stoppable<'a, R> {
    pub(super) cx: &'a Context,
    pub(super) inner: R,
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.cx.cancel.is_cancelled() {
            return Err(io::Error::other(Error::Cancelled));
        }
        self.inner.read(buf)
    }
}

/// Copies what is read through it.
struct Tee<'a, R, W> {
    inner: R,
    copy: &'a mut W,
}

impl<R: Read, W: Write> Read for Tee<'_, R, W> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.copy.write_all(&buf[..n])?;
        Ok(n)
    }
}

struct Counted {
    hasher: Hasher,
    count: u64,
}

impl Write for Counted {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.hasher.update(buf);
        self.count += buf.len() as u64;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Platform;
    use crate::content::OpenOptions;
    use crate::oci::archive::{TarFiles, read_images};
    use crate::oci::compress::{Compression, Compressor};

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &OpenOptions::default()).unwrap();
        (dir, store)
    }

    fn cx() -> Context {
        Context::silent(crate::host::clock::system())
    }

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut compressor = Compressor::new(Vec::new(), Compression::Gzip(6)).unwrap();
        compressor.write_all(data).unwrap();
        compressor.finish().unwrap()
    }

    /// As Docker before version 25 wrote them: files with names of their own, a layer twice through a link.
    fn old_docker_archive(diff_ids: [&[u8]; 3]) -> Vec<u8> {
        let mut config = ImageConfig::new(&Platform::host());
        config.rootfs.diff_ids = diff_ids.iter().map(|tar| DiffId::of(tar)).collect();
        let manifest = r#"[{"Config":"c.json","RepoTags":["shop:1"],"Layers":["1/layer.tar","2/layer.tar","3/layer.tar"]}]"#;
        let mut tar = tar::Builder::new(Vec::new());
        let mut add = |name: &str, data: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(data.len() as u64);
            tar.append_data(&mut header, name, data).unwrap();
        };
        add("c.json", &config.to_bytes());
        add("1/layer.tar", b"one");
        add("2/layer.tar", &gzip(b"two"));
        add("manifest.json", manifest.as_bytes());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, "3/layer.tar", "../1/layer.tar").unwrap();
        tar.into_inner().unwrap()
    }

    #[test]
    fn an_old_docker_archive() {
        let (_dir, store) = store();
        let bytes = old_docker_archive([b"one", b"two", b"one"]);
        let files = TarFiles::scan(bytes.as_slice()).unwrap();
        let images = read_images(&files).unwrap();
        let descriptor = store.import(&cx(), &files, &images[0]).unwrap();
        let image = store.image(&descriptor, &Platform::host()).unwrap();
        let types: Vec<_> = image.manifest.layers.iter().map(|l| l.media_type.as_str()).collect();
        assert_eq!(types, [media::OCI_LAYER, media::OCI_LAYER_GZIP, media::OCI_LAYER]);
        assert_eq!(store.layer_blobs(&DiffId::of(b"two")).unwrap()[0].descriptor, image.manifest.layers[1]);
        assert_eq!(store.import(&cx(), &files, &images[0]).unwrap(), descriptor);
    }

    #[test]
    fn a_layer_that_is_another_one_is_refused() {
        let (_dir, store) = store();
        let bytes = old_docker_archive([b"one", b"other", b"one"]);
        let files = TarFiles::scan(bytes.as_slice()).unwrap();
        let image = &read_images(&files).unwrap()[0];
        let error = store.import(&cx(), &files, image).unwrap_err();
        assert!(error.to_string().contains("2/layer.tar"), "{error}");
        let stopped = cx();
        stopped.cancel.cancel();
        assert!(matches!(store.import(&stopped, &files, image), Err(Error::Cancelled)));
    }
}
