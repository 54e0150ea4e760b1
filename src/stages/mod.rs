//! Stage storage: what is known about step keys.
//!
//! A record says which layers a step with this key led to. Records are immutable: the first one published for a key
//! wins and everybody else adopts it, so two builders that ran the same step at the same time go on with equal layers.
//! A record is only knowledge: whether its layers still exist is asked elsewhere, and a record whose layers are gone
//! is replaced.
//!
//! Records live in three kinds of places, and mean the same in each:
//!
//! - [`LocalRecords`]: the local store, one small file a key, published by linking a finished file to its name;
//! - [`RegistryRecords`]: a repository, one manifest a key, found by a tag made from the key and published by one push;
//! - [`FolderRecords`]: an OCI layout, for caches that are carried around; and [`InlineCache`]: inside an image.
//!
//! A record that leaves this machine is a [`SharedRecord`]: it also names the blobs of its layers, and its manifest refers
//! to them, so that whoever keeps the record keeps what it speaks of.

mod artifact;
mod error;
mod folder;
mod inline;
mod local;
mod record;
mod remote;

pub use artifact::{BUILDKIT_TYPE, NoRecord, STEP_TYPE, SharedRecord, StepKeys};
pub use error::Error;
pub use folder::FolderRecords;
pub use inline::InlineCache;
pub use local::LocalRecords;
pub use record::{Record, RecordLayer};
pub use remote::{Published, RegistryRecords};
