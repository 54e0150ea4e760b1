//! One registry as the client knows it: how to speak to it, what it wants to see, and how many connections it may have.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::registry::Credential;
use crate::registry::wire::{Challenge, Endpoint, Scopes};

/// What is remembered of a registry while the client lives.
pub(super) struct Peer {
    pub(super) endpoint: Endpoint,
    pub(super) connections: Arc<Semaphore>,
    /// The same for what feeds requests that hold one of those: else all could be held by who waits for one more.
    pub(super) feeding: Arc<Semaphore>,
    challenge: Mutex<Option<Challenge>>,
    credentials: Mutex<BTreeMap<String, Option<Credential>>>,
    tokens: Mutex<BTreeMap<TokenKey, Arc<tokio::sync::Mutex<Option<Held>>>>>,
}

/// What a token was given for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TokenKey {
    pub(super) realm: String,
    pub(super) service: String,
    pub(super) scopes: Scopes,
    pub(super) credential: Option<Credential>,
}

/// A token in use.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) value: String,
    /// When to stop using it: time since the Unix epoch.
    pub(super) until: Duration,
}

impl Peer {
    pub(super) fn new(endpoint: Endpoint, connections: usize) -> Self {
        Self {
            endpoint,
            connections: Arc::new(Semaphore::new(connections)),
            feeding: Arc::new(Semaphore::new(connections)),
            challenge: Mutex::default(),
            credentials: Mutex::default(),
            tokens: Mutex::default(),
        }
    }

    /// Its name as in references.
    pub(super) fn name(&self) -> &str {
        &self.endpoint.registry
    }

    /// What it asked for last.
    pub(super) fn challenge(&self) -> Option<Challenge> {
        lock(&self.challenge).clone()
    }

    pub(super) fn remember_challenge(&self, challenge: Challenge) {
        *lock(&self.challenge) = Some(challenge);
    }

    /// The credentials found earlier for a repository; the outer `None` if nobody looked yet.
    pub(super) fn known_credential(&self, repository: &str) -> Option<Option<Credential>> {
        lock(&self.credentials).get(repository).cloned()
    }

    pub(super) fn remember_credential(&self, repository: &str, credential: Option<Credential>) {
        lock(&self.credentials).insert(repository.to_owned(), credential);
    }

    /// The place where the token for `key` is kept; locked while it is fetched, so that it is fetched once.
    pub(super) fn token(&self, key: TokenKey) -> Arc<tokio::sync::Mutex<Option<Held>>> {
        Arc::clone(lock(&self.tokens).entry(key).or_default())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
