//! Whether an image in a registry is whole: every blob there, of its digest and size, every layer what the configuration
//! says it is.

use std::io;

use serde::Serialize;

use crate::base::{DiffId, Failure, Hasher, Kind, Platform, Reference};
use crate::oci::compress::{at_most, decompress};
use crate::oci::layer::{Limits, Reader};
use crate::oci::media;
use crate::ops::cr::{Door, Image, blocking};

/// What to look at.
#[derive(Clone, Debug)]
pub struct Request {
    /// The image, or a list of images.
    pub image: Reference,
    /// Only the image for this platform.
    pub platform: Option<Platform>,
    /// Only whether everything is there, not what is in it.
    pub fast: bool,
}

/// An image that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// By digest.
    pub image: String,
    /// What it is for; empty if it is an artifact.
    pub platform: String,
    /// What is wrong with it.
    pub problems: Vec<String>,
}

/// Looks at every image behind a name.
///
/// # Errors
/// If its manifests cannot be read. What is wrong below them is in the reports.
pub async fn run(door: &Door, request: &Request) -> Result<Vec<Checked>, Failure> {
    let found = door.find(&request.image, request.platform.as_ref()).await?;
    let mut checked = Vec::new();
    for leaf in door.leaves(found).await? {
        let name = leaf.reference.with_digest(leaf.digest.digest().clone()).to_string();
        match door.opened(leaf).await {
            Ok(image) => checked.push(Checked {
                image: name,
                platform: image.config.platform().to_string(),
                problems: problems(door, &image, request.fast).await?,
            }),
            Err(e) if e.kind() == Kind::Cancelled => return Err(e),
            Err(e) => {
                checked.push(Checked { image: name, platform: String::new(), problems: vec![words(&e)] })
            }
        }
    }
    Ok(checked)
}

fn words(failure: &Failure) -> String {
    std::iter::once(failure.message())
        .chain(failure.causes().iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join(": ")
}

async fn problems(door: &Door, image: &Image, fast: bool) -> Result<Vec<String>, Failure> {
    let (listed, named) = (image.manifest.layers.len(), image.config.layers().len());
    if listed != named {
        return Ok(vec![format!("the manifest lists {listed} layers, the configuration {named}")]);
    }
    let mut problems = Vec::new();
    let made = image.config.history.iter().filter(|entry| !entry.empty_layer).count();
    if !image.config.history.is_empty() && made != named {
        problems.push(format!("the history tells of {made} layers, the configuration lists {named}"));
    }
    for (number, (layer, diff_id)) in image.manifest.layers.iter().zip(image.config.layers()).enumerate() {
        let problem = |why: String| format!("layer {} ({}): {why}", number + 1, layer.digest.short());
        if media::is_foreign(&layer.media_type) {
            continue;
        }
        match door.client.blob_exists(&door.cx, &image.reference, &layer.digest).await? {
            None => problems.push(problem("the registry does not have it".into())),
            Some(size) if size != layer.size => {
                problems.push(problem(format!("it has {size} bytes, the manifest says {}", layer.size)));
            }
            Some(_) if fast => {}
            Some(_) => {
                let stream = door.client.stream_blob(&door.cx, &image.reference, &layer.digest, layer.size);
                let limits = Limits { entries: door.cx.limits.layer_entries, ..Limits::default() };
                let (limit, wanted) = (door.cx.limits.layer_size, diff_id.clone());
                let outcome = blocking(move || Ok(content(stream, &wanted, limit, limits))).await?;
                if door.cx.cancel.is_cancelled() {
                    return Err(crate::registry::Error::Cancelled.into());
                }
                problems.extend(outcome.err().map(problem));
            }
        }
    }
    Ok(problems)
}

/// Whether the layer is an archive of this diff id.
fn content(stream: impl io::Read, wanted: &DiffId, limit: u64, limits: Limits) -> Result<(), String> {
    let say = |e: &dyn std::error::Error| words(&Failure::of(Kind::Input, e));
    let tar = decompress(stream).map_err(|e| say(&e))?;
    let mut hashed = Hashed { inner: at_most(tar, limit), hasher: Hasher::default() };
    let mut archive = Reader::with_limits(&mut hashed, limits);
    while archive.next_entry().map_err(|e| say(&e))?.is_some() {}
    archive.finish().map_err(|e| say(&e))?;
    let actual = DiffId::new(hashed.hasher.finish());
    match actual == *wanted {
        true => Ok(()),
        false => Err(format!("its content is {actual}, the configuration says {wanted}")),
    }
}

struct Hashed<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: io::Read> io::Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}
