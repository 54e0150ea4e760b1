//! Asking for locks on a lock server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;
use url::Url;

use super::error::Words;
use super::record::{Handle, No, POLL, RENEW};
use super::wire::{AcquireAnswer, AcquireOptions, AcquireRequest, Answer, HandleRequest, NewClientAnswer};
use crate::base::is_loopback;
use crate::host::random;
use crate::report::{Context, Outcome, TaskKind};
use crate::sync::Error;

/// Largest answer read, in bytes.
const LARGEST: usize = 1 << 20;

/// How to speak to a lock server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Whose certificates are trusted, for https.
    pub roots: Vec<reqwest::Certificate>,
    /// How often a request that got no answer is made again.
    pub attempts: u32,
    /// The longest time between two attempts.
    pub pause: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            roots: Vec::new(),
            attempts: 5,
            pause: Duration::from_secs(2),
            timeout: Duration::from_secs(15),
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The lock.
    pub name: String,
    /// Whether others may hold it too, who also say so.
    pub shared: bool,
}

/// A lock server, and who we are to it.
#[derive(Clone, Debug)]
pub struct LockServer {
    http: reqwest::Client,
    address: Url,
    client: String,
    acquirer: String,
    options: ServerOptions,
    /// Whether it was said that a lock was lost: once is enough.
    told: Arc<AtomicBool>,
}

/// A lock that is held until it is given back or dropped.
#[derive(Debug)]
pub struct Lock {
    server: LockServer,
    handle: Handle,
    lost: Arc<AtomicBool>,
    renewal: JoinHandle<()>,
}

impl LockServer {
    /// The server at `address`, for the locks of `client`: what [`new_client_id`](Self::new_client_id) once gave to all who
    /// build the project.
    ///
    /// # Errors
    /// If connections cannot be set up.
    pub fn new(address: Url, client: &str, options: ServerOptions) -> Result<Self, Error> {
        // An error means that a provider is installed already, which is what we want.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .user_agent(concat!("lapstrake/", env!("CARGO_PKG_VERSION")))
            .timeout(options.timeout)
            .tls_certs_only(options.roots.clone());
        let is_near = address.host_str().is_some_and(is_loopback);
        let builder = if is_near { builder.no_proxy() } else { builder };
        let http = builder
            .build()
            .map_err(|e| Error::Unavailable { address: address.to_string(), source: Box::new(e) })?;
        let told = Arc::new(AtomicBool::new(false));
        Ok(Self { http, address, client: client.to_owned(), acquirer: random::token(), options, told })
    }

    /// The same server for the locks of `client`.
    #[must_use]
    pub fn with_client(self, client: String) -> Self {
        Self { client, ..self }
    }

