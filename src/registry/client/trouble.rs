//! What to do when a request fails: again later, or give up; and which error it becomes.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use crate::host::random;
use crate::registry::wire::{self, delay};
use crate::registry::{Cause, Error, Retry, Story};
use crate::report::Context;

/// Tries that a connection which is refused outright is worth.
const CONNECT_TRIES: u32 = 3;

/// A failure with what is known about repeating.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) error: Error,
    pub(super) again: Again,
}

/// Whether repeating makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// It would fail in the same way.
    Never,
    /// After our own delay.
    Later,
    /// After the delay the server asked for.
    After(Duration),
    /// Nobody listens: a few times.
    Connect,
}

impl Trouble {
    pub(super) fn never(error: Error) -> Self {
        Self { error, again: Again::Never }
    }

    pub(super) fn later(error: Error) -> Self {
        Self { error, again: Again::Later }
    }

    pub(super) fn is_final(&self) -> bool {
        self.again == Again::Never
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::never(error)
    }
}

/// Counts the tries of one operation and waits between them.
pub(super) struct Tries<'a> {
    cx: &'a Context,
    policy: Retry,
    tried: u32,
}

impl<'a> Tries<'a> {
    pub(super) fn new(cx: &'a Context, policy: Retry) -> Self {
        Self { cx, policy, tried: 0 }
    }

    /// Something was achieved: count from the beginning.
    pub(super) fn progressed(&mut self) {
        self.tried = 0;
    }

    /// Waits until the next try.
    ///
    /// # Errors
    /// `trouble`'s own error if there is to be no next try, `Cancelled` if the operation was stopped meanwhile.
    pub(super) async fn again(&mut self, trouble: Trouble) -> Result<(), Error> {
        self.tried += 1;
        let allowed = match trouble.again {
            Again::Never => 0,
            Again::Connect => self.policy.attempts.min(CONNECT_TRIES),
            Again::Later | Again::After(_) => self.policy.attempts,
        };
        if self.tried >= allowed {
            return Err(trouble.error);
        }
        let asked = match trouble.again {
            Again::After(asked) => Some(asked),
            _ => None,
        };
        let wait = delay(&self.policy, self.tried, asked, chance());
        match self.cx.cancel.run_until_cancelled(tokio::time::sleep(wait)).await {
            Some(()) => Ok(()),
            None => Err(Error::Cancelled),
        }
    }
}

/// A number in 0..1.
fn chance() -> f64 {
    let token = random::token();
    let number = token.get(..8).and_then(|hex| u32::from_str_radix(hex, 16).ok()).unwrap_or(0);
    f64::from(number) / f64::from(u32::MAX)
}

/// The trouble that an answer with an error status is.
pub(super) fn refused(story: Box<Story>, after: Option<Duration>) -> Trouble {
    let Cause::Answer(answer) = &story.cause else { return Trouble::never(Error::Refused(story)) };
    let status = answer.status;
    let again = match after {
        _ if !wire::is_transient(status) => Again::Never,
        Some(after) => Again::After(after),
        None => Again::Later,
    };
    let has = |code: &str| answer.codes.iter().any(|c| c == code);
    let error = match status {
        429 => Error::RateLimited(story),
        _ if wire::is_transient(status) => Error::Unavailable(story),
        401 => Error::Unauthorized(story),
        403 => Error::Denied(story),
        404 => Error::NotFound(story),
        405 | 501 => Error::Unsupported(story),
        _ if has("UNSUPPORTED") => Error::Unsupported(story),
        _ if status >= 500 => Error::Unavailable(story),
        _ => Error::Refused(story),
    };
    Trouble { error, again }
}

/// The trouble that a broken connection is. The URL, which may hold a signature, is left out.
pub(super) fn broken(action: &str, host: &str, error: reqwest::Error) -> Trouble {
    let error = error.without_url();
    let (untrusted, connect, builder) = (is_untrusted(&error), error.is_connect(), error.is_builder());
    let story = Story::boxed(action, host, Cause::Network(Box::new(error)));
    if untrusted {
        Trouble::never(Error::Untrusted(story))
    } else if builder {
        Trouble::never(Error::Refused(story))
    } else if connect {
        Trouble { error: Error::Unavailable(story), again: Again::Connect }
    } else {
        Trouble::later(Error::Unavailable(story))
    }
}

/// Whether the server's certificate was the reason.
fn is_untrusted(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return matches!(
                tls,
                rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented
            );
        }
        // An io::Error's source is its content's source: look at the content itself.
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    false
}
