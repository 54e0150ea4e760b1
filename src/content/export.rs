//! Images from the store into archives and layouts.

use std::io::{self, Read, Write};
use std::sync::mpsc;

use crate::base::{DiffId, Platform};
use crate::content::import::Stoppable;
use crate::content::{Error, Store, Unpacked};
use crate::oci::archive::{Exported, Format, ImageWriter, Sink};
use crate::oci::{self, AnyManifest, Descriptor, Manifest};
use crate::report::Context;

/// What to write.
pub struct Export<'a> {
    /// The kind of archive.
    pub format: Format,
    /// Manifests or indexes with their names.
    pub images: Vec<(Descriptor, Vec<crate::base::Reference>)>,
    /// Of an index, the platform Docker is to load.
    pub platform: &'a Platform,
    /// Knows the layers that have no blob.
    pub unpacked: &'a dyn Unpacked,
}

impl Store {
    /// Writes images with everything they name to `sink`, and gives it back to be ended. Equal images give equal
    /// bytes.
    ///
    /// # Errors
    /// [`Error::NotFound`] for blobs that are neither stored nor unpacked, [`Error::Image`] (of the sink too),
    /// [`Error::Cancelled`], and those of the file system.
    pub fn export<S: Sink>(&self, cx: &Context, export: &Export<'_>, sink: S) -> Result<S, Error> {
        let mut exported = Vec::new();
        for (descriptor, names) in &export.images {
            let docker = match export.format {
                Format::Docker => Some(self.image(descriptor, export.platform)?.manifest),
                Format::Oci => None,
            };
            exported.push(Exported { descriptor: descriptor.clone(), names: names.clone(), docker });
        }
        let mut writer = ImageWriter::new(sink, export.format, &exported)?;
        for (descriptor, _) in &export.images {
            self.export_manifest(cx, descriptor, export.unpacked, &mut writer)?;
        }
        Ok(writer.into_sink())
    }

    fn export_manifest<S: Sink>(
        &self,
        cx: &Context,
        descriptor: &Descriptor,
        unpacked: &dyn Unpacked,
        writer: &mut ImageWriter<S>,
    ) -> Result<(), Error> {
        if writer.has(&descriptor.digest) {
            return Ok(());
        }
        let manifest = self.manifest(descriptor)?;
        self.export_blob(cx, descriptor, writer)?;
        match manifest {
            AnyManifest::Index(index) => {
                for child in &index.manifests {
                    self.export_manifest(cx, child, unpacked, writer)?;
                }
            }
            AnyManifest::Image(manifest) => {
                self.export_blob(cx, &manifest.config, writer)?;
                for (layer, diff_id) in manifest.layers.iter().zip(self.diff_ids(&manifest)?) {
                    match diff_id.filter(|id| !self.has(&layer.digest) && unpacked.contains(id)) {
                        Some(id) => self.export_unpacked(cx, layer, (&id, unpacked), writer)?,
                        None => self.export_blob(cx, layer, writer)?,
                    }
                }
            }
        }
        Ok(())
    }

    /// The diff id of each layer; none are known of an artifact's.
    fn diff_ids(&self, manifest: &Manifest) -> Result<Vec<Option<DiffId>>, Error> {
        if !manifest.is_image() {
            return Ok(vec![None; manifest.layers.len()]);
        }
        Ok(self.config(manifest)?.rootfs.diff_ids.into_iter().map(Some).collect())
    }

    fn export_blob<S: Sink>(
        &self,
        cx: &Context,
        descriptor: &Descriptor,
        writer: &mut ImageWriter<S>,
    ) -> Result<(), Error> {
        if writer.has(&descriptor.digest) {
            return Ok(());
        }
        let mut blob = Stoppable { cx, inner: self.open_blob(&descriptor.digest)? };
        writer.blob(&descriptor.digest, descriptor.size, &mut blob).map_err(|e| stopped_or(cx, e))
    }

    /// A layer that is named uncompressed and exists only unpacked.
    fn export_unpacked<S: Sink>(
        &self,
        cx: &Context,
        layer: &Descriptor,
        (diff_id, unpacked): (&DiffId, &dyn Unpacked),
        writer: &mut ImageWriter<S>,
    ) -> Result<(), Error> {
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::sync_channel(4);
            let made = scope.spawn(move || unpacked.write_tar(diff_id, &mut PipeWriter { sender }));
            let mut reader = Stoppable { cx, inner: PipeReader { receiver, rest: Vec::new(), at: 0 } };
            let written = writer.blob(&layer.digest, layer.size, &mut reader);
            // Ends the maker if the writer has given up.
            drop(reader);
            let made = made
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("the maker of a layer's tar ended early")));
            match (written, made) {
                (Ok(()), Ok(())) => Ok(()),
                // A maker that failed is the reason for what the writer saw; a broken pipe is only its echo.
                (_, Err(e)) if e.kind() != io::ErrorKind::BrokenPipe => Err(Error::from_stream(e)),
                (Err(e), _) => Err(stopped_or(cx, e)),
                (Ok(()), Err(e)) => Err(Error::from_stream(e)),
            }
        })
    }
}

fn stopped_or(cx: &Context, error: oci::Error) -> Error {
    if cx.cancel.is_cancelled() {
        return Error::Cancelled;
    }
    match error {
        oci::Error::Stream { action, source } => match source.downcast::<Error>() {
            Ok(own) => own,
            Err(source) => oci::Error::Stream { action, source }.into(),
        },
        error => error.into(),
    }
}

