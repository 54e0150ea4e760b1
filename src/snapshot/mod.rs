//! Unpacked layers that can be mounted, read, compared and copied into.
//!
//! # Design note
//!
//! - A layer is unpacked once into a directory of its own, in the form overlayfs wants of a lower directory: whiteouts
//!   are 0:0 character devices, opaque directories carry `user.overlay.opaque`. Layers do not know each other, so they
//!   are unpacked in parallel and shared by all images.
//! - [`View`] is a read-only merged tree, [`Writable`] one that takes changes. Both are overlays where overlays *work*
//!   (found out by trying, not by asking), else plain copies with the same results.
//! - A committed layer directory gives the same tar again, byte for byte, so the tar itself is never kept. For that the
//!   upper directory is brought into normal form while it is read: whiteouts over nothing, opaque marks, unchanged
//!   copied-up files, sockets, attributes that layers do not carry and fractions of seconds go away.
//! - Directories that an archive leaves out get 0755 root, but must not cover the metadata a lower layer gives them. The
//!   store remembers them per layer and puts a small patch layer on top of a chain where it matters (`patch`).
//! - Nothing follows a symbolic link out of a tree: see [`rooted`].
//!
//! Rule for times in layers: the writer never invents one. A directory is written with the time it has in the tree;
//! what the *builder* does to a tree (copying into it, mount points) puts the times of directories it only passed
//! through back, and gives directories it creates a time it is told. So without RUN equal inputs give equal layers.
//!
//! Rejected: unpacking into chains (serial, one copy per image), keeping the tars (doubles the store), opaque marks in
//! committed layers (explicit whiteouts say the same and every tool reads them).

pub mod cachemounts;
pub mod copy;
pub mod rooted;
pub mod tree;

mod ahead;
mod apply;
mod attributes;
mod chain;
mod derived;
mod diff;
mod error;
mod flat;
mod folder;
mod hashes;
mod makers;
mod patch;
mod probe;
mod record;
mod scratch;
mod store;
mod transfer;
mod unpack;
mod view;
mod writable;

pub use error::Error;
pub use record::{LayerInfo, Origin};
pub use store::{Choice, Method, Snapshots, id_map_key};
pub use view::View;
pub use writable::{Committed, DiffOptions, Writable};

type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod elevated;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
