//! Events to pixels: everything a user sees on standard error while an operation runs, and the page of its failure.
//!
//! A [`Renderer`] is chosen once ([`Choice`]), given to the reporter as a sink and closed at the end. The faces:
//!
//! | face | for | form |
//! |---|---|---|
//! | tty | a person at a terminal | a live list of tasks, the last log lines of running ones, redrawn in place |
//! | plain | CI logs | `#N [stage 2/5] RUN …`, `#N 0.123 line`, `#N CACHED`, `#N DONE 1.2s`, `#N ERROR: …` |
//! | json | programs (`--log-format json`) | one event a line |
//! | rawjson | programs that read BuildKit's progress | one SolveStatus object a line |
//! | quiet | scripts | warnings only |
//! | none | nobody | nothing |
//!
//! Invariants: a face never decides anything; no word is said only by colour; writing to a closed pipe is no error;
//! what a step's process wrote cannot move the cursor or change the title of the user's terminal.
//!
//! Rejected: progress-bar crates, which own the terminal and know nothing of the event stream that the other faces and
//! the reports read.

mod board;
mod choice;
mod clean;
mod format;
mod frame;
mod json;
mod page;
mod palette;
mod plain;
mod rawjson;
mod renderer;
mod table;
mod terminal;
mod timeline;
mod tty;

pub use choice::{Choice, LogFormat, Progress};
pub use clean::clean;
pub use format::{ago, duration, size};
pub use page::{page, page_json, show, warning_page};
pub use renderer::Renderer;
pub use table::Table;
pub use terminal::Terminal;
pub use timeline::Timeline;
