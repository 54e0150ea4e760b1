//! Building an image.

use std::path::PathBuf;

use serde_json::json;

use crate::base::{Failure, Kind};
use crate::build::{self, Built, Doors, ExportedOutput};
use crate::host::fs;
use crate::report::Context;

/// What to build, and where to write what came out.
#[derive(Clone, Debug)]
pub struct Request {
    /// The build.
    pub build: build::Request,
    /// A file for the image's id.
    pub iidfile: Option<PathBuf>,
    /// A file for the whole outcome, as JSON.
    pub metadata_file: Option<PathBuf>,
}

/// Builds.
///
/// # Errors
/// If the build fails or the files cannot be written.
pub async fn run(cx: &Context, doors: &Doors, request: &Request) -> Result<Built, Failure> {
    let built = build::run(cx, doors, request.build.clone()).await?;
    if let Some(path) = &request.iidfile {
        fs::write_atomic(path, built.id.to_string())?;
    }
    if let Some(path) = &request.metadata_file {
        let bytes = serde_json::to_vec_pretty(&metadata(&built)).map_err(|e| Failure::of(Kind::Bug, &e))?;
        fs::write_atomic(path, bytes)?;
    }
    Ok(built)
}

/// The keys that `docker buildx build --metadata-file` writes.
fn metadata(built: &Built) -> serde_json::Value {
    let pushed = built.outputs.iter().find_map(|output| match output {
        ExportedOutput::Pushed(report) => Some(&report.manifest),
        ExportedOutput::Written { .. } => None,
    });
    let descriptor = pushed.unwrap_or(&built.manifest);
    let names: Vec<String> = built.tags.iter().map(ToString::to_string).collect();
    json!({
        "containerimage.config.digest": built.id.to_string(),
        "containerimage.digest": built.published().to_string(),
        "containerimage.descriptor": descriptor,
        "image.name": names.join(","),
    })
}

/// What a person wants to know of a finished build.
pub fn summary(built: &Built) -> String {
    let mut text = String::new();
    for tag in &built.tags {
        text.push_str(&format!("tag     {}\n", tag.with_default_tag().familiar()));
    }
    text.push_str(&format!("digest  {}\n", built.published()));
    text.push_str(&format!("image   {}\n", built.id));
    text.push_str(&format!("size    {:.1} MB\n", built.size as f64 / 1e6));
    text.push_str(&format!("steps   {} made, {} cached\n", built.made, built.steps - built.made));
    text
}
