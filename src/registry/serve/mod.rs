//! The embedded registry: OCI distribution-spec 1.1 on a directory, for laptops and CI.
//!
//! - [`route`] is pure: a path to what is meant, or a refusal. Names and digests are checked there and nowhere else, so
//!   that no path outside the root can be built from a request.
//! - [`storage`] is the directory. Everything is published by one rename of a whole file, so a killed server leaves
//!   unfinished uploads at worst, which are removed a day later; several servers may share a directory.
//! - `blobs`, `uploads`, `manifests` and `lists` answer requests.
//!
//! A blob belongs to a repository by a file there; a mount is a hard link. So nothing needs to be counted or collected
//! when repositories disappear.

mod blobs;
mod lists;
mod manifests;
mod problem;
mod route;
mod storage;
mod uploads;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::problem::Problem;
use self::route::Route;
use self::storage::Storage;
use crate::base::Clock;
use crate::registry::{Cause, Error, Story};

/// How long requests under way may go on after the server was told to stop.
const FAREWELL: Duration = Duration::from_secs(10);
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// How the server behaves.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Refuse everything that would change something.
    pub read_only: bool,
    /// Largest manifest taken, in bytes. The specification asks for 4 MiB at least.
    pub largest_manifest: usize,
    /// How long an upload that nobody continues is kept.
    pub keep_uploads: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { read_only: false, largest_manifest: 4 << 20, keep_uploads: Duration::from_secs(24 * 3600) }
    }
}

/// A server that listens already and answers once it is told to [`serve`](Self::serve).
pub struct Server {
    listener: TcpListener,
    local_addr: SocketAddr,
    house: Arc<House>,
}

/// What every request needs.
pub(crate) struct House {
    storage: Storage,
    options: Options,
}

impl Server {
    /// Opens the directory `root`, which is made if it is not there, removes uploads that were given up, and listens on
    /// `addr` (port 0 takes a free one).
    ///
    /// # Errors
    /// `Settings` if the directory or the address cannot be used.
    pub async fn bind(addr: SocketAddr, root: &Path, options: Options, clock: Clock) -> Result<Self, Error> {
        let path = root.to_owned();
        let opened = tokio::task::spawn_blocking(move || {
            let storage = Storage::open(&path)?;
            storage.remove_stale_uploads(clock.now(), options.keep_uploads)?;
            Ok(storage)
        });
        let action = || format!("open the registry in {}", root.display());
        let storage = opened
            .await
            .map_err(|e| Error::settings(action(), Cause::Words(e.to_string())))?
            .map_err(|e| Error::settings(action(), Cause::Host(e)))?;
        let listen = |e| Error::Settings(Story::boxed(format!("listen on {addr}"), "", Cause::Io(e)));
        let listener = TcpListener::bind(addr).await.map_err(listen)?;
        let local_addr = listener.local_addr().map_err(listen)?;
        Ok(Self { listener, local_addr, house: Arc::new(House { storage, options }) })
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Answers until `cancel` is cancelled; requests under way then have ten seconds to end.
    ///
    /// # Errors
    /// `Settings` if the socket fails.
    pub async fn serve(self, cancel: CancellationToken) -> Result<(), Error> {
        use axum::serve::ListenerExt as _;
        let action = format!("serve on {}", self.local_addr);
        let router = Router::new().fallback(answer).with_state(self.house);
        // Small answers must not wait for the acknowledgement of earlier ones.
        let listener = self.listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let serving = axum::serve(listener, router).with_graceful_shutdown(cancel.clone().cancelled_owned());
        let farewell = async {
            cancel.cancelled().await;
            tokio::time::sleep(FAREWELL).await;
        };
        tokio::select! {
            ended = serving.into_future() => ended.map_err(|e| Error::settings(action, Cause::Io(e))),
            () = farewell => Ok(()),
        }
    }
}

async fn answer(State(house): State<Arc<House>>, request: Request) -> Response {
    let is_head = request.method() == Method::HEAD;
    let mut response = dispatch(house, request).await.unwrap_or_else(|problem| problem.into_response());
    response.headers_mut().insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    if is_head {
        *response.body_mut() = Body::empty();
    }
    response
}

async fn dispatch(house: Arc<House>, request: Request) -> Result<Response, Problem> {
    let route = Route::parse(request.uri().path())?;
    let method = request.method().clone();
    let reads = matches!(method, Method::GET | Method::HEAD);
    if house.options.read_only && !reads {
        return Err(Problem::unsupported("this registry is read-only"));
    }
    match (method, route) {
        (Method::GET | Method::HEAD, Route::Base) => {
            Ok((StatusCode::OK, axum::Json(serde_json::json!({}))).into_response())
        }
        (Method::GET, Route::Catalog) => lists::catalog(house, request.uri().query()).await,
        (Method::GET, Route::Tags { name }) => lists::tags(house, name, request.uri().query()).await,
        (Method::GET, Route::Referrers { name, digest }) => {
            lists::referrers(house, name, digest, request.uri().query()).await
        }
        (Method::GET | Method::HEAD, Route::Manifest { name, selector }) => {
            manifests::get(house, name, selector).await
        }
        (Method::PUT, Route::Manifest { name, selector }) => {
            manifests::put(house, (name, selector), request).await
        }
        (Method::DELETE, Route::Manifest { name, selector }) => {
            manifests::delete(house, name, selector).await
        }
        (Method::GET | Method::HEAD, Route::Blob { name, digest }) => {
            blobs::get(house, (name, digest), request.headers()).await
        }
        (Method::DELETE, Route::Blob { name, digest }) => blobs::delete(house, name, digest).await,
        (Method::POST, Route::Uploads { name }) => uploads::start(house, name, request).await,
        (Method::GET | Method::HEAD, Route::Upload { name, id }) => uploads::status(house, name, id).await,
        (Method::PATCH, Route::Upload { name, id }) => uploads::append(house, (name, id), request).await,
        (Method::PUT, Route::Upload { name, id }) => uploads::finish(house, (name, id), request).await,
        (Method::DELETE, Route::Upload { name, id }) => uploads::cancel(house, name, id).await,
        _ => Err(Problem::unsupported("this method is not known here")),
    }
}

/// Runs `work`, which reads or writes files, where it may block.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(Problem::internal("a task of the registry broke off")),
    }
}

/// The value of a query parameter.
fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
