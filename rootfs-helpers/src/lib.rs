//! The far side of the namespace: the only place with `unsafe` code, each block with the reason why it is sound.
//!
//! `main` calls [`dispatch`] and then, for commands that need it, [`enter::enter`], both before any thread exists.
//! [`launch::launch`] starts this binary again for each step; that process is single-threaded until it executes the
//! step's program.

pub mod enter;
pub mod job;
pub mod launch;
pub mod link;
pub mod overlay;
pub mod root;
pub mod seccomp;
mod step;

pub use launch::dispatch;
