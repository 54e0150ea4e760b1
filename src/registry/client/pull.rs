//! Pulling blobs: resumable, verified, from the registry or its mirrors.

use http::{Method, header};

use super::exchange::{Call, unreadable};
use super::flow::Reply;
use super::trouble::{Tries, Trouble};
use super::{Client, reading, stoppable};
use crate::registry::{BlobRequest, BlobSink, Cause, Error, MemorySink, wire};
use crate::report::Context;
use crate::report::Task;

/// Bytes after which a broken transfer counts as a new beginning, so that a long blob survives many breaks.
const PROGRESS: u64 = 1 << 20;
/// Bytes between two reports of progress.
const REPORT_EVERY: u64 = 256 << 10;
/// Times that whole but wrong bytes are asked for again.
const WRONG_DIGESTS: u32 = 2;

impl Client {
    /// Pulls a blob into `sink`, from `sink.position()` on, and compares its size and digest.
    ///
    /// # Errors
    /// `NotFound` if no place has it, `Corrupt` if its bytes are not what the digest says, `Local` if the sink fails.
    /// The sink then keeps what came so far, so that a later call can go on; only wrong bytes are thrown away.
    pub async fn pull_blob(
        &self,
        cx: &Context,
        blob: &BlobRequest<'_>,
        sink: &mut dyn BlobSink,
    ) -> Result<(), Error> {
        stoppable(cx, async {
            let mut outcome = Ok(());
            let action = format!("pull blob {} from {}", blob.digest.short(), blob.repository.name());
            for place in self.places(cx, blob.repository).await? {
                let url = place.url(&format!("blobs/{}", blob.digest));
                let call = Call::new(&place.peer, Method::GET, url, &action)
                    .within(&place.repository, reading(&place.repository));
                outcome = self.pull_from(cx, &call, blob, sink).await;
                match &outcome {
                    Ok(()) | Err(Error::Cancelled | Error::Local(_)) => return outcome,
                    Err(error) if place.is_mirror => self.skipped(cx, place.peer.name(), error),
                    Err(_) => {}
                }
            }
            outcome
        })
        .await
    }

    /// A small blob as bytes, for image configurations.
    ///
    /// # Errors
    /// As [`pull_blob`](Self::pull_blob); `Local` if it is larger than `limit` bytes.
    pub async fn blob_bytes(
        &self,
        cx: &Context,
        blob: &BlobRequest<'_>,
        limit: u64,
    ) -> Result<Vec<u8>, Error> {
        let mut sink = MemorySink::new(blob.digest, limit);
        self.pull_blob(cx, blob, &mut sink).await?;
        Ok(sink.into_bytes())
    }

    async fn pull_from(
        &self,
        cx: &Context,
        call: &Call<'_>,
        blob: &BlobRequest<'_>,
        sink: &mut dyn BlobSink,
    ) -> Result<(), Error> {
        let mut tries = Tries::new(cx, self.inner.options.retry);
        let mut furthest = sink.position();
        let mut wrong = 0;
        loop {
            let trouble = match self.pull_once(cx, call, blob, sink).await {
                Ok(()) => match verified(call, blob, sink)? {
                    None => return Ok(()),
                    Some(trouble) if wrong == WRONG_DIGESTS => return Err(trouble.error),
                    Some(trouble) => {
                        wrong += 1;
                        trouble
                    }
                },
                Err(trouble) => trouble,
            };
            // Only ground that was never reached before counts, or a server that always breaks at the same place
            // would keep us busy for ever.
            if sink.position() >= furthest + PROGRESS {
                furthest = sink.position();
                tries.progressed();
            }
            tries.again(trouble).await?;
        }
    }

