//! Removing tags and images from a registry.

use serde::Serialize;

use crate::base::{Failure, Kind, ManifestDigest, Reference};
use crate::ops::cr::Door;
use crate::registry;

/// What is gone.
#[derive(Clone, Debug, Serialize)]
pub struct Deleted {
    /// As it was named.
    pub reference: String,
    /// What it stood for.
    pub digest: String,
    /// Whether only the name went, and the image stayed.
    pub tag_only: bool,
}

/// Removes a tag, or by digest an image with all its tags.
///
/// # Errors
/// If there is nothing of that name, or the registry does not remove it. Where a registry removes images only, a tag is
/// not removed by removing its image: other tags would go with it.
pub async fn run(door: &Door, reference: &Reference) -> Result<Deleted, Failure> {
    let mut deleted = Deleted { reference: reference.familiar(), digest: String::new(), tag_only: false };
    if let Some(digest) = reference.digest() {
        deleted.digest = digest.to_string();
        door.client.delete_manifest(&door.cx, reference, &ManifestDigest::new(digest.clone())).await?;
        return Ok(deleted);
    }
    if reference.tag().is_none() {
        return Err(Failure::new(Kind::Usage, format!("delete {}", reference.name()))
            .because("it is a repository, and neither tag nor digest says what of it")
            .hint("write NAME:TAG or NAME@DIGEST; `lap cr ls` lists the tags"));
    }
    let digest = door.client.resolve(&door.cx, reference).await?.digest;
    deleted.digest = digest.to_string();
    deleted.tag_only = true;
    match door.client.delete_tag(&door.cx, reference).await {
        Ok(()) => Ok(deleted),
        Err(error @ registry::Error::Unsupported(_)) => {
            let place = reference.with_digest(digest.digest().clone());
            Err(Failure::from(error).hint(format!(
                "where tags cannot be removed, `lap cr delete {place}` removes the image, with every tag of it"
            )))
        }
        Err(error) => Err(error.into()),
    }
}
