//! Plain files over http and https: what ADD and contexts name. No registry, but the same connections, certificates,
//! proxies, patience and repeating.

use std::io;

use http::header;
use url::Url;

use super::exchange::authority;
use super::flow::{BodyError, Meter, Reply, Stalled, watched};
use super::trouble::{Tries, Trouble, broken, refused};
use super::{Client, stoppable};
use crate::registry::wire::{self, Scheme};
use crate::registry::{Cause, Error, Story};
use crate::report::{Context, Task};

/// Most redirects followed.
const REDIRECTS: usize = 10;
/// Bytes between two reports of progress.
const REPORT_EVERY: u64 = 256 << 10;
/// Largest error body read.
const ERROR_BODY: usize = 64 << 10;

/// A file to download.
#[derive(Clone, Copy)]
pub struct DownloadRequest<'a> {
    /// Where from; http or https.
    pub url: &'a str,
    /// What the server called the version that is known already: it may answer that nothing changed.
    pub etag: Option<&'a str>,
    /// When the version that is known already was made, in the server's words; asked for if there is no `etag`.
    pub last_modified: Option<&'a str>,
    /// Most bytes to take.
    pub limit: u64,
    /// Shown how far the download is.
    pub task: &'a Task,
}

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Downloaded {
    /// The version that is known already is the current one.
    Unchanged,
    /// The file is in the sink.
    New {
        /// What the server calls this version.
        etag: Option<String>,
        /// When it was made, in the server's words.
        last_modified: Option<String>,
    },
}

/// Where a download goes. Bytes come in order; a download that breaks begins again.
pub trait DownloadSink: Send {
    /// Appends.
    ///
    /// # Errors
    /// Any; the download ends with `Error::Local`.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Forgets everything.
    ///
    /// # Errors
    /// Any; the download ends with `Error::Local`.
    fn restart(&mut self) -> io::Result<()>;
}

impl Client {
    /// Downloads a file into `sink`.
    ///
    /// # Errors
    /// By the server's answer and by what the connection does; `Refused` if it is larger than the limit.
    pub async fn download(
        &self,
        cx: &Context,
        request: &DownloadRequest<'_>,
        sink: &mut dyn DownloadSink,
    ) -> Result<Downloaded, Error> {
        let action = format!("download {}", shown(request.url));
        stoppable(cx, async {
            let mut tries = Tries::new(cx, self.inner.options.retry);
            loop {
                match self.download_once(cx, (&action, request), sink).await {
                    Ok(downloaded) => return Ok(downloaded),
                    Err(trouble) => tries.again(trouble).await?,
                }
                let fail = |e| Error::Local(Story::boxed(action.as_str(), "", Cause::Io(e)));
                sink.restart().map_err(fail)?;
            }
        })
        .await
    }

