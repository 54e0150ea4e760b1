//! Why a step ran: what went into it, kept after each build, and the difference to what went into it before.
//!
//! - [`Story`] is what is kept of a build: each step with the fields that made its key (the very ones that were hashed),
//!   what it stands on, and how it ended. Of the files that a step read there is a list beside it, with a hash for each.
//! - [`History`] keeps the last stories of each project (build context and Dockerfile) below the store.
//! - [`explain`] compares: for each step that ran, the step of an earlier build that is nearest to it, and every input
//!   that differs. Pure.
//!
//! A story is knowledge and never decides anything; losing it costs explanations.

mod compare;
mod files;
mod history;
mod story;
mod tell;

pub use compare::{Explanation, Reason, explain};
pub use files::{FileChange, FileList};
pub use history::History;
pub use story::{Below, Ended, Looked, Story, StoryStep};
pub use tell::{Telling, keep_files, tell};
