//! One request and its answer: connection limit, authorization, redirects, watchdog. No repeating; see `trouble`.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tokio::sync::OwnedSemaphorePermit;
use url::Url;

use super::Client;
use super::auth::Authorization;
use super::flow::{BodyError, Meter, Reply, Stalled, body_from, watched};
use super::peer::Peer;
use super::trouble::{Trouble, broken, refused};
use crate::registry::wire::{self, Scheme, Scopes};
use crate::registry::{BlobSource, Cause, Error, Story};
use crate::report::Context;

/// Most redirects followed.
const REDIRECTS: usize = 10;
/// Times a request is sent again because of a challenge: a token that was kept for what the challenge names may have
/// run out too.
const CHALLENGES: usize = 2;
/// Largest error body read.
const ERROR_BODY: usize = 64 << 10;

/// A request to a registry.
pub(super) struct Call<'a> {
    pub(super) peer: &'a Arc<Peer>,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) payload: Payload<'a>,
    /// The repository whose credentials are used; empty for the registry itself.
    pub(super) repository: &'a str,
    pub(super) scopes: Scopes,
    /// What is being done, for errors.
    pub(super) action: &'a str,
    /// Told how many bytes of the payload went out.
    pub(super) progress: &'a (dyn Fn(u64) + Sync),
}

/// What a request carries.
pub(super) enum Payload<'a> {
    Empty,
    Bytes(Bytes),
    /// `length` bytes of the source from `offset` on.
    Source {
        source: &'a dyn BlobSource,
        offset: u64,
        length: u64,
    },
}

impl<'a> Call<'a> {
    pub(super) fn new(peer: &'a Arc<Peer>, method: Method, url: Url, action: &'a str) -> Self {
        Self {
            peer,
            method,
            url,
            headers: HeaderMap::new(),
            payload: Payload::Empty,
            repository: "",
            scopes: Scopes::default(),
            action,
            progress: &|_| {},
        }
    }

    /// On behalf of `repository`, with a token for `scopes`.
    pub(super) fn within(mut self, repository: &'a str, scopes: Scopes) -> Self {
        self.repository = repository;
        self.scopes = scopes;
        self
    }

    /// With a header. Values that no header may have are left out.
    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.append(name, value);
        }
        self
    }

    pub(super) fn carrying(mut self, payload: Payload<'a>) -> Self {
        self.payload = payload;
        self
    }

    pub(super) fn story(&self, cause: Cause) -> Box<Story> {
        Story::boxed(self.action, self.peer.name(), cause)
    }

    /// The trouble that an unexpected answer is.
    pub(super) fn words(&self, words: impl Into<String>) -> Trouble {
        Trouble::never(Error::Refused(self.story(Cause::Words(words.into()))))
    }

    fn may_be_redirected(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }
}

impl Client {
    /// Sends the request, with credentials if the registry wants them, and follows redirects of reads. Answers with
    /// one of the statuses in `expected` are returned, others are troubles.
    pub(super) async fn exchange(
        &self,
        cx: &Context,
        call: &Call<'_>,
        expected: &[u16],
    ) -> Result<Reply, Trouble> {
        let seats = if self.feeds { &call.peer.feeding } else { &call.peer.connections };
        let permit = Arc::clone(seats).acquire_owned().await.ok();
        let mut authorization = self.authorization(cx, call).await?;
        let mut reply = self.send_following(call, &authorization, permit).await?;
        for _ in 0..CHALLENGES {
            if reply.status() != 401 || wire::is_cross_origin(&call.url, reply.url()) {
                break;
            }
            let better = self.answer_challenge(cx, call, &reply, &authorization).await?;
            let Some(better) = better else { break };
            // The connection of the first answer is free again only when its body was read.
            let _ = reply.body(ERROR_BODY).await;
            authorization = better;
            reply = self.send_following(call, &authorization, reply.into_permit()).await?;
        }
        if expected.contains(&reply.status()) {
            self.show_warnings(cx, call, &reply);
            return Ok(reply);
        }
        Err(self.unexpected(cx, call, reply, &authorization).await)
    }

    async fn unexpected(
        &self,
        cx: &Context,
        call: &Call<'_>,
        mut reply: Reply,
        authorization: &Authorization,
    ) -> Trouble {
        // An error body that cannot be read leaves the status, which is what matters.
        let body = reply.body(ERROR_BODY).await.unwrap_or_default();
        let mut answer = wire::answer(reply.status(), &body);
        answer.rate_limit = reply.header("ratelimit-limit").map(str::to_owned);
        let mut story = call.story(Cause::Answer(answer));
        story.with_credentials = authorization.is_personal();
        let after = reply.header("retry-after").and_then(|text| wire::retry_after(text, cx.clock.now()));
        let elsewhere = wire::is_cross_origin(&call.url, reply.url());
        let trouble = refused(story, after);
        // A signed address of a storage may have expired: asking the registry again gives a new one.
        match elsewhere && trouble.is_final() {
            true => Trouble::later(trouble.error),
            false => trouble,
        }
    }

