//! The event stream: everything a running operation has to say, as serialisable values.
//!
//! Engines and services emit events through a [`Reporter`]; renderers (`ui`) and reports read them. Secrets are
//! registered when they are read and taken out here, the one place every word and byte passes on its way to a screen
//! or a file.

mod context;
mod event;
mod redact;
mod reporter;

pub use context::{Context, Limits};
pub use event::{Event, Outcome, PlannedStep, Stamp, Stream, TaskId, TaskKind, Warning};
pub use redact::Secrets;
pub use reporter::{Reporter, Sink, Task};
