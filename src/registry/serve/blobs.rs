//! Blobs: reading, whole or in part, and removing. OCI distribution-spec, end-2, end-10; RFC 9110 §14.

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use tokio::sync::mpsc;

use super::problem::Problem;
use super::route::Name;
use super::{House, on_disk};
use crate::base::Digest;
use crate::host::fs;

/// Bytes read at once.
const PIECE: usize = 256 << 10;

pub(super) async fn get(
    house: Arc<House>,
    (name, digest): (Name, Digest),
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let asked = headers.get(header::RANGE).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let text = digest.to_string();
    let (file, size) = on_disk(move || {
        let file = match fs::open(house.storage.blob(&name, &digest)) {
            Err(e) if e.is_not_found() => return Err(Problem::blob_unknown(&digest.to_string())),
            other => other?,
        };
        let size = file.metadata().map_err(|_| Problem::internal("a blob cannot be looked at"))?.len();
        Ok((file, size))
    })
    .await?;
    let (status, from, length) = match asked.as_deref().and_then(|text| range(text, size)) {
        None => (StatusCode::OK, 0, size),
        Some(Some((from, to))) => (StatusCode::PARTIAL_CONTENT, from, to - from + 1),
        Some(None) => return Err(Problem::no_such_range(size)),
    };
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CONTENT_LENGTH, length)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::ETAG, format!("\"{text}\""))
        .header(header::CACHE_CONTROL, "max-age=31536000")
        .header("docker-content-digest", text);
    if status == StatusCode::PARTIAL_CONTENT {
        response =
            response.header(header::CONTENT_RANGE, format!("bytes {from}-{}/{size}", from + length - 1));
    }
    response.body(stream(file, from, length)).map_err(|_| Problem::internal("an answer could not be made"))
}

pub(super) async fn delete(house: Arc<House>, name: Name, digest: Digest) -> Result<Response, Problem> {
    on_disk(move || match house.storage.remove_blob(&name, &digest)? {
        true => Ok(super::manifests::accepted()),
        false => Err(Problem::blob_unknown(&digest.to_string())),
    })
    .await
}

/// First and last byte asked for; the inner `None` if there are no such bytes, the outer if the whole is to be sent: a
/// header we do not understand, or several ranges, which a server may ignore.
#[expect(clippy::option_option, reason = "no range and an impossible range are two answers")]
fn range(text: &str, size: u64) -> Option<Option<(u64, u64)>> {
    let (from, to) = text.trim().strip_prefix("bytes=")?.split_once('-')?;
    let last = size.checked_sub(1);
    match (from.trim(), to.trim()) {
        ("", suffix) => {
            let count: u64 = suffix.parse().ok()?;
            Some(last.filter(|_| count > 0).map(|last| (size.saturating_sub(count), last)))
        }
        (from, to) => {
            let from: u64 = from.parse().ok()?;
            let to: Option<u64> = if to.is_empty() { last } else { Some(to.parse().ok()?) };
            if to.is_some_and(|to| to < from) && from < size {
                return None;
            }
            Some(last.filter(|last| from <= *last).and_then(|last| Some((from, to?.min(last)))))
        }
    }
}

/// The bytes of a file from `from` on, read on a thread of its own as fast as they are taken.
fn stream(mut file: fs::File, from: u64, length: u64) -> Body {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(2);
    tokio::task::spawn_blocking(move || {
        let mut read = || -> io::Result<()> {
            file.seek(SeekFrom::Start(from))?;
            let mut left = length;
            while left > 0 {
                let mut piece = vec![0; usize::try_from(left).unwrap_or(PIECE).min(PIECE)];
                file.read_exact(&mut piece)?;
                left -= piece.len() as u64;
                if sender.blocking_send(Ok(piece.into())).is_err() {
                    break;
                }
            }
            Ok(())
        };
        if let Err(error) = read() {
            // The client sees a connection that ends too early, which is what happened.
            let _ = sender.blocking_send(Err(error));
        }
    });
    Body::from_stream(futures_util::stream::unfold(receiver, |mut receiver| async move {
        Some((receiver.recv().await?, receiver))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let table = [
            ("bytes=0-4", Some(Some((0, 4)))),
            ("bytes=3-", Some(Some((3, 9)))),
            ("bytes=-4", Some(Some((6, 9)))),
            ("bytes=-40", Some(Some((0, 9)))),
            ("bytes=5-99", Some(Some((5, 9)))),
            ("bytes=10-", Some(None)),
            ("bytes=-0", Some(None)),
            ("bytes=5-3", None),
            ("bytes=0-1,3-4", None),
            ("lines=1-2", None),
        ];
        for (text, expected) in table {
            assert_eq!(range(text, 10), expected, "{text}");
        }
        assert_eq!(range("bytes=0-", 0), Some(None));
    }
}
