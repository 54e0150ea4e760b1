//! An OCI layout in a folder of its own: what `-o type=oci,tar=false` writes and what other tools exchange.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::content::Error;
use crate::host::{self, fs, random};
use crate::oci;
use crate::oci::archive::{Body, Files, Sink, Source, copy_exactly};
use crate::oci::{Index, LAYOUT_INDEX_LIMIT};

/// A folder with an OCI layout, to read images from or to write them to.
pub struct LayoutFolder {
    root: PathBuf,
}

impl LayoutFolder {
    /// A layout to read.
    pub fn open(root: impl AsRef<Path>) -> Self {
        Self { root: root.as_ref().to_owned() }
    }

    /// A layout to write to, made if it is not there. What it holds already stays; an image of the same name is
    /// replaced.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(root: impl AsRef<Path>) -> Result<Self, Error> {
        fs::create_dir_all(root.as_ref()).map_err(Error::of)?;
        Ok(Self::open(root))
    }

    /// The place of a file, if the name stays within the folder.
    fn path(&self, name: &str) -> Option<PathBuf> {
        let is_plain = |part: &str| !matches!(part, "" | "." | "..");
        (name.split('/').all(is_plain) && !name.contains('\0')).then(|| self.root.join(name))
    }

    fn write(&self, path: &Path, size: u64, data: &mut dyn Read) -> Result<(), oci::Error> {
        let failed = |e: host::Error| {
            let source = Error::of(e).into_stream();
            oci::Error::Stream { action: "write the layout", source }
        };
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(failed)?;
        let temporary = folder.join(format!(".{}.tmp", random::token()));
        let written = fs::create(&temporary).map_err(failed).and_then(|mut file| {
            copy_exactly(data, size, &mut file, &path.display().to_string())?;
            file.sync_all().map_err(|e| failed(host::Error::new("sync", path, e)))
        });
        let published = written.and_then(|()| fs::rename(&temporary, path).map_err(failed));
        if published.is_err() {
            // The error that is told is the first one.
            let _ = fs::remove_file(&temporary);
        }
        published
    }

    /// The old index with the new one's images in it.
    fn merged(&self, new: Index) -> Result<Index, oci::Error> {
        let Some(body) = self.open_file("index.json")? else { return Ok(new) };
        let mut index = Index::parse_layout(&body.read("index.json", LAYOUT_INDEX_LIMIT)?)?;
        for entry in new.manifests {
            let name = entry.annotations.get(oci::media::IMAGE_NAME);
            index.manifests.retain(|old| match name {
                Some(name) => old.annotations.get(oci::media::IMAGE_NAME) != Some(name),
                None => old.digest != entry.digest || !old.annotations.is_empty(),
            });
            index.manifests.push(entry);
        }
        Ok(index)
    }

    fn open_file(&self, name: &str) -> Result<Option<Body<'_>>, oci::Error> {
        let Some(path) = self.path(name) else {
            return Err(oci::Error::malformed("the layout", format!("it names the file {name:?}")));
        };
        let failed = |source| oci::Error::Stream { action: "read the layout", source };
        let file = match fs::open_regular(&path) {
            Ok(file) => file,
            // A folder is no file; a pipe would be waited for.
            Err(e) if e.is_not_found() || e.source.kind() == std::io::ErrorKind::InvalidInput => {
                return Ok(None);
            }
            Err(e) => return Err(failed(std::io::Error::new(e.source.kind(), e))),
        };
        let size = file.metadata().map_err(failed)?.len();
        Ok(Some(Body { size, reader: Box::new(file) }))
    }
}

impl Files for LayoutFolder {
    fn open(&self, name: &str) -> Result<Option<Body<'_>>, oci::Error> {
        self.open_file(name)
    }
}

impl Sink for LayoutFolder {
    fn file(&mut self, name: &str, size: u64, data: &mut dyn Read) -> Result<(), oci::Error> {
        let Some(path) = self.path(name) else {
            return Err(oci::Error::malformed("the layout", format!("it names the file {name:?}")));
        };
        if name == "index.json" {
            let mut bytes = Vec::new();
            copy_exactly(data, size, &mut bytes, name)?;
            let bytes = self.merged(Index::parse_layout(&bytes)?)?.to_bytes();
            return self.write(&path, bytes.len() as u64, &mut bytes.as_slice());
        }
        // Of the same name is of the same content: what several images share is written once.
        let is_there = |m: fs::Metadata| m.is_file() && m.len() == size;
        if name.starts_with("blobs/") && fs::symlink_metadata(&path).is_ok_and(is_there) {
            return copy_exactly(data, size, &mut std::io::sink(), name);
        }
        self.write(&path, size, data)
    }
}

/// A file that is read at random.
impl Source for fs::File {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buf, offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::archive::{Exported, Format, ImageWriter, read_images};
    use crate::oci::{Descriptor, media};

    #[test]
    fn images_join_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let write = |names: &[&str], bytes: &[u8]| {
            let exported = Exported {
                descriptor: Descriptor::of(media::OCI_MANIFEST, bytes),
                names: names.iter().map(|name| name.parse().unwrap()).collect(),
                docker: None,
            };
            let folder = LayoutFolder::create(dir.path().join("layout")).unwrap();
            let mut writer = ImageWriter::new(folder, Format::Oci, &[exported]).unwrap();
            writer.blob(&crate::base::BlobDigest::of(bytes), bytes.len() as u64, &mut &*bytes).unwrap();
        };
        write(&["a:1", "b:1"], b"one");
        write(&["b:1"], b"two");
        write(&[], b"three");
        write(&[], b"three");
        let folder = LayoutFolder::open(dir.path().join("layout"));
        let images = read_images(&folder).unwrap();
        let names: Vec<Vec<_>> =
            images.iter().map(|image| image.names.iter().map(|n| n.familiar()).collect()).collect();
        assert_eq!(names, [vec!["a:1"], vec!["b:1"], vec![]]);
    }

    #[test]
    fn a_blob_that_is_there_is_not_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = LayoutFolder::create(dir.path()).unwrap();
        let name = "blobs/sha256/ab";
        folder.file(name, 3, &mut &b"one"[..]).unwrap();
        folder.file(name, 3, &mut &b"two"[..]).unwrap();
        assert_eq!(fs::read(dir.path().join(name)).unwrap(), b"one");
        // One of another length was cut off by something.
        folder.file(name, 4, &mut &b"four"[..]).unwrap();
        assert_eq!(fs::read(dir.path().join(name)).unwrap(), b"four");
        folder.file("oci-layout", 1, &mut &b"1"[..]).unwrap();
        folder.file("oci-layout", 1, &mut &b"2"[..]).unwrap();
        assert_eq!(fs::read(dir.path().join("oci-layout")).unwrap(), b"2");
    }

    #[test]
    fn names_stay_within() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("secret"), "x").unwrap();
        fs::create_dir(dir.path().join("layout")).unwrap();
        let mut folder = LayoutFolder::open(dir.path().join("layout"));
        for name in ["../secret", "/etc/passwd", "a/../../secret", ""] {
            assert!(Files::open(&folder, name).is_err(), "{name}");
            assert!(folder.file(name, 0, &mut &b""[..]).is_err(), "{name}");
        }
        assert!(Files::open(&folder, "absent").unwrap().is_none());
    }
}
