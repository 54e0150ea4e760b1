//! Files that ADD and contexts name by address: downloaded once, and again only if the server says they changed.

use std::io::{self, Seek as _, Write as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::{Algorithm, BlobDigest, ContentHash, Digest, Hasher, KeyHasher};
use crate::build::facts::fetched::Fetched;
use crate::build::step::UrlOrigin;
use crate::build::{Doors, Error, blocking};
use crate::host::fs::{self, File};
use crate::registry::{DownloadRequest, DownloadSink, Downloaded};
use crate::report::{Context, Outcome, Task, TaskKind};

/// A file that is larger is no file for an image.
const LARGEST: u64 = 64 << 30;

/// What is known of an address.
#[derive(Clone, Serialize, Deserialize)]
struct Known {
    etag: Option<String>,
    last_modified: Option<String>,
    /// The digest of the content, sha256.
    digest: Digest,
    /// The digest by the algorithm that was asked for last, if it is another.
    checksum: Option<BlobDigest>,
    /// Which tree holds it.
    tree: String,
}

/// The folder that holds the file, and nothing else.
///
/// # Errors
/// If it cannot be downloaded, or is not what its checksum says.
pub async fn file(cx: &Context, doors: &Doors, origin: &UrlOrigin) -> Result<PathBuf, Error> {
    let key = KeyHasher::new("lapstrake url v1")
        .field("url", &origin.url)
        .field("name", &origin.name)
        .number("pinned", u64::from(origin.checksum.is_some()))
        .finish();
    let fetched = Fetched::of(doors);
    let (places, lock_key) = (fetched.clone(), key);
    let _lock = blocking(move || places.lock(&lock_key)).await?;
    let known = fetched.recall::<Known>(&key).filter(|known| fs::exists(tree_of(&fetched, known)));
    if let Some(known) = known.as_ref().filter(|known| is_right(known, origin)) {
        return Ok(tree_of(&fetched, known));
    }
    let task = cx.report.task(TaskKind::Transfer, format!("download {}", origin.name));
    let result = download(cx, doors, (origin, &key, known), &task).await;
    match &result {
        Ok(_) => task.finish(Outcome::Done, None),
        Err(e) => task.finish(Outcome::Failed(e.to_string()), None),
    }
    result
}

fn tree_of(fetched: &Fetched, known: &Known) -> PathBuf {
    known.tree.parse().map_or_else(|_| PathBuf::new(), |key: ContentHash| fetched.tree(&key))
}

/// Whether what is known is what the checksum asks for; without one the server has to be asked.
fn is_right(known: &Known, origin: &UrlOrigin) -> bool {
    origin.checksum.as_ref().is_some_and(|wanted| {
        *wanted.digest() == known.digest || known.checksum.as_ref().is_some_and(|known| known == wanted)
    })
}

async fn download(
    cx: &Context,
    doors: &Doors,
    (origin, key, known): (&UrlOrigin, &ContentHash, Option<Known>),
    task: &Task,
) -> Result<PathBuf, Error> {
    let fetched = Fetched::of(doors);
    let folder = fetched.begin(key)?;
    let place = folder.join(&origin.name);
    let wanted = origin.checksum.as_ref().map(|checksum| checksum.digest().algorithm());
    let mut sink = Spool {
        file: fs::create(&place)?,
        hasher: Algorithm::Sha256.hasher(),
        other: wanted.filter(|wanted| *wanted != Algorithm::Sha256).map(Algorithm::hasher),
    };
    // With a checksum that what is known does not have, another version is wanted.
    let reusable = known.as_ref().filter(|_| origin.checksum.is_none());
    let request = DownloadRequest {
        url: &origin.url,
        etag: reusable.and_then(|known| known.etag.as_deref()),
        last_modified: reusable.and_then(|known| known.last_modified.as_deref()),
        limit: LARGEST,
        task,
    };
    let downloaded = doors.registry().download(cx, &request, &mut sink).await?;
    let Downloaded::New { etag, last_modified } = downloaded else {
        fs::remove_dir_all(&folder)?;
        let known = known.ok_or_else(|| Error::Bug("what is not known cannot be unchanged".into()))?;
        return Ok(tree_of(&fetched, &known));
    };
    let (digest, other) = sink.finish();
    let checksum = other.map(BlobDigest::new);
    if let Some(wanted) = &origin.checksum {
        let actual = checksum.as_ref().map_or(&digest, |checksum| checksum.digest());
        if actual != wanted.digest() {
            fs::remove_dir_all(&folder)?;
            return Err(Error::input(format!("digest mismatch {actual}: {wanted}"))
                .hint("the file behind the address changed, or the checksum is that of another file"));
        }
    }
    // Where the content is known beforehand the server has no say, as with BuildKit.
    let said = last_modified.as_deref().filter(|_| origin.checksum.is_none());
    let time = said.and_then(seconds).unwrap_or(0);
    fs::set_mode(&place, 0o600)?;
    fs::set_modified(&place, time)?;
    fs::set_mode(&folder, 0o755)?;
    let tree = KeyHasher::new("lapstrake downloaded file v1")
        .field("content", digest.to_string())
        .field("name", &origin.name)
        .field("time", time.to_string())
        .finish();
    let folder = fetched.publish(&folder, &tree)?;
    fetched.remember(key, &Known { etag, last_modified, digest, checksum, tree: tree.to_string() })?;
    Ok(folder)
}

/// A date of HTTP as seconds since the Unix epoch.
fn seconds(date: &str) -> Option<i64> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true);
    parser.parse_timestamp(date.trim()).ok().map(jiff::Timestamp::as_second)
}

struct Spool {
    file: File,
    hasher: Hasher,
    /// By another algorithm.
    other: Option<Hasher>,
}

impl Spool {
    fn finish(self) -> (Digest, Option<Digest>) {
        (self.hasher.finish(), self.other.map(Hasher::finish))
    }
}

impl DownloadSink for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        if let Some(other) = &mut self.other {
            other.update(bytes);
        }
        self.file.write_all(bytes)
    }

    fn restart(&mut self) -> io::Result<()> {
        self.hasher = Algorithm::Sha256.hasher();
        self.other = self.other.take().map(|_| Algorithm::Sha512.hasher());
        self.file.set_len(0)?;
        self.file.rewind()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(seconds("yesterday"), None);
    }
}
