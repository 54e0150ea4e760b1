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
    /// The layers of the base image, lowest first.
    pub base: Vec<DiffId>,
    /// The layers made on top of them, lowest first; the last one is the step's own.
    pub layers: Vec<RecordLayer>,
    /// The step's text, for people and for explanations; never compared.
    pub origin: String,
    /// The key of what the step really read, if `key` is the one known before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<StepKey>,
}

/// A layer that a step made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordLayer {
    /// Digest of its tar.
    pub diff_id: DiffId,
    /// Bytes of its tar.
    pub size: u64,
    /// The time its history entry shows, seconds since the Unix epoch.
    pub created: i64,
}

impl Record {
    /// The version this program writes; others are not understood and count as absent.
    pub const VERSION: u32 = 1;
}