    async fn download_once(
        &self,
        cx: &Context,
        (action, request): (&str, &DownloadRequest<'_>),
        sink: &mut dyn DownloadSink,
    ) -> Result<Downloaded, Trouble> {
        let mut reply = self.get_following(action, request).await?;
        let host = authority(reply.url());
        let story = |cause| Story::boxed(action, host.as_str(), cause);
        match reply.status() {
            304 if request.etag.is_some() || request.last_modified.is_some() => {
                return Ok(Downloaded::Unchanged);
            }
            200 => {}
            status => {
                let after = reply.header("retry-after").and_then(|t| wire::retry_after(t, cx.clock.now()));
                let _ = reply.body(ERROR_BODY).await;
                let answer = crate::registry::Answer { status, ..Default::default() };
                return Err(refused(story(Cause::Answer(answer)), after));
            }
        }
        let announced = reply.length();
        let too_long = || {
            let words = format!("it is larger than the {} bytes allowed here", request.limit);
            Trouble::never(Error::Refused(story(Cause::Words(words))))
        };
        if announced.is_some_and(|length| length > request.limit) {
            return Err(too_long());
        }
        let (mut written, mut told) = (0, 0);
        loop {
            let chunk = reply.chunk().await.map_err(|error| match error {
                BodyError::Broken(error) => broken(action, &host, error),
                BodyError::Stalled(after) => Trouble::later(Error::Unavailable(story(Cause::Stalled(after)))),
                BodyError::TooLong(_) => too_long(),
            })?;
            let Some(chunk) = chunk else { break };
            written += chunk.len() as u64;
            if written > request.limit {
                return Err(too_long());
            }
            let failed = |e| Trouble::never(Error::Local(story(Cause::Io(e))));
            sink.write(&chunk).map_err(failed)?;
            if written - told >= REPORT_EVERY {
                request.task.progress(&host, written, announced);
                told = written;
            }
        }
        let text = |name: &str| reply.header(name).map(str::to_owned);
        Ok(Downloaded::New { etag: text("etag"), last_modified: text("last-modified") })
    }

    async fn get_following(&self, action: &str, request: &DownloadRequest<'_>) -> Result<Reply, Trouble> {
        let wrong = |host: &str, words: String| {
            Trouble::never(Error::Refused(Story::boxed(action, host, Cause::Words(words))))
        };
        let mut url = Url::parse(request.url)
            .map_err(|e| wrong("", format!("it is not the address of a file: {e}")))?;
        // A password in the address goes with the first host only.
        let credentials = (!url.username().is_empty())
            .then(|| (url.username().to_owned(), url.password().map(str::to_owned)));
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        let first = url.clone();
        for _ in 0..=REDIRECTS {
            let host = authority(&url);
            let scheme = match url.scheme() {
                "https" if self.inner.options.is_insecure(&host) => Scheme::Unverified,
                "https" => Scheme::Https,
                "http" if first.scheme() == "https" => {
                    let words = format!("it redirects from https to plain http on {host}");
                    let story = Story::boxed(action, host.as_str(), Cause::Words(words));
                    return Err(Trouble::never(Error::Untrusted(story)));
                }
                "http" => Scheme::Http,
                other => {
                    return Err(wrong(&host, format!("it leads to an address that begins with {other}:")));
                }
            };
            let pool = self.inner.transports.pool(&self.inner.options, &url, scheme)?;
            let mut get = pool.get(url.clone()).header(header::ACCEPT_ENCODING, "identity");
            match (request.etag, request.last_modified) {
                (Some(etag), _) => get = get.header(header::IF_NONE_MATCH, etag),
                (None, Some(date)) => get = get.header(header::IF_MODIFIED_SINCE, date),
                (None, None) => {}
            }
            if let Some((user, password)) =
                credentials.as_ref().filter(|_| !wire::is_cross_origin(&first, &url))
            {
                get = get.basic_auth(decode(user), password.as_deref().map(decode));
            }
            let stall = self.inner.options.timeouts.stall;
            let sent = watched(stall, &Meter::default(), |_| {}, get.send()).await;
            let sent = sent.map_err(|Stalled(after)| {
                Trouble::later(Error::Unavailable(Story::boxed(action, host.as_str(), Cause::Stalled(after))))
            })?;
            let response = sent.map_err(|error| broken(action, &host, error))?;
            let mut reply = Reply::new(response, stall, None);
            if !matches!(reply.status(), 301 | 302 | 303 | 307 | 308) {
                return Ok(reply);
            }
            let next = reply.header("location").and_then(|location| wire::resolve(&url, location));
            url = next.ok_or_else(|| wrong(&host, "it redirects to an address that is none".into()))?;
            let _ = reply.body(ERROR_BODY).await;
        }
        Err(wrong(&authority(&url), format!("it redirects more than {REDIRECTS} times")))
    }
}

/// An address without what may be a secret: password and query.
fn shown(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else { return "a file".into() };
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

fn decode(text: &str) -> String {
    url::form_urlencoded::parse(format!("x={}", text.replace('+', "%2B")).as_bytes())
        .next()
        .map_or_else(|| text.to_owned(), |(_, value)| value.into_owned())
}
