//! How an image came about, step by step.

use serde::Serialize;

use crate::base::{Failure, Platform};
use crate::content::Store;
use crate::ops::image_find::find;

/// Whose history.
#[derive(Clone, Debug)]
pub struct Request {
    /// Name, id or digest.
    pub image: String,
    /// Of several platforms, which; by default the machine's own.
    pub platform: Option<Platform>,
}

/// One step, the newest first.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// When, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The instruction.
    pub created_by: String,
    /// Digest of its layer's tar, if it made one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// Bytes of its layer's blob.
    pub size: u64,
    /// Free words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

/// Tells it.
///
/// # Errors
/// If there is no such image, or it cannot be read.
pub fn run(store: &Store, request: &Request) -> Result<Vec<Step>, Failure> {
    let found = find(store, &request.image)?;
    let platform = request.platform.clone().unwrap_or_else(Platform::host);
    let image = store.image(&found.descriptor, &platform)?;
    let mut layers = image.manifest.layers.iter().zip(image.config.layers());
    let mut steps = Vec::new();
    for entry in &image.config.history {
        let layer = if entry.empty_layer { None } else { layers.next() };
        steps.push(Step {
            created: entry.created.clone(),
            created_by: entry.created_by.clone(),
            layer: layer.map(|(_, diff_id)| diff_id.to_string()),
            size: layer.map_or(0, |(blob, _)| blob.size),
            comment: entry.comment.clone(),
        });
    }
    // Layers that no entry speaks of: the history of such an image is not complete, its layers are there all the same.
    let untold = |(blob, diff_id): (&crate::oci::Descriptor, &crate::base::DiffId)| Step {
        created: None,
        created_by: String::new(),
        layer: Some(diff_id.to_string()),
        size: blob.size,
        comment: "not in the history".into(),
    };
    steps.extend(layers.map(untold));
    steps.reverse();
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::samples;

    #[test]
    fn newest_first_with_sizes() {
        let (_dir, store) = samples::store();
        samples::image(&store, &["shop"], b"layer");
        let steps = run(&store, &Request { image: "shop".into(), platform: None }).unwrap();
        let told: Vec<_> = steps.iter().map(|step| (step.created_by.as_str(), step.size)).collect();
        assert_eq!(told, [("CMD [\"/app\"]", 0), ("COPY . /", 5)]);
        assert!(steps[0].layer.is_none() && steps[1].layer.is_some());
    }
}
