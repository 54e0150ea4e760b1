//! Finding an image of the store by what a person types: a name, an image id, a digest, or the beginning of one.

use std::collections::BTreeMap;

use crate::base::{BlobDigest, Failure, Kind, Reference};
use crate::content::{Error, Store};
use crate::oci::{AnyManifest, Descriptor, MANIFEST_LIMIT};

/// Fewer digits could mean anything.
const SHORTEST: usize = 4;

/// An image that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its manifest or index.
    pub descriptor: Descriptor,
    /// The name that was typed, in full; `None` if it was found by id.
    pub name: Option<Reference>,
    /// All its names, that one first.
    pub names: Vec<Reference>,
}

/// Finds an image.
///
/// # Errors
/// If there is none, if the beginning of an id fits several, and those of the store.
pub fn find(store: &Store, text: &str) -> Result<Found, Failure> {
    let reference = text.parse::<Reference>().map(|reference| reference.with_default_tag());
    if let Ok(reference) = &reference
        && let Some(descriptor) = store.resolve(reference)?
    {
        let mut names = names_of(store, &descriptor.digest)?;
        let own = names.iter().position(|name| name == reference);
        if let Some(own) = own {
            names[..=own].rotate_right(1);
        }
        return Ok(Found { descriptor, name: own.map(|_| reference.clone()), names });
    }
    if let Some(hex) = id(text) {
        return by_id(store, text, hex);
    }
    match reference {
        Ok(reference) => Err(Error::NoImage { reference: Box::new(reference) }.into()),
        Err(error) => Err(Failure::of(Kind::Usage, &error)),
    }
}

/// The digits of what may be a digest or the beginning of one.
fn id(text: &str) -> Option<&str> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    let is_hex = hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (is_hex && (SHORTEST..=64).contains(&hex.len())).then_some(hex)
}

fn by_id(store: &Store, text: &str, hex: &str) -> Result<Found, Failure> {
    let mut fitting: BTreeMap<BlobDigest, Descriptor> = BTreeMap::new();
    for image in store.images()? {
        let is_own = image.descriptor.digest.hex().starts_with(hex);
        let is_part = || parts(store, &image.descriptor).iter().any(|part| part.hex().starts_with(hex));
        if is_own || is_part() {
            fitting.insert(image.descriptor.digest.clone(), image.descriptor);
        }
    }
    if fitting.len() > 1 {
        let list: Vec<_> = fitting.keys().map(|digest| digest.short().to_owned()).collect();
        return Err(Failure::new(Kind::Input, format!("find image {text}"))
            .because(format!("the id fits several images: {}", list.join(", ")))
            .hint("write more digits of it, or a name"));
    }
    let Some((digest, descriptor)) = fitting.pop_first() else {
        if let Some(descriptor) = nameless(store, hex)? {
            return Ok(Found { descriptor, name: None, names: Vec::new() });
        }
        return Err(Failure::new(Kind::Input, format!("no image {text} in the content store"))
            .hint("`lap image ls` lists the images there are"));
    };
    Ok(Found { names: names_of(store, &digest)?, descriptor, name: None })
}

/// An image that has no name and can only be given in full: a name was taken from it, or it never had one.
fn nameless(store: &Store, hex: &str) -> Result<Option<Descriptor>, Failure> {
    let Ok(digest) = format!("sha256:{hex}").parse::<BlobDigest>() else { return Ok(None) };
    let Some(size) = store.blob_size(&digest).filter(|size| *size <= MANIFEST_LIMIT) else { return Ok(None) };
    let bytes = store.read_blob(&digest, MANIFEST_LIMIT)?;
    let manifest = AnyManifest::parse(None, &bytes).ok();
    Ok(manifest.map(|manifest| Descriptor::new(manifest.media_type(), digest, size)))
}

/// The configuration of an image, and the manifests of an index with theirs. What cannot be read has none.
fn parts(store: &Store, descriptor: &Descriptor) -> Vec<BlobDigest> {
    match store.manifest(descriptor) {
        Ok(AnyManifest::Image(manifest)) => vec![manifest.config.digest],
        Ok(AnyManifest::Index(index)) => index
            .manifests
            .iter()
            .flat_map(|child| match store.manifest(child) {
                Ok(AnyManifest::Image(manifest)) => vec![child.digest.clone(), manifest.config.digest],
                _ => vec![child.digest.clone()],
            })
            .collect(),
        Err(_) => Vec::new(),
    }
}

fn names_of(store: &Store, digest: &BlobDigest) -> Result<Vec<Reference>, Failure> {
    let images = store.images()?.into_iter();
    Ok(images.filter(|image| image.descriptor.digest == *digest).map(|image| image.reference).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::samples;

    #[test]
    fn by_name_id_and_digest() {
        let (_dir, store) = samples::store();
        let shop = samples::image(&store, &["shop:1", "copy"], b"shop");
        samples::image(&store, &["other"], b"other");
        let find = |text: &str| find(&store, text).map(|found| found.names[0].familiar());
        assert_eq!(find("copy").unwrap(), "copy:latest");
        assert_eq!(find("shop:1").unwrap(), "shop:1");
        assert_eq!(find(shop.id().hex()).unwrap(), "copy:latest");
        assert_eq!(find(&shop.id().to_string()).unwrap(), "copy:latest");
        assert_eq!(find(shop.descriptor.digest.short()).unwrap(), "copy:latest");
        let digest = shop.descriptor.digest.to_string();
        assert_eq!(find(&format!("shop@{digest}")).unwrap(), "copy:latest");
        for (text, word) in
            [("shop:2", "no image shop:2"), ("abcdef", "no image"), ("A B", "invalid reference")]
        {
            let error = find(text).unwrap_err();
            assert!(error.message().contains(word), "{error}");
        }
    }

    #[test]
    fn an_id_of_several_is_no_id() {
        let (_dir, store) = samples::store();
        // With so many images some two begin with the same digit; four digits are typed, so cut by hand.
        for n in 0..40u32 {
            samples::image(&store, &[&format!("image:{n}")], &n.to_le_bytes());
        }
        let error = by_id(&store, "f", "f").unwrap_err();
        assert!(error.causes()[0].contains("several"), "{error}");
    }
}
