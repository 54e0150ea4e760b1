//! The build engine: a Dockerfile becomes an image.
//!
//! # Design note
//!
//! ```text
//! Request
//!   facts::definition   the Dockerfile and its ignore file                      read
//!   evaluate::outline   which stages and base images the target needs          pure
//!   facts::bases        their manifests and configurations                     read
//!   evaluate::evaluate  steps with nothing left to expand, image, history      pure
//!   facts::context      content of what COPY selects                           read
//!   plan                keys; which results are known, what is to be made      pure
//!   execute             the graph runs; layers and records come to be          act
//!   image, transfer, export   configuration, manifest, names, outputs          act
//! ```
//!
//! Invariants:
//!
//! - Nothing is pulled or unpacked until a step that must run needs its files. A fully known build moves no blob.
//! - What enters a key is written in [`keys`]; nothing else decides about reuse. Times never do.
//! - A layer's record is published after the layer: who finds the record finds the layer, or notices that it is gone.
//! - The first record of a key wins and everybody else goes on with its layers.
//! - File times in new layers that are later than the build's epoch become the epoch: `SOURCE_DATE_EPOCH` if it is given,
//!   else the time the newest base image was made, else 1980. So equal inputs give equal layers. Files that are copied keep
//!   their times, as users of `COPY` expect (a web server tells them to browsers), unless `SOURCE_DATE_EPOCH` is given.
//!
//! Rejected: keys that chain on results only (a lookup per step, one after the other); one tree per stage that is changed
//! in place (no cache per step, no two builds at once); compressing layers when they are made (most never leave).

mod cache;
pub mod checks;
mod doors;
mod error;
pub mod evaluate;
mod execute;
mod export;
pub mod facts;
mod finish;
mod identify;
pub mod image;
pub mod keys;
mod known;
pub mod mount;
pub mod output;
pub mod plan;
mod report;
mod request;
mod run;
pub mod spec;
pub mod step;
pub mod transfer;
mod unpacked;
pub mod why;

pub use doors::{DoorOptions, Doors, blocking};
pub use error::Error;
pub use execute::{FailedPlace, Introspection};
pub use facts::{GitInputs, GitTree};
pub use identify::{Identity, StandIn, identify};
pub use output::Output;
pub use report::{Built, ExportedOutput, Layers};
pub use request::{
    CacheExport, CacheMountOptions, CachePlace, ContextSource, PROXY_ARGS, Request, RunOptions, SecretSource,
    SecretValue, SshSource,
};
pub use run::run;
pub use spec::ConfigChanges;
pub use unpacked::UnpackedLayers;
