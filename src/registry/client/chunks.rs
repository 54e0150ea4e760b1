//! Sending in pieces: what is too large for one request, what has no known length, and what broke half-way.
//!
//! OCI distribution-spec, "Pushing a blob in chunks".

use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, header};

use super::exchange::{Call, Payload};
use super::flow::read_piece;
use super::peer::Peer;
use super::push::{Job, PIECE, Session, invalid_digest, session};
use super::trouble::{Tries, Trouble};
use super::{Client, stoppable, writing};
use crate::base::{BlobDigest, Hasher, Reference};
use crate::registry::wire;
use crate::registry::{BlobSource, Cause, Error};
use crate::report::{Context, Task};

/// Where an upload is: in which repository and what for.
struct Place<'a> {
    peer: &'a Arc<Peer>,
    path: &'a str,
    action: &'a str,
}

impl Client {
    /// Sends bytes whose digest and length are not known beforehand, piece by piece, hashing them on the way. A piece is
    /// sent again if it was lost; if the registry loses the whole upload, the source is opened again.
    ///
    /// Returns the digest and the length in bytes.
    ///
    /// # Errors
    /// As [`push_blob`](Self::push_blob).
    pub async fn push_stream(
        &self,
        cx: &Context,
        repository: &Reference,
        source: &dyn BlobSource,
        task: Option<&Task>,
    ) -> Result<(BlobDigest, u64), Error> {
        stoppable(cx, async {
            let action = format!("push a layer to {}", repository.name());
            let peer = self.writable_peer(cx, repository).await?;
            let place = Place { peer: &peer, path: repository.repository(), action: &action };
            let mut tries = Tries::new(cx, self.inner.options.retry);
            loop {
                match self.stream_once(cx, &place, source, task).await {
                    Ok(done) => return Ok(done),
                    Err(trouble) => tries.again(trouble).await?,
                }
            }
        })
        .await
    }

    async fn stream_once(
        &self,
        cx: &Context,
        place: &Place<'_>,
        source: &dyn BlobSource,
        task: Option<&Task>,
    ) -> Result<(BlobDigest, u64), Trouble> {
        let local = |e| Trouble::never(Error::Local(place.story(Cause::Io(e))));
        let mut reader = source.open(0).map_err(local)?;
        let mut session = self.begin(cx, place.peer, place.path, place.action).await?;
        let wanted = self.inner.options.chunk.unwrap_or(PIECE).max(session.least).min(256 << 20);
        let mut hasher = Hasher::default();
        let mut sent = 0u64;
        loop {
            let piece;
            (reader, piece) = read_elsewhere(reader, wanted).await.map_err(local)?;
            hasher.update(&piece);
            let last = (piece.len() as u64) < wanted;
            if !piece.is_empty() {
                let length = piece.len() as u64;
                session = self.send_kept_piece(cx, place, session, (piece, sent)).await?;
                sent += length;
                if let Some(task) = task {
                    task.progress("layer", sent, None);
                }
            }
            if last {
                let digest = BlobDigest::new(hasher.finish());
                self.close(cx, place, &session, &digest).await?;
                return Ok((digest, sent));
            }
        }
    }

    /// Sends one piece that is held in memory, as often as it takes.
    async fn send_kept_piece(
        &self,
        cx: &Context,
        place: &Place<'_>,
        mut session: Session,
        (piece, at): (Bytes, u64),
    ) -> Result<Session, Trouble> {
        let mut tries = Tries::new(cx, self.inner.options.retry);
        let mut from = at;
        let end = at + piece.len() as u64;
        loop {
            let rest = piece.slice(usize::try_from(from - at).unwrap_or(piece.len())..);
            match self.send_piece(cx, place, &session, (Payload::Bytes(rest), from, end)).await {
                Ok((next, reached)) if reached == end => return Ok(next),
                Ok((next, reached)) if reached > from && reached < end => {
                    (session, from) = (next, reached);
                }
                Ok((_, reached)) => {
                    let words = format!("it says to have {reached} bytes after {end} were sent");
                    return Err(Trouble::later(Error::Refused(place.story(Cause::Words(words)))));
                }
                Err(trouble) if trouble.is_final() => return Err(trouble),
                Err(trouble) => {
                    tries.again(trouble).await?;
                    let (next, kept) = self.status(cx, place, &session).await?;
                    if kept < at || kept > end {
                        let words = format!("it kept {kept} bytes of an upload that has {at}");
                        return Err(Trouble::later(Error::Refused(place.story(Cause::Words(words)))));
                    }
                    (session, from) = (next, kept);
                    if from == end {
                        return Ok(session);
                    }
                }
            }
        }
    }

    /// Sends a blob of known length from `offset` on in pieces, and closes the upload.
    pub(super) async fn send_pieces(
        &self,
        cx: &Context,
        job: &Job<'_>,
        (mut session, mut offset): (Session, u64),
        piece: u64,
    ) -> Result<(), Trouble> {
        let place = Place { peer: job.peer, path: job.path, action: job.action };
        let size = job.blob.size;
        let mut tries = Tries::new(cx, self.inner.options.retry);
        while offset < size {
            let end = (offset + piece.max(session.least).max(1)).min(size);
            let payload = Payload::Source { source: job.source, offset, length: end - offset };
            match self.send_piece(cx, &place, &session, (payload, offset, end)).await {
                Ok((next, reached)) if reached > offset && reached <= end => {
                    (session, offset) = (next, reached);
                    job.progress(offset);
                    tries.progressed();
                }
                Ok((_, reached)) => {
                    let words = format!("it says to have {reached} bytes after {end} were sent");
                    return Err(Trouble::later(Error::Refused(place.story(Cause::Words(words)))));
                }
                Err(trouble) if trouble.is_final() => return Err(trouble),
                Err(trouble) => {
                    tries.again(trouble).await?;
                    let (next, kept) = self.status(cx, &place, &session).await?;
                    if kept > size {
                        let words = format!("it kept {kept} bytes of a blob that has {size}");
                        return Err(Trouble::later(Error::Refused(place.story(Cause::Words(words)))));
                    }
                    (session, offset) = (next, kept);
                }
            }
        }
        self.close(cx, &place, &session, job.blob.digest).await
    }

