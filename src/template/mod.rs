//! Go templates: the language of charts, with Go's own words when something is wrong.
//!
//! [`Templates`] is a set of templates over a table of functions ([`Functions`]); the table is a parameter, so that
//! charts and other files can have different ones. Values are [`crate::yaml::Value`]s. Everything that is not in the
//! data (time, randomness, names of hosts) is asked through one [`Door`], so that a render can be recorded and
//! repeated.
//!
//! Invariants: an error text is the one Go prints, with its place; nothing here panics or recurses without a bound.
//! Rejected: existing crates (no shared maps, no methods, no positions), resolving functions at run time (Go refuses an
//! unknown function when it parses).

mod ast;
mod builtin;
pub mod certificates;
mod door;
mod error;
mod exec;
pub mod format;
mod function;
pub mod jsonpath;
mod lex;
mod number;
mod parse;
mod sprig;
pub mod trace;
mod uses;
mod values;

use crate::yaml::{find, quote};

pub use door::{Answers, Closed, Door, Question, Recorder, Replay, bytes};
pub use error::{Error, ExecError, Fault, Frame};
pub use exec::{Caller, MissingKey, Session, Templates};
pub use function::{Function, Functions, Run};
pub use sprig::{Constraints, Version, WARNING_END, WARNING_START, without_no_value};
pub use uses::FieldUse;
