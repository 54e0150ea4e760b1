//! Charts from OCI registries that mean harm: what is not the chart that was asked for is refused, in bounded memory.

use std::process::{Command, Output};

use base64::Engine as _;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::servers::{Answer, Site};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
const CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
const BYTES: &str = "application/octet-stream";

/// A registry that says what it is told to, and a folder to pull into.
struct Den {
    root: TempDir,
    site: Site,
    archive: Vec<u8>,
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn descriptor(kind: &str, bytes: &[u8]) -> serde_json::Value {
    serde_json::json!({"mediaType": kind, "digest": digest(bytes), "size": bytes.len()})
}

fn manifest(config: &str, layers: &[serde_json::Value]) -> Vec<u8> {
    let config = descriptor(config, b"{}");
    let text =
        serde_json::json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
    text.to_string().into_bytes()
}

impl Den {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("web");
        std::fs::create_dir_all(folder.join("templates")).unwrap();
        std::fs::create_dir(root.path().join("got")).unwrap();
        std::fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: web\nversion: 1.0.0\n").unwrap();
        let site = Site::start(root.path(), &root.path().join("ca.pem"));
        let mut den = Self { root, site, archive: Vec::new() };
        assert!(den.helm("package web").status.success());
        den.archive = std::fs::read(den.root.path().join("web-1.0.0.tgz")).unwrap();
        den
    }

    fn helm(&self, line: &str) -> Output {
        let script = format!("ulimit -v 4000000; exec timeout 300 {} helm {line}", env!("CARGO_BIN_EXE_lap"));
        let home = self.root.path();
        Command::new("/bin/sh")
            .args(["-c", &script])
            .current_dir(home)
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("NO_COLOR", "1")])
            .env("HOME", home)
            .output()
            .unwrap()
    }

    fn host(&self) -> &str {
        self.site.http.trim_start_matches("http://")
    }

    fn answer(&self, path: &str, answer: Answer) {
        self.site.answers.lock().unwrap().insert(format!("/v2/x/web/{path}"), answer);
    }

    fn manifest(&self, layers: &[serde_json::Value]) {
        self.answer("manifests/1.0.0", Answer::Body(MANIFEST, manifest(CONFIG, layers)));
    }

    fn blob(&self, of: &[u8], answer: Answer) {
        self.answer(&format!("blobs/{}", digest(of)), answer);
    }

    fn pull(&self, reference: &str) -> Output {
        self.helm(&format!("pull oci://{}/x/web{reference} --plain-http -d got", self.host()))
    }

    /// How often a path was asked for whose last parts these are.
    fn asked(&self, end: &str) -> usize {
        self.site.seen.lock().unwrap().iter().filter(|seen| seen.path.contains(end)).count()
    }

    fn refused(&self, reference: &str, words: &str) {
        let output = self.pull(reference);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(words), "{words}: {error}");
        let kept = std::fs::read_dir(self.root.path().join("got")).unwrap().count();
        assert_eq!(kept, 0, "nothing is written: {error}");
    }
}

#[test]
fn another_archive_than_the_manifest_lists() {
    let den = Den::new();
    den.manifest(&[descriptor(CHART, &den.archive)]);
    let mut other = den.archive.clone();
    other[20] ^= 1;
    den.blob(&den.archive, Answer::Body(BYTES, other));
    den.refused(" --version 1.0.0", "digest");
    den.blob(&den.archive, Answer::Body(BYTES, den.archive[..100].to_vec()));
    den.refused(" --version 1.0.0", "bytes");
    den.blob(&den.archive, Answer::Body(BYTES, den.archive.clone()));
    assert!(den.pull(" --version 1.0.0").status.success());
}

#[test]
fn another_manifest_than_the_digest_says() {
    let den = Den::new();
    let (wanted, other) = (manifest(CONFIG, &[]), manifest(CONFIG, &[descriptor(CHART, &den.archive)]));
    den.answer(&format!("manifests/{}", digest(&wanted)), Answer::Body(MANIFEST, other));
    den.refused(&format!("@{}", digest(&wanted)), "digest");
}

#[test]
fn bodies_without_an_end() {
    let den = Den::new();
    den.manifest(&[descriptor(CHART, &den.archive)]);
    den.blob(&den.archive, Answer::Endless(den.archive.clone()));
    den.refused(" --version 1.0.0", "more than");
    den.answer("manifests/1.0.0", Answer::Endless(b"{".to_vec()));
    den.refused(" --version 1.0.0", "longer than");
    den.answer("tags/list?n=1000", Answer::Endless(b"{".to_vec()));
    den.answer("tags/list", Answer::Endless(b"{".to_vec()));
    den.refused("", "longer than");
}

