//! The file system of an image in a registry, read layer by layer while it comes: listed, written as one archive, or
//! single files of it.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io::{self, BufWriter, Read, Write};

use serde::Serialize;

use crate::base::{self, Failure, Kind, Place, Platform, Reference, Standing};
use crate::oci::compress::{Decompress, at_most, decompress, limit_hint};
use crate::oci::layer::{self, Entry, Limits, Reader, Sight, TopDown, Writer};
use crate::oci::{Descriptor, media};
use crate::ops::cr::look::unwrapped;
use crate::ops::cr::{Door, Image, blocking};
use crate::registry::{BlobSource as _, RemoteBlob};

/// A layer's archive while it is received.
type Archive = Reader<layer_stream::Tar>;

mod layer_stream {
    use super::{Decompress, Read};
    use crate::oci::compress::AtMost;

    /// The uncompressed bytes of a layer, so many and no more.
    pub type Tar = AtMost<Decompress<Box<dyn Read + Send>>>;
}

/// The layers of an image, each to be read as often as needed.
#[derive(Clone)]
pub struct Layers {
    parts: Vec<RemoteBlob>,
    limits: Limits,
    bytes: u64,
}

impl Layers {
    /// Those of `image`.
    ///
    /// # Errors
    /// If one is no file system layer, or is not kept in the registry.
    pub fn of(door: &Door, image: &Image) -> Result<Self, Failure> {
        let fail = |layer: &Descriptor, why: &str| {
            Failure::new(Kind::Input, format!("read the files of {}", image.reference)).because(format!(
                "layer {} ({}) {why}",
                layer.digest.short(),
                layer.media_type
            ))
        };
        let mut parts = Vec::new();
        for layer in &image.manifest.layers {
            if !media::is_layer(&layer.media_type) {
                return Err(fail(layer, "is no file system layer"));
            }
            if media::is_foreign(&layer.media_type) {
                return Err(fail(layer, "is not in the registry but behind an address of its own"));
            }
            parts.push(RemoteBlob::new(&door.client, &door.cx, &image.reference, &layer.digest, layer.size));
        }
        let limits = Limits { entries: door.cx.limits.layer_entries, ..Limits::default() };
        Ok(Self { parts, limits, bytes: door.cx.limits.layer_size })
    }

    /// Numbers of the layers, the highest first.
    fn top_down(&self) -> impl Iterator<Item = usize> + use<> {
        (0..self.parts.len()).rev()
    }

    fn open(&self, at: usize) -> Result<Archive, Failure> {
        let stream = self.parts[at].open(0).map_err(unwrapped)?;
        let tar = decompress(stream).map_err(unwrapped)?;
        Ok(Reader::with_limits(at_most(tar, self.bytes), self.limits))
    }
}

/// Reads layers of `image` on a thread that may block.
async fn reading<T: Send + 'static>(
    image: &Image,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let what = format!("read the layers of {}", image.reference);
    blocking(work).await.map_err(|e| if e.kind() == Kind::Cancelled { e } else { e.while_doing(what) })
}

/// What went wrong with an archive; what went wrong with its transfer, if that is the reason.
fn broken(error: layer::Error) -> Failure {
    let hint = limit_hint(&error);
    let failure = match error {
        layer::Error::Io { source, .. } => unwrapped(source),
        error => Failure::of(Kind::Input, &error),
    };
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// A file as the image shows it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// What it is.
    pub entry: Entry,
    /// The layer that has it, from 0, the lowest.
    pub layer: usize,
}

/// Everything in the image by path.
pub type Listing = BTreeMap<Vec<u8>, Listed>;

/// What `-o json` says of a file.
#[derive(Clone, Debug, Serialize)]
pub struct FileReport {
    /// Path from the root, without its slash.
    pub path: String,
    /// `file`, `directory`, `symlink`, `hardlink`, `fifo`, `char` or `block`.
    pub kind: &'static str,
    /// Permission bits, octal.
    pub mode: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Seconds since the Unix epoch.
    pub mtime: i64,
    /// Where a link leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The layer that has it, from 1, the lowest.
    pub layer: usize,
}

impl From<&Listed> for FileReport {
    fn from(listed: &Listed) -> Self {
        let Listed { entry, layer } = listed;
        let (kind, target) = match &entry.kind {
            layer::Kind::File => ("file", None),
            layer::Kind::Directory => ("directory", None),
            layer::Kind::Symlink(target) => ("symlink", Some(target)),
            layer::Kind::Hardlink(target) => ("hardlink", Some(target)),
            layer::Kind::Fifo => ("fifo", None),
            layer::Kind::CharDevice { .. } => ("char", None),
            layer::Kind::BlockDevice { .. } => ("block", None),
        };
        Self {
            path: entry.display(),
            kind,
            mode: format!("{:04o}", entry.mode),
            uid: entry.uid,
            gid: entry.gid,
            size: entry.size,
            mtime: entry.mtime,
            target: target.map(|target| String::from_utf8_lossy(target).into_owned()),
            layer: layer + 1,
        }
    }
}

