//! Writing of archives and layouts.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use tar::{EntryType, Header};

use crate::base::{BlobDigest, Reference};
use crate::oci::archive::{DockerImage, blob_name};
use crate::oci::{Descriptor, Error, Index, Manifest, json, media};

/// What kind of archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An OCI layout.
    Oci,
    /// An OCI layout with Docker's `manifest.json`, which every `docker load` takes.
    Docker,
}

/// An image to be written.
#[derive(Clone, Debug)]
pub struct Exported {
    /// Its manifest or index.
    pub descriptor: Descriptor,
    /// Its names; may be none.
    pub names: Vec<Reference>,
    /// For [`Format::Docker`], the manifest of the one image that Docker is to load.
    pub docker: Option<Manifest>,
}

/// Where files of a layout go.
pub trait Sink {
    /// Writes a file of exactly `size` bytes. Names are given once each.
    ///
    /// # Errors
    /// If it cannot be written or `data` does not give `size` bytes.
    fn file(&mut self, name: &str, size: u64, data: &mut dyn Read) -> Result<(), Error>;
}

/// Writes a layout: first what it holds, then blob after blob, each once.
pub struct ImageWriter<S> {
    sink: S,
    written: BTreeSet<BlobDigest>,
}

impl<S: Sink> ImageWriter<S> {
    /// Writes the layout's own files. They come first, so that a reader of a stream knows what follows.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn new(mut sink: S, format: Format, images: &[Exported]) -> Result<Self, Error> {
        let mut put = |name: &str, bytes: &[u8]| sink.file(name, bytes.len() as u64, &mut &*bytes);
        put("oci-layout", b"{\"imageLayoutVersion\":\"1.0.0\"}")?;
        put("index.json", &Index::new(images.iter().flat_map(entries).collect()).to_bytes())?;
        if format == Format::Docker {
            let images: Vec<DockerImage> = images.iter().filter_map(docker_image).collect();
            put("manifest.json", &json::canonical(&images))?;
        }
        Ok(Self { sink, written: BTreeSet::new() })
    }

    /// Whether the blob was written already.
    pub fn has(&self, digest: &BlobDigest) -> bool {
        self.written.contains(digest)
    }

    /// Writes a blob, unless it was written already, and verifies it.
    ///
    /// # Errors
    /// Those of the sink and of `data`, and if `data` does not have the digest.
    pub fn blob(&mut self, digest: &BlobDigest, size: u64, data: &mut dyn Read) -> Result<(), Error> {
        if self.has(digest) {
            return Ok(());
        }
        let mut hasher = digest.digest().algorithm().hasher();
        let mut hashed = HashedRead { data, update: &mut |bytes| hasher.update(bytes) };
        self.sink.file(&blob_name(digest), size, &mut hashed)?;
        let actual = hasher.finish();
        if &actual == digest.digest() {
            self.written.insert(digest.clone());
            return Ok(());
        }
        Err(Error::malformed(format!("blob {digest}"), format!("its content has the digest {actual}")))
    }

    /// Gives the sink back.
    pub fn into_sink(self) -> S {
        self.sink
    }
}

struct HashedRead<'a> {
    data: &'a mut dyn Read,
    update: &'a mut dyn FnMut(&[u8]),
}

impl Read for HashedRead<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.data.read(buf)?;
        (self.update)(&buf[..n]);
        Ok(n)
    }
}

/// One entry a name, as containerd and Docker write them.
fn entries(image: &Exported) -> Vec<Descriptor> {
    if image.names.is_empty() {
        return vec![image.descriptor.clone()];
    }
    let entry = |name: &Reference| {
        let short = name.selector();
        let full = name.with_default_tag().to_string();
        image.descriptor.clone().annotated(media::IMAGE_NAME, full).annotated(media::REF_NAME, short)
    };
    image.names.iter().map(entry).collect()
}

fn docker_image(image: &Exported) -> Option<DockerImage> {
    let manifest = image.docker.as_ref()?;
    // A digest is no tag: Docker refuses it here.
    let tags = image.names.iter().filter(|name| name.digest().is_none());
    Some(DockerImage {
        config: blob_name(&manifest.config.digest),
        repo_tags: tags.map(|name| name.with_default_tag().familiar()).collect(),
        layers: manifest.layers.iter().map(|layer| blob_name(&layer.digest)).collect(),
    })
}

/// Writes files into a tar: owner 0, mode 0644, no time.
pub struct TarSink<W: Write> {
    out: W,
    folders: BTreeSet<String>,
}

impl<W: Write> TarSink<W> {
    /// An empty tar in front of `out`.
    pub fn new(out: W) -> Self {
        Self { out, folders: BTreeSet::new() }
    }

    /// Ends the tar.
    ///
    /// # Errors
    /// Those of the writer below.
    pub fn finish(mut self) -> Result<W, Error> {
        self.out.write_all(&[0; 1024]).and_then(|()| self.out.flush()).map_err(failed)?;
        Ok(self.out)
    }

