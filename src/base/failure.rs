//! What every error becomes at the edge: a kind, a sentence, a place, causes and hints.

use std::error::Error;
use std::fmt;

use crate::base::Span;

/// What the reader of an error can do about it; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The command line is wrong.
    Usage,
    /// A file of the project is wrong (Dockerfile, werf.yaml, chart).
    Config,
    /// Data that was given is wrong or missing (context, archive, image).
    Input,
    /// This machine does not let us (permissions, namespaces, disk).
    Environment,
    /// A server failed or refused.
    Remote,
    /// Somebody else changed the same thing.
    Conflict,
    /// What was run ended with an error (a RUN step, a hook).
    Workload,
    /// The user or the system asked to stop.
    Cancelled,
    /// Our own mistake.
    Bug,
}

impl Kind {
    /// The process exit code of this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Workload => 1,
            Self::Usage => 2,
            Self::Config => 3,
            Self::Input => 4,
            Self::Environment => 5,
            Self::Remote => 6,
            Self::Conflict => 7,
            Self::Bug => 70,
            Self::Cancelled => 130,
        }
    }

    /// The kind's name in JSON output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Config => "config",
            Self::Input => "input",
            Self::Environment => "environment",
            Self::Remote => "remote",
            Self::Conflict => "conflict",
            Self::Workload => "workload",
            Self::Cancelled => "cancelled",
            Self::Bug => "bug",
        }
    }
}

/// A place with the words that stand beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is to be said about the place; may be empty.
    pub text: String,
}

/// An error as a user will see it: `error:` message, source frame, `because:` lines, `hint:` lines.
///
/// The message says what was being done, in lower case and without a period, and never repeats the cause.
/// Boxed inside so that results stay small.
#[derive(Clone, Debug)]
pub struct Failure(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    kind: Kind,
    message: String,
    label: Option<Label>,
    causes: Vec<String>,
    hints: Vec<String>,
    children: Vec<Failure>,
    exit_code: Option<u8>,
}

impl Failure {
    /// A failure of `kind` while doing what `message` says.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            kind,
            message: message.into(),
            label: None,
            causes: Vec::new(),
            hints: Vec::new(),
            children: Vec::new(),
            exit_code: None,
        }))
    }

    /// A failure whose message is `error`'s own and whose causes are its sources.
    pub fn of(kind: Kind, error: &dyn Error) -> Self {
        let mut failure = Self::new(kind, error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            failure.0.causes.push(cause.to_string());
            source = cause.source();
        }
        failure
    }

    /// Adds a cause in words.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.0.causes.push(cause.into());
        self
    }

    /// Adds an error and its sources as causes.
    #[must_use]
    pub fn caused_by(mut self, error: &dyn Error) -> Self {
        let mut next = Some(error);
        while let Some(cause) = next {
            self.0.causes.push(cause.to_string());
            next = cause.source();
        }
        self
    }

    /// Says what was being done around this failure; the old message becomes the first cause.
    #[must_use]
    pub fn while_doing(mut self, message: impl Into<String>) -> Self {
        let inner = std::mem::replace(&mut self.0.message, message.into());
        self.0.causes.insert(0, inner);
        self
    }

    /// Points at a place, unless a more precise one is already known.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.0.label.get_or_insert(Label { span, text: String::new() });
        self
    }

    /// Points at a place with words beside it, unless a more precise one is already known.
    #[must_use]
    pub fn at_with(mut self, span: Span, text: impl Into<String>) -> Self {
        self.0.label.get_or_insert(Label { span, text: text.into() });
        self
    }

    /// Adds a hint: one thing the user can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
        self
    }

    /// Adds a failure that happened beside this one.
    #[must_use]
    pub fn with_child(mut self, child: Failure) -> Self {
        self.0.children.push(child);
        self
    }

    /// Overrides the kind's exit code (a tool we replace has a contract, or a run container's own code).
    #[must_use]
    pub fn with_exit_code(mut self, code: u8) -> Self {
        self.0.exit_code = Some(code);
        self
    }

    /// The same failure with every text of it passed through `change`: to take out what must not be shown.
    #[must_use]
    pub fn map_texts(mut self, change: &dyn Fn(&str) -> String) -> Self {
        self.0.message = change(&self.0.message);
        for text in self.0.causes.iter_mut().chain(&mut self.0.hints) {
            *text = change(text);
        }
        if let Some(label) = &mut self.0.label {
            label.text = change(&label.text);
        }
        let children = std::mem::take(&mut self.0.children);
        self.0.children = children.into_iter().map(|child| child.map_texts(change)).collect();
        self
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What was being done.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where, if known.
    pub fn label(&self) -> Option<&Label> {
        self.0.label.as_ref()
    }

    /// Why, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.0.causes
    }

    /// What can be done.
    pub fn hints(&self) -> &[String] {
        &self.0.hints
    }

    /// What failed beside it.
    pub fn children(&self) -> &[Failure] {
        &self.0.children
    }

    /// The process exit code.
    pub fn exit_code(&self) -> u8 {
        self.0.exit_code.unwrap_or(self.0.kind.exit_code())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl Error for Failure {}