#[test]
fn an_archive_that_says_it_is_larger_than_charts_are() {
    let den = Den::new();
    let mut large = descriptor(CHART, &den.archive);
    large["size"] = serde_json::json!(1_u64 << 40);
    den.manifest(&[large]);
    den.blob(&den.archive, Answer::Endless(den.archive.clone()));
    den.refused(" --version 1.0.0", "larger than");
    assert_eq!(den.asked("/blobs/"), 0, "it is not even asked for");
}

#[test]
fn what_is_no_chart() {
    let den = Den::new();
    let layers = [descriptor(CHART, &den.archive)];
    let image = manifest("application/vnd.oci.image.config.v1+json", &layers);
    den.answer("manifests/1.0.0", Answer::Body(MANIFEST, image));
    den.refused(" --version 1.0.0", "could not load config with mediatype application/vnd.cncf.helm.config");
    den.manifest(&[descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &den.archive)]);
    den.refused(" --version 1.0.0", "manifest does not contain a layer with mediatype");
    den.manifest(&[]);
    den.refused(" --version 1.0.0", "minimum number of descriptors (2), descriptors found: 1");
    den.answer("manifests/1.0.0", Answer::Body("text/html", b"<html>".to_vec()));
    den.refused(" --version 1.0.0", "cannot be read");
    assert_eq!(den.asked("/blobs/"), 0);
}

#[test]
fn only_the_charts_own_layers_are_fetched() {
    let den = Den::new();
    let mut layers: Vec<_> = (0..20_000).map(|n: u32| descriptor(BYTES, &n.to_le_bytes())).collect();
    layers.push(descriptor(CHART, &den.archive));
    den.manifest(&layers);
    den.blob(&den.archive, Answer::Body(BYTES, den.archive.clone()));
    let output = den.pull(" --version 1.0.0");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(den.asked("/blobs/"), 1);
}

#[test]
fn an_index_that_lists_more_than_anybody_reads() {
    let den = Den::new();
    let mut children = Vec::new();
    for n in 0..2_000_u32 {
        let image =
            manifest("application/vnd.oci.image.config.v1+json", &[descriptor(BYTES, &n.to_le_bytes())]);
        children.push(descriptor(MANIFEST, &image));
        den.answer(&format!("manifests/{}", digest(&image)), Answer::Body(MANIFEST, image));
    }
    let index = serde_json::json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children});
    den.answer("manifests/1.0.0", Answer::Body(INDEX, index.to_string().into_bytes()));
    den.refused(" --version 1.0.0", "could not load config with mediatype");
    assert!(den.asked("/manifests/") < 200, "{}", den.asked("/manifests/"));
}

#[test]
fn an_index_of_indexes() {
    let den = Den::new();
    let index = |children: &[serde_json::Value]| {
        let text = serde_json::json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children});
        text.to_string().into_bytes()
    };
    let inner = index(&[descriptor(MANIFEST, b"x")]);
    den.answer("manifests/1.0.0", Answer::Body(INDEX, index(&[descriptor(INDEX, &inner)])));
    den.answer(&format!("manifests/{}", digest(&inner)), Answer::Body(INDEX, inner));
    den.refused(" --version 1.0.0", "could not load config with mediatype");
    assert_eq!(den.asked("/manifests/"), 2);
}

#[test]
fn credentials_do_not_follow_blobs_to_another_host() {
    let den = Den::new();
    den.manifest(&[descriptor(CHART, &den.archive)]);
    let away = format!("{}/v2/x/web/elsewhere", den.site.elsewhere);
    den.blob(&den.archive, Answer::Elsewhere(away));
    den.answer("elsewhere", Answer::Body(BYTES, den.archive.clone()));
    let output = den.pull(" --version 1.0.0 --username ann --password secret");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen = den.site.seen.lock().unwrap().clone();
    let secret = base64::engine::general_purpose::STANDARD.encode("ann:secret");
    let last = seen.last().unwrap();
    assert!(last.path.ends_with("/elsewhere") && last.authorization.is_none(), "{last:?}");
    let told = seen.iter().filter(|s| s.authorization.as_ref().is_some_and(|a| a.contains(&secret)));
    assert!(told.clone().all(|s| !s.path.ends_with("/elsewhere")), "{:?}", told.collect::<Vec<_>>());
}
