//! Image configurations (OCI image-spec: config.md, with the fields Docker adds: moby docker-image-spec v1).
//!
//! Every list, map and text is left out of the JSON when it is empty, as `omitempty` does in the Go types that Docker,
//! containerd and BuildKit share; so "absent", "null" and "empty" are one value here too.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::base::{DiffId, ImageId, Platform};
use crate::oci::json::{self, is_false, is_zero, null_is_default};
use crate::oci::{CONFIG_LIMIT, Error};

/// What an image is: platform, how to run it, its layers and how they came about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When it was made, RFC 3339; kept as it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub author: String,
    /// GOARCH name.
    #[serde(default)]
    pub architecture: String,
    /// GOOS name.
    #[serde(default)]
    pub os: String,
    /// Version of the operating system (Windows).
    #[serde(
        rename = "os.version",
        default,
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub os_version: String,
    /// What the operating system must have.
    #[serde(
        rename = "os.features",
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub os_features: Vec<String>,
    /// Variant of the architecture.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub variant: String,
    /// How to run it. Always written, also when empty.
    #[serde(default, deserialize_with = "null_is_default")]
    pub config: RuntimeConfig,
    /// The layers.
    pub rootfs: RootFs,
    /// How the layers came about, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub history: Vec<History>,
    /// Fields that are not known here (`container_config`, `docker_version`, `moby.buildkit.*`).
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

impl ImageConfig {
    /// An empty image for `platform`.
    pub fn new(platform: &Platform) -> Self {
        Self {
            architecture: platform.architecture.clone(),
            os: platform.os.clone(),
            os_version: platform.os_version.clone(),
            variant: platform.variant.clone(),
            ..Self::default()
        }
    }

    /// Reads a configuration.
    ///
    /// # Errors
    /// If it is too large or not a configuration.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        const WHAT: &str = "the image configuration";
        json::typed(WHAT, json::parse(WHAT, bytes, CONFIG_LIMIT)?)
    }

    /// Compact JSON with sorted keys.
    pub fn to_bytes(&self) -> Vec<u8> {
        json::canonical(self)
    }

    /// The id its canonical form has. What was read from elsewhere keeps the id of its own bytes.
    pub fn canonical_id(&self) -> ImageId {
        ImageId::of(&self.to_bytes())
    }

    /// What it runs on, in normal form.
    pub fn platform(&self) -> Platform {
        Platform {
            os_version: self.os_version.clone(),
            ..Platform::new(&self.os, &self.architecture, &self.variant)
        }
    }

    /// The layers, lowest first.
    pub fn layers(&self) -> &[DiffId] {
        &self.rootfs.diff_ids
    }
}

/// The layers of an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Diff ids, lowest first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub diff_ids: Vec<DiffId>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

impl Default for RootFs {
    fn default() -> Self {
        Self { kind: "layers".into(), diff_ids: Vec::new(), extra: BTreeMap::new() }
    }
}

/// One instruction that made the image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// When, RFC 3339; kept as it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The instruction.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub created_by: String,
    /// Who.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub author: String,
    /// Free words; BuildKit's mark for its own entries.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub comment: String,
    /// Whether it added no layer.
    #[serde(default, skip_serializing_if = "is_false", deserialize_with = "null_is_default")]
    pub empty_layer: bool,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

/// How to run an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RuntimeConfig {
    /// `user[:group]`, names or numbers; empty is root.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub user: String,
    /// `port/protocol` it listens on.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty", with = "set_of_keys")]
    pub exposed_ports: BTreeSet<String>,
    /// `name=value` of its environment, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub env: Vec<String>,
    /// What is run.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub entrypoint: Vec<String>,
    /// Arguments of what is run, or what is run if there is no entry point.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub cmd: Vec<String>,
    /// Folders that are not part of the image.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty", with = "set_of_keys")]
    pub volumes: BTreeSet<String>,
    /// Working directory; empty is `/`.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub working_dir: String,
    /// Free words on the image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_default")]
    pub labels: BTreeMap<String, String>,
    /// Signal that asks it to stop; empty is SIGTERM.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub stop_signal: String,
    /// Whether `cmd` is one command line already (Windows); Docker writes it on every CMD.
    #[serde(default, skip_serializing_if = "is_false", deserialize_with = "null_is_default")]
    pub args_escaped: bool,
    /// How to see whether it is well. `None` says nothing, which is not the same as `NONE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// Instructions for images built from this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub on_build: Vec<String>,
    /// What runs shell forms; empty is `/bin/sh -c`.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub shell: Vec<String>,
    /// Fields that are not known here (`StopTimeout`, `Hostname`, `Memory`).
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

impl RuntimeConfig {
    /// The value of an environment variable; the last one written counts.
    pub fn env_value(&self, name: &str) -> Option<&str> {
        self.env.iter().rev().find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='))
    }

    /// Sets an environment variable: in its old place, else at the end.
    pub fn set_env(&mut self, name: &str, value: &str) {
        let entry = format!("{name}={value}");
        let is_name = |old: &String| {
            // The end first: of many names few are as long.
            matches!(old.as_bytes().get(name.len()), None | Some(b'=')) && old.starts_with(name)
        };
        match self.env.iter_mut().find(|old| is_name(old)) {
            Some(old) => *old = entry,
            None => self.env.push(entry),
        }
    }
}

