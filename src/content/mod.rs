//! The content store: local blobs by digest.
//!
//! On disk it is an OCI layout (`oci-layout`, `index.json`, `blobs/<algorithm>/<hex>`) which every OCI tool can read,
//! with our own files beside it: `version`, `ingest/` (downloads that are not complete), `leases/`, `locks/`, and
//! `index.db`, a database of what the blobs are. Invariants:
//!
//! - A file below `blobs/` is complete and has the digest of its name: it is written elsewhere, verified, synced, and
//!   renamed. Killing any process at any point leaves at worst a partial download, which is resumed or pruned.
//! - `index.json` is replaced as a whole, under a lock that only writers take; readers see the old or the new one.
//! - The database holds nothing that cannot be found again: losing or damaging it costs time. It is never asked
//!   whether a blob exists; the file is.
//! - Nothing is deleted except by prune and repair. A [`Lease`] keeps what its process touches from being pruned, and
//!   ends with the process however that ends.
//!
//! A manifest may name an uncompressed layer whose bytes exist only as an unpacked snapshot (compression happens when
//! a layer leaves the machine). Such a layer is *virtual*: operations that need to know are given [`Unpacked`].
//!
//! Rejected: an embedded key-value store as the truth (a second process cannot open most of them, and no other tool can
//! read it); reference counts (a crash makes them lie; reachability from `index.json` cannot).

mod blob;
mod check;
mod database;
mod disk;
mod error;
mod export;
mod follow;
mod images;
mod import;
mod ingest;
mod layers;
mod layout_folder;
mod lease;
mod materialise;
mod names;
mod prune;
mod reach;
mod stat_cache;
mod store;
mod unpacked;
mod usage;

pub use blob::Blob;
pub use check::{CheckOptions, CheckReport, Problem};
pub use error::Error;
pub use export::Export;
pub use follow::{Fate, Follower, Trail};
pub use images::Image;
pub use ingest::{BlobWriter, Ingest, LayerIngest};
pub use layers::LayerBlob;
pub use layout_folder::LayoutFolder;
pub use lease::Lease;
pub use materialise::Leaving;
pub use names::Named;
pub use prune::{PruneOptions, PruneReport};
pub use stat_cache::{FileStat, StatCache};
pub use store::{OpenOptions, Store};
pub use unpacked::{NothingUnpacked, Unpacked};
pub use usage::{ImageUsage, Usage};
