//! The only door to the operating system for everything that is not itself a service of it.
//!
//! Files (with errors that name the path), environment, clock, randomness, locks and programs. Services that need
//! system calls of their own (`snapshot`, `sandbox`, `content`) use rustix and nix beside this door.

pub mod clock;
pub mod env;
pub mod fs;
pub mod lock;
pub mod names;
pub mod program;
pub mod random;
pub mod terminal;

mod error;

pub use error::Error;

/// Ends this process at once with `code`: for a user who asks to stop a second time.
#[expect(clippy::exit, reason = "the one place where a process ends without unwinding")]
pub fn exit(code: i32) -> ! {
    std::process::exit(code)
}

/// User and group of this process.
pub fn user() -> (u32, u32) {
    (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw())
}
