//! A clock as a value: who is given one may ask for the time; where it comes from is the giver's business.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A source of time. The system's own is made by `host::clock::system`.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    /// A clock that asks `now` for the time since the Unix epoch.
    pub fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// A clock that always shows `seconds` since the Unix epoch.
    pub fn fixed(seconds: u64) -> Self {
        Self::new(move || Duration::from_secs(seconds))
    }

    /// Time since the Unix epoch.
    pub fn now(&self) -> Duration {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?})", self.now())
    }
}
