//! Pushing: look, mount, send whole; and manifests. Sending in pieces is in `chunks`.

use std::sync::atomic::{AtomicU64, Ordering};

use http::{Method, header};
use url::Url;

use super::exchange::{Call, Payload, unreadable};
use super::flow::Reply;
use super::trouble::{Again, Tries, Trouble};
use super::{Client, Peer, pull, stoppable, writing};
use crate::base::{BlobDigest, Digest, ManifestDigest, Reference};
use crate::registry::wire::{self, Scope};
use crate::registry::{BlobRequest, BlobSource, Cause, Error, Pushed};
use crate::report::Context;
use std::sync::Arc;

/// The pieces sent after a registry, or what stands before it, said that a whole blob is too much. Bytes.
pub(super) const PIECE: u64 = 8 << 20;

/// An upload that the registry opened.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Where the next request goes; every answer gives a new one.
    pub(super) location: Url,
    /// The least length of a piece that is not the last.
    pub(super) least: u64,
}

/// What became of one way of sending.
enum Sent {
    Done,
    /// The registry wants smaller pieces.
    TooLarge,
}

impl Client {
    /// Brings a blob into a repository: nothing to do if it is there, else mounted from one of `blob.mount_from`, else
    /// sent.
    ///
    /// # Errors
    /// `Corrupt` if the registry found another digest; `Local` if the source fails.
    pub async fn push_blob(
        &self,
        cx: &Context,
        blob: &BlobRequest<'_>,
        source: &dyn BlobSource,
    ) -> Result<Pushed, Error> {
        if self.blob_exists(cx, blob.repository, blob.digest).await?.is_some() {
            pull::report(blob.task, blob, blob.size);
            return Ok(Pushed::Existed);
        }
        stoppable(cx, async {
            let peer = self.writable_peer(cx, blob.repository).await?;
            let session = match self.mount(cx, &peer, blob).await? {
                Mount::Done(from) => {
                    pull::report(blob.task, blob, blob.size);
                    return Ok(Pushed::Mounted(from));
                }
                Mount::Session(session) => Some(session),
                Mount::No => None,
            };
            self.upload(cx, &peer, blob, (source, session)).await?;
            pull::report(blob.task, blob, blob.size);
            Ok(Pushed::Uploaded)
        })
        .await
    }

    /// Only the mount: the repository it came from, or `None` if the registry would not.
    ///
    /// # Errors
    /// If the registry cannot be reached.
    pub async fn mount_blob(&self, cx: &Context, blob: &BlobRequest<'_>) -> Result<Option<Reference>, Error> {
        stoppable(cx, async {
            let peer = self.writable_peer(cx, blob.repository).await?;
            match self.mount(cx, &peer, blob).await? {
                Mount::Done(from) => Ok(Some(from)),
                Mount::Session(session) => {
                    self.abandon(cx, &peer, blob.repository, session).await;
                    Ok(None)
                }
                Mount::No => Ok(None),
            }
        })
        .await
    }