/// How to see whether a container is well. Times are in nanoseconds, zero is the default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", line]`; empty inherits.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub test: Vec<String>,
    /// Between two checks.
    #[serde(default, skip_serializing_if = "is_zero", deserialize_with = "null_is_default")]
    pub interval: i64,
    /// Until a check counts as failed.
    #[serde(default, skip_serializing_if = "is_zero", deserialize_with = "null_is_default")]
    pub timeout: i64,
    /// In which failures do not count.
    #[serde(default, skip_serializing_if = "is_zero", deserialize_with = "null_is_default")]
    pub start_period: i64,
    /// Between two checks while starting.
    #[serde(default, skip_serializing_if = "is_zero", deserialize_with = "null_is_default")]
    pub start_interval: i64,
    /// Failures in a row until it counts as ill.
    #[serde(default, skip_serializing_if = "is_zero", deserialize_with = "null_is_default")]
    pub retries: i64,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

/// A Go `map[string]struct{}`.
mod set_of_keys {
    use super::*;

    pub fn serialize<S: Serializer>(set: &BTreeSet<String>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(set.iter().map(|key| (key, serde_json::Map::new())))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<String>, D::Error> {
        let map: Option<BTreeMap<String, serde::de::IgnoredAny>> = Option::deserialize(deserializer)?;
        Ok(map.unwrap_or_default().into_keys().collect())
    }
}

/// The text form of a moment, in seconds since the Unix epoch, as configurations hold it (`2024-01-02T03:04:05Z`).
/// Moments that RFC 3339 cannot write become the nearest it can.
pub fn created_at(seconds: i64) -> String {
    const YEAR_ZERO: i64 = -62_167_219_200;
    let seconds = seconds.clamp(YEAR_ZERO, Timestamp::MAX.as_second());
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// The moment that a configuration's text names, in seconds since the Unix epoch; `None` if it is not RFC 3339.
pub fn moment(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(|moment| moment.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_of_old_images_are_empty_and_strange_fields_stay() {
        let text = r#"{"architecture":"amd64","config":{"Hostname":"","Env":["A=1"],"Cmd":["x"],"Volumes":null,
            "Entrypoint":null,"OnBuild":null,"Labels":null,"StopTimeout":7,"ExposedPorts":{"80/tcp":{}},
            "Healthcheck":{"Test":["NONE"]},"ArgsEscaped":true,"Shell":["/bin/bash","-c"]},
            "container":"abc","history":null,"os":"linux","rootfs":{"type":"layers","diff_ids":null}}"#;
        let config = ImageConfig::parse(text.as_bytes()).unwrap();
        let written = String::from_utf8(config.to_bytes()).unwrap();
        assert_eq!(
            written,
            r#"{"architecture":"amd64","config":{"ArgsEscaped":true,"Cmd":["x"],"Env":["A=1"],"ExposedPorts":{"80/tcp":{}},"Healthcheck":{"Test":["NONE"]},"Hostname":"","Shell":["/bin/bash","-c"],"StopTimeout":7},"container":"abc","os":"linux","rootfs":{"diff_ids":[],"type":"layers"}}"#
        );
        assert_eq!(ImageConfig::parse(written.as_bytes()).unwrap(), config);
    }

    #[test]
    fn config_is_written_even_if_empty() {
        let config = ImageConfig::new(&"linux/arm/v7".parse().unwrap());
        assert_eq!(
            String::from_utf8(config.to_bytes()).unwrap(),
            r#"{"architecture":"arm","config":{},"os":"linux","rootfs":{"diff_ids":[],"type":"layers"},"variant":"v7"}"#
        );
        assert_eq!(config.canonical_id(), ImageId::of(&config.to_bytes()));
    }

    #[test]
    fn environment_keeps_its_order() {
        let mut config = RuntimeConfig { env: vec!["A=1".into(), "AB=2".into()], ..Default::default() };
        config.set_env("A", "3");
        config.set_env("C", "");
        assert_eq!(config.env, ["A=3", "AB=2", "C="]);
        assert_eq!((config.env_value("A"), config.env_value("B")), (Some("3"), None));
    }

    #[test]
    fn moments_as_text() {
        assert_eq!(created_at(0), "1970-01-01T00:00:00Z");
        assert_eq!(created_at(1_700_000_000), "2023-11-14T22:13:20Z");
        assert!(created_at(i64::MAX).starts_with("9999-12-"));
        assert_eq!(created_at(i64::MIN), "0000-01-01T00:00:00Z");
        assert_eq!(moment("2023-11-14T23:13:20.123+01:00"), Some(1_700_000_000));
        assert_eq!(moment("yesterday"), None);
    }

    #[test]
    fn last_of_two_equal_keys_wins() {
        let text = r#"{"os":"a","os":"b","rootfs":{"type":"layers"}}"#;
        assert_eq!(ImageConfig::parse(text.as_bytes()).unwrap().os, "b");
        assert!(ImageConfig::parse(b"{}").is_err());
        assert!(ImageConfig::parse(br#"{"rootfs":{"type":"layers"}} x"#).is_err());
    }
}
