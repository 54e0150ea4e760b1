//! Manifests and indexes (OCI image-spec: manifest.md, image-index.md; Docker's schema 2 is the same shape).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::ManifestDigest;
use crate::oci::json::{self, null_is_default};
use crate::oci::{Descriptor, Error, LAYOUT_INDEX_LIMIT, MANIFEST_LIMIT, media};

/// One image, or one artifact: a configuration and layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always 2.
    #[serde(rename = "schemaVersion")]
    pub schema_version: u8,
    /// The manifest's own media type; OCI allows it to be absent.
    #[serde(rename = "mediaType", default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// Type of the artifact, if it is not an image.
    #[serde(rename = "artifactType", default, skip_serializing_if = "String::is_empty")]
    pub artifact_type: String,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, lowest first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub layers: Vec<Descriptor>,
    /// The manifest this one says something about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Free words on the image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

impl Manifest {
    /// An OCI manifest.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: media::OCI_MANIFEST.to_owned(),
            artifact_type: String::new(),
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
            extra: BTreeMap::new(),
        }
    }

    /// Compact JSON with sorted keys.
    pub fn to_bytes(&self) -> Vec<u8> {
        json::canonical(self)
    }

    /// The media type to store and push it under.
    pub fn effective_media_type(&self) -> &str {
        if self.media_type.is_empty() { media::OCI_MANIFEST } else { &self.media_type }
    }

    /// Whether it is an image that can run, not an artifact.
    pub fn is_image(&self) -> bool {
        media::is_config(&self.config.media_type)
    }
}

/// A list of manifests, most often one image for several platforms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// Always 2.
    #[serde(rename = "schemaVersion")]
    pub schema_version: u8,
    /// The index's own media type; OCI allows it to be absent.
    #[serde(rename = "mediaType", default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// Type of the artifact, if it is not an image.
    #[serde(rename = "artifactType", default, skip_serializing_if = "String::is_empty")]
    pub artifact_type: String,
    /// The manifests.
    #[serde(default, deserialize_with = "null_is_default")]
    pub manifests: Vec<Descriptor>,
    /// The manifest this one says something about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Free words on the index.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

impl Index {
    /// An OCI index.
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: media::OCI_INDEX.to_owned(),
            artifact_type: String::new(),
            manifests,
            subject: None,
            annotations: BTreeMap::new(),
            extra: BTreeMap::new(),
        }
    }

    /// Reads the `index.json` of an OCI layout, which may leave its media type out and list many images.
    ///
    /// # Errors
    /// If it is too large or not an index.
    pub fn parse_layout(bytes: &[u8]) -> Result<Self, Error> {
        const WHAT: &str = "index.json";
        let value = json::parse(WHAT, bytes, LAYOUT_INDEX_LIMIT)?;
        let own = value.get("mediaType").and_then(Value::as_str).map(media::essence);
        if own.is_some_and(|t| is_known(&t) && !media::is_index(&t)) || value.get("layers").is_some() {
            return Err(Error::malformed(WHAT, "it is a manifest, not an index"));
        }
        let index: Self = json::typed(WHAT, value)?;
        if index.schema_version != 2 {
            return Err(Error::malformed(WHAT, "its schemaVersion is not 2"));
        }
        Ok(index)
    }

    /// Compact JSON with sorted keys.
    pub fn to_bytes(&self) -> Vec<u8> {
        json::canonical(self)
    }
}

/// What a registry or a layout may hold under a manifest digest.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "few exist at a time, and a box would be in every reader's way")]
pub enum AnyManifest {
    /// One image or artifact.
    Image(Manifest),
    /// Several.
    Index(Index),
}

