//! A lock server: records in memory, answers over http. What it keeps is lost when it ends; who holds a lock then goes on
//! without it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{Html, IntoResponse as _, Response};
use http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::record::{self, Record, Wish};
use super::wire::{
    AcquireAnswer, AcquireRequest, Answer, HandleRequest, HealthAnswer, HealthRequest, NewClientAnswer,
};
use crate::base::Clock;
use crate::host;
use crate::sync::Error;

/// Largest request taken, in bytes.
const LARGEST: usize = 64 << 10;
/// Locks that are kept; more are refused, so that nobody can fill the memory.
const MOST_LOCKS: usize = 100_000;
/// How long requests under way may go on after the server was told to stop.
const FAREWELL: Duration = Duration::from_secs(5);

const PAGE: &str = "<!doctype html>\n<html><head><meta charset=\"utf-8\"><title>Locks</title></head>\n<body><h1>Lock server</h1>\n\
    <p>Builders that are started with <code>--synchronization</code> and this address share its locks.</p></body></html>\n";

/// A lock server that listens already and answers once it is told to [`serve`](Self::serve).
pub struct Server {
    listener: TcpListener,
    local_addr: SocketAddr,
    locks: Arc<Locks>,
}

/// The locks of all clients, by client and name.
struct Locks {
    records: Mutex<BTreeMap<(String, String), Record>>,
    /// When the server began, as Unix time and on a clock that nobody sets.
    began: (i64, Instant),
}

impl Server {
    /// Listens on `addr`; port 0 takes a free one.
    ///
    /// # Errors
    /// If the address cannot be used.
    pub async fn bind(addr: SocketAddr, clock: &Clock) -> Result<Self, Error> {
        let fail = |source| Error::Listen { address: addr, source };
        let listener = TcpListener::bind(addr).await.map_err(fail)?;
        let local_addr = listener.local_addr().map_err(fail)?;
        let began = (i64::try_from(clock.now().as_secs()).unwrap_or(0), Instant::now());
        let locks = Arc::new(Locks { records: Mutex::default(), began });
        Ok(Self { listener, local_addr, locks })
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Answers until `cancel` is cancelled.
    ///
    /// # Errors
    /// If the socket fails.
    pub async fn serve(self, cancel: CancellationToken) -> Result<(), Error> {
        use std::future::IntoFuture as _;
        let router = Router::new().fallback(answer).with_state(self.locks);
        let serving =
            axum::serve(self.listener, router).with_graceful_shutdown(cancel.clone().cancelled_owned());
        let farewell = async {
            cancel.cancelled().await;
            tokio::time::sleep(FAREWELL).await;
        };
        tokio::select! {
            ended = serving.into_future() => {
                ended.map_err(|source| Error::Listen { address: self.local_addr, source })
            }
            () = farewell => Ok(()),
        }
    }
}

impl Locks {
    fn now(&self) -> i64 {
        self.began.0.saturating_add(i64::try_from(self.began.1.elapsed().as_secs()).unwrap_or(i64::MAX))
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<(String, String), Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the record of a lock.
    fn change<T>(&self, client: &str, lock: &str, change: impl FnOnce(&mut Option<Record>, i64) -> T) -> T {
        let now = self.now();
        let mut records = self.records();
        let key = (client.to_owned(), lock.to_owned());
        let mut record = records.remove(&key);
        let result = change(&mut record, now);
        if let Some(record) = record {
            records.insert(key, record);
        }
        result
    }

    /// Whether one more lock can be kept; forgets those that nobody holds or waits for.
    fn has_room(&self) -> bool {
        let now = self.now();
        let mut records = self.records();
        if records.len() >= MOST_LOCKS {
            records.retain(|_, record| !record.is_over(now));
        }
        records.len() < MOST_LOCKS
    }

    fn acquire(&self, client: &str, request: &AcquireRequest) -> AcquireAnswer {
        if !self.has_room() {
            let err = format!("this server keeps {MOST_LOCKS} locks already");
            return AcquireAnswer { err, ..AcquireAnswer::default() };
        }
        let uuid = uuid();
        let wish = Wish {
            lock_name: &request.lock_name,
            shared: request.opts.shared,
            acquirer_id: &request.opts.acquirer_id,
            uuid: &uuid,
        };
        match self.change(client, &request.lock_name, |record, now| record::acquire(record, &wish, now)) {
            Ok(lock_handle) => AcquireAnswer { lock_handle, err: String::new() },
            Err(no) => AcquireAnswer { err: no.to_string(), ..AcquireAnswer::default() },
        }
    }
}

/// A random UUID, version 4 (RFC 9562, section 5.4).
fn uuid() -> String {
    let digits = host::random::token();
    let (kind, variant) = ('4', ["8", "9", "a", "b"][usize::from(digits.as_bytes()[16]) % 4]);
    format!(
        "{}-{}-{kind}{}-{variant}{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[13..16],
        &digits[17..20],
        &digits[20..]
    )
}

/// What cannot be answered.
type Refusal = (StatusCode, String);

async fn answer(State(locks): State<Arc<Locks>>, request: Request) -> Response {
    respond(&locks, request).await.unwrap_or_else(|refusal| refusal.into_response())
}

async fn respond(locks: &Locks, request: Request) -> Result<Response, Refusal> {
    let path = request.uri().path().to_owned();
    match path.trim_start_matches('/').split('/').collect::<Vec<_>>().as_slice() {
        [""] => Ok(Html(PAGE).into_response()),
        ["health"] => {
            let HealthRequest { echo } = body(request).await?;
            Ok(axum::Json(HealthAnswer { echo, status: "OK".into(), err: String::new() }).into_response())
        }
        ["new-client-id"] => {
            let _: serde::de::IgnoredAny = body(request).await?;
            Ok(axum::Json(NewClientAnswer { client_id: uuid(), err: String::new() }).into_response())
        }
        [client, "locker", "acquire"] if !client.is_empty() => {
            let request: AcquireRequest = body(request).await?;
            Ok(axum::Json(locks.acquire(client, &request)).into_response())
        }
        [client, "locker", verb @ ("renew-lease" | "release")] if !client.is_empty() => {
            let change = if *verb == "release" { record::release } else { record::renew };
            let HandleRequest { lock_handle } = body(request).await?;
            let done =
                locks.change(client, &lock_handle.lock_name, |record, now| change(record, &lock_handle, now));
            let err = done.err().map(|no| no.to_string()).unwrap_or_default();
            Ok(axum::Json(Answer { err }).into_response())
        }
        _ => Err((StatusCode::NOT_FOUND, "404 page not found\n".into())),
    }
}

/// The request's JSON; only POST has any.
async fn body<T: DeserializeOwned>(request: Request) -> Result<T, Refusal> {
    let empty = request.method() != Method::POST;
    let body: Body = request.into_body();
    let bytes = match empty {
        true => b"{}".to_vec().into(),
        false => to_bytes(body, LARGEST).await.map_err(|e| (StatusCode::PAYLOAD_TOO_LARGE, e.to_string()))?,
    };
    serde_json::from_slice(&bytes)
        .map_err(|e| (StatusCode::BAD_REQUEST, format!("unable to unmarshal request json: {e}\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_ids_are_uuids() {
        let one = uuid();
        assert_eq!(one.len(), 36);
        assert!(one.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            14 => byte == b'4',
            19 => b"89ab".contains(&byte),
            _ => byte.is_ascii_hexdigit(),
        }));
        assert_ne!(one, uuid());
    }
}
