//! Giving an image of the store more names.

use crate::base::{Failure, Kind, Reference};
use crate::content::Store;
use crate::ops::image_find::find;

/// Which names to give.
#[derive(Clone, Debug)]
pub struct Request {
    /// Name, id or digest of the image.
    pub image: String,
    /// Its new names; a name that is in use moves.
    pub names: Vec<Reference>,
}

/// Names, and says the names in full.
///
/// # Errors
/// If there is no such image, a name has a digest, or the store cannot be written.
pub fn run(store: &Store, request: &Request) -> Result<Vec<Reference>, Failure> {
    if let Some(name) = request.names.iter().find(|name| name.digest().is_some()) {
        return Err(Failure::new(Kind::Usage, format!("give the name {}", name.familiar()))
            .because("a name with a digest can only belong to the image that has the digest")
            .hint("write NAME:TAG"));
    }
    let found = find(store, &request.image)?;
    let mut given = Vec::new();
    for name in &request.names {
        store.tag(name, &found.descriptor)?;
        given.push(name.with_default_tag());
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::samples;

    #[test]
    fn names_are_given() {
        let (_dir, store) = samples::store();
        let shop = samples::image(&store, &["shop"], b"layer");
        let request =
            |image: &str, name: &str| Request { image: image.into(), names: vec![name.parse().unwrap()] };
        assert_eq!(run(&store, &request("shop", "copy")).unwrap()[0].familiar(), "copy:latest");
        run(&store, &request(shop.id().hex(), "by-id:1")).unwrap();
        assert_eq!(store.images().unwrap().len(), 3);
        assert!(run(&store, &request("absent", "x")).is_err());
        let with_digest = format!("x@{}", shop.descriptor.digest);
        assert!(run(&store, &request("shop", &with_digest)).is_err());
    }
}
