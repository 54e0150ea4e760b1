//! Layer archives: a reader that folds every dialect of tar into one kind of entry, and a writer with one output for
//! one input.
//!
//! Blocks are read and written here, not by the `tar` crate: even its raw entries believe the size in a header where a
//! PAX record says another, its records are split at newlines (a `security.capability` value may hold one), and GNU
//! sparse 1.0 files come out as their maps.
//!
//! OCI image-spec: layer.md; POSIX.1-2017: pax, "ustar Interchange Format"; GNU tar: "Basic Tar Format".

mod entry;
mod error;
mod merged;
mod number;
mod pax;
mod reader;
mod sparse;
mod writer;

pub use entry::{Entry, Kind, OPAQUE_NAME, WHITEOUT_PREFIX, Whiteout};
pub use error::Error;
pub use merged::{Sight, TopDown};
pub use reader::{ENTRIES, Limits, Reader, is_archive};
pub use sparse::Segment;
pub use writer::Writer;

#[cfg(test)]
mod tests;
