//! Named contexts: what `--build-context name=value` puts in the place of a stage or an image. Source of the rules:
//! BuildKit `frontend/dockerui/namedcontext.go` and buildx.

use std::path::PathBuf;
use std::str::FromStr;

use crate::base::{Platform, Reference};
use crate::build::evaluate::remote::Remote;
use crate::build::step::Origin;

/// A named context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedContext {
    /// The name in its short form, without `:latest`; `name::platform` is for one platform only.
    pub name: String,
    /// What stands there.
    pub value: NamedValue,
}

/// What a named context stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedValue {
    /// An image of a registry or the store: `docker-image://`.
    Image(String),
    /// An image of a folder in the OCI layout: `oci-layout://`.
    Layout(Layout),
    /// A stage of the same file: `target:`.
    Stage(String),
    /// Files.
    Files(Origin),
}

/// An image of a folder in the OCI layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The folder.
    pub folder: PathBuf,
    /// A tag or the digest of a manifest; empty is the only image there, or `latest`.
    pub selector: String,
}

impl FromStr for NamedContext {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        if name.is_empty() || value.is_empty() {
            return Err("write NAME=SOURCE".into());
        }
        let (bare, platform) = name.split_once("::").unwrap_or((name, ""));
        let mut name = short(bare);
        if !platform.is_empty() {
            let platform: Platform = platform.parse().map_err(|_| format!("{platform} is no platform"))?;
            name = format!("{name}::{platform}");
        }
        Ok(Self { name, value: value.parse()? })
    }
}

impl FromStr for NamedValue {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(name) = text.strip_prefix("docker-image://") {
            return Ok(Self::Image(name.to_owned()));
        }
        if let Some(rest) = text.strip_prefix("oci-layout://") {
            return Ok(Self::Layout(layout(rest)));
        }
        if let Some(name) = text.strip_prefix("target:") {
            return Ok(Self::Stage(name.to_owned()));
        }
        Ok(Self::Files(match Remote::of(text)? {
            Some(Remote::Git(git)) => {
                let keep_git_dir = git.keep_git_dir.unwrap_or(false);
                Origin::Git(crate::build::step::GitOrigin { keep_git_dir, ..git.origin })
            }
            Some(Remote::Url(url)) => {
                Origin::Url(crate::build::step::UrlOrigin { name: "context".into(), ..url })
            }
            None => Origin::Folder(text.into()),
        }))
    }
}

/// `folder[:tag][@digest]`.
fn layout(text: &str) -> Layout {
    if let Some((folder, digest)) = text.split_once('@') {
        let folder = folder.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(folder, |(f, _)| f);
        return Layout { folder: folder.into(), selector: digest.to_owned() };
    }
    match text.rsplit_once(':') {
        Some((folder, tag)) if !tag.contains('/') => {
            Layout { folder: folder.into(), selector: tag.to_owned() }
        }
        _ => Layout { folder: text.into(), selector: String::new() },
    }
}

/// The form in which names are compared.
fn short(name: &str) -> String {
    let familiar = name.parse::<Reference>().map_or_else(|_| name.to_owned(), |name| name.familiar());
    familiar.strip_suffix(":latest").map_or(familiar.clone(), str::to_owned)
}

/// The context that stands for `name`; one for this platform wins.
pub fn find<'a>(contexts: &'a [NamedContext], name: &str, platform: &Platform) -> Option<&'a NamedContext> {
    if contexts.is_empty() {
        return None;
    }
    let name = short(name);
    let own = format!("{name}::{platform}");
    let of = |wanted: &str| contexts.iter().rfind(|context| context.name == wanted);
    of(&own).or_else(|| of(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values() {
        let platform: Platform = "linux/amd64".parse().unwrap();
        let contexts: Vec<NamedContext> = [
            "docker.io/library/alpine:latest=docker-image://busybox",
            "src=./folder",
            "src::linux/arm64=target:cross",
            "layout=oci-layout:///a/b:v1",
            "pinned=oci-layout://a/b@sha256:0123",
            "repo=https://h/x.git#v1",
            "file=https://h/x.tar",
        ]
        .map(|text| text.parse().unwrap())
        .to_vec();
        let ask = |name: &str| find(&contexts, name, &platform).map(|context| context.value.clone());
        assert_eq!(ask("alpine"), Some(NamedValue::Image("busybox".into())));
        assert_eq!(ask("alpine:latest"), ask("alpine"));
        assert_eq!(ask("alpine:3"), None);
        assert_eq!(ask("src"), Some(NamedValue::Files(Origin::Folder("./folder".into()))));
        let arm: Platform = "linux/arm64".parse().unwrap();
        assert_eq!(find(&contexts, "src", &arm).unwrap().value, NamedValue::Stage("cross".into()));
        let layout = |folder: &str, selector: &str| {
            Some(NamedValue::Layout(Layout { folder: folder.into(), selector: selector.into() }))
        };
        assert_eq!(ask("layout"), layout("/a/b", "v1"));
        assert_eq!(ask("pinned"), layout("a/b", "sha256:0123"));
        assert!(matches!(ask("repo"), Some(NamedValue::Files(Origin::Git(git))) if git.reference == "v1"));
        assert!(matches!(ask("file"), Some(NamedValue::Files(Origin::Url(url))) if url.name == "context"));
        for bad in ["x", "=y", "x=", "x::nonsense/a/b/c/d=y", "x=https://h/y.git?z=1"] {
            assert!(bad.parse::<NamedContext>().is_err(), "{bad}");
        }
    }
}
