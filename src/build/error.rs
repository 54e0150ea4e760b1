//! Errors of the build engine.

use crate::base::{DiffId, Failure, Kind, Span};
use crate::{content, dockerfile, git, host, oci, registry, sandbox, snapshot, stages};

/// A build could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Dockerfile, or what it names, is not what it should be.
    #[error("{message}")]
    Definition {
        /// Where.
        span: Option<Span>,
        /// What is wrong.
        message: String,
        /// What can be done.
        hints: Vec<String>,
    },
    /// Something given on the command line is not what it should be.
    #[error("{message}")]
    Input {
        /// What is wrong.
        message: String,
        /// What can be done.
        hints: Vec<String>,
    },
    /// The Dockerfile cannot be read as one.
    #[error(transparent)]
    Language(#[from] dockerfile::Error),
    /// The Dockerfile cannot be read, and asks for a later version of the language.
    #[error("{source}")]
    Newer {
        /// What it asks for.
        syntax: String,
        /// What cannot be read.
        source: Box<dockerfile::Error>,
    },
    /// A step of the Dockerfile failed.
    #[error("{name}")]
    Step {
        /// The step as shown.
        name: String,
        /// Where it stands.
        span: Span,
        /// Why.
        source: Box<Failure>,
    },
    /// A base image could not be had.
    #[error("get base image {name}")]
    Base {
        /// As written.
        name: String,
        /// Where it is named, if in the Dockerfile.
        span: Option<Span>,
        /// Why.
        source: Box<Failure>,
    },
    /// Files from outside could not be had.
    #[error("get {title}")]
    Fetch {
        /// What, as messages call it.
        title: String,
        /// Where it is named.
        span: Span,
        /// Why.
        source: Box<Failure>,
    },
    /// What a step ran ended with an error.
    #[error("{0}")]
    Workload(Box<Failure>),
    /// An output could not be written.
    #[error("write the output {output}")]
    Output {
        /// Kind and destination.
        output: String,
        /// Why.
        source: Box<Failure>,
    },
    /// A layer of a known result turned out to be gone or damaged; the step has to be made again.
    #[error("get layer {layer} of a known result")]
    Lost {
        /// Which.
        layer: DiffId,
        /// Why.
        source: Box<Failure>,
    },
    /// Results could not be shared.
    #[error("share the results of steps with {place}")]
    Share {
        /// Where.
        place: String,
        /// Why.
        source: Box<Failure>,
    },
    /// Somebody asked to stop.
    #[error("the build was cancelled")]
    Cancelled,
    /// The content store.
    #[error(transparent)]
    Store(#[from] content::Error),
    /// Unpacked layers.
    #[error(transparent)]
    Snapshot(#[from] snapshot::Error),
    /// Records.
    #[error(transparent)]
    Records(#[from] stages::Error),
    /// A registry.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// A Git repository.
    #[error(transparent)]
    Git(#[from] git::Error),
    /// The sandbox.
    #[error(transparent)]
    Sandbox(#[from] sandbox::Error),
    /// A document of an image.
    #[error(transparent)]
    Image(#[from] oci::Error),
    /// Files.
    #[error(transparent)]
    Host(#[from] host::Error),
    /// A rule of ours was broken.
    #[error("{0}")]
    Bug(String),
}

impl Error {
    /// The Dockerfile is wrong at `span`.
    pub fn definition(span: &Span, message: impl Into<String>) -> Self {
        Self::Definition { span: Some(span.clone()), message: message.into(), hints: Vec::new() }
    }

    /// The command line is wrong.
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input { message: message.into(), hints: Vec::new() }
    }

    /// Adds one thing the user can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Definition { hints, .. } | Self::Input { hints, .. } = &mut self {
            hints.push(hint.into());
        }
        self
    }

    /// Whether this only says that something else stopped the build.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Definition { span, message, hints } => {
                let failure = hints.into_iter().fold(Failure::new(Kind::Config, message), Failure::hint);
                match span {
                    Some(span) => failure.at(span),
                    None => failure,
                }
            }
            Error::Input { message, hints } => {
                hints.into_iter().fold(Failure::new(Kind::Input, message), Failure::hint)
            }
            Error::Step { name, span, source } => source.at(span).while_doing(name),
            Error::Base { name, span, source } => {
                let failure = source.while_doing(format!("get base image {name}"));
                match span {
                    Some(span) => failure.at(span),
                    None => failure,
                }
            }
            Error::Lost { layer, source } => {
                source.while_doing(format!("get layer {layer} of a known result"))
            }
            Error::Share { place, source } => {
                source.while_doing(format!("share the results of steps with {place}"))
            }
            Error::Fetch { title, span, source } => source.while_doing(format!("get {title}")).at(span),
            Error::Output { output, source } => source.while_doing(format!("write the output {output}")),
            Error::Workload(failure) => *failure,
            Error::Cancelled => Failure::new(Kind::Cancelled, "the build was cancelled"),
            Error::Language(error) => error.into(),
            Error::Newer { syntax, source } => {
                let (major, minor) = dockerfile::LANGUAGE;
                Failure::from(*source).hint(format!(
                    "the file asks for {syntax}; the language is known here as of version {major}.{minor}, and no \
                     frontend image is fetched"
                ))
            }
            Error::Store(error) => error.into(),
            Error::Snapshot(error) => error.into(),
            Error::Records(error) => error.into(),
            Error::Registry(error) => error.into(),
            Error::Git(error) => error.into(),
            Error::Sandbox(error) => error.into(),
            Error::Image(error) => error.into(),
            Error::Host(error) => error.into(),
            Error::Bug(message) => Failure::new(Kind::Bug, message),
        }
    }
}