/// The writing end of a pipe between two threads.
struct PipeWriter {
    sender: mpsc::SyncSender<Vec<u8>>,
}

impl Write for PipeWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let part = buf[..buf.len().min(1 << 20)].to_vec();
        let n = part.len();
        self.sender.send(part).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct PipeReader {
    receiver: mpsc::Receiver<Vec<u8>>,
    rest: Vec<u8>,
    at: usize,
}

impl Read for PipeReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at == self.rest.len() {
            let Ok(part) = self.receiver.recv() else { return Ok(0) };
            (self.rest, self.at) = (part, 0);
        }
        let n = buf.len().min(self.rest.len() - self.at);
        buf[..n].copy_from_slice(&self.rest[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{NothingUnpacked, OpenOptions};
    use crate::oci::archive::{TarFiles, TarSink, read_images};
    use crate::oci::{ImageConfig, media};

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &OpenOptions::default()).unwrap();
        (dir, store)
    }

    fn cx() -> Context {
        Context::silent(crate::host::clock::system())
    }

    struct Snapshot(Vec<u8>);

    impl Unpacked for Snapshot {
        fn contains(&self, layer: &DiffId) -> bool {
            *layer == DiffId::of(b"virtual")
        }

        fn write_tar(&self, _: &DiffId, out: &mut dyn Write) -> io::Result<()> {
            if self.0.is_empty() {
                return Err(io::Error::other("the snapshot is gone"));
            }
            self.0.chunks(3).try_for_each(|part| out.write_all(part))
        }
    }

    fn image_with(store: &Store, layer: &[u8]) -> Descriptor {
        let mut config = ImageConfig::new(&Platform::host());
        config.rootfs.diff_ids = vec![DiffId::of(layer)];
        store.put_image(&config, vec![Descriptor::of(media::OCI_LAYER, layer)]).unwrap().descriptor
    }

    fn save(store: &Store, image: &Descriptor, unpacked: &dyn Unpacked) -> Result<Vec<u8>, Error> {
        let images = vec![(image.clone(), vec!["shop:1".parse().unwrap()])];
        let export = Export { format: Format::Docker, images, platform: &Platform::host(), unpacked };
        Ok(store.export(&cx(), &export, TarSink::new(Vec::new()))?.finish()?)
    }

    #[test]
    fn out_and_in_again() {
        let (_dir, from) = store();
        from.put(b"layer").unwrap();
        let image = image_with(&from, b"layer");
        let bytes = save(&from, &image, &NothingUnpacked).unwrap();
        assert_eq!(save(&from, &image, &NothingUnpacked).unwrap(), bytes);
        let (_dir, to) = store();
        let files = TarFiles::scan(bytes.as_slice()).unwrap();
        let images = read_images(&files).unwrap();
        let imported = to.import(&cx(), &files, &images[0]).unwrap();
        assert_eq!(imported.digest, image.digest);
        assert_eq!(to.blobs().unwrap(), from.blobs().unwrap());
    }

    #[test]
    fn unpacked_layers_are_made_again() {
        let (_dir, store) = store();
        let image = image_with(&store, b"virtual");
        assert!(matches!(save(&store, &image, &NothingUnpacked), Err(Error::NotFound { .. })));
        let bytes = save(&store, &image, &Snapshot(b"virtual".to_vec())).unwrap();
        let files = TarFiles::scan(bytes.as_slice()).unwrap();
        assert_eq!(read_images(&files).unwrap().len(), 1);
        for (content, word) in [(&b"changed"[..], "digest"), (b"longer than it was", "bytes"), (b"", "gone")]
        {
            let error = save(&store, &image, &Snapshot(content.to_vec())).unwrap_err();
            let failure = crate::base::Failure::from(error);
            let told = format!("{failure} {:?}", failure.causes());
            assert!(told.contains(word), "{told}");
        }
    }

    #[test]
    fn of_an_index_that_is_not_complete_what_is_there_is_taken() {
        let (_dir, from) = store();
        from.put(b"layer").unwrap();
        let here = image_with(&from, b"layer");
        let absent = Descriptor::of(media::OCI_MANIFEST, b"absent");
        let index = oci::Index::new(vec![absent, here.clone()]).to_bytes();
        from.put(&index).unwrap();
        let mut files = std::collections::BTreeMap::new();
        for (digest, _) in from.blobs().unwrap() {
            files.insert(oci::archive::blob_name(&digest), from.read_blob(&digest, 1000).unwrap());
        }
        let (_dir, to) = store();
        let archived = oci::archive::ArchivedImage {
            names: Vec::new(),
            label: None,
            content: oci::archive::ArchivedContent::Oci(Box::new(Descriptor::of(media::OCI_INDEX, &index))),
        };
        assert_eq!(to.import(&cx(), &Memory(files), &archived).unwrap().digest, here.digest);
    }

    struct Memory(std::collections::BTreeMap<String, Vec<u8>>);

    impl oci::archive::Files for Memory {
        fn open(&self, name: &str) -> Result<Option<oci::archive::Body<'_>>, oci::Error> {
            let body = |bytes: &'_ Vec<u8>| (bytes.len() as u64, bytes.clone());
            Ok(self
                .0
                .get(name)
                .map(body)
                .map(|(size, bytes)| oci::archive::Body { size, reader: Box::new(io::Cursor::new(bytes)) }))
        }
    }
}