    /// Offers each repository of the same registry in turn. A registry that does not mount opens an upload instead,
    /// which is kept for the blob itself.
    async fn mount(&self, cx: &Context, peer: &Arc<Peer>, blob: &BlobRequest<'_>) -> Result<Mount, Error> {
        let to = blob.repository;
        let action = format!("mount blob {} into {}", blob.digest.short(), to.name());
        let mut opened = None;
        for from in blob.mount_from {
            if from.registry() != to.registry() || from.repository() == to.repository() {
                continue;
            }
            let query = format!("mount={}&from={}", blob.digest, from.repository());
            let url = peer.endpoint.url(&format!("{}/blobs/uploads/", to.repository()), Some(&query));
            let mut scopes = writing(to.repository());
            scopes.add(Scope::pull(from.repository()));
            let call = Call::new(peer, Method::POST, url, &action).within(to.repository(), scopes);
            let read = |reply: Reply| {
                let session = (reply.status() == 202).then(|| session(&call, &reply));
                async move { session.transpose() }
            };
            match self.call(cx, &call, &[201, 202], read).await {
                Ok(None) => {
                    if let Some(session) = opened {
                        self.abandon(cx, peer, to, session).await;
                    }
                    return Ok(Mount::Done(from.clone()));
                }
                Ok(Some(session)) => {
                    if let Some(earlier) = opened.replace(session) {
                        self.abandon(cx, peer, to, earlier).await;
                    }
                }
                // Not allowed to read the other one, or mounting is unknown here: sending will do.
                Err(
                    Error::Denied(_)
                    | Error::Unauthorized(_)
                    | Error::NotFound(_)
                    | Error::Unsupported(_)
                    | Error::Refused(_),
                ) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(opened.map_or(Mount::No, Mount::Session))
    }

    /// Cancels an upload. Registries forget abandoned ones by themselves, so a failure does not matter.
    async fn abandon(&self, cx: &Context, peer: &Arc<Peer>, repository: &Reference, session: Session) {
        let path = repository.repository();
        let call =
            Call::new(peer, Method::DELETE, session.location, "cancel an upload").within(path, writing(path));
        let _ = self.exchange(cx, &call, &[204]).await;
    }

    /// Opens an upload.
    pub(super) async fn begin(
        &self,
        cx: &Context,
        peer: &Arc<Peer>,
        path: &str,
        action: &str,
    ) -> Result<Session, Trouble> {
        let url = peer.endpoint.url(&format!("{path}/blobs/uploads/"), None);
        let call = Call::new(peer, Method::POST, url, action).within(path, writing(path));
        let reply = self.exchange(cx, &call, &[202]).await?;
        session(&call, &reply)
    }

    async fn upload(
        &self,
        cx: &Context,
        peer: &Arc<Peer>,
        blob: &BlobRequest<'_>,
        (source, mut opened): (&dyn BlobSource, Option<Session>),
    ) -> Result<(), Error> {
        let action = format!("push blob {} to {}", blob.digest.short(), blob.repository.name());
        let path = blob.repository.repository();
        let mut piece = self.inner.options.chunk.filter(|piece| blob.size > *piece);
        let mut tries = Tries::new(cx, self.inner.options.retry);
        let furthest = AtomicU64::new(0);
        loop {
            let before = furthest.load(Ordering::Relaxed);
            let job = Job { peer, path, action: &action, blob, source, furthest: &furthest };
            let result = async {
                let session = match opened.take() {
                    Some(session) => session,
                    None => self.begin(cx, peer, path, &action).await?,
                };
                match piece {
                    Some(piece) => self.send_pieces(cx, &job, (session, 0), piece).await.map(|()| Sent::Done),
                    None => self.send_whole(cx, &job, session).await,
                }
            };
            match result.await {
                Ok(Sent::Done) => return Ok(()),
                Ok(Sent::TooLarge) => piece = Some(PIECE),
                Err(trouble) if trouble.is_final() => return Err(trouble.error),
                Err(trouble) => {
                    // The last answer may have been lost after the registry had everything.
                    if matches!(self.blob_exists(cx, blob.repository, blob.digest).await, Ok(Some(_))) {
                        return Ok(());
                    }
                    if furthest.load(Ordering::Relaxed) >= before + (1 << 20) && blob.size > 4 * PIECE {
                        tries.progressed();
                    }
                    tries.again(trouble).await?;
                }
            }
        }
    }

    /// One PUT with everything. If it breaks, what the registry kept is not sent again.
    async fn send_whole(&self, cx: &Context, job: &Job<'_>, session: Session) -> Result<Sent, Trouble> {
        let url = wire::with_query(&session.location, "digest", &job.blob.digest.to_string());
        let progress = |moved| job.progress(moved);
        let mut call = Call::new(job.peer, Method::PUT, url, job.action)
            .within(job.path, writing(job.path))
            .with(header::CONTENT_TYPE, "application/octet-stream")
            .carrying(Payload::Source { source: job.source, offset: 0, length: job.blob.size });
        call.progress = &progress;
        match self.exchange(cx, &call, &[201, 204, 413]).await {
            Ok(reply) if reply.status() == 413 => Ok(Sent::TooLarge),
            Ok(_) => Ok(Sent::Done),
            Err(trouble) if matches!(trouble.again, Again::Later) => {
                // Worth asking only if something was sent.
                if job.furthest.load(Ordering::Relaxed) == 0 {
                    return Err(trouble);
                }
                match self.kept(cx, job, &session).await {
                    Some((session, offset)) if offset > 0 && offset < job.blob.size => {
                        self.send_pieces(cx, job, (session, offset), PIECE).await.map(|()| Sent::Done)
                    }
                    _ => Err(trouble),
                }
            }
            Err(trouble) => Err(invalid_digest(trouble)),
        }
    }

    /// Puts a manifest or index under a tag, or under its digest. `reference` must have one of the two. If the manifest
    /// names a subject and the registry does not keep referrers itself, the fallback tag is kept up to date.
    ///
    /// # Errors
    /// `Incomplete` if the repository lacks what the manifest refers to; `Conflict` if the tag may not be changed and
    /// stands for something else (if it stands for the same, all is well).
    pub async fn push_manifest(
        &self,
        cx: &Context,
        reference: &Reference,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<ManifestDigest, Error> {
        self.put(cx, reference, media_type, (bytes, false)).await
    }

    /// The same for a tag that nobody may have yet. Our registry, and others that know conditions of HTTP, then refuse to
    /// replace what somebody else put there meanwhile; those that do not let the last one win.
    ///
    /// # Errors
    /// `Conflict` if the tag stands for something else; those of [`push_manifest`](Self::push_manifest).
    pub async fn claim_manifest(
        &self,
        cx: &Context,
        reference: &Reference,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<ManifestDigest, Error> {
        match self.put(cx, reference, media_type, (bytes, true)).await {
            // It may be the condition that it does not like.
            Err(Error::Refused(_) | Error::Unsupported(_)) => {
                self.put(cx, reference, media_type, (bytes, false)).await
            }
            done => done,
        }
    }

    async fn put(
        &self,
        cx: &Context,
        reference: &Reference,
        media_type: &str,
        (bytes, claims): (&[u8], bool),
    ) -> Result<ManifestDigest, Error> {
        stoppable(cx, async {
            let action = format!("push manifest {reference}");
            let digest = match reference.digest() {
                Some(digest) => {
                    let mut hasher = digest.algorithm().hasher();
                    hasher.update(bytes);
                    hasher.finish()
                }
                None => Digest::sha256(bytes),
            };
            if reference.digest().is_some_and(|wanted| *wanted != digest) {
                let words = format!("the manifest has digest {digest}");
                return Err(Error::settings(action, Cause::Words(words)));
            }
            let mut pause = self.inner.options.retry.first;
            let mut left = self.inner.options.retry.attempts;
            let subject_kept = loop {
                left = left.saturating_sub(1);
                match self.put_manifest(cx, reference, media_type, (bytes, &digest, claims)).await {
                    // Distribution's registry writes down anew that it has a blob whenever somebody sends it once more,
                    // and lacks it for that moment.
                    Err(Error::Incomplete { missing, .. })
                        if left > 0 && self.has_all(cx, reference, &missing).await? => {}
                    done => break done?,
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(self.inner.options.retry.longest);
            };
            let digest = ManifestDigest::new(digest);
            if !subject_kept {
                self.keep_fallback_tag(cx, reference, media_type, (bytes, &digest)).await?;
            }
            Ok(digest)
        })
        .await
    }

    /// Whether the repository has these blobs; not if none is named.
    async fn has_all(&self, cx: &Context, place: &Reference, blobs: &[BlobDigest]) -> Result<bool, Error> {
        for blob in blobs {
            if self.blob_exists(cx, place, blob).await?.is_none() {
                return Ok(false);
            }
        }
        Ok(!blobs.is_empty())
    }

    /// Whether the registry said that it keeps track of the subject.
    async fn put_manifest(
        &self,
        cx: &Context,
        reference: &Reference,
        media_type: &str,
        (bytes, digest, claims): (&[u8], &Digest, bool),
    ) -> Result<bool, Error> {
        let action = format!("push manifest {reference}");
        let path = reference.repository();
        let peer = self.writable_peer(cx, reference).await?;
        let url = peer.endpoint.url(&format!("{path}/manifests/{}", reference.selector()), None);
        let mut call = Call::new(&peer, Method::PUT, url, &action)
            .within(path, writing(path))
            .with(header::CONTENT_TYPE, media_type)
            .carrying(Payload::Bytes(bytes::Bytes::copy_from_slice(bytes)));
        if claims {
            call = call.with(header::IF_NONE_MATCH, "*");
        }
        let call = &call;
        let read = |reply: Reply| async move { accepted(call, reply, digest).await };
        match self.call(cx, call, &[200, 201, 202], read).await {
            Ok(kept) => Ok(kept),
            Err(error) => match self.explain_refusal(cx, reference, digest, error).await? {
                Some(error) => Err(error),
                None => Ok(false),
            },
        }
    }

    /// The error to report; `None` if the tag stands for `digest` already, so that nothing is wrong after all.
    async fn explain_refusal(
        &self,
        cx: &Context,
        reference: &Reference,
        digest: &Digest,
        error: Error,
    ) -> Result<Option<Error>, Error> {
        let story = match error {
            Error::Refused(story) | Error::Denied(story) | Error::NotFound(story) => story,
            other => return Ok(Some(other)),
        };
        let Cause::Answer(answer) = &story.cause else { return Ok(Some(Error::Refused(story))) };
        let has = |code: &str| answer.codes.iter().any(|c| c == code);
        if has("MANIFEST_BLOB_UNKNOWN") || has("BLOB_UNKNOWN") || has("MANIFEST_UNKNOWN") {
            let missing = answer.missing.clone();
            return Ok(Some(Error::Incomplete { story, missing }));
        }
        let status = answer.status;
        if reference.digest().is_none() && matches!(status, 400 | 403 | 409 | 412) {
            let action = format!("look at tag {reference}");
            let path = reference.repository();
            let peer = self.writable_peer(cx, reference).await?;
            let url = peer.endpoint.url(&format!("{path}/manifests/{}", reference.selector()), None);
            let call = Call::new(&peer, Method::HEAD, url, &action).within(path, writing(path));
            if let Ok(reply) = self.exchange(cx, &call, &[200]).await {
                let there = reply.header("docker-content-digest").and_then(|t| t.parse::<Digest>().ok());
                match there {
                    Some(there) if there == *digest => return Ok(None),
                    Some(_) if status != 403 => return Ok(Some(Error::Conflict(story))),
                    _ => {}
                }
            }
        }
        Ok(Some(match status {
            403 => Error::Denied(story),
            404 => Error::NotFound(story),
            _ => Error::Refused(story),
        }))
    }
}

/// What came of a mount.
enum Mount {
    Done(Reference),
    Session(Session),
    No,
}

/// One blob on its way into one repository.
pub(super) struct Job<'a> {
    pub(super) peer: &'a Arc<Peer>,
    pub(super) path: &'a str,
    pub(super) action: &'a str,
    pub(super) blob: &'a BlobRequest<'a>,
    pub(super) source: &'a dyn BlobSource,
    /// The furthest byte sent in any try.
    pub(super) furthest: &'a AtomicU64,
}

impl Job<'_> {
    /// `done` bytes were sent in this try. The end is told once, when the registry has accepted the blob.
    pub(super) fn progress(&self, done: u64) {
        if done > self.furthest.fetch_max(done, Ordering::Relaxed) && done < self.blob.size {
            pull::report(self.blob.task, self.blob, done);
        }
    }
}

/// The upload that an answer speaks of.
pub(super) fn session(call: &Call<'_>, reply: &Reply) -> Result<Session, Trouble> {
    let location = reply.header("location").and_then(|text| wire::resolve(reply.url(), text));
    let location = location.ok_or_else(|| call.words("its answer does not say where to send the blob"))?;
    let least = reply.header("oci-chunk-min-length").and_then(|t| t.trim().parse().ok()).unwrap_or(0);
    Ok(Session { location, least })
}

/// A digest that the registry did not find in what it received: bytes were lost on the way, or the source lies.
pub(super) fn invalid_digest(trouble: Trouble) -> Trouble {
    match trouble.error {
        Error::Refused(story) => {
            let Cause::Answer(answer) = &story.cause else { return Trouble::never(Error::Refused(story)) };
            if answer.codes.iter().any(|c| c == "DIGEST_INVALID" || c == "SIZE_INVALID") {
                return Trouble::later(Error::Corrupt(story));
            }
            if answer.codes.iter().any(|c| c == "BLOB_UPLOAD_INVALID" || c == "BLOB_UPLOAD_UNKNOWN") {
                return Trouble::later(Error::Refused(story));
            }
            Trouble::never(Error::Refused(story))
        }
        // An upload that the registry forgot: begin again.
        Error::NotFound(story) => match &story.cause {
            Cause::Answer(answer) if answer.codes.iter().any(|c| c == "BLOB_UPLOAD_UNKNOWN") => {
                Trouble::later(Error::NotFound(story))
            }
            _ => Trouble::never(Error::NotFound(story)),
        },
        error => Trouble { error, again: trouble.again },
    }
}

async fn accepted(call: &Call<'_>, mut reply: Reply, digest: &Digest) -> Result<bool, Trouble> {
    let said = reply.header("docker-content-digest").and_then(|text| text.parse::<Digest>().ok());
    if said.as_ref().is_some_and(|said| said.algorithm() == digest.algorithm() && said != digest) {
        let words = format!("it stored the manifest under another digest than {digest}");
        return Err(Trouble::later(Error::Corrupt(call.story(Cause::Words(words)))));
    }
    let kept = reply.header("oci-subject").is_some();
    reply.body(64 << 10).await.map_err(|error| unreadable(call, error))?;
    Ok(kept)
}
