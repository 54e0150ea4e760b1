//! Taking names of images away.

use crate::base::{Failure, Kind, Reference};
use crate::content::Store;
use crate::ops::image_find::{Found, find};

/// Which names to take.
#[derive(Clone, Debug)]
pub struct Request {
    /// Names, ids or digests.
    pub images: Vec<String>,
    /// Take all names of an image that is given by id, also if there are several.
    pub force: bool,
}

/// Takes names away, and says which. The blobs stay until prune.
///
/// # Errors
/// If one of the images is not there, or given by id and has several names: then nothing is taken away.
pub fn run(store: &Store, request: &Request) -> Result<Vec<Reference>, Failure> {
    let mut names = Vec::new();
    for image in &request.images {
        names.extend(chosen(find(store, image)?, image, request.force)?);
    }
    names.sort();
    names.dedup();
    for name in &names {
        store.untag(name)?;
    }
    Ok(names)
}

fn chosen(found: Found, text: &str, force: bool) -> Result<Vec<Reference>, Failure> {
    if let Some(name) = found.name {
        return Ok(vec![name]);
    }
    if found.names.len() > 1 && !force {
        let list: Vec<_> = found.names.iter().map(Reference::familiar).collect();
        return Err(Failure::new(Kind::Input, format!("remove image {text}"))
            .because(format!("it has several names: {}", list.join(", ")))
            .hint("remove it by name, or all of them with --force"));
    }
    Ok(found.names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::samples;

    #[test]
    fn names_go_and_nothing_on_errors() {
        let (_dir, store) = samples::store();
        let shop = samples::image(&store, &["shop", "copy", "third"], b"layer");
        let rm = |images: &[&str], force| {
            let images = images.iter().map(ToString::to_string).collect();
            run(&store, &Request { images, force })
        };
        assert!(rm(&["shop", "absent"], false).is_err());
        let by_id = rm(&[shop.id().hex()], false).unwrap_err();
        assert!(by_id.causes()[0].contains("several names"), "{by_id}");
        assert_eq!(store.images().unwrap().len(), 3);
        assert_eq!(rm(&["shop", "shop:latest"], false).unwrap().len(), 1);
        assert_eq!(rm(&[shop.id().hex()], true).unwrap().len(), 2);
        assert!(store.images().unwrap().is_empty());
        assert!(store.has(&shop.descriptor.digest));
    }
}
