//! What can go wrong with a registry, by what the caller can do about it.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use crate::base::{BlobDigest, Failure, Kind};
use crate::host;

/// An operation on a registry failed. Displays as what was being done; the source says why.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such repository, tag, manifest or blob.
    #[error("{}", .0.action)]
    NotFound(#[source] Box<Story>),
    /// The registry wants to know who asks, and nobody was named or the password is wrong.
    #[error("{}", .0.action)]
    Unauthorized(#[source] Box<Story>),
    /// The registry knows who asks and says no.
    #[error("{}", .0.action)]
    Denied(#[source] Box<Story>),
    /// Too many requests; waiting as the registry asked did not help.
    #[error("{}", .0.action)]
    RateLimited(#[source] Box<Story>),
    /// The registry cannot be reached, breaks connections or answers 5xx, however often it was tried.
    #[error("{}", .0.action)]
    Unavailable(#[source] Box<Story>),
    /// Nobody we trust vouches for the server, or it wants secrets over a connection that is not safe.
    #[error("{}", .0.action)]
    Untrusted(#[source] Box<Story>),
    /// The bytes are not what their digest says, however often they were asked for.
    #[error("{}", .0.action)]
    Corrupt(#[source] Box<Story>),
    /// The registry does not know this operation, or has it turned off.
    #[error("{}", .0.action)]
    Unsupported(#[source] Box<Story>),
    /// The tag exists, may not be changed and stands for something else.
    #[error("{}", .0.action)]
    Conflict(#[source] Box<Story>),
    /// The manifest refers to blobs or manifests that the repository does not have (any more): push those again.
    #[error("{}", .story.action)]
    Incomplete {
        /// What happened.
        #[source]
        story: Box<Story>,
        /// Those the registry named; may be empty.
        missing: Vec<BlobDigest>,
    },
    /// The registry refused the request for another reason, or its answer is not what the specification says.
    #[error("{}", .0.action)]
    Refused(#[source] Box<Story>),
    /// The sink or source of a blob failed, or a file of ours.
    #[error("{}", .0.action)]
    Local(#[source] Box<Story>),
    /// Credentials or settings of this machine are broken.
    #[error("{}", .0.action)]
    Settings(#[source] Box<Story>),
    /// `Context::cancel` was cancelled.
    #[error("stopped")]
    Cancelled,
}

/// What was being done, with whom, and why it failed. Displays as the cause alone.
#[derive(Debug)]
pub struct Story {
    /// What was being done, for example `pull manifest 127.0.0.1:5000/shop:1`.
    pub action: String,
    /// The registry's host; empty where none is involved.
    pub host: String,
    /// Why it failed.
    pub cause: Cause,
    /// Whether credentials were sent.
    pub with_credentials: bool,
}

/// Why an operation failed.
#[derive(Debug)]
pub enum Cause {
    /// The registry's answer.
    Answer(Answer),
    /// The connection.
    Network(Box<dyn StdError + Send + Sync>),
    /// Nothing moved for so long.
    Stalled(Duration),
    /// A sink, source or file.
    Io(io::Error),
    /// The operating system.
    Host(host::Error),
    /// Anything else, in words.
    Words(String),
}

/// What a registry answered, in its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Codes of the distribution-spec, for example `MANIFEST_UNKNOWN`; empty if the body was not of its form.
    pub codes: Vec<String>,
    /// What it said, shortened.
    pub words: String,
    /// The limit it named (`RateLimit-Limit`), for example `100;w=21600`.
    pub rate_limit: Option<String>,
    /// Blobs and manifests it said are missing.
    pub missing: Vec<BlobDigest>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = http::StatusCode::from_u16(self.status).ok().and_then(|s| s.canonical_reason());
        write!(f, "the registry answered {}", self.status)?;
        if let Some(reason) = reason {
            write!(f, " {reason}")?;
        }
        if !self.codes.is_empty() {
            write!(f, " ({})", self.codes.join(", "))?;
        }
        if !self.words.is_empty() {
            write!(f, ": {}", self.words)?;
        }
        if let Some(limit) = &self.rate_limit {
            write!(f, " [limit {limit}]")?;
        }
        Ok(())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(answer) => fmt::Display::fmt(answer, f),
            Self::Network(error) => fmt::Display::fmt(error, f),
            Self::Stalled(after) => write!(f, "nothing happened for {} s", after.as_secs_f64()),
            Self::Io(error) => fmt::Display::fmt(error, f),
            Self::Host(error) => fmt::Display::fmt(error, f),
            Self::Words(words) => f.write_str(words),
        }
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.cause, f)
    }
}

impl StdError for Story {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.cause {
            Cause::Network(error) => error.source(),
            Cause::Io(error) => error.source(),
            Cause::Host(error) => error.source(),
            Cause::Answer(_) | Cause::Stalled(_) | Cause::Words(_) => None,
        }
    }
}

impl Error {
    /// A failure of this machine's settings, in words.
    pub(crate) fn settings(action: impl Into<String>, cause: Cause) -> Self {
        Self::Settings(Story::boxed(action, "", cause))
    }

    /// The story, unless it was only stopped.
    pub fn story(&self) -> Option<&Story> {
        match self {
            Self::NotFound(story)
            | Self::Unauthorized(story)
            | Self::Denied(story)
            | Self::RateLimited(story)
            | Self::Unavailable(story)
            | Self::Untrusted(story)
            | Self::Corrupt(story)
            | Self::Unsupported(story)
            | Self::Conflict(story)
            | Self::Refused(story)
            | Self::Local(story)
            | Self::Settings(story)
            | Self::Incomplete { story, .. } => Some(story),
            Self::Cancelled => None,
        }
    }

    /// Whether the registry does not have what was asked for.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Cancelled => Kind::Cancelled,
            Self::Conflict(_) => Kind::Conflict,
            Self::Local(_) | Self::Settings(_) => Kind::Environment,
            _ => Kind::Remote,
        }
    }
}

impl Story {
    pub(crate) fn boxed(action: impl Into<String>, host: impl Into<String>, cause: Cause) -> Box<Self> {
        Box::new(Self { action: action.into(), host: host.into(), cause, with_credentials: false })
    }

    /// Whether the registry's answer has this code.
    pub(crate) fn says(&self, code: &str) -> bool {
        matches!(&self.cause, Cause::Answer(answer) if answer.codes.iter().any(|c| c == code))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = Failure::of(error.kind(), &error);
        let hints = hints(&error);
        hints.into_iter().fold(failure, Failure::hint)
    }
}

fn hints(error: &Error) -> Vec<String> {
    let Some(story) = error.story() else { return Vec::new() };
    let host = &story.host;
    match error {
        Error::Unauthorized(_) if story.with_credentials => {
            vec![format!("the stored user name or password was refused: renew it with `lap cr login {host}`")]
        }
        Error::Unauthorized(_) => {
            vec![format!("if the repository exists, it is not public: log in with `lap cr login {host}`")]
        }
        Error::Denied(_) if story.with_credentials => {
            vec!["the user that is logged in lacks this right, or the repository does not exist".to_owned()]
        }
        Error::Denied(_) => vec![format!("log in with `lap cr login {host}`")],
        Error::RateLimited(_) if story.with_credentials => {
            vec!["wait until the limit is renewed, or read through a mirror".to_owned()]
        }
        Error::RateLimited(_) => vec![format!(
            "anonymous users are limited first: log in with `lap cr login {host}`, or read through a mirror"
        )],
        Error::Untrusted(_) => vec![format!(
            "if you trust {host}, name the certificate of its authority with --ca-file FILE, or accept any with \
             --insecure {host}"
        )],
        Error::Unavailable(_) if looks_like_plain_http(story) => {
            vec![format!("{host} seems to speak plain http: allow that with --insecure {host}")]
        }
        Error::Local(_) => match &story.cause {
            Cause::Io(e) if matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                vec!["the disk is full: free some space, for example with `lap image prune`".to_owned()]
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// A TLS client that talks to a plain server reads text where a record should be.
fn looks_like_plain_http(story: &Story) -> bool {
    let Cause::Network(error) = &story.cause else { return false };
    let mut next: Option<&dyn StdError> = Some(&**error);
    while let Some(cause) = next {
        if cause.to_string().contains("InvalidContentType") {
            return true;
        }
        next = cause.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_action_cause_and_hint_once() {
        let answer = Answer {
            status: 401,
            codes: vec!["UNAUTHORIZED".into()],
            words: "who are you".into(),
            ..Answer::default()
        };
        let error = Error::Unauthorized(Story::boxed(
            "pull manifest r.example/a:1",
            "r.example",
            Cause::Answer(answer),
        ));
        let failure = Failure::from(error);
        assert_eq!(failure.message(), "pull manifest r.example/a:1");
        assert_eq!(failure.causes(), ["the registry answered 401 Unauthorized (UNAUTHORIZED): who are you"]);
        assert!(failure.hints()[0].contains("lap cr login r.example"));
        assert_eq!(failure.kind(), Kind::Remote);
    }
}
