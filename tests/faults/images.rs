//! Images that are not what they say: served by a registry, or loaded from an archive or a folder.

use std::collections::BTreeMap;
use std::path::Path;

use lapstrake::base::BlobDigest;
use serde_json::{Value, json};

use crate::lab::{Lab, Outcome, Who};
use crate::tar::{archive, directory, file, symlink};
use crate::web::{Web, reply};
use crate::yard::within;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

fn digest(bytes: &[u8]) -> String {
    BlobDigest::of(bytes).to_string()
}

/// An image whose parts can be bent before it is put together.
struct Image {
    config: Value,
    layers: Vec<Value>,
    blobs: BTreeMap<String, Vec<u8>>,
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest(bytes), "size": bytes.len()})
}

fn image(layers: &[Vec<u8>]) -> Image {
    let ids: Vec<_> = layers.iter().map(|layer| digest(layer)).collect();
    Image {
        config: json!({
            "architecture": std::env::consts::ARCH.replace("x86_64", "amd64").replace("aarch64", "arm64"),
            "os": "linux", "config": {"Cmd": ["/bin/true"]}, "rootfs": {"type": "layers", "diff_ids": ids},
        }),
        layers: layers.iter().map(|layer| descriptor(LAYER, layer)).collect(),
        blobs: layers.iter().map(|layer| (digest(layer), layer.clone())).collect(),
    }
}

/// Two honest layers.
fn honest() -> Image {
    image(&[archive(&[directory("d"), file("d/f", b"1")]), archive(&[file("g", b"2")])])
}

impl Image {
    /// The manifest, and the configuration among the blobs.
    fn finish(&mut self) -> Value {
        let config = serde_json::to_vec(&self.config).unwrap();
        self.blobs.insert(digest(&config), config.clone());
        json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, &config), "layers": self.layers,
        })
    }
}

fn serve(manifest: Vec<u8>, media_type: &'static str, blobs: BTreeMap<String, Vec<u8>>) -> Web {
    Web::start(move |asked, to| {
        let last = asked.path.rsplit('/').next().unwrap_or_default();
        match asked.path.as_str() {
            "/v2/" => reply(asked, to, 200, "", b""),
            path if path.contains("/manifests/") => {
                let found = if last.starts_with("sha256:") {
                    blobs.get(last).unwrap_or(&manifest)
                } else {
                    &manifest
                };
                let headers =
                    format!("content-type: {media_type}\r\ndocker-content-digest: {}\r\n", digest(found));
                reply(asked, to, 200, &headers, found)
            }
            _ => match blobs.get(last) {
                Some(blob) => reply(asked, to, 200, "", blob),
                None => reply(asked, to, 404, "", b""),
            },
        }
    })
}

/// Runs the image of a registry, which must fail with `words` and leave a clean store.
fn refused_from(web: &Web, words: &[&str]) {
    let lab = Lab::new(Who::Caller);
    let reference = format!("{}/x:1", web.host);
    let outcome = within(600, || lab.run(&["image", "run", "--rm", &reference]));
    refused(&lab, outcome, words);
}

fn refused(lab: &Lab, outcome: Outcome, words: &[&str]) {
    let outcome = outcome.failure(words);
    assert!(matches!(outcome.code, 4 | 6) && outcome.stderr.contains("error: "), "{outcome}");
    lab.ok(&["image", "check"]);
    assert!(lab.ok(&["image", "ls", "--quiet"]).stdout.is_empty(), "a name was given to what is broken");
}

/// Puts the image together and runs it.
fn run(mut image: Image, words: &[&str]) {
    let manifest = serde_json::to_vec(&image.finish()).unwrap();
    refused_from(&serve(manifest, MANIFEST, image.blobs), words);
}

/// Serves a manifest bent by `bend`.
fn bent(bend: impl FnOnce(&mut Value), words: &[&str]) {
    let mut image = honest();
    let mut manifest = image.finish();
    bend(&mut manifest);
    refused_from(&serve(serde_json::to_vec(&manifest).unwrap(), MANIFEST, image.blobs), words);
}

