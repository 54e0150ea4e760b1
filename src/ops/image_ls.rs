//! Listing the images of the store.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::base::{Failure, Reference};
use crate::content::{Image, Store};
use crate::oci::{AnyManifest, Descriptor};

/// Which images to list.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Only these repositories or names; all if empty.
    pub only: Vec<Reference>,
}

/// An image with one of its names.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// The name in full.
    pub reference: Reference,
    /// The repository as people write it.
    pub name: String,
    /// The tag; empty for one known by digest.
    pub tag: String,
    /// Digest of the manifest or index.
    pub digest: String,
    /// Media type of the manifest or index.
    pub media_type: String,
    /// Digest of the configuration; absent of an index of several images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// What it runs on.
    pub platforms: Vec<String>,
    /// When it was made, RFC 3339, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Bytes of everything it names, each blob once.
    pub size: u64,
    /// Why it cannot be read, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Lists.
///
/// # Errors
/// If the store's index cannot be read. An image that cannot be is listed with its problem.
pub fn run(store: &Store, request: &Request) -> Result<Vec<Listed>, Failure> {
    let wanted =
        |name: &Reference| request.only.is_empty() || request.only.iter().any(|only| matches(only, name));
    let images = store.images()?.into_iter().filter(|image| wanted(&image.reference));
    Ok(images.map(|image| listed(store, image.reference, &image.descriptor)).collect())
}

/// A name without a tag means the whole repository.
fn matches(only: &Reference, name: &Reference) -> bool {
    only.name() == name.name()
        && (only.tag().is_none() || only.tag() == name.tag())
        && (only.digest().is_none() || only.digest() == name.digest())
}

fn listed(store: &Store, reference: Reference, descriptor: &Descriptor) -> Listed {
    let mut facts = Facts::default();
    let problem = facts.gather(store, descriptor, 0).err().map(|e| Failure::from(e).to_string());
    let name = Reference::clone(&reference).name().parse::<Reference>();
    let [only] = facts.images.as_slice() else {
        return row(reference, name.ok(), descriptor, facts, problem);
    };
    let (image_id, created) = (Some(only.id().to_string()), only.config.created.clone());
    Listed { image_id, created, ..row(reference, name.ok(), descriptor, facts, problem) }
}

fn row(
    reference: Reference,
    name: Option<Reference>,
    descriptor: &Descriptor,
    facts: Facts,
    problem: Option<String>,
) -> Listed {
    let newest = facts.images.iter().filter_map(|image| image.config.created.clone()).max();
    Listed {
        name: name.map_or_else(|| reference.name(), |name| name.familiar()),
        tag: reference.tag().unwrap_or_default().to_owned(),
        digest: descriptor.digest.to_string(),
        media_type: descriptor.media_type.clone(),
        image_id: None,
        platforms: facts.images.iter().map(|image| image.config.platform().to_string()).collect(),
        created: newest,
        size: facts.size,
        problem,
        reference,
    }
}

#[derive(Default)]
struct Facts {
    images: Vec<Image>,
    size: u64,
    seen: BTreeSet<crate::base::BlobDigest>,
}

impl Facts {
    fn add(&mut self, descriptor: &Descriptor) {
        if self.seen.insert(descriptor.digest.clone()) {
            self.size += descriptor.size;
        }
    }

    fn gather(
        &mut self,
        store: &Store,
        descriptor: &Descriptor,
        depth: usize,
    ) -> Result<(), crate::content::Error> {
        self.add(descriptor);
        let manifest = store.manifest(descriptor)?;
        manifest.children().into_iter().for_each(|child| self.add(child));
        match manifest {
            AnyManifest::Image(manifest) if manifest.is_image() => {
                let config = store.config(&manifest)?;
                self.images.push(Image { descriptor: descriptor.clone(), manifest, config });
            }
            AnyManifest::Image(_) => {}
            // An attestation has a configuration like an image's and is none.
            AnyManifest::Index(index) if depth < 4 => {
                for child in index.manifests.iter().filter(|child| !child.is_attestation()) {
                    self.gather(store, child, depth + 1)?;
                }
            }
            AnyManifest::Index(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fs;
    use crate::oci::{Index, media};
    use crate::ops::samples;

    #[test]
    fn names_sizes_and_problems() {
        let (dir, store) = samples::store();
        let shop = samples::image(&store, &["shop:1", "host:5000/a/shop"], b"layer");
        let index = Index::new(vec![shop.descriptor.clone()]).to_bytes();
        store.put(&index).unwrap();
        store.tag(&"many".parse().unwrap(), &Descriptor::of(media::OCI_INDEX, &index)).unwrap();
        let broken = samples::image(&store, &["broken"], b"other");
        fs::write(dir.path().join("blobs/sha256").join(broken.manifest.config.digest.hex()), "x").unwrap();
        let rows = run(&store, &Request::default()).unwrap();
        let names: Vec<_> = rows.iter().map(|row| format!("{} {}", row.name, row.tag)).collect();
        assert_eq!(names, ["broken latest", "many latest", "shop 1", "host:5000/a/shop latest"]);
        assert!(rows[0].problem.as_deref().unwrap().contains("damaged"));
        assert_eq!(rows[2].image_id, Some(shop.id().to_string()));
        assert_eq!(rows[2].size, shop.descriptor.size + shop.manifest.config.size + 5);
        assert_eq!(rows[1].size, rows[2].size + index.len() as u64);
        assert_eq!(rows[1].platforms.len(), 1);
        let only = |text: &str| run(&store, &Request { only: vec![text.parse().unwrap()] }).unwrap().len();
        assert_eq!((only("shop"), only("shop:1"), only("shop:2")), (1, 1, 0));
    }
}
