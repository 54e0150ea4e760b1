//! The client: what can be asked of a registry.
//!
//! Each method repeats what may be repeated (`trouble`), one try being an `exchange` with authorization (`auth`),
//! redirects and a watchdog (`flow`) over pooled connections (`transport`). `read`, `pull`, `push`, `chunks`, `list`
//! and `remove` hold the methods.

mod auth;
mod chunks;
mod download;
mod exchange;
mod flow;
mod list;
mod peer;
mod pull;
mod push;
mod read;
mod referrers;
mod remove;
mod stream;
mod transport;
mod trouble;

pub use download::{DownloadRequest, DownloadSink, Downloaded};
pub use stream::{BlobStream, RemoteBlob};

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use http::Method;

use self::exchange::Call;
use self::flow::{Meter, Stalled, watched};
use self::peer::Peer;
use self::transport::Transports;
pub use self::transport::roots as trusted_roots;
use self::trouble::{Again, Tries, Trouble, broken};
use crate::base::Reference;
use crate::registry::machine::Rules;
use crate::registry::wire::{self, Challenge, Endpoint, Scheme, Scopes};
use crate::registry::{Cause, ClientOptions, Error, Story};
use crate::report::Context;

/// A client for any number of registries; cheap to clone. Clones share connections, tokens and limits.
///
/// All methods need a tokio runtime, stop with [`Error::Cancelled`] soon after `cx.cancel` was cancelled, and repeat
/// what may be repeated. At most `cx.limits.transfers` requests to one registry are under way at once, and as many that
/// feed others, so callers may start as many transfers as they like.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    /// Whether what it reads may be the body of another request of it.
    feeds: bool,
}

struct Inner {
    options: ClientOptions,
    transports: Transports,
    rules: OnceLock<Rules>,
    peers: tokio::sync::Mutex<BTreeMap<String, Arc<Peer>>>,
    said: Mutex<BTreeSet<String>>,
}

impl Inner {
    /// What the files of this machine say; read when it is first needed.
    fn rules(&self) -> Result<&Rules, Error> {
        match self.rules.get() {
            Some(rules) => Ok(rules),
            None => {
                let read = self.options.machine.rules()?;
                Ok(self.rules.get_or_init(|| read))
            }
        }
    }

    /// Refuses what the files of this machine do not allow.
    fn permit(&self, reference: &Reference) -> Result<(), Error> {
        let Some(prefix) = self.rules()?.blocks(reference) else { return Ok(()) };
        let words = format!("registries.conf of this machine blocks {prefix}");
        Err(Error::settings(format!("use {}", reference.familiar()), Cause::Words(words)))
    }

    /// Whether `text` was not said before.
    fn first_time(&self, text: String) -> bool {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(text)
    }
}

/// A place a repository can be read from: the registry itself or a mirror of it.
struct Place {
    peer: Arc<Peer>,
    repository: String,
    /// The registry that the mirror is told it stands for.
    upstream: Option<String>,
    is_mirror: bool,
}

impl Place {
    fn url(&self, path: &str) -> url::Url {
        let query = self.upstream.as_ref().map(|upstream| format!("ns={upstream}"));
        self.peer.endpoint.url(&format!("{}/{path}", self.repository), query.as_deref())
    }
}

impl Client {
    /// A client that has not spoken to anybody yet.
    pub fn new(options: ClientOptions) -> Self {
        let inner = Inner {
            options,
            transports: Transports::default(),
            rules: OnceLock::new(),
            peers: tokio::sync::Mutex::default(),
            said: Mutex::default(),
        };
        Self { inner: Arc::new(inner), feeds: false }
    }

    /// Asks whether the registry answers and accepts the credentials found for it.
    ///
    /// # Errors
    /// `Unauthorized` or `Denied` if it does not accept them; whatever keeps it from answering.
    pub async fn ping(&self, cx: &Context, registry: &str) -> Result<(), Error> {
        stoppable(cx, async {
            let action = format!("log in to {registry}");
            let peer = self.peer(cx, registry).await?;
            let call = Call::new(&peer, Method::GET, peer.endpoint.url("", None), &action);
            let mut tries = Tries::new(cx, self.inner.options.retry);
            loop {
                match self.exchange(cx, &call, &[200]).await {
                    Ok(_) => return Ok(()),
                    Err(trouble) => tries.again(trouble).await?,
                }
            }
        })
        .await
    }

    /// What is known of `registry`; finds out how to speak to it first.
    async fn peer(&self, cx: &Context, registry: &str) -> Result<Arc<Peer>, Error> {
        let mut peers = self.inner.peers.lock().await;
        if let Some(peer) = peers.get(registry) {
            return Ok(Arc::clone(peer));
        }
        let insecure = self.inner.options.is_insecure(registry) || self.inner.rules()?.is_insecure(registry);
        let peer = match Endpoint::schemes(registry, insecure) {
            [only] => Peer::new(endpoint(registry, *only)?, cx.limits.transfers.get()),
            schemes => {
                let mut tries = Tries::new(cx, self.inner.options.retry);
                loop {
                    match self.probe(cx, registry, schemes).await {
                        Ok(peer) => break peer,
                        Err(trouble) => tries.again(trouble).await?,
                    }
                }
            }
        };
        let peer = Arc::new(peer);
        peers.insert(registry.to_owned(), Arc::clone(&peer));
        Ok(peer)
    }

    /// The registry that is written to: never a mirror, and no other place than its name says.
    async fn writable_peer(&self, cx: &Context, repository: &Reference) -> Result<Arc<Peer>, Error> {
        self.inner.permit(repository)?;
        self.peer(cx, repository.registry()).await
    }

