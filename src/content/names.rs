//! Names of images: the entries of `index.json`.
//!
//! An entry carries its full name twice, as `org.opencontainers.image.ref.name` for the tools that read OCI layouts and
//! as `io.containerd.image.name`. Entries that other tools made are kept as they are.

use crate::base::Reference;
use crate::content::{Error, Store, disk};
use crate::host::fs;
use crate::host::lock::Sharing;
use crate::oci::{Descriptor, Index, media};

/// An image with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The name; with a tag or a digest.
    pub reference: Reference,
    /// Its manifest or index.
    pub descriptor: Descriptor,
}

impl Store {
    /// Names an image. A name that is in use moves; a reference without tag and digest means `latest`; one with a
    /// digest is stored by digest alone. Naming what has this name already writes nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the manifest is not in the store, [`Error::ReadOnly`], and those of the file system.
    pub fn tag(&self, reference: &Reference, descriptor: &Descriptor) -> Result<(), Error> {
        self.writable()?;
        if !self.has(&descriptor.digest) {
            return Err(Error::NotFound { digest: descriptor.digest.clone() });
        }
        let name = key(reference);
        let entry = descriptor
            .clone()
            .annotated(media::REF_NAME, name.to_string())
            .annotated(media::IMAGE_NAME, name.to_string());
        self.change_index(|index| {
            if index.manifests.contains(&entry) {
                return false;
            }
            index.manifests.retain(|old| name_of(old).as_ref() != Some(&name));
            index.manifests.push(entry);
            true
        })?;
        Ok(())
    }

    /// Takes a name away; says whether it was there. The image stays until prune, or as long as it has other names.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], and those of the file system.
    pub fn untag(&self, reference: &Reference) -> Result<bool, Error> {
        self.writable()?;
        let name = key(reference);
        self.change_index(|index| {
            let before = index.manifests.len();
            index.manifests.retain(|old| name_of(old).as_ref() != Some(&name));
            index.manifests.len() != before
        })
    }

    /// What has this name. A reference with a digest also finds an image of the same repository that is known by tag.
    ///
    /// # Errors
    /// [`Error::Damaged`], and those of the file system.
    pub fn resolve(&self, reference: &Reference) -> Result<Option<Descriptor>, Error> {
        let name = key(reference);
        let images = self.images()?;
        let by_name = images.iter().find(|image| image.reference == name);
        let by_digest = || {
            let digest = name.digest()?;
            images
                .iter()
                .find(|i| i.descriptor.digest.digest() == digest && i.reference.name() == name.name())
        };
        let found = by_name.or_else(by_digest).map(|image| image.descriptor.clone());
        if let Some(descriptor) = &found {
            self.protect(&descriptor.digest)?;
        }
        Ok(found)
    }

    /// All images that have a name, sorted by it.
    ///
    /// # Errors
    /// [`Error::Damaged`], and those of the file system.
    pub fn images(&self) -> Result<Vec<Named>, Error> {
        let named = |mut descriptor: Descriptor| {
            let reference = name_of(&descriptor)?;
            descriptor.annotations.remove(media::REF_NAME);
            descriptor.annotations.remove(media::IMAGE_NAME);
            Some(Named { reference, descriptor })
        };
        let mut images: Vec<_> = self.index()?.manifests.into_iter().filter_map(named).collect();
        images.sort_by(|a, b| a.reference.cmp(&b.reference));
        Ok(images)
    }

    /// Everything `index.json` says, entries without a usable name included.
    pub(super) fn index(&self) -> Result<Index, Error> {
        let bytes = fs::read(self.root().join("index.json"))
            .map_err(|e| if e.is_not_found() { Error::damaged("index.json", e) } else { e.into() })?;
        Index::parse_layout(&bytes).map_err(|e| Error::damaged("index.json", e))
    }

    /// Changes `index.json` under its lock. `change` says whether it changed anything; so does the result.
    pub(super) fn change_index(&self, change: impl FnOnce(&mut Index) -> bool) -> Result<bool, Error> {
        let _lock = self.lock("index", Sharing::Exclusive)?;
        let mut index = self.index()?;
        let changed = change(&mut index);
        if changed {
            self.write_index(&index)?;
        }
        Ok(changed)
    }

    /// Replaces `index.json`. The caller holds its lock.
    pub(super) fn write_index(&self, index: &Index) -> Result<(), Error> {
        fs::write_atomic(self.root().join("index.json"), index.to_bytes()).map_err(Error::of)?;
        disk::sync_folder(self.root()).map_err(Error::of)
    }
}

