//! Building an image.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::base::{Failure, Kind};
use crate::build::{self, Built, Doors, ExportedOutput};
use crate::dockerfile::Warning;
use crate::host::{self, fs};
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
    /// Files for the manifest's digest.
    pub digest_files: Vec<DigestFile>,
}

/// A file that names what was built by its digest.
#[derive(Clone, Debug)]
pub struct DigestFile {
    /// Where.
    pub path: PathBuf,
    /// How.
    pub form: DigestForm,
}

/// How an image is named by its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestForm {
    /// `sha256:…`.
    Digest,
    /// `NAME@sha256:…`, a line for each name.
    NameAndDigest,
    /// `NAME:TAG@sha256:…`, a line for each name.
    NameTagAndDigest,
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
    for file in &request.digest_files {
        fs::write_atomic(&file.path, named(&built, file.form))?;
    }
    if let Some(path) = &request.metadata_file {
        let bytes = serde_json::to_vec_pretty(&metadata(&built)).map_err(|e| Failure::of(Kind::Bug, &e))?;
        fs::write_atomic(path, bytes)?;
    }
    Ok(built)
}

fn named(built: &Built, form: DigestForm) -> String {
    let digest = built.published();
    let lines = built.tags.iter().map(|tag| match form {
        DigestForm::NameTagAndDigest => format!("{}@{digest}\n", tag.with_default_tag()),
        DigestForm::Digest | DigestForm::NameAndDigest => format!("{}@{digest}\n", tag.name()),
    });
    if form == DigestForm::Digest { digest.to_string() } else { lines.collect() }
}

/// The keys that `docker buildx build --metadata-file` writes.
fn metadata(built: &Built) -> serde_json::Value {
    let kept = built.outputs.iter().find_map(|output| match output {
        ExportedOutput::Kept { names, .. } => Some(names),
        _ => None,
    });
    let names = kept.filter(|names| !names.is_empty()).unwrap_or(&built.tags);
    let names: Vec<String> = names.iter().map(|name| name.with_default_tag().to_string()).collect();
    let mut keys = json!({
        "containerimage.config.digest": built.id.to_string(),
        "containerimage.digest": built.published().to_string(),
        "containerimage.descriptor": built.descriptor(),
    });
    if !names.is_empty() {
        keys["image.name"] = names.join(",").into();
    }
    if wants_warnings() && !built.warnings.is_empty() {
        keys["buildx.build.warnings"] = built.warnings.iter().map(warned).collect();
    }
    keys
}

/// buildx writes warnings only when it is asked to.
fn wants_warnings() -> bool {
    host::env::var("BUILDX_METADATA_WARNINGS").is_some_and(|value| matches!(value.as_str(), "1" | "true"))
}

fn warned(warning: &Warning) -> serde_json::Value {
    let encode = |text: &str| STANDARD.encode(text);
    let (first, last) = warning.lines;
    let file = warning.span.file();
    let short = format!("{}: {} (line {first})", warning.rule, warning.message);
    let mut object = json!({
        "level": 1,
        "short": encode(&short),
        "detail": [encode(warning.rule.description())],
        "sourceInfo": { "filename": file.name(), "data": STANDARD.encode(file.bytes()), "language": "Dockerfile" },
        "range": (first..=last)
            .map(|line| json!({ "start": { "line": line }, "end": { "line": line } }))
            .collect::<Vec<_>>(),
    });
    if let Some(url) = warning.rule.url() {
        object["url"] = url.into();
    }
    object
}