    /// The first scheme that gets an answer. The trouble, if none does, is the first one's, unless a later one found
    /// somebody there who cannot be trusted, or the settings of this machine are broken.
    async fn probe(&self, cx: &Context, registry: &str, schemes: &[Scheme]) -> Result<Peer, Trouble> {
        let mut first = None;
        for scheme in schemes {
            match self.probe_one(cx, registry, *scheme).await {
                Ok(peer) => return Ok(peer),
                Err(trouble) if matches!(trouble.error, Error::Untrusted(_) | Error::Settings(_)) => {
                    first = Some(trouble);
                }
                Err(trouble) => first = first.or(Some(trouble)),
            }
        }
        Err(first.expect("there is at least one scheme"))
    }

    async fn probe_one(&self, cx: &Context, registry: &str, scheme: Scheme) -> Result<Peer, Trouble> {
        let action = format!("connect to {registry}");
        let peer = Peer::new(endpoint(registry, scheme)?, cx.limits.transfers.get());
        let url = peer.endpoint.url("", None);
        let pool = self.inner.transports.pool(&self.inner.options, &url, scheme)?;
        let stall = self.inner.options.timeouts.stall;
        let unreachable = |again, cause| {
            let error = Error::Unavailable(Story::boxed(action.as_str(), registry, cause));
            Trouble { error, again }
        };
        let sent = watched(stall, &Meter::default(), |_| {}, pool.get(url).send()).await;
        let response = sent
            .map_err(|Stalled(after)| unreachable(Again::Later, Cause::Stalled(after)))?
            .map_err(|error| broken(&action, registry, error))?;
        let mut reply = flow::Reply::new(response, stall, None);
        let body = reply.body(64 << 10).await.unwrap_or_default();
        if scheme == Scheme::Http && wire::is_plain_client_complaint(reply.status(), &body) {
            let words = "it speaks https, not plain http".to_owned();
            return Err(unreachable(Again::Never, Cause::Words(words)));
        }
        let offered = wire::challenges(reply.headers("www-authenticate"));
        let bearer = offered.iter().find(|c| matches!(c, Challenge::Bearer { .. }));
        if let Some(challenge) = bearer.or(offered.first()).filter(|_| reply.status() == 401) {
            peer.remember_challenge(challenge.clone());
        }
        Ok(peer)
    }

    /// Where to read `reference` from, in order.
    async fn places(&self, cx: &Context, reference: &Reference) -> Result<Vec<Place>, Error> {
        let registry = reference.registry();
        self.inner.permit(reference)?;
        let (mirrors, own) = self.inner.rules()?.places(reference);
        let mut places = Vec::new();
        for mirror in self.inner.options.mirrors.get(registry).into_iter().flatten() {
            let (host, prefix) = mirror.location.split_once('/').unwrap_or((&mirror.location, ""));
            let repository = match prefix.trim_matches('/') {
                "" => reference.repository().to_owned(),
                prefix => format!("{prefix}/{}", reference.repository()),
            };
            match self.peer(cx, host).await {
                Ok(peer) => {
                    let upstream = Some(registry.to_owned());
                    places.push(Place { peer, repository, upstream, is_mirror: true });
                }
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(error) => self.skipped(cx, host, &error),
            }
        }
        for (host, repository) in mirrors {
            match self.peer(cx, &host).await {
                Ok(peer) => places.push(Place { peer, repository, upstream: None, is_mirror: true }),
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(error) => self.skipped(cx, &host, &error),
            }
        }
        let (registry, repository) = own;
        let peer = match self.peer(cx, &registry).await {
            Ok(peer) => peer,
            // The mirrors may have it even if the registry itself is out of reach.
            Err(error) if places.is_empty() => return Err(error),
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(_) => return Ok(places),
        };
        places.push(Place { peer, repository, upstream: None, is_mirror: false });
        Ok(places)
    }

    /// Says, once per mirror, that it was passed over. That it lacks something is its right.
    fn skipped(&self, cx: &Context, mirror: &str, error: &Error) {
        if !error.is_not_found() && self.inner.first_time(format!("mirror\n{mirror}")) {
            let why = error.story().map(ToString::to_string).unwrap_or_default();
            cx.report.warn(format!("mirror {mirror} was passed over: {why}"));
        }
    }

    /// Repeats `call` until it is answered with one of `expected`, and hands the answer to `read`, whose troubles are
    /// repeated too.
    async fn call<T, F>(
        &self,
        cx: &Context,
        call: &Call<'_>,
        expected: &[u16],
        read: impl Fn(flow::Reply) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Trouble>>,
    {
        let mut tries = Tries::new(cx, self.inner.options.retry);
        loop {
            let result = match self.exchange(cx, call, expected).await {
                Ok(reply) => read(reply).await,
                Err(trouble) => Err(trouble),
            };
            match result {
                Ok(value) => return Ok(value),
                Err(trouble) => tries.again(trouble).await?,
            }
        }
    }
}

fn endpoint(registry: &str, scheme: Scheme) -> Result<Endpoint, Error> {
    Endpoint::new(registry, scheme).ok_or_else(|| {
        let words = "it is not a host name with an optional port".to_owned();
        Error::settings(format!("find the registry {registry:?}"), Cause::Words(words))
    })
}

/// `work`, unless the context is cancelled before it ends.
async fn stoppable<T>(cx: &Context, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    cx.cancel.run_until_cancelled(work).await.unwrap_or(Err(Error::Cancelled))
}

/// The scopes for reading a repository.
fn reading(repository: &str) -> Scopes {
    Scopes::of([wire::Scope::pull(repository)])
}

/// The scopes for writing to a repository.
fn writing(repository: &str) -> Scopes {
    Scopes::of([wire::Scope::push(repository)])
}