    async fn pull_once(
        &self,
        cx: &Context,
        call: &Call<'_>,
        blob: &BlobRequest<'_>,
        sink: &mut dyn BlobSink,
    ) -> Result<(), Trouble> {
        let fail = |e| Trouble::never(Error::Local(call.story(Cause::Io(e))));
        if sink.position() > blob.size {
            sink.restart().map_err(fail)?;
        }
        let have = sink.position();
        if have == blob.size {
            return Ok(());
        }
        let mut ranged = Call::new(call.peer, Method::GET, call.url.clone(), call.action)
            .within(call.repository, call.scopes.clone());
        if have > 0 {
            ranged = ranged.with(header::RANGE, &format!("bytes={have}-"));
        }
        let mut reply = self.exchange(cx, &ranged, &[200, 206, 416]).await?;
        match reply.status() {
            206 if have > 0 => check_range(&ranged, &reply, have, blob.size, sink)?,
            200 => {
                if have > 0 {
                    sink.restart().map_err(fail)?;
                }
                if let Some(length) = reply.length().filter(|length| *length != blob.size) {
                    let words = format!("it announces {length} bytes where the blob has {}", blob.size);
                    return Err(corrupt(call, words));
                }
            }
            // It does not know the bytes we have: they must be wrong, or it is.
            416 if have > 0 => {
                sink.restart().map_err(fail)?;
                return Err(corrupt(call, format!("it has nothing from byte {have} on")));
            }
            status => return Err(call.words(format!("its answer {status} does not fit the request"))),
        }
        receive(call, blob, &mut reply, sink).await
    }
}

/// Passes the body on to the sink, no further than the blob's size.
async fn receive(
    call: &Call<'_>,
    blob: &BlobRequest<'_>,
    reply: &mut Reply,
    sink: &mut dyn BlobSink,
) -> Result<(), Trouble> {
    let fail = |e| Trouble::never(Error::Local(call.story(Cause::Io(e))));
    let mut reported = sink.position();
    while let Some(chunk) = reply.chunk().await.map_err(|error| unreadable(call, error))? {
        if sink.position() + chunk.len() as u64 > blob.size {
            sink.restart().map_err(fail)?;
            return Err(corrupt(call, format!("it sends more than the blob's {} bytes", blob.size)));
        }
        sink.write(&chunk).map_err(fail)?;
        let position = sink.position();
        // The end is told once, when the digest was compared.
        if position - reported >= REPORT_EVERY && position < blob.size {
            reported = position;
            report(blob.task, blob, position);
        }
    }
    if sink.position() < blob.size {
        let words = format!("it ended after {} of {} bytes", sink.position(), blob.size);
        return Err(Trouble::later(Error::Unavailable(call.story(Cause::Words(words)))));
    }
    Ok(())
}

/// `None` if the sink holds the blob; else it has been emptied.
fn verified(
    call: &Call<'_>,
    blob: &BlobRequest<'_>,
    sink: &mut dyn BlobSink,
) -> Result<Option<Trouble>, Error> {
    let fail = |e| Error::Local(call.story(Cause::Io(e)));
    let found = sink.digest().map_err(fail)?;
    if found == *blob.digest.digest() {
        report(blob.task, blob, blob.size);
        return Ok(None);
    }
    sink.restart().map_err(fail)?;
    Ok(Some(corrupt(call, format!("the bytes have digest {found} instead of {}", blob.digest))))
}

fn check_range(
    call: &Call<'_>,
    reply: &Reply,
    have: u64,
    size: u64,
    sink: &mut dyn BlobSink,
) -> Result<(), Trouble> {
    let range = reply.header("content-range").and_then(wire::content_range);
    match range {
        Some((from, to, whole)) if from == have && to < size && whole.is_none_or(|w| w == size) => Ok(()),
        _ => {
            sink.restart().map_err(|e| Trouble::never(Error::Local(call.story(Cause::Io(e)))))?;
            let said = reply.header("content-range").unwrap_or("none");
            Err(corrupt(call, format!("it answers bytes {have}-{size} with the range {said:?}")))
        }
    }
}

fn corrupt(call: &Call<'_>, words: String) -> Trouble {
    Trouble::later(Error::Corrupt(call.story(Cause::Words(words))))
}

pub(super) fn report(task: Option<&Task>, blob: &BlobRequest<'_>, done: u64) {
    if let Some(task) = task {
        task.progress(blob.digest.short(), done, Some(blob.size));
    }
}
