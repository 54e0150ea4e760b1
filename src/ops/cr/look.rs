//! What is in a registry: repositories, tags, digests, manifests, configurations and blobs.

use std::io::{self, Write};

use crate::base::{BlobDigest, Failure, Kind, Platform, Reference};
use crate::ops::cr::{Door, blocking};

/// The tags of a repository, in the registry's order.
///
/// # Errors
/// If there is no such repository.
pub async fn tags(door: &Door, repository: &Reference) -> Result<Vec<String>, Failure> {
    Ok(door.client.tags(&door.cx, repository).await?)
}

/// The repositories of a registry.
///
/// # Errors
/// If the registry does not list them; large public ones do not.
pub async fn catalog(door: &Door, registry: &str) -> Result<Vec<String>, Failure> {
    Ok(door.client.catalog(&door.cx, registry).await?)
}

/// The digest that `reference` stands for; with a platform, of what an index has for it.
///
/// # Errors
/// If it stands for nothing.
pub async fn digest(
    door: &Door,
    reference: &Reference,
    platform: Option<&Platform>,
) -> Result<String, Failure> {
    match platform {
        Some(_) => Ok(door.find(reference, platform).await?.digest.to_string()),
        None => Ok(door.client.resolve(&door.cx, &reference.with_default_tag()).await?.digest.to_string()),
    }
}

/// The bytes of a manifest or index; with a platform, of what an index has for it.
///
/// # Errors
/// If there is none.
pub async fn manifest(
    door: &Door,
    reference: &Reference,
    platform: Option<&Platform>,
) -> Result<Vec<u8>, Failure> {
    Ok(door.find(reference, platform).await?.bytes)
}

/// The bytes of an image's configuration.
///
/// # Errors
/// If there is no such image.
pub async fn config(
    door: &Door,
    reference: &Reference,
    platform: Option<&Platform>,
) -> Result<Vec<u8>, Failure> {
    Ok(door.image(reference, platform).await?.config_bytes)
}

/// Writes the blob that `reference` names by digest to `out`, as it is stored.
///
/// # Errors
/// If `reference` has no digest, there is no such blob, or `out` fails. Wrong bytes are an error after they were written:
/// a blob may be larger than memory.
pub async fn blob(
    door: &Door,
    reference: &Reference,
    mut out: impl Write + Send + 'static,
) -> Result<u64, Failure> {
    let Some(digest) = reference.digest().cloned().map(BlobDigest::new) else {
        return Err(Failure::new(Kind::Usage, format!("read a blob of {}", reference.name()))
            .because("no digest says which one")
            .hint(
                "write REPOSITORY@sha256:…; `lap cr manifest IMAGE` lists the digests of an image's blobs",
            ));
    };
    let Some(size) = door.client.blob_exists(&door.cx, reference, &digest).await? else {
        return Err(Failure::new(Kind::Input, format!("read blob {digest}"))
            .because(format!("{} does not have it", reference.name())));
    };
    let mut stream = door.client.stream_blob(&door.cx, reference, &digest, size);
    blocking(move || copied(&mut stream, &mut out)).await
}

/// Copies to the end. A reader of `out` that went away is no error.
pub(super) fn copied(stream: &mut dyn io::Read, out: &mut dyn Write) -> Result<u64, Failure> {
    match io::copy(stream, out).and_then(|count| out.flush().map(|()| count)) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        Err(e) => Err(unwrapped(e)),
        Ok(count) => Ok(count),
    }
}

/// The failure that an I/O error carries, else the error itself.
pub(super) fn unwrapped(error: io::Error) -> Failure {
    match error.downcast::<crate::registry::Error>() {
        Ok(error) => error.into(),
        Err(error) => Failure::new(Kind::Environment, "hand on what was read").caused_by(&error),
    }
}
