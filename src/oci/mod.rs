//! The image model: descriptors, manifests, configurations, layer tars, compression and archives. Pure.
//!
//! Three rules hold for every type here. Fields that are not known are kept and written back, so that an image loses
//! nothing by passing through us. Empty values are left out exactly where Go's `omitempty` leaves them out, because
//! that is what everybody's digests are made of. What is written is canonical: compact JSON with sorted keys, so that
//! equal values have equal digests. What was read from elsewhere keeps its own bytes; it is never written again.

pub mod archive;
pub mod compress;
pub mod layer;
pub mod media;

mod config;
mod descriptor;
mod error;
mod json;
mod manifest;
mod select;

pub use config::{Healthcheck, History, ImageConfig, RootFs, RuntimeConfig, created_at, moment};
pub use descriptor::{Descriptor, DescriptorPlatform};
pub use error::Error;
pub use manifest::{AnyManifest, Index, Manifest};

/// Largest manifest or index that is read, in bytes (distribution-spec: registries must accept 4 MiB, few take more).
pub const MANIFEST_LIMIT: u64 = 4 << 20;

/// Largest image configuration that is read, in bytes.
pub const CONFIG_LIMIT: u64 = 16 << 20;

/// Largest `index.json` of a layout that is read, in bytes: a store may hold very many images.
pub const LAYOUT_INDEX_LIMIT: u64 = 64 << 20;
