//! How a client is set up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use crate::registry::{Credentials, Machine};

/// Everything a client needs to know beforehand.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Where user names and passwords are found.
    pub credentials: Credentials,
    /// Registries (`host[:port]`) that may be spoken to over plain http or with a certificate nobody vouches for.
    /// Loopback addresses and `localhost` may use plain http without being named.
    pub insecure: BTreeSet<String>,
    /// PEM files with certificates to trust beside the system's.
    pub ca_files: Vec<PathBuf>,
    /// A client certificate and its key, in PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Per registry, where to read from first, in order; the registry itself comes last.
    pub mirrors: BTreeMap<String, Vec<Mirror>>,
    /// What the files of this machine say of registries; what stands in the other fields comes before it.
    pub machine: Machine,
    /// Blobs longer than this are sent in pieces of this size; `None` sends known ones whole unless the registry
    /// answers 413. Bytes.
    pub chunk: Option<u64>,
    /// When to give up waiting.
    pub timeouts: Timeouts,
    /// When to try again.
    pub retry: Retry,
}

impl ClientOptions {
    /// In `insecure`: every registry.
    pub const ANY: &'static str = "*";

    /// Whether `registry` may be spoken to without TLS that can be trusted.
    pub fn is_insecure(&self, registry: &str) -> bool {
        self.insecure.contains(registry) || self.insecure.contains(Self::ANY)
    }
}

impl Default for ClientOptions {
    /// Anonymous, secure, without mirrors.
    fn default() -> Self {
        Self {
            credentials: Credentials::none(),
            insecure: BTreeSet::new(),
            ca_files: Vec::new(),
            identity: None,
            mirrors: BTreeMap::new(),
            machine: Machine::none(),
            chunk: None,
            timeouts: Timeouts::default(),
            retry: Retry::default(),
        }
    }
}

/// Another registry that has copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// `host[:port][/prefix]`; the prefix is put before the repository.
    pub location: String,
}

/// When to give up waiting.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For something to happen: an answer's first byte, or at least a few kilobytes of a body.
    pub stall: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(15), stall: Duration::from_secs(60) }
    }
}

/// When to try again after 408, 429, 5xx and broken connections.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Tries in all, the first included.
    pub attempts: u32,
    /// The first delay; each further one is twice as long.
    pub first: Duration,
    /// The longest delay of our own.
    pub longest: Duration,
    /// The longest delay a server may ask for with `Retry-After`; longer ones are cut.
    pub obey: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 6,
            first: Duration::from_millis(500),
            longest: Duration::from_secs(10),
            obey: Duration::from_secs(60),
        }
    }
}