    async fn send_following(
        &self,
        call: &Call<'_>,
        authorization: &Authorization,
        mut permit: Option<OwnedSemaphorePermit>,
    ) -> Result<Reply, Trouble> {
        let mut url = call.url.clone();
        let mut scheme = call.peer.endpoint.scheme;
        let mut authorized = authorization.header();
        for _ in 0..=REDIRECTS {
            let mut reply = self.send(call, &url, (scheme, authorized.clone()), permit).await?;
            let location = match reply.status() {
                301 | 302 | 303 | 307 | 308 if call.may_be_redirected() => reply.header("location"),
                _ => return Ok(reply),
            };
            let next = location.and_then(|l| wire::resolve(&url, l));
            let next = next.ok_or_else(|| call.words("it redirects to an address that is none"))?;
            if wire::is_cross_origin(&url, &next) {
                authorized = None;
                scheme = self.scheme_elsewhere(call, &url, &next)?;
            }
            let _ = reply.body(ERROR_BODY).await;
            permit = reply.into_permit();
            url = next;
        }
        Err(call.words(format!("it redirects more than {REDIRECTS} times")))
    }

    /// How to speak to the place a redirect leads to.
    fn scheme_elsewhere(&self, call: &Call<'_>, from: &Url, to: &Url) -> Result<Scheme, Trouble> {
        let host = authority(to);
        let named = self.inner.options.is_insecure(&host);
        match to.scheme() {
            "https" if named => Ok(Scheme::Unverified),
            "https" => Ok(Scheme::Https),
            _ if from.scheme() == "http" || named => Ok(Scheme::Http),
            _ => {
                let words = format!("it redirects from https to plain http on {host}");
                Err(Trouble::never(Error::Untrusted(call.story(Cause::Words(words)))))
            }
        }
    }

    async fn send(
        &self,
        call: &Call<'_>,
        url: &Url,
        (scheme, authorized): (Scheme, Option<HeaderValue>),
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<Reply, Trouble> {
        let pool = self.inner.transports.pool(&self.inner.options, url, scheme)?;
        let meter = Arc::new(Meter::default());
        let mut request = pool.request(call.method.clone(), url.clone()).headers(call.headers.clone());
        if let Some(value) = authorized {
            request = request.header(header::AUTHORIZATION, value);
        }
        request = match &call.payload {
            Payload::Empty if matches!(call.method, Method::GET | Method::HEAD | Method::DELETE) => request,
            // Some proxies answer 411 to a POST or PUT without a length.
            Payload::Empty => request.header(header::CONTENT_LENGTH, 0),
            Payload::Bytes(bytes) => request.body(bytes.clone()),
            Payload::Source { source, offset, length } => {
                let reader = source.open(*offset).map_err(|e| local(call, e))?;
                request.header(header::CONTENT_LENGTH, *length).body(body_from(reader, *length, &meter))
            }
        };
        let stall = self.inner.options.timeouts.stall;
        let sent = watched(stall, &meter, |moved| (call.progress)(moved), request.send()).await;
        if let Some(error) = meter.source_error() {
            return Err(local(call, error));
        }
        match sent {
            Ok(Ok(response)) => Ok(Reply::new(response, stall, permit)),
            Ok(Err(error)) => Err(broken(call.action, &authority(url), error)),
            Err(Stalled(after)) => Err(stalled(call, after)),
        }
    }

    /// `Warning: 299 - "text"`, each text once. OCI distribution-spec, "Warnings".
    fn show_warnings(&self, cx: &Context, call: &Call<'_>, reply: &Reply) {
        for warning in reply.headers("warning") {
            let Some(text) = warning.trim().strip_prefix("299 - ") else { continue };
            let text: String = text.trim_matches('"').chars().filter(|c| !c.is_control()).take(300).collect();
            if self.inner.first_time(format!("{}\n{text}", call.peer.name())) {
                cx.report.warn(format!("{} says: {text}", call.peer.name()));
            }
        }
    }
}

/// `host[:port]` of a URL.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

pub(super) fn local(call: &Call<'_>, error: io::Error) -> Trouble {
    Trouble::never(Error::Local(call.story(Cause::Io(error))))
}

pub(super) fn stalled(call: &Call<'_>, after: std::time::Duration) -> Trouble {
    Trouble::later(Error::Unavailable(call.story(Cause::Stalled(after))))
}

/// The trouble that a body which cannot be read is.
pub(super) fn unreadable(call: &Call<'_>, error: BodyError) -> Trouble {
    match error {
        BodyError::Broken(error) => broken(call.action, call.peer.name(), error),
        BodyError::Stalled(after) => stalled(call, after),
        BodyError::TooLong(limit) => call.words(format!("its answer is longer than {limit} bytes")),
    }
}
