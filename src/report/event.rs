//! The events.

use std::time::Duration;

use serde::Serialize;

use crate::base::Span;

/// Names a task within one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct TaskId(pub u64);

/// Time since the run began; in JSON a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub Duration);

impl Serialize for Stamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_secs_f64())
    }
}

/// Where a line of a step's log came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a task is, so that renderers can order and dim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    /// Reading of facts: definitions, base image manifests.
    Internal,
    /// One instruction of a stage.
    Step,
    /// Bytes between here and a registry or a file.
    Transfer,
    /// Making of an output.
    Export,
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Done,
    /// Its result was known already.
    Cached,
    /// It was stopped.
    Cancelled,
    /// It failed; the message is the failure's first line.
    Failed(String),
}

/// Something a user should know that does not stop the operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Name of the rule, if the warning belongs to one.
    pub rule: Option<String>,
    /// One sentence.
    pub message: String,
    /// File name, if it has a place.
    pub file: Option<String>,
    /// 1-based line, if it has a place.
    pub line: Option<usize>,
    /// A page that explains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The very words it is about.
    #[serde(skip)]
    pub place: Option<Span>,
}

/// A step that is going to be made, or is known already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// The name its task will have.
    pub name: String,
    /// The names of the steps it needs.
    pub after: Vec<String>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A task began. Tasks of one build are announced in plan order, so their numbers are stable.
    Started {
        /// Which.
        task: TaskId,
        /// What it is.
        kind: TaskKind,
        /// Its name as shown, for example `[build 2/5] RUN make`.
        name: String,
        /// When.
        at: Stamp,
    },
    /// A task's process wrote something.
    Log {
        /// Which.
        task: TaskId,
        /// Where to.
        stream: Stream,
        /// Whole lines or a part of one, as they came; secrets are already out.
        #[serde(serialize_with = "as_base64")]
        data: Vec<u8>,
        /// When.
        at: Stamp,
    },
    /// A task moved on.
    Progress {
        /// Which.
        task: TaskId,
        /// What is counted, for example a blob's short digest; empty for the task as a whole.
        item: String,
        /// Bytes done.
        current: u64,
        /// Bytes in all, if known.
        total: Option<u64>,
        /// When.
        at: Stamp,
    },
    /// A task ended.
    Finished {
        /// Which.
        task: TaskId,
        /// How.
        outcome: Outcome,
        /// A few words on the result: a digest, a size.
        detail: Option<String>,
        /// When.
        at: Stamp,
    },
    /// It is decided which steps there will be.
    Planned {
        /// In an order in which they could be made.
        steps: Vec<PlannedStep>,
        /// When.
        at: Stamp,
    },
    /// A warning.
    Warned(Warning),
    /// A line for people, outside any task.
    Note {
        /// The line.
        message: String,
    },
}

fn as_base64<S: serde::Serializer>(data: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    use base64::Engine as _;
    serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(data))
}
