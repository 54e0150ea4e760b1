//! The `manifest.json` of `docker save`.

use serde::{Deserialize, Serialize};

use crate::oci::json::null_is_default;

/// An element of `manifest.json`: where an image's parts are within the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DockerImage {
    /// Name of the configuration's file.
    pub config: String,
    /// Names of the image, in the familiar form with a tag.
    #[serde(default, deserialize_with = "null_is_default")]
    pub repo_tags: Vec<String>,
    /// Names of the layers' files, lowest first. They may be compressed, whatever they are called.
    #[serde(default, deserialize_with = "null_is_default")]
    pub layers: Vec<String>,
}
