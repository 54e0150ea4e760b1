//! The report of a build, as werf writes it. Source: werf's `pkg/build/build_report.go`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::base::Failure;
use crate::host::fs;

/// What came out of a build.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Report {
    /// What built.
    pub runtime: Runtime,
    /// Images by name; the one without a name is the empty one.
    pub images: BTreeMap<String, Record>,
    /// By name and platform, if `WERF_ENABLE_REPORT_BY_PLATFORM` asks for it.
    pub images_by_platform: BTreeMap<String, BTreeMap<String, Record>>,
}

/// What built.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Runtime {
    /// The name of the builder.
    pub backend: &'static str,
    /// Whether it ran in a container, as far as it can tell.
    pub in_container: bool,
}

impl Default for Runtime {
    fn default() -> Self {
        let mark = |path: &str| crate::host::fs::exists(path);
        let in_container = mark("/.dockerenv") || mark("/run/.containerenv");
        Self { backend: "lapstrake", in_container }
    }
}

/// An image.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Record {
    /// Its name.
    pub werf_image_name: String,
    /// `staged` or `dockerfile`.
    pub config_type: String,
    /// The repository.
    pub docker_repo: String,
    /// The tag.
    pub docker_tag: String,
    /// The digest of its configuration.
    #[serde(rename = "DockerImageID")]
    pub docker_image_id: String,
    /// The digest of its manifest.
    pub docker_image_digest: String,
    /// `repository:tag`.
    pub docker_image_name: String,
    /// Its platform; empty of an index.
    pub target_platform: String,
    /// Whether it was made now.
    pub rebuilt: bool,
    /// Whether it is a result, not only an input.
    pub r#final: bool,
    /// Bytes of layers and configuration.
    pub size: u64,
    /// Seconds with two digits.
    pub build_time: String,
    /// The commit that it was made from.
    pub commit: String,
    /// What it consists of.
    pub stages: Vec<Stage>,
}

/// A stage in werf's sense: here the whole image.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Stage {
    /// `dockerfile`, with the platform if there are several.
    pub name: String,
    /// `repository:tag`.
    pub docker_image_name: String,
    /// The tag.
    pub docker_tag: String,
    /// The digest of its configuration.
    #[serde(rename = "DockerImageID")]
    pub docker_image_id: String,
    /// The digest of its manifest.
    pub docker_image_digest: String,
    /// Nanoseconds since 1970.
    pub created_at: i64,
    /// Bytes.
    pub size: u64,
    /// `local`, `secondary`, `cache-repo`, `registry` or nothing.
    pub source_type: String,
    /// Whether the base image was fetched for it.
    pub base_image_pulled: bool,
    /// Whether it was made now.
    pub rebuilt: bool,
    /// Seconds with two digits.
    pub build_time: String,
    /// The commit that it was made from.
    pub commit: String,
}

impl Report {
    /// The report as JSON, indented by tabs.
    pub fn json(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        let mut writer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
        // Writing into memory cannot fail, and every key is text.
        if self.serialize(&mut writer).is_err() {
            bytes.clear();
        }
        bytes.push(b'\n');
        bytes
    }

    /// The report as variables for a shell.
    pub fn env(&self) -> String {
        let mut text = String::new();
        for (name, record) in &self.images {
            let prefix = prefix(name);
            let pairs: [(&str, &dyn std::fmt::Display); 7] = [
                ("DOCKER_IMAGE_NAME", &record.docker_image_name),
                ("DOCKER_IMAGE_ID", &record.docker_image_id),
                ("DOCKER_IMAGE_DIGEST", &record.docker_image_digest),
                ("DOCKER_REPO", &record.docker_repo),
                ("DOCKER_TAG", &record.docker_tag),
                ("WERF_IMAGE_NAME", &record.werf_image_name),
                ("FINAL", &record.r#final),
            ];
            for (key, value) in pairs {
                text.push_str(&format!("{prefix}{key}={value}\n"));
            }
        }
        text
    }

    /// Writes it in the form that the name of the file asks for.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let bytes = match path.extension().and_then(|extension| extension.to_str()) {
            Some("env") => self.env().into_bytes(),
            _ => self.json(),
        };
        Ok(fs::write_atomic(path, bytes)?)
    }
}

/// `WERF_<NAME>_`.
fn prefix(name: &str) -> String {
    match name.is_empty() {
        true => "WERF_".into(),
        false => format!("WERF_{}_", name.to_uppercase().replace(['/', '-', '.'], "_")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_are_werfs() {
        let record = Record {
            werf_image_name: "a/b-c".into(),
            config_type: "staged".into(),
            docker_image_id: "sha256:1".into(),
            build_time: "0.10".into(),
            stages: vec![Stage { name: "dockerfile".into(), ..Stage::default() }],
            ..Record::default()
        };
        let report = Report { images: [("a/b-c".to_owned(), record)].into(), ..Report::default() };
        let json = String::from_utf8(report.json()).unwrap();
        let start = "{\n\t\"Runtime\": {\n\t\t\"Backend\": \"lapstrake\",\n\t\t\"InContainer\": IN\n\t},\n\t\"Images\": {\n\t\t\"a/b-c\": {\n\t\t\t\"WerfImageName\": \"a/b-c\",\n\t\t\t\"ConfigType\": \"staged\",\n\t\t\t\"DockerRepo\": \"\",\n\t\t\t\"DockerTag\": \"\",\n\t\t\t\"DockerImageID\": \"sha256:1\",\n\t\t\t\"DockerImageDigest\": \"\",\n\t\t\t\"DockerImageName\": \"\",\n\t\t\t\"TargetPlatform\": \"\",\n\t\t\t\"Rebuilt\": false,\n\t\t\t\"Final\": false,\n\t\t\t\"Size\": 0,\n\t\t\t\"BuildTime\": \"0.10\",\n\t\t\t\"Commit\": \"\",\n\t\t\t\"Stages\": [\n\t\t\t\t{\n\t\t\t\t\t\"Name\": \"dockerfile\",\n";
        let start = start.replace("IN", &report.runtime.in_container.to_string());
        assert!(json.starts_with(&start), "{json}");
        assert!(json.ends_with("\t\"ImagesByPlatform\": {}\n}\n"), "{json}");
        assert!(
            report.env().starts_with("WERF_A_B_C_DOCKER_IMAGE_NAME=\nWERF_A_B_C_DOCKER_IMAGE_ID=sha256:1\n")
        );
        assert!(report.env().ends_with("WERF_A_B_C_WERF_IMAGE_NAME=a/b-c\nWERF_A_B_C_FINAL=false\n"));
        assert_eq!(prefix(""), "WERF_");
    }
}
