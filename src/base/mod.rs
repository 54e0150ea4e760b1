//! The vocabulary of the house: digests, references, platforms, spans, graphs, content hashing and failures.
//!
//! Nothing here reads a file, a clock or a socket. Every type is a value with one spelling: two kinds of digest are two
//! types, so that a diff id can never be sent where a blob digest is meant.

mod clock;
mod dag;
mod digest;
mod failure;
mod hash;
mod hostname;
mod links;
mod platform;
mod reference;
mod span;

pub use clock::Clock;
pub use dag::{Dag, NodeId};
pub use digest::{
    Algorithm, BlobDigest, ChainId, DiffId, Digest, Hasher, ImageId, InvalidDigest, ManifestDigest,
    Sha256Writer,
};
pub use failure::{Failure, Kind, Label};
pub use hash::{ContentHash, Hashed, KeyHasher, StepKey};
pub use hostname::is_loopback;
pub use links::{Place, Standing, follow, inside};
pub use platform::{InvalidPlatform, Platform};
pub use reference::{InvalidReference, Reference};
pub use span::{SourceFile, Span};
