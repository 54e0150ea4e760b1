//! Results of steps shared with others: looked up before anything runs, left behind while later steps run.
//!
//! - Looking up is lazy: what the local records answer is not asked of others, and all keys that they do not answer are
//!   asked at once. A found record costs no layer: its layers are pulled only when a step runs on top of them.
//! - Sharing happens in the background, one job a step: first the layers that are not there yet, then the record, whose
//!   push makes it appear. Whoever is first wins: before a result made here is used by the next step, it is looked
//!   whether somebody else has published one meanwhile, and theirs is used then.
//! - What others share is a help and never needed. A place that does not answer is said and left out; a record whose
//!   layers cannot be had is said, its step is made again and the record replaced.

mod export;
mod import;
mod title;

pub use export::{Exports, Offer};
pub use import::Imports;

use crate::build::{Doors, Error, Request};

/// Both directions.
pub struct Cache {
    /// Where results of others are looked for.
    pub imports: Imports,
    /// Where results are left for others.
    pub exports: Exports,
}

impl Cache {
    /// Opens what the request names; nothing is asked yet.
    ///
    /// # Errors
    /// If a place cannot be one of a cache.
    pub fn open(doors: &Doors, request: &Request) -> Result<Self, Error> {
        Ok(Self { imports: Imports::open(doors, request)?, exports: Exports::open(doors, request)? })
    }
}
