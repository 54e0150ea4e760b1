//! What skopeo and tar say about our archives and our store, and what we say about theirs.

use std::path::Path;
use std::process::Command;

use lapstrake::base::{Platform, Reference};
use lapstrake::content::{NothingUnpacked, Store};
use lapstrake::ops::image_load::{self, Input};
use lapstrake::ops::image_save::{self, Output, Shape};

use crate::{cx, open, problems, worker};

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output =
        output.unwrap_or_else(|e| panic!("{program} cannot be run ({e}): apt-get install {program}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn skopeo(arguments: &[&str]) -> String {
    run("skopeo", &[&["--insecure-policy"], arguments].concat())
}

/// A store with the image `host.example/team/shop:1`, and its digest.
fn shop(path: &Path) -> (Store, String) {
    let store = open(path);
    worker::build(&store, 3, 1);
    let descriptor = store.images().unwrap()[0].descriptor.clone();
    store.untag(&store.images().unwrap()[0].reference).unwrap();
    store.tag(&"host.example/team/shop:1".parse().unwrap(), &descriptor).unwrap();
    (store, descriptor.digest.to_string())
}

fn save(store: &Store, shape: Shape, path: &Path) {
    let request = image_save::Request {
        images: vec!["host.example/team/shop:1".into()],
        shape,
        output: Output::Path(path.to_owned()),
        compression: None,
        platform: None,
        unpacked: &NothingUnpacked,
    };
    image_save::run(&cx(), store, request).unwrap();
}

fn load(store: &Store, path: &Path, names: &[&str]) -> Vec<image_load::Loaded> {
    let names = names.iter().map(|name| name.parse::<Reference>().unwrap()).collect();
    image_load::run(&cx(), store, image_load::Request { input: Input::Path(path.to_owned()), names }).unwrap()
}

#[test]
fn skopeo_reads_what_we_write_by_digest() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (store, digest) = shop(&dir.path().join("store"));
    let digest_of = |source: &str| skopeo(&["inspect", "--format", "{{.Digest}}", source]).trim().to_owned();
    // The store itself is a layout.
    assert_eq!(digest_of(&format!("oci:{}:host.example/team/shop:1", at("store"))), digest);
    save(&store, Shape::OciFolder, &dir.path().join("folder"));
    assert_eq!(digest_of(&format!("oci:{}:1", at("folder"))), digest);
    save(&store, Shape::OciArchive, &dir.path().join("oci.tar"));
    assert_eq!(digest_of(&format!("oci-archive:{}:1", at("oci.tar"))), digest);
    save(&store, Shape::DockerArchive, &dir.path().join("docker.tar"));
    // Docker's format has no digest of ours; its configuration is the same.
    let source = format!("docker-archive:{}:host.example/team/shop:1", at("docker.tar"));
    let image = store.image(&store.images().unwrap()[0].descriptor, &Platform::host()).unwrap();
    let config = skopeo(&["inspect", "--raw", "--config", &source]);
    assert_eq!(lapstrake::base::ImageId::of(config.as_bytes()), image.id());
    assert!(run("tar", &["-tf", &at("docker.tar")]).contains("manifest.json"));
}

#[test]
fn we_read_what_skopeo_writes_by_digest() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (_, digest) = shop(&dir.path().join("store"));
    let from = format!("oci:{}:host.example/team/shop:1", at("store"));
    skopeo(&["copy", "--preserve-digests", &from, &format!("oci-archive:{}:any", at("oci.tar"))]);
    skopeo(&["copy", "--preserve-digests", &from, &format!("oci:{}:any", at("folder"))]);
    skopeo(&["copy", &from, &format!("docker-archive:{}:team/shop:2", at("docker.tar"))]);
    let store = open(&dir.path().join("other"));
    for name in ["oci.tar", "folder"] {
        let loaded = load(&store, &dir.path().join(name), &["mine:1"]);
        assert_eq!((loaded.len(), &loaded[0].digest), (1, &digest), "{name}");
    }
    let loaded = load(&store, &dir.path().join("docker.tar"), &[]);
    assert_eq!(loaded[0].names[0].familiar(), "team/shop:2");
    assert_eq!(problems(&store), []);
    // What skopeo writes into our store is ours.
    skopeo(&["copy", "--preserve-digests", &from, &format!("oci:{}:host.example/copied:1", at("other"))]);
    let copied = store.resolve(&"host.example/copied:1".parse().unwrap()).unwrap().unwrap();
    assert_eq!(copied.digest.to_string(), digest);
    assert_eq!(problems(&store), []);
}