    /// One PATCH of the bytes `from..end`. Returns the next session and how many bytes the registry has now.
    async fn send_piece(
        &self,
        cx: &Context,
        place: &Place<'_>,
        session: &Session,
        (payload, from, end): (Payload<'_>, u64, u64),
    ) -> Result<(Session, u64), Trouble> {
        let mut call = Call::new(place.peer, Method::PATCH, session.location.clone(), place.action)
            .within(place.path, writing(place.path))
            .with(header::CONTENT_TYPE, "application/octet-stream")
            // Without `bytes`, unlike HTTP's own: distribution-spec.
            .with(header::CONTENT_RANGE, &format!("{from}-{}", end - 1));
        call.payload = payload;
        let reply = self.exchange(cx, &call, &[202, 204, 416]).await.map_err(invalid_digest)?;
        if reply.status() == 416 {
            let words = format!("it does not accept bytes {from}-{end} next");
            return Err(Trouble::later(Error::Refused(place.story(Cause::Words(words)))));
        }
        let next = next_session(&call, &reply, session);
        let reached = reply.header("range").and_then(wire::upload_end).unwrap_or(end);
        Ok((next, reached))
    }

    /// What the registry kept of an upload whose last request broke; `None` if it does not say.
    pub(super) async fn kept(
        &self,
        cx: &Context,
        job: &Job<'_>,
        session: &Session,
    ) -> Option<(Session, u64)> {
        let place = Place { peer: job.peer, path: job.path, action: job.action };
        self.status(cx, &place, session).await.ok()
    }

    /// Asks how many bytes of an upload have arrived.
    async fn status(
        &self,
        cx: &Context,
        place: &Place<'_>,
        session: &Session,
    ) -> Result<(Session, u64), Trouble> {
        let call = Call::new(place.peer, Method::GET, session.location.clone(), place.action)
            .within(place.path, writing(place.path));
        let mut tries = Tries::new(cx, self.inner.options.retry);
        loop {
            match self.exchange(cx, &call, &[200, 202, 204]).await {
                Ok(reply) => {
                    let next = next_session(&call, &reply, session);
                    return Ok((next, reply.header("range").and_then(wire::upload_end).unwrap_or(0)));
                }
                Err(trouble) if trouble.is_final() => {
                    // The upload is lost, the blob is not: begin again.
                    return Err(Trouble::later(trouble.error));
                }
                Err(trouble) => tries.again(trouble).await?,
            }
        }
    }

    /// The last PUT.
    async fn close(
        &self,
        cx: &Context,
        place: &Place<'_>,
        session: &Session,
        digest: &BlobDigest,
    ) -> Result<(), Trouble> {
        let url = wire::with_query(&session.location, "digest", &digest.to_string());
        let call = Call::new(place.peer, Method::PUT, url, place.action)
            .within(place.path, writing(place.path))
            .with(header::CONTENT_TYPE, "application/octet-stream");
        let mut tries = Tries::new(cx, self.inner.options.retry);
        loop {
            let trouble = match self.exchange(cx, &call, &[201, 204]).await {
                Ok(_) => return Ok(()),
                Err(trouble) => invalid_digest(trouble),
            };
            // The answer to an earlier PUT may have been lost.
            let there = Call::new(
                place.peer,
                Method::HEAD,
                place.peer.endpoint.url(&format!("{}/blobs/{digest}", place.path), None),
                place.action,
            )
            .within(place.path, writing(place.path));
            if self.exchange(cx, &there, &[200]).await.is_ok() {
                return Ok(());
            }
            let forgotten =
                matches!(trouble.error, Error::NotFound(_) | Error::Refused(_) | Error::Corrupt(_));
            if forgotten || trouble.is_final() {
                return Err(trouble);
            }
            tries.again(trouble).await?;
        }
    }
}

impl Place<'_> {
    fn story(&self, cause: Cause) -> Box<crate::registry::Story> {
        crate::registry::Story::boxed(self.action, self.peer.name(), cause)
    }
}

/// The session after an answer; one without a Location leaves the old one in force.
fn next_session(call: &Call<'_>, reply: &super::flow::Reply, old: &Session) -> Session {
    match session(call, reply) {
        Ok(next) => Session { least: next.least.max(old.least), ..next },
        Err(_) => old.clone(),
    }
}

/// Reads the next piece on a thread that may block.
async fn read_elsewhere(
    mut reader: Box<dyn Read + Send>,
    want: u64,
) -> std::io::Result<(Box<dyn Read + Send>, Bytes)> {
    let want = usize::try_from(want).unwrap_or(usize::MAX);
    let read = tokio::task::spawn_blocking(move || {
        let piece = read_piece(&mut *reader, want)?;
        Ok((reader, piece))
    });
    read.await.map_err(std::io::Error::other)?
}
