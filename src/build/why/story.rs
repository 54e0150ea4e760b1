//! What is kept of a build.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::{ContentHash, StepKey};

/// A build, told step by step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// Form of this story.
    pub version: u32,
    /// When it began, seconds since the Unix epoch.
    pub began: i64,
    /// The build context.
    pub context: String,
    /// The Dockerfile, as messages call it.
    pub dockerfile: String,
    /// Names that the image was given.
    pub images: Vec<String>,
    /// Build arguments that were given, and global arguments with their values.
    pub arguments: BTreeMap<String, String>,
    /// The steps in order of the Dockerfile.
    pub steps: Vec<StoryStep>,
}

impl Story {
    /// The form that is written; others are not read.
    pub const VERSION: u32 = 1;
}

/// A step of a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoryStep {
    /// As shown: `[build 2/5] RUN make`.
    pub name: String,
    /// Its text.
    pub origin: String,
    /// The name or number of its stage.
    pub stage: String,
    /// Its definition key.
    pub key: StepKey,
    /// How it ended.
    pub ended: Ended,
    /// The flag that made it run, whatever was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced: Option<String>,
    /// What it stands on.
    pub below: Below,
    /// What it read.
    pub looked: Vec<Looked>,
    /// The other inputs of its key: name and values, long ones shortened.
    pub inputs: Vec<(String, Vec<String>)>,
    /// Which of the variables it sees are build arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// Nothing needed it.
    Unneeded,
    /// Its result was known.
    Cached,
    /// It ran.
    Made,
    /// It ran and did not come to its end, or was not reached.
    Unfinished,
}

/// What a step stands on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Below {
    /// Nothing.
    Scratch,
    /// A base image.
    Image {
        /// As written.
        name: String,
        /// Its manifest's digest.
        digest: String,
    },
    /// Another step of the story.
    Step(usize),
}

/// A read of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// The tree, as messages call it: `the build context`, `stage build`.
    pub tree: String,
    /// The paths.
    pub paths: Vec<String>,
    /// The content of what was read, if it was looked at; also the name of the list of files.
    pub content: Option<ContentHash>,
    /// For a stage or an image, what it was.
    pub of: Option<Below>,
}
