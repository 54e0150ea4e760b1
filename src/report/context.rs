//! What everything that acts is given.

use std::num::NonZeroUsize;

use tokio_util::sync::CancellationToken;

use crate::base::Clock;
use crate::report::Reporter;

/// How much may happen at once, and how much of what comes from elsewhere is believed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Steps and CPU-bound jobs.
    pub jobs: NonZeroUsize,
    /// Connections to one registry.
    pub transfers: NonZeroUsize,
    /// Bytes of one layer or archive once it is decompressed.
    pub layer_size: u64,
    /// Entries of one layer or archive.
    pub layer_entries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let jobs = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let transfers = NonZeroUsize::new(6).unwrap_or(NonZeroUsize::MIN);
        Self { jobs, transfers, layer_size: 64 << 30, layer_entries: 20_000_000 }
    }
}

/// The right to act, and the means every action needs: where to report, when to stop, how much at once, what time it
/// is. A function without it is pure.
#[derive(Clone)]
pub struct Context {
    /// Where to report; also holds the secrets to mask.
    pub report: Reporter,
    /// Watch it: when it is cancelled, stop soon and leave things whole.
    pub cancel: CancellationToken,
    /// How much at once.
    pub limits: Limits,
    /// What time it is.
    pub clock: Clock,
}

impl Context {
    /// A context that reports to nobody, for tests and small jobs.
    pub fn silent(clock: Clock) -> Self {
        Self {
            report: Reporter::silent(),
            cancel: CancellationToken::new(),
            limits: Limits::default(),
            clock,
        }
    }

    /// The same context, stopping when either this one's token or the new one is cancelled.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { cancel: self.cancel.child_token(), ..self.clone() }
    }
}
