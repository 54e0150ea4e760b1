//! The stages of a file, as targets.

use serde::Serialize;

use crate::dockerfile::Dockerfile;

/// A stage that can be built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// Its name in lower case, if it has one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Whether it is what is built when no target is asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
    /// The comment above it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it is built from, as written.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub base: String,
    /// Its platform, as written.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform: String,
    /// First and last line.
    #[serde(skip)]
    pub lines: (usize, usize),
}

/// All stages in order of the file.
pub fn targets(file: &Dockerfile) -> Vec<Target> {
    let target = |stage: &crate::dockerfile::Stage| Target {
        name: stage.name().unwrap_or_default().to_owned(),
        default: stage.index + 1 == file.stages.len(),
        description: stage.from.description.clone().unwrap_or_default(),
        base: stage.from.image.text.clone(),
        platform: stage.from.platform.as_ref().map(|word| word.text.clone()).unwrap_or_default(),
        lines: (stage.instruction.first_line, stage.instruction.last_line),
    };
    file.stages.iter().map(target).collect()
}