    fn header(&mut self, name: &str, kind: EntryType, mode: u32, size: u64) -> Result<(), Error> {
        let mut header = Header::new_ustar();
        header.set_path(name).map_err(failed)?;
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(size);
        header.set_cksum();
        self.out.write_all(header.as_bytes()).map_err(failed)
    }

    fn folders_of(&mut self, name: &str) -> Result<(), Error> {
        for (at, _) in name.match_indices('/') {
            let folder = &name[..=at];
            if self.folders.insert(folder.to_owned()) {
                self.header(folder, EntryType::Directory, 0o755, 0)?;
            }
        }
        Ok(())
    }
}

fn failed(source: io::Error) -> Error {
    Error::Stream { action: "write the archive", source }
}

impl<W: Write> Sink for TarSink<W> {
    fn file(&mut self, name: &str, size: u64, data: &mut dyn Read) -> Result<(), Error> {
        self.folders_of(name)?;
        self.header(name, EntryType::Regular, 0o644, size)?;
        copy_exactly(data, size, &mut self.out, name)?;
        let padding = usize::try_from(size.next_multiple_of(512) - size).unwrap_or(0);
        self.out.write_all(&[0; 512][..padding]).map_err(failed)
    }
}

/// Copies exactly `size` bytes of the file `name`; neither more nor fewer may come.
///
/// # Errors
/// Those of both sides, and another number of bytes.
pub fn copy_exactly(data: &mut dyn Read, size: u64, out: &mut dyn Write, name: &str) -> Result<(), Error> {
    let copied = io::copy(&mut data.take(size), out).map_err(failed)?;
    let more = data.read(&mut [0]).map_err(failed)?;
    if copied == size && more == 0 {
        return Ok(());
    }
    Err(Error::malformed(name, format!("it does not have the {size} bytes it should have")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::archive::{ArchivedContent, Files as _, TarFiles, read_images};

    fn image() -> (Exported, Vec<Vec<u8>>) {
        let (config, layer) = (b"{}".to_vec(), b"layer".to_vec());
        let manifest = Manifest::new(
            Descriptor::of(media::OCI_CONFIG, &config),
            vec![Descriptor::of(media::OCI_LAYER, &layer)],
        );
        let bytes = manifest.to_bytes();
        let names = vec!["shop:1".parse().unwrap(), "host:5000/shop".parse().unwrap()];
        let descriptor = Descriptor::of(media::OCI_MANIFEST, &bytes);
        (Exported { descriptor, names, docker: Some(manifest) }, vec![bytes, config, layer])
    }

    fn write(format: Format) -> Vec<u8> {
        let (image, blobs) = image();
        let mut writer = ImageWriter::new(TarSink::new(Vec::new()), format, &[image]).unwrap();
        for blob in blobs.iter().chain(&blobs) {
            writer.blob(&BlobDigest::of(blob), blob.len() as u64, &mut blob.as_slice()).unwrap();
        }
        writer.into_sink().finish().unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        for format in [Format::Oci, Format::Docker] {
            let bytes = write(format);
            assert!(bytes == write(format), "deterministic");
            let files = TarFiles::scan(bytes.as_slice()).unwrap();
            let images = read_images(&files).unwrap();
            let (image, blobs) = image();
            assert_eq!(images.len(), 1);
            assert_eq!(images[0].content, ArchivedContent::Oci(Box::new(image.descriptor)));
            let names: Vec<_> = images[0].names.iter().map(Reference::familiar).collect();
            assert_eq!(names, ["shop:1", "host:5000/shop:latest"]);
            for blob in blobs {
                let body = files.open(&blob_name(&BlobDigest::of(&blob))).unwrap().unwrap();
                assert_eq!(body.read("blob", 1000).unwrap(), blob);
            }
            assert_eq!(files.open("manifest.json").unwrap().is_some(), format == Format::Docker);
        }
    }

    #[test]
    fn docker_sees_its_names() {
        let bytes = write(Format::Docker);
        let files = TarFiles::scan(bytes.as_slice()).unwrap();
        let text = files.open("manifest.json").unwrap().unwrap().read("manifest.json", 10_000).unwrap();
        let images: Vec<DockerImage> = serde_json::from_slice(&text).unwrap();
        assert_eq!(images[0].repo_tags, ["shop:1", "host:5000/shop:latest"]);
        assert_eq!(images[0].layers, [blob_name(&BlobDigest::of(b"layer"))]);
    }

    #[test]
    fn wrong_sizes_and_digests_are_errors() {
        let mut writer = ImageWriter::new(TarSink::new(Vec::new()), Format::Oci, &[]).unwrap();
        for (digest, size) in [(&b"data"[..], 3), (b"data", 5), (b"other", 4)] {
            assert!(writer.blob(&BlobDigest::of(digest), size, &mut &b"data"[..]).is_err());
        }
    }
}