/// Serves these bytes as the manifest.
fn manifest(bytes: Vec<u8>, media_type: &'static str, words: &[&str]) {
    refused_from(&serve(bytes, media_type, BTreeMap::new()), words);
}

/// Loads an OCI layout whose index names `entry`.
fn layout(entry: &Value, blobs: &[&[u8]], words: &[&str]) {
    let lab = Lab::new(Who::Caller);
    let folder = lab.path("layout");
    write_layout(&folder, entry, blobs);
    let outcome = within(300, || lab.run(&["image", "load", "-i", folder.to_str().unwrap()]));
    refused(&lab, outcome, words);
}

fn write_layout(folder: &Path, entry: &Value, blobs: &[&[u8]]) {
    std::fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
    std::fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]});
    std::fs::write(folder.join("index.json"), serde_json::to_vec(&index).unwrap()).unwrap();
    for blob in blobs {
        std::fs::write(folder.join("blobs/sha256").join(&digest(blob)[7..]), blob).unwrap();
    }
}

/// Loads an archive.
fn load(bytes: &[u8], words: &[&str]) {
    let lab = Lab::new(Who::Caller);
    let path = lab.path("image.tar");
    std::fs::write(&path, bytes).unwrap();
    let outcome = within(300, || lab.run(&["image", "load", "-i", path.to_str().unwrap()]));
    refused(&lab, outcome, words);
}

