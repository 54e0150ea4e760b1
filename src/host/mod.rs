//! The only door to the operating system for everything that is not itself a service of it.
//!
//! Files (with errors that name the path), environment, clock, randomness, locks and programs. Services that need
//! system calls of their own (`snapshot`, `sandbox`, `content`) use rustix and nix beside this door.

pub mod clock;
pub mod env;
pub mod fs;
pub mod lock;
pub mod program;
pub mod random;
pub mod terminal;

mod error;

pub use error::Error;
