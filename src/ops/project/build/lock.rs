//! `werf-lock.yaml`: what names of base images stand for, so that everybody builds on the same.

use std::collections::BTreeMap;

use crate::base::{Digest, Failure, Kind, Reference};
use crate::build::Doors;
use crate::build::evaluate::NamedContext;
use crate::host::fs;
use crate::ops::project::build::{Request, identify, select};
use crate::ops::project::{Project, Refusal};
use crate::project::Outside;
use crate::report::Context;
use crate::yaml::{self, NodeKind};

/// Its name, beside the configuration.
pub const FILE: &str = "werf-lock.yaml";

/// Base images by their names in full.
pub type Pins = BTreeMap<String, Digest>;

/// Reads the file; `None` if there is none: then names are asked for each time.
///
/// # Errors
/// If it is not committed, or not what it should be.
pub fn read(project: &Project) -> Result<Option<Pins>, Failure> {
    let committed = project.reader.read(FILE, &|_| Outside::Config).map_err(|refusal: Refusal| {
        let failure = Failure::from(refusal);
        let cause = failure.causes().first().cloned().unwrap_or_else(|| "the commit does not have it".into());
        Failure::new(Kind::Config, format!("{FILE} must be committed")).because(cause)
    })?;
    let Some(bytes) = committed else { return Ok(None) };
    let fail = |line: usize, why: &str| {
        Failure::new(Kind::Config, format!("read {FILE}, line {line}"))
            .because(why)
            .hint("`lap lock update` writes it anew")
    };
    let nodes =
        yaml::read_nodes(&bytes).map_err(|error| fail(error.line().unwrap_or(1), &error.to_string()))?;
    let mut pins = Pins::new();
    for node in nodes {
        let NodeKind::Map(entries) = &node.kind else { return Err(fail(node.line, "it is not a map")) };
        for (key, value) in entries {
            match (key.text(), &value.kind) {
                (Some("lockVersion"), _) if value.text() == Some("1") => {}
                (Some("images"), NodeKind::Map(images)) => {
                    for (name, digest) in images {
                        let parsed = digest.text().and_then(|text| text.parse().ok());
                        let (Some(name), Some(parsed)) = (name.text(), parsed) else {
                            return Err(fail(digest.line, "an image is `NAME: sha256:…`"));
                        };
                        pins.insert(name.to_owned(), parsed);
                    }
                }
                _ => {
                    return Err(fail(
                        key.line,
                        "it has `lockVersion: 1` and a map `images`, and nothing else",
                    ));
                }
            }
        }
    }
    Ok(Some(pins))
}

/// The pins as contexts that stand for base images.
pub fn contexts(pins: &Pins) -> Result<Vec<NamedContext>, Failure> {
    let one = |(name, digest): (&String, &Digest)| {
        let text = format!("{name}=docker-image://{}@{digest}", without_tag(name));
        text.parse::<NamedContext>().map_err(|why| {
            Failure::new(Kind::Config, format!("read {FILE}")).because(format!("{name}: {why}"))
        })
    };
    pins.iter().map(one).collect()
}

fn without_tag(name: &str) -> String {
    name.parse::<Reference>().map_or_else(|_| name.to_owned(), |reference| reference.name())
}

/// Asks registries what all base images stand for now, and writes the file.
///
/// # Errors
/// If a registry does not answer, or the file cannot be written.
pub async fn update(
    cx: &Context,
    doors: &Doors,
    project: &Project,
    request: &Request,
) -> Result<Pins, Failure> {
    let chosen = select::select(&project.config, &[], false)?.sets;
    let bases = identify::bases(cx, doors, (project, request), chosen).await?;
    let mut pins = Pins::new();
    for base in bases {
        let name = base.with_default_tag();
        let digest = match base.digest() {
            Some(_) => continue,
            None => doors.registry().resolve(cx, &name).await?.digest.digest().clone(),
        };
        pins.insert(name.to_string(), digest);
    }
    let mut text = String::from("# Written by `lap lock update`.\nlockVersion: 1\nimages:\n");
    if pins.is_empty() {
        text = text.replace("images:\n", "images: {}\n");
    }
    for (name, digest) in &pins {
        text.push_str(&format!("  {name}: {digest}\n"));
    }
    fs::write_atomic(project.reader.folder().join(FILE), text)?;
    Ok(pins)
}