/// Tests, each of its own name.
macro_rules! cases {
    ($($(#[$doc:meta])* $name:ident => $body:expr;)*) => {$( $(#[$doc])* #[test] fn $name() { $body } )*};
}

cases! {
    a_missing_layer => {
        let mut image = honest();
        let gone = image.layers[1]["digest"].as_str().unwrap().to_owned();
        image.blobs.remove(&gone);
        run(image, &["pull blob"]);
    };
    a_missing_configuration => bent(
        |m| m["config"]["digest"] = json!(digest(b"never")), &["pull blob"]
    );
    a_layer_with_a_wrong_diff_id => {
        let mut image = honest();
        image.config["rootfs"]["diff_ids"][1] = json!(digest(b"another"));
        run(image, &["its bytes have the digest"]);
    };
    layers_in_the_wrong_order => {
        let mut image = honest();
        image.layers.reverse();
        run(image, &["its bytes have the digest"]);
    };
    a_layer_of_other_bytes => {
        let mut image = honest();
        let name = image.layers[0]["digest"].as_str().unwrap().to_owned();
        let size = image.blobs[&name].len();
        image.blobs.insert(name, vec![7; size]);
        run(image, &["digest"]);
    };
    a_layer_longer_than_said => {
        let mut image = honest();
        image.layers[0]["size"] = json!(100);
        run(image, &["pull blob"]);
    };
    a_layer_shorter_than_said => {
        let mut image = honest();
        image.layers[0]["size"] = json!(1_000_000);
        run(image, &["pull blob"]);
    };
    a_negative_layer_size => bent(|m| m["layers"][0]["size"] = json!(-1), &["manifest"]);
    a_fractional_layer_size => bent(|m| m["layers"][0]["size"] = json!(1.5), &["manifest"]);
    a_layer_size_beyond_numbers => bent(|m| m["layers"][0]["size"] = json!(1e30), &["manifest"]);
    a_configuration_of_an_exabyte => bent(|m| m["config"]["size"] = json!(1u64 << 60), &["configuration", "larger"]);
    a_layer_named_by_md5 => bent(
        |m| m["layers"][0]["digest"] = json!("md5:d41d8cd98f00b204e9800998ecf8427e"), &["manifest"]
    );
    a_digest_that_is_a_path => bent(
        |m| m["layers"][0]["digest"] = json!("sha256:../../../../etc/passwd"), &["manifest"]
    );
    a_digest_with_a_line_break => bent(
        |m| m["layers"][0]["digest"] = json!(format!("sha256:{}\n", "a".repeat(64))), &["manifest"]
    );
    more_diff_ids_than_layers => {
        let mut image = honest();
        image.layers.pop();
        run(image, &["layers"]);
    };
    more_layers_than_diff_ids => {
        let mut image = honest();
        image.config["rootfs"]["diff_ids"].as_array_mut().unwrap().pop();
        run(image, &["layers"]);
    };
    ten_thousand_layers => {
        let layers: Vec<_> = (0..10_000).map(|n| archive(&[file(&format!("f{n}"), b"")])).collect();
        run(image(&layers), &["10000 layers", "500"]);
    };
    a_layer_of_unknown_type => {
        let mut image = honest();
        image.layers[0]["mediaType"] = json!("application/x-surprise");
        // What the bytes are decides; they are a tar, and its digest is right.
        let manifest = serde_json::to_vec(&image.finish()).unwrap();
        let web = serve(manifest, MANIFEST, image.blobs);
        let lab = Lab::new(Who::Caller);
        let outcome = lab.run(&["image", "run", "--rm", &format!("{}/x:1", web.host)]);
        outcome.failure(&["/bin/true"]);
    };
    a_layer_that_is_no_archive => run(image(&[vec![b'x'; 5000]]), &["read layer", "header"]);
    a_layer_that_leads_outside => run(image(&[archive(&[file("../../etc/evil", b"1")])]), &["read layer", "`..`"]);
    a_layer_with_a_hard_link_outside => {
        let link = crate::tar::hardlink("h", "etc/passwd");
        run(image(&[archive(&[symlink("etc", "/etc"), link])]), &["link to"]);
    };
    a_foreign_layer => {
        let mut image = honest();
        let layer = &mut image.layers[0];
        layer["mediaType"] = json!("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
        layer["urls"] = json!(["http://127.0.0.1:1/layer"]);
        let gone = layer["digest"].as_str().unwrap().to_owned();
        image.blobs.remove(&gone);
        run(image, &["pull blob"]);
    };
    a_chart_instead_of_an_image => bent(
        |m| m["config"]["mediaType"] = json!("application/vnd.cncf.helm.config.v1+json"), &["artifact"]
    );
    a_configuration_that_is_no_json => {
        let mut image = honest();
        let mut manifest = image.finish();
        manifest["config"] = descriptor(CONFIG, b"{not json");
        image.blobs.insert(digest(b"{not json"), b"{not json".to_vec());
        refused_from(&serve(serde_json::to_vec(&manifest).unwrap(), MANIFEST, image.blobs), &["configuration", "JSON"]);
    };
    a_configuration_100000_brackets_deep => {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes();
        let mut image = honest();
        let mut manifest = image.finish();
        manifest["config"] = descriptor(CONFIG, &deep);
        image.blobs.insert(digest(&deep), deep);
        refused_from(&serve(serde_json::to_vec(&manifest).unwrap(), MANIFEST, image.blobs), &["configuration"]);
    };
    a_configuration_for_another_machine => {
        let mut image = honest();
        image.config["architecture"] = json!("pdp11");
        let manifest = serde_json::to_vec(&image.finish()).unwrap();
        let web = serve(manifest, MANIFEST, image.blobs);
        let lab = Lab::new(Who::Caller);
        let outcome = lab.run(&["image", "run", "--rm", &format!("{}/x:1", web.host)]);
        outcome.failure(&["pdp11", "--platform"]);
    };
    a_user_nobody_knows => {
        let mut image = honest();
        image.config["config"]["User"] = json!("nobody-at-all:../../x");
        let manifest = serde_json::to_vec(&image.finish()).unwrap();
        let web = serve(manifest, MANIFEST, image.blobs);
        Lab::new(Who::Caller).run(&["image", "run", "--rm", &format!("{}/x:1", web.host)]).failure(&["nobody-at-all"]);
    };
    a_manifest_that_is_no_json => manifest(b"<html>log in</html>".to_vec(), MANIFEST, &["manifest", "JSON"]);
    an_empty_manifest => manifest(Vec::new(), MANIFEST, &["manifest"]);
    a_manifest_of_schema_1 => manifest(
        br#"{"schemaVersion":1,"name":"x","fsLayers":[]}"#.to_vec(), "application/vnd.docker.distribution.manifest.v1+prettyjws",
        &["schema 1"],
    );
    a_manifest_of_10_megabytes => {
        let text = format!(r#"{{"schemaVersion":2,"x":"{}"}}"#, "y".repeat(10 << 20));
        manifest(text.into_bytes(), MANIFEST, &["manifest"]);
    };
    a_manifest_100000_brackets_deep => {
        let deep = format!(r#"{{"schemaVersion":2,"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        manifest(deep.into_bytes(), MANIFEST, &["manifest"]);
    };
    a_manifest_that_is_an_index_too => {
        let both = json!({"schemaVersion": 2, "manifests": [], "layers": [], "config": descriptor(CONFIG, b"{}")});
        manifest(serde_json::to_vec(&both).unwrap(), MANIFEST, &["both"]);
    };
    an_index_of_nothing => manifest(
        serde_json::to_vec(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []})).unwrap(), INDEX,
        &["no image for"],
    );
    an_index_of_100000_platforms => {
        let entry = |n: usize| json!({
            "mediaType": MANIFEST, "digest": digest(&n.to_le_bytes()), "size": 2,
            "platform": {"os": "plan9", "architecture": format!("a{n}")},
        });
        let list: Vec<_> = (0..15_000).map(entry).collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": list});
        manifest(serde_json::to_vec(&index).unwrap(), INDEX, &["no image for"]);
    };
    an_index_of_an_index => {
        let inner = serde_json::to_vec(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []})).unwrap();
        let arch = honest().config["architecture"].clone();
        let mut entry = descriptor(INDEX, &inner);
        entry["platform"] = json!({"os": "linux", "architecture": arch});
        let outer = serde_json::to_vec(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})).unwrap();
        let blobs = BTreeMap::from([(digest(&inner), inner)]);
        refused_from(&serve(outer, INDEX, blobs), &["index of indexes"]);
    };

    a_folder_without_its_manifest => layout(&descriptor(MANIFEST, b"never"), &[], &["not in the archive"]);
    a_folder_with_a_damaged_blob => {
        let mut image = honest();
        let bytes = serde_json::to_vec(&image.finish()).unwrap();
        let lab = Lab::new(Who::Caller);
        let folder = lab.path("layout");
        let blobs: Vec<&[u8]> = image.blobs.values().map(Vec::as_slice).chain([bytes.as_slice()]).collect();
        write_layout(&folder, &descriptor(MANIFEST, &bytes), &blobs);
        let name = &image.layers[0]["digest"].as_str().unwrap()[7..];
        let path = folder.join("blobs/sha256").join(name);
        let size = std::fs::metadata(&path).unwrap().len() as usize;
        std::fs::write(path, vec![1; size]).unwrap();
        let outcome = lab.run(&["image", "load", "-i", folder.to_str().unwrap()]);
        refused(&lab, outcome, &["digest"]);
    };
    a_folder_whose_blob_leads_to_a_file_outside => {
        let lab = Lab::new(Who::Caller);
        let folder = lab.path("layout");
        let entry = descriptor(MANIFEST, b"never");
        write_layout(&folder, &entry, &[]);
        let name = &entry["digest"].as_str().unwrap()[7..];
        std::os::unix::fs::symlink("/etc/passwd", folder.join("blobs/sha256").join(name)).unwrap();
        let outcome = lab.run(&["image", "load", "-i", folder.to_str().unwrap()]);
        assert!(!outcome.stderr.contains("root:"), "{outcome}");
        refused(&lab, outcome, &[]);
    };
    a_folder_whose_blob_is_a_pipe => {
        let lab = Lab::new(Who::Caller);
        let folder = lab.path("layout");
        let entry = descriptor(MANIFEST, b"never");
        write_layout(&folder, &entry, &[]);
        let name = folder.join("blobs/sha256").join(&entry["digest"].as_str().unwrap()[7..]);
        rustix::fs::mkfifoat(rustix::fs::CWD, &name, rustix::fs::Mode::RUSR).unwrap();
        let outcome = within(120, || lab.run(&["image", "load", "-i", folder.to_str().unwrap()]));
        refused(&lab, outcome, &[]);
    };
    a_folder_named_by_a_path => {
        let mut entry = descriptor(MANIFEST, b"never");
        entry["digest"] = json!("sha256:../../../etc/passwd");
        layout(&entry, &[], &["index.json"]);
    };
    an_archive_cut_short => {
        let bytes = archive(&[file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#), file("index.json", &[b' '; 5000])]);
        load(&bytes[..2048], &["cut short"]);
    };
    an_archive_of_dots => load(&archive(&[file("../index.json", b"{}")]), &["lead out"]);
    an_archive_whose_layer_is_a_link_outside => {
        let config = serde_json::to_vec(&honest().config).unwrap();
        let names = br#"[{"Config":"c.json","RepoTags":["x:1"],"Layers":["l1","l2"]}]"#;
        let parts = [file("c.json", &config), symlink("l1", "/etc/passwd"), symlink("l2", "l1"), file("manifest.json", names)];
        load(&archive(&parts), &["absolute"]);
    };
    an_archive_with_links_in_a_circle => {
        let config = serde_json::to_vec(&honest().config).unwrap();
        let names = br#"[{"Config":"c.json","RepoTags":["x:1"],"Layers":["l1","l2"]}]"#;
        let parts = [file("c.json", &config), symlink("l1", "l2"), symlink("l2", "l1"), file("manifest.json", names)];
        load(&archive(&parts), &["circle"]);
    };
    an_archive_without_its_layers => {
        let config = serde_json::to_vec(&honest().config).unwrap();
        let names = br#"[{"Config":"c.json","RepoTags":["x:1"],"Layers":["l1","l2"]}]"#;
        load(&archive(&[file("c.json", &config), file("manifest.json", names)]), &["l1", "not in the archive"]);
    };
    an_archive_that_is_a_bomb => {
        use std::io::Write as _;
        let mut packed = lapstrake::oci::compress::Compressor::new(Vec::new(), lapstrake::oci::compress::Compression::Gzip(9)).unwrap();
        for _ in 0..50 {
            packed.write_all(&vec![0; 1 << 20]).unwrap();
        }
        let lab = Lab::new(Who::Caller);
        let path = lab.path("bomb.tar.gz");
        std::fs::write(&path, packed.finish().unwrap()).unwrap();
        let path = path.to_str().unwrap();
        let outcome = lab.run(&["--max-layer-size", "10M", "image", "load", "-i", path]);
        refused(&lab, outcome, &["more than 10 MiB once decompressed", "LAP_MAX_LAYER_SIZE"]);
        lab.run(&["--max-layer-size", "10 parsecs", "image", "load", "-i", path]).failure(&["--max-layer-size"]);
    };
    a_layer_that_is_a_bomb => {
        let zeros = archive(&[file("zeros", &vec![0; 20 << 20])]);
        let mut image = image(&[zeros]);
        let manifest = serde_json::to_vec(&image.finish()).unwrap();
        let web = serve(manifest, MANIFEST, image.blobs);
        let lab = Lab::new(Who::Caller);
        let reference = format!("{}/x:1", web.host);
        let mut command = lab.command(&["image", "run", "--rm", &reference]);
        let outcome = Outcome::of(command.env("LAP_MAX_LAYER_SIZE", "5M").output().unwrap());
        refused(&lab, outcome, &["more than 5 MiB", "--max-layer-size"]);
        let mut command = lab.command(&["image", "run", "--rm", &reference]);
        let outcome = Outcome::of(command.env("LAP_MAX_LAYER_ENTRIES", "0").output().unwrap());
        refused(&lab, outcome, &["more than 0 entries", "--max-layer-entries"]);
    };
}
