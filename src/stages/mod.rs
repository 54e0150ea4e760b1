//! Stage storage: what is known about step keys.
//!
//! A record says which layers a step with this key led to. Records are immutable: the first one published for a key
//! wins and everybody else adopts it, so two builders that ran the same step at the same time go on with equal layers.
//! A record is only knowledge: whether its layers still exist is asked elsewhere, and a record whose layers are gone
//! is replaced.
//!
//! Here records live in the local store, one small file a key, published by linking a finished file to its name.

mod error;
mod local;
mod record;

pub use error::Error;
pub use local::LocalRecords;
pub use record::{Record, RecordLayer};
