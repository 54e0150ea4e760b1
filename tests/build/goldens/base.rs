//! Base images of the cases, from `fixtures/builds/bases.txt`: layers as archive texts (`packages` is a Debian made from
//! its packages), a configuration as JSON; written as layouts by this file alone, so that no builder has a part in them, and given to a registry by skopeo.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::archive;
use super::case::{self, Case};
use crate::tree::debian_root;

/// When all base images were made: 2017-07-14.
pub const CREATED: i64 = 1_500_000_000;

/// A base image as a layout.
pub struct Base {
    /// Its folder.
    pub layout: PathBuf,
    /// The diff ids of its layers.
    pub diff_ids: Vec<String>,
    /// The digest of its manifest.
    pub digest: String,
}

/// Makes the base images that `cases` name below `root`.
pub fn make(cases: &[Case], root: &Path) -> BTreeMap<String, Base> {
    let texts = case::read("bases");
    let named = |name: &str| {
        let words = [format!("%registry%/{name}"), format!("%layouts%/{name}")];
        let parts = cases.iter().flat_map(|case| &case.parts);
        parts.into_iter().any(|part| {
            words
                .iter()
                .any(|word| part.rest.contains(word) || String::from_utf8_lossy(&part.body).contains(word))
        })
    };
    let wanted = texts.iter().filter(|case| named(&case.title));
    wanted.map(|base| (base.title.clone(), layout(base, &texts, root))).collect()
}

/// Pushes them to a registry on loopback.
pub fn push(bases: &BTreeMap<String, Base>, registry: &str) {
    for (name, base) in bases {
        let from = format!("oci:{}:latest", base.layout.display());
        let to = format!("docker://{registry}/{name}:latest");
        let arguments = ["copy", "-q", "--dest-tls-verify=false", "--preserve-digests", &from, &to];
        let output = Command::new("skopeo").args(arguments).output().expect("skopeo is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// The layers of a base: those of the base it is `on`, then its own.
fn layers(base: &Case, all: &[Case]) -> Vec<Vec<u8>> {
    let below =
        base.one("on").map(|name| all.iter().find(|b| b.title == name).expect("a base that is there"));
    let mut list = below.map_or_else(Vec::new, |below| layers(below, all));
    if base.has("packages") {
        list.push(fs::read(debian_root()).unwrap());
    }
    list.extend(base.all("layer").map(|part| archive::tar_of(&part.body)));
    list
}

fn layout(base: &Case, all: &[Case], root: &Path) -> Base {
    let folder = root.join(&base.title);
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let put = |media: &str, bytes: &[u8]| {
        let digest = sha256(bytes);
        fs::write(blobs.join(&digest[7..]), bytes).unwrap();
        json!({"mediaType": media, "digest": digest, "size": bytes.len()})
    };
    let made = jiff::Timestamp::from_second(CREATED).unwrap().to_string();
    let text = base.all("config").next().expect("a base has a config");
    let config: Value = serde_json::from_slice(&text.body).unwrap_or_else(|e| panic!("{}: {e}", base.title));
    let tars = layers(base, all);
    let diff_ids: Vec<String> = tars.iter().map(|tar| sha256(tar)).collect();
    let history: Vec<Value> = (0..tars.len())
        .map(|n| json!({"created": made, "created_by": format!("layer {n}"), "comment": "made by hand"}))
        .collect();
    let image = json!({
        "created": made, "architecture": "amd64", "os": "linux", "config": config,
        "rootfs": {"type": "layers", "diff_ids": diff_ids}, "history": history,
    });
    let config = put("application/vnd.oci.image.config.v1+json", image.to_string().as_bytes());
    let media = "application/vnd.oci.image.layer.v1.tar+gzip";
    let list: Vec<Value> = tars.iter().map(|tar| put(media, &archive::compress("gzip", tar))).collect();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": list,
    });
    let mut entry = put("application/vnd.oci.image.manifest.v1+json", manifest.to_string().as_bytes());
    let digest = entry["digest"].as_str().unwrap().to_owned();
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "latest"});
    let index = json!({"schemaVersion": 2, "manifests": [entry]});
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    Base { layout: folder, diff_ids, digest }
}