/// What the image shows below `places`, or everything if there are none.
///
/// # Errors
/// If the image cannot be read, or has nothing at one of the places.
pub async fn list(
    door: &Door,
    reference: &Reference,
    platform: Option<&Platform>,
    places: &[String],
) -> Result<Listing, Failure> {
    let image = door.image(reference, platform).await?;
    let layers = Layers::of(door, &image)?;
    let mut listing = reading(&image, move || listing(&layers)).await?;
    if places.is_empty() {
        return Ok(listing);
    }
    let mut wanted = BTreeSet::new();
    for place in places {
        let path = find(&listing, place.as_bytes()).ok_or_else(|| missing(&image, place))?;
        let below = [&path[..], b"/"].concat();
        let is_below = |other: &[u8]| path.is_empty() || other == path || other.starts_with(&below);
        wanted.extend(listing.keys().filter(|other| is_below(other)).cloned());
    }
    listing.retain(|path, _| wanted.contains(path));
    Ok(listing)
}

fn missing(image: &Image, place: &str) -> Failure {
    Failure::new(Kind::Input, format!("find {place} in {}", image.reference))
        .because("the image has no such file")
}

fn listing(layers: &Layers) -> Result<Listing, Failure> {
    let mut merged = TopDown::default();
    let mut listing = Listing::new();
    for layer in layers.top_down() {
        let mut archive = layers.open(layer)?;
        while let Some(entry) = archive.next_entry().map_err(broken)? {
            if merged.entry(&entry) == Sight::Visible {
                listing.insert(entry.path.clone(), Listed { entry, layer });
            }
        }
        archive.finish().map_err(broken)?;
        merged.end_of_layer();
    }
    Ok(listing)
}

/// The path behind `place`, all symbolic links on the way and at its end followed within the image.
fn find(listing: &Listing, place: &[u8]) -> Option<Vec<u8>> {
    let look = |path: &[u8]| {
        Ok::<_, Infallible>(match listing.get(path).map(|listed| &listed.entry.kind) {
            Some(layer::Kind::Symlink(target)) => Standing::Link(target.clone()),
            Some(layer::Kind::Directory) => Standing::Directory,
            Some(_) => Standing::File,
            // Parents need no entry of their own.
            None if has_below(listing, path) => Standing::Directory,
            None => Standing::Nothing,
        })
    };
    match base::follow(place, look) {
        Ok(Place::At(path)) => Some(path),
        Ok(Place::Nowhere | Place::Circle) => None,
    }
}

fn has_below(listing: &Listing, path: &[u8]) -> bool {
    let below = [path, b"/"].concat();
    listing.range(below.clone()..).next().is_some_and(|(other, _)| other.starts_with(&below))
}

/// Writes the content of files of the image, one after the other.
///
/// # Errors
/// If one is not there or no file, or `out` fails.
pub async fn cat(
    door: &Door,
    reference: &Reference,
    platform: Option<&Platform>,
    places: Vec<String>,
    mut out: impl Write + Send + 'static,
) -> Result<(), Failure> {
    let image = door.image(reference, platform).await?;
    let layers = Layers::of(door, &image)?;
    let again = layers.clone();
    let listing = reading(&image, move || listing(&layers)).await?;
    // All names first: half an answer helps nobody.
    let mut found = Vec::new();
    for place in &places {
        found.push(file(&listing, place).map_err(|why| match why {
            None => missing(&image, place),
            Some(why) => {
                Failure::new(Kind::Input, format!("read {place} of {}", image.reference)).because(why)
            }
        })?);
    }
    reading(&image, move || {
        let layers = again;
        for (path, layer) in found {
            let mut archive = layers.open(layer)?;
            while let Some(entry) = archive.next_entry().map_err(broken)? {
                if entry.kind == layer::Kind::File && entry.path == path {
                    super::look::copied(&mut archive, &mut out)?;
                    break;
                }
            }
        }
        Ok(())
    })
    .await
}

/// Path and layer of the content that `place` shows; why it has none; nothing if nothing is there.
fn file(listing: &Listing, place: &str) -> Result<(Vec<u8>, usize), Option<&'static str>> {
    let path = find(listing, place.as_bytes()).ok_or(None)?;
    match listing.get(&path) {
        None => Err(Some("it is a directory")),
        Some(Listed { entry, layer }) => match &entry.kind {
            layer::Kind::File => Ok((path, *layer)),
            layer::Kind::Hardlink(target) => Ok((target.clone(), *layer)),
            layer::Kind::Directory => Err(Some("it is a directory")),
            _ => Err(Some("it is no regular file")),
        },
    }
}

