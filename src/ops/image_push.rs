//! Pushing an image of the store.

use crate::base::{Failure, Kind, Reference};
use crate::build::Doors;
use crate::build::transfer::{PushReport, PushRequest, push};
use crate::oci::compress::Compression;
use crate::report::Context;

/// What to push.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its name in the store.
    pub image: Reference,
    /// Where to.
    pub target: Reference,
    /// How layers made here are compressed.
    pub compression: Compression,
}

/// Pushes.
///
/// # Errors
/// If the store has no such image, or it cannot be pushed.
pub async fn run(cx: &Context, doors: &Doors, request: &Request) -> Result<PushReport, Failure> {
    let name = request.image.with_default_tag();
    let Some(descriptor) = doors.store().resolve(&name)? else {
        return Err(Failure::new(Kind::Input, format!("push {name}"))
            .because("the store has no image of this name")
            .hint("`lap image ls` shows what is there; `lap image tag` gives another name"));
    };
    let request = PushRequest {
        by_digest: false,
        adopt: false,
        image: descriptor.manifest_digest(),
        targets: vec![request.target.clone()],
        compression: request.compression,
        sources: Vec::new(),
    };
    Ok(push(cx, doors, &request).await?)
}