    /// A new name under which a project keeps its locks on the server.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn new_client_id(&self, cx: &Context) -> Result<String, Error> {
        let answer: NewClientAnswer = self.ask(cx, &["new-client-id"], &serde_json::json!({})).await?;
        match answer.err.as_str() {
            "" => Ok(answer.client_id),
            words => Err(self.refused(words)),
        }
    }

    /// Waits for a lock. While it is held it is renewed; a lease that is lost is said once and changes nothing else.
    ///
    /// # Errors
    /// If the server does not answer or refuses, or the context is cancelled.
    pub async fn acquire(&self, cx: &Context, options: &Options) -> Result<Lock, Error> {
        let mut waiting = None;
        let lock = loop {
            if let Some(lock) = self.attempt(cx, options).await? {
                break lock;
            }
            let words = || format!("waiting for the lock {}", options.name);
            waiting.get_or_insert_with(|| cx.report.task(TaskKind::Internal, words()));
            self.sleep(cx, Duration::from_secs(POLL)).await?;
        };
        if let Some(task) = waiting {
            task.finish(Outcome::Done, None);
        }
        Ok(lock)
    }

    /// Asks for a lock once; `None` if somebody else holds it or has waited for it longer. Who asks again within seconds
    /// keeps the place in the queue.
    ///
    /// # Errors
    /// See [`acquire`](Self::acquire).
    pub async fn attempt(&self, cx: &Context, options: &Options) -> Result<Option<Lock>, Error> {
        let request = AcquireRequest {
            lock_name: options.name.clone(),
            opts: AcquireOptions { shared: options.shared, acquirer_id: self.acquirer.clone() },
        };
        let answer: AcquireAnswer = self.ask(cx, &[&self.client, "locker", "acquire"], &request).await?;
        let handle = match (answer.err.as_str(), No::parse(&answer.err)) {
            ("", _) => answer.lock_handle,
            (_, Some(No::ShouldWait)) => return Ok(None),
            (words, _) => return Err(self.refused(words)),
        };
        let lost = Arc::new(AtomicBool::new(false));
        let renewal = tokio::spawn(keep(self.clone(), cx.clone(), handle.clone(), Arc::clone(&lost)));
        Ok(Some(Lock { server: self.clone(), handle, lost, renewal }))
    }

    fn refused(&self, words: &str) -> Error {
        Error::Refused { address: self.address.to_string(), source: Words(words.to_owned()) }
    }

    async fn sleep(&self, cx: &Context, time: Duration) -> Result<(), Error> {
        cx.cancel.run_until_cancelled(tokio::time::sleep(time)).await.ok_or(Error::Cancelled)
    }

    /// One request, made again while nobody answers.
    async fn ask<T: DeserializeOwned>(
        &self,
        cx: &Context,
        path: &[&str],
        request: &impl Serialize,
    ) -> Result<T, Error> {
        let mut url = self.address.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let mut attempt = 1;
        loop {
            let answer =
                cx.cancel.run_until_cancelled(self.once(&url, request)).await.ok_or(Error::Cancelled)?;
            match answer {
                Err(Error::Unavailable { .. }) if attempt < self.options.attempts => {
                    attempt += 1;
                    self.sleep(
                        cx,
                        self.options.pause.mul_f64(f64::from(attempt) / f64::from(self.options.attempts)),
                    )
                    .await?;
                }
                Ok(bytes) => {
                    return serde_json::from_slice(&bytes)
                        .map_err(|e| self.refused(&format!("its answer is not what lock servers say: {e}")));
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn once(&self, url: &Url, request: &impl Serialize) -> Result<Vec<u8>, Error> {
        let fail = |e: reqwest::Error| Error::Unavailable {
            address: self.address.to_string(),
            source: Box::new(e.without_url()),
        };
        let mut response = self.http.post(url.clone()).json(request).send().await.map_err(fail)?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(fail)? {
            if bytes.len() + piece.len() > LARGEST {
                return Err(self.refused("its answer does not end"));
            }
            bytes.extend_from_slice(&piece);
        }
        match status.as_u16() {
            200 => Ok(bytes),
            code => {
                let words: String = String::from_utf8_lossy(&bytes).trim().chars().take(200).collect();
                Err(self.refused(&format!("it answers {code}: {words}")))
            }
        }
    }
}

/// Renews a lease until it is lost.
async fn keep(server: LockServer, cx: Context, handle: Handle, lost: Arc<AtomicBool>) {
    let path = [server.client.clone(), "locker".into(), "renew-lease".into()];
    let request = HandleRequest { lock_handle: handle };
    loop {
        if server.sleep(&cx, Duration::from_secs(RENEW)).await.is_err() {
            return;
        }
        let asked = server.ask::<Answer>(&cx, &path.each_ref().map(String::as_str), &request).await;
        let why = match asked {
            Ok(answer) if answer.err.is_empty() => continue,
            Ok(answer) => answer.err,
            Err(Error::Cancelled) => return,
            // It may come back before the lease ends.
            Err(Error::Unavailable { .. }) => continue,
            Err(error) => error.to_string(),
        };
        lost.store(true, Ordering::Relaxed);
        if !server.told.swap(true, Ordering::Relaxed) {
            cx.report.warn(format!(
                "the lock {} was lost ({why}): somebody else may make the same now, and the first result counts",
                request.lock_handle.lock_name
            ));
        }
        return;
    }
}

impl Lock {
    /// Whether somebody else may hold it now.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Gives it back. One that was lost is no error: it is free.
    ///
    /// # Errors
    /// If the server does not answer; the lease then ends by itself.
    pub async fn release(self, cx: &Context) -> Result<(), Error> {
        self.renewal.abort();
        let path = [self.server.client.as_str(), "locker", "release"];
        let request = HandleRequest { lock_handle: self.handle.clone() };
        let answer: Answer = self.server.ask(cx, &path, &request).await?;
        match No::parse(&answer.err) {
            None if !answer.err.is_empty() => Err(self.server.refused(&answer.err)),
            _ => Ok(()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The lease ends by itself a few seconds later.
        self.renewal.abort();
    }
}