/// Writes the whole file system of the image as one archive without whiteouts.
///
/// # Errors
/// If the image cannot be read, or `out` fails.
pub async fn export(
    door: &Door,
    reference: &Reference,
    platform: Option<&Platform>,
    out: impl Write + Send + 'static,
) -> Result<(), Failure> {
    let image = door.image(reference, platform).await?;
    let layers = Layers::of(door, &image)?;
    reading(&image, move || {
        let mut out = flatten(&layers, BufWriter::with_capacity(1 << 20, out))?;
        out.flush().map_err(unwrapped)
    })
    .await
}

/// Writes what the layers show together as one archive.
///
/// Content comes in the order of the layers, the highest first, each read once; only a layer in which something is linked
/// to a file that a higher layer hides is read twice.
///
/// # Errors
/// If a layer cannot be read, or `out` fails.
pub fn flatten<W: Write>(layers: &Layers, out: W) -> Result<W, Failure> {
    let mut flat = Flat { merged: TopDown::default(), waiting: BTreeMap::new(), out: Writer::new(out) };
    for at in layers.top_down() {
        flat.layer(layers.open(at)?)?;
        if !flat.waiting.is_empty() {
            flat.hidden_content(layers.open(at)?)?;
        }
        flat.merged.end_of_layer();
    }
    match flat.waiting.keys().next() {
        Some(target) => Err(Failure::new(Kind::Input, "merge the layers")
            .because(format!("there are links to {}, which no layer has", String::from_utf8_lossy(target)))),
        None => flat.out.finish().map_err(broken),
    }
}

struct Flat<W> {
    merged: TopDown,
    /// Links that can be seen to files that cannot, by the file's name.
    waiting: BTreeMap<Vec<u8>, Vec<Entry>>,
    out: Writer<W>,
}

impl<W: Write> Flat<W> {
    fn layer(&mut self, mut archive: Archive) -> Result<(), Failure> {
        while let Some(entry) = archive.next_entry().map_err(broken)? {
            if self.merged.entry(&entry) != Sight::Visible {
                continue;
            }
            match &entry.kind {
                layer::Kind::Hardlink(target) if !self.merged.shown(target) => {
                    self.waiting.entry(target.clone()).or_default().push(entry);
                }
                _ => self.out.append(&whole(&entry), &mut archive).map_err(broken)?,
            }
        }
        archive.finish().map_err(broken).map(drop)
    }

    /// The first link becomes the file that the others are linked to.
    fn hidden_content(&mut self, mut archive: Archive) -> Result<(), Failure> {
        while let Some(entry) = archive.next_entry().map_err(broken)? {
            if entry.kind != layer::Kind::File {
                continue;
            }
            let Some(links) = self.waiting.remove(&entry.path) else { continue };
            let mut links = links.into_iter();
            let Some(first) = links.next() else { continue };
            let first = Entry { path: first.path, ..whole(&entry) };
            self.out.append(&first, &mut archive).map_err(broken)?;
            for link in links {
                let link = Entry { kind: layer::Kind::Hardlink(first.path.clone()), ..link };
                self.out.append(&link, io::empty()).map_err(broken)?;
            }
        }
        Ok(())
    }
}

/// An archive carries holes as zeros and whole seconds.
fn whole(entry: &Entry) -> Entry {
    Entry { sparse: None, mtime_nanos: 0, ..entry.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing_of(entries: &[(&str, layer::Kind)]) -> Listing {
        let listed = |(path, kind): &(&str, layer::Kind)| {
            let entry = Entry::new(*path, kind.clone(), 0o644);
            (path.as_bytes().to_vec(), Listed { entry, layer: 0 })
        };
        entries.iter().map(listed).collect()
    }

    #[test]
    fn links_are_followed_within_the_image() {
        let link = |to: &str| layer::Kind::Symlink(to.into());
        let listing = listing_of(&[
            ("usr/lib/os", layer::Kind::File),
            ("etc/os", link("../usr/lib/os")),
            ("lib", link("usr/lib")),
            ("below-file", link("usr/lib/os/x")),
            ("abs", link("/lib/os")),
            ("out", link("../../../etc/os")),
            ("a", link("b")),
            ("b", link("a")),
        ]);
        let found = |place: &str| find(&listing, place.as_bytes()).map(|p| String::from_utf8(p).unwrap());
        for place in ["usr/lib/os", "/etc/os", "lib/os", "./abs", "out", "/usr/../lib//os"] {
            assert_eq!(found(place).as_deref(), Some("usr/lib/os"), "{place}");
        }
        assert_eq!(found("/usr").as_deref(), Some("usr"));
        assert_eq!(found("/").as_deref(), Some(""));
        assert_eq!([found("a"), found("usr/li"), found("none"), found("below-file")], [const { None }; 4]);
        assert_eq!(file(&listing, "usr"), Err(Some("it is a directory")));
    }
}
