//! What is known about a step key.

use serde::{Deserialize, Serialize};

use crate::base::{DiffId, StepKey};

/// The layers below and including a step. Self-contained: no other record is needed to use it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Format of this record.
    pub version: u32,
    /// The key it answers.
    pub key: StepKey,
    /// All layers of the state after the step, lowest first, those of the base image included.
    pub layers: Vec<RecordLayer>,
    /// When the step's own layer was made, seconds since the Unix epoch, as written into the image's history.
    pub created: i64,
    /// The step's text, for people and for explanations; never compared.
    pub origin: String,
}

/// A layer in a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordLayer {
    /// Digest of its tar.
    pub diff_id: DiffId,
    /// Bytes of its tar; 0 if not known (layers of base images that were never unpacked).
    pub size: u64,
}

impl Record {
    /// The version this program writes; others are not understood and count as absent.
    pub const VERSION: u32 = 1;
}