impl AnyManifest {
    /// Reads a manifest or index. `media_type` is what the descriptor or the server says it is; without it, or if it
    /// says nothing (`application/json`), the document itself decides.
    ///
    /// # Errors
    /// If it is too large, not JSON, of schema 1, or if what it says of itself, what was said of it and what it looks
    /// like are not the same (a document that is both would be read differently by different tools).
    pub fn parse(media_type: Option<&str>, bytes: &[u8]) -> Result<Self, Error> {
        const WHAT: &str = "the manifest";
        let value = json::parse(WHAT, bytes, MANIFEST_LIMIT)?;
        let said = media_type.map(media::essence).filter(|t| is_known(t));
        let own = value.get("mediaType").and_then(Value::as_str).map(media::essence);
        let is_schema1 = |t: &String| t == media::DOCKER_SCHEMA1 || t == media::DOCKER_SCHEMA1_SIGNED;
        if value.get("schemaVersion").and_then(Value::as_u64) == Some(1)
            || said.iter().chain(&own).any(is_schema1)
        {
            return Err(Error::Unsupported {
                what: "a Docker image manifest of schema 1".into(),
                reason: "registries and Docker dropped this format; push the image again with a current tool",
            });
        }
        if value.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
            return Err(Error::malformed(WHAT, "its schemaVersion is not 2"));
        }
        let looks_index = value.get("manifests").is_some();
        let looks_image = value.get("config").is_some() || value.get("layers").is_some();
        if looks_index && looks_image {
            return Err(Error::malformed(WHAT, "it has the fields of both a manifest and an index"));
        }
        for claimed in said.iter().chain(own.iter().filter(|t| is_known(t))) {
            if media::is_index(claimed) && looks_image || media::is_manifest(claimed) && looks_index {
                return Err(Error::malformed(WHAT, format!("it does not have the fields of {claimed}")));
            }
        }
        let claims_index = said.or(own).is_some_and(|t| media::is_index(&t));
        if looks_index || claims_index {
            json::typed(WHAT, value).map(Self::Index)
        } else {
            json::typed(WHAT, value).map(Self::Image)
        }
    }

    /// The media type to store it under.
    pub fn media_type(&self) -> &str {
        match self {
            Self::Image(manifest) => manifest.effective_media_type(),
            Self::Index(index) if index.media_type.is_empty() => media::OCI_INDEX,
            Self::Index(index) => &index.media_type,
        }
    }

    /// Everything it points at: the manifests of an index, the configuration and layers of an image. The subject is
    /// not among them: it need not exist.
    pub fn children(&self) -> Vec<&Descriptor> {
        match self {
            Self::Image(manifest) => std::iter::once(&manifest.config).chain(&manifest.layers).collect(),
            Self::Index(index) => index.manifests.iter().collect(),
        }
    }

    /// The digest its canonical form has. What was read from elsewhere keeps the digest of its own bytes.
    pub fn canonical_digest(&self) -> ManifestDigest {
        match self {
            Self::Image(manifest) => ManifestDigest::of(&manifest.to_bytes()),
            Self::Index(index) => ManifestDigest::of(&index.to_bytes()),
        }
    }
}

fn is_known(media_type: &str) -> bool {
    media::is_index(media_type)
        || media::is_manifest(media_type)
        || matches!(media_type, media::DOCKER_SCHEMA1 | media::DOCKER_SCHEMA1_SIGNED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn image(media_type: &str) -> String {
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{media_type}","config":{{"mediaType":"{}","size":0,"digest":"{DIGEST}","x":1}},"layers":null,"future":[1]}}"#,
            media::OCI_CONFIG
        )
    }

    #[test]
    fn keeps_what_it_does_not_know() {
        let parsed = AnyManifest::parse(None, image(media::OCI_MANIFEST).as_bytes()).unwrap();
        let AnyManifest::Image(manifest) = &parsed else { panic!("an image") };
        let text = String::from_utf8(manifest.to_bytes()).unwrap();
        assert_eq!(
            text,
            format!(
                r#"{{"config":{{"digest":"{DIGEST}","mediaType":"{}","size":0,"x":1}},"future":[1],"layers":[],"mediaType":"{}","schemaVersion":2}}"#,
                media::OCI_CONFIG,
                media::OCI_MANIFEST
            )
        );
        assert_eq!(AnyManifest::parse(None, text.as_bytes()).unwrap(), parsed);
    }

    #[test]
    fn what_is_said_and_what_it_is_must_agree() {
        let docker = image(media::DOCKER_MANIFEST);
        let parse = |t: Option<&str>, text: &str| AnyManifest::parse(t, text.as_bytes());
        assert!(parse(Some("application/json"), &docker).is_ok());
        assert!(
            parse(Some("application/vnd.docker.distribution.manifest.v2+json; charset=utf-8"), &docker)
                .is_ok()
        );
        assert!(parse(Some(media::OCI_INDEX), &docker).is_err());
        let both = r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#;
        assert!(parse(None, both).unwrap_err().to_string().contains("read the manifest"));
        assert!(matches!(parse(None, r#"{"schemaVersion":2,"manifests":[]}"#), Ok(AnyManifest::Index(_))));
        assert!(matches!(parse(Some(media::OCI_INDEX), r#"{"schemaVersion":2}"#), Ok(AnyManifest::Index(_))));
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"schemaVersion":3}"#,
            r#"{"schemaVersion":2}"#,
            r#"{"schemaVersion":2,"manifests":{}}"#,
        ] {
            assert!(parse(None, bad).is_err(), "{bad}");
        }
        assert!(matches!(parse(None, &" ".repeat(MANIFEST_LIMIT as usize + 1)), Err(Error::TooLarge { .. })));
    }

    #[test]
    fn schema_1_is_named() {
        let old = r#"{"schemaVersion":1,"name":"x","fsLayers":[]}"#;
        for (said, text) in [(None, old), (Some(media::DOCKER_SCHEMA1_SIGNED), "{}")] {
            let error = AnyManifest::parse(said, text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains("schema 1"), "{error}");
        }
    }
}
