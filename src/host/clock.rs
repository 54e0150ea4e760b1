//! The system's clock: the only place that asks what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::Clock;

/// The system's clock.
pub fn system() -> Clock {
    Clock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