/// The form under which a name is stored.
fn key(reference: &Reference) -> Reference {
    match reference.digest() {
        Some(digest) => reference.with_digest(digest.clone()),
        None => reference.with_default_tag(),
    }
}

/// The name of an entry: containerd's, else the layout's own if it is a full reference.
pub(super) fn name_of(entry: &Descriptor) -> Option<Reference> {
    let read = |annotation| entry.annotations.get(annotation)?.parse::<Reference>().ok().map(|r| key(&r));
    read(media::IMAGE_NAME).or_else(|| read(media::REF_NAME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::OpenOptions;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &OpenOptions::default()).unwrap();
        (dir, store)
    }

    fn reference(text: &str) -> Reference {
        text.parse().unwrap()
    }

    fn manifest(store: &Store, text: &str) -> Descriptor {
        store.put(text.as_bytes()).unwrap();
        Descriptor::of(media::OCI_MANIFEST, text.as_bytes()).annotated("own", "kept")
    }

    #[test]
    fn names_move_and_go() {
        let (_dir, store) = store();
        let (one, two) = (manifest(&store, "1"), manifest(&store, "2"));
        store.tag(&reference("shop"), &one).unwrap();
        store.tag(&reference("host:5000/a/b:c"), &one).unwrap();
        assert_eq!(store.resolve(&reference("shop:latest")).unwrap(), Some(one.clone()));
        store.tag(&reference("shop:latest"), &two).unwrap();
        assert_eq!(store.resolve(&reference("docker.io/library/shop")).unwrap(), Some(two.clone()));
        let names: Vec<_> = store.images().unwrap().iter().map(|i| i.reference.familiar()).collect();
        assert_eq!(names, ["shop:latest", "host:5000/a/b:c"]);
        assert!(store.untag(&reference("shop")).unwrap());
        assert!(!store.untag(&reference("shop")).unwrap());
        assert_eq!(store.resolve(&reference("shop")).unwrap(), None);
    }

    #[test]
    fn digests_are_names_too() {
        let (_dir, store) = store();
        let one = manifest(&store, "1");
        let by_digest = reference("a.b/c:tag").with_digest(one.digest.digest().clone());
        store.tag(&by_digest, &one).unwrap();
        assert_eq!(store.images().unwrap()[0].reference.to_string(), format!("a.b/c@{}", one.digest));
        store.untag(&by_digest).unwrap();
        store.tag(&reference("a.b/c:1"), &one).unwrap();
        assert_eq!(store.resolve(&by_digest).unwrap(), Some(one.clone()));
        let elsewhere = reference("a.b/other").with_digest(one.digest.digest().clone());
        assert_eq!(store.resolve(&elsewhere).unwrap(), None);
    }

    #[test]
    fn only_what_is_there_gets_a_name() {
        let (dir, store) = store();
        let absent = Descriptor::of(media::OCI_MANIFEST, b"absent");
        assert!(matches!(store.tag(&reference("x"), &absent), Err(Error::NotFound { .. })));
        fs::write(dir.path().join("index.json"), "{").unwrap();
        assert!(matches!(store.images(), Err(Error::Damaged { .. })));
        fs::remove_file(dir.path().join("index.json")).unwrap();
        let again = Store::open(dir.path(), &OpenOptions::default()).unwrap();
        assert!(matches!(again.images(), Err(Error::Damaged { .. })), "a lost index is not an empty one");
    }

    #[test]
    fn entries_of_other_tools_stay() {
        let (dir, store) = store();
        let foreign = r#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",
            "digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0,"x":1}]}"#;
        fs::write(dir.path().join("index.json"), foreign).unwrap();
        store.tag(&reference("mine"), &manifest(&store, "1")).unwrap();
        let index = store.index().unwrap();
        assert_eq!((index.manifests.len(), index.manifests[0].extra["x"].as_i64()), (2, Some(1)));
        assert_eq!(store.images().unwrap().len(), 1);
    }

    #[test]
    fn many_writers_lose_nothing() {
        let (dir, store) = store();
        let one = manifest(&store, "1");
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (path, one) = (dir.path(), &one);
                scope.spawn(move || {
                    let store = Store::open(path, &OpenOptions::default()).unwrap();
                    for n in 0..10 {
                        store.tag(&reference(&format!("image:{thread}-{n}")), one).unwrap();
                    }
                });
            }
        });
        assert_eq!(store.images().unwrap().len(), 40);
    }
}
