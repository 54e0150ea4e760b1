//! Outputs, read by other people's programs: skopeo, umoci, podman, tar.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::lab::{Lab, Registry, Who, everybody};

const IMAGE: &str = "FROM scratch\nCOPY file /dir/file\nCOPY other /other\nLABEL a=b\nCMD [\"/x\"]\n";

fn lab(who: Who) -> (Lab, std::path::PathBuf) {
    let lab = Lab::new(who);
    let context = lab.context("c", &[("file", "content\n"), ("other", "more\n")]);
    (lab, context)
}

/// What another program says; it has to succeed.
#[track_caller]
fn tool(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|e| panic!("{program}: {e}: run tests/prepare"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}: {out}{err}");
    out.into_owned()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The manifest of a layout's only image, and the descriptor in its index.
fn layout(folder: &Path) -> (Value, Value) {
    let descriptor = json(&folder.join("index.json"))["manifests"][0].clone();
    let digest = descriptor["digest"].as_str().unwrap().trim_start_matches("sha256:");
    (json(&folder.join("blobs/sha256").join(digest)), descriptor)
}

#[test]
fn other_programs_read_every_kind() {
    for who in everybody() {
        let (lab, context) = lab(who);
        let outputs = [
            "-o",
            "type=oci,dest=out/oci.tar",
            "-o",
            "type=oci,dest=out/oci,tar=false,compression-level=9",
            "-o",
            "type=docker,dest=out/docker.tar",
            "-o",
            "out/files",
            "-o",
            "type=tar,dest=out/tree.tar",
            "-o",
            "type=local,dest=out/split,platform-split=true",
            "-o",
            "type=cacheonly",
            "-t",
            "shop:1",
        ];
        lab.build(&context, IMAGE, &outputs).success();
        let place = |name: &str| lab.path(name).to_str().unwrap().to_owned();
        let digests: Vec<String> = ["oci-archive:", "docker-archive:"]
            .iter()
            .zip([place("out/oci.tar"), place("out/docker.tar")])
            .map(|(kind, path)| {
                let config = tool("skopeo", &["inspect", "--config", &format!("{kind}{path}")]);
                let config: Value = serde_json::from_str(&config).unwrap();
                assert_eq!(config["config"]["Labels"]["a"], "b");
                config["rootfs"]["diff_ids"].to_string()
            })
            .collect();
        assert_eq!(digests[0], digests[1]);
        // What docker load does: read the config and the layers that manifest.json names.
        let copied = place("copied");
        tool(
            "skopeo",
            &[
                "copy",
                "-q",
                &format!("docker-archive:{}:shop:1", place("out/docker.tar")),
                &format!("dir:{copied}"),
            ],
        );
        tool(
            "umoci",
            &["unpack", "--rootless", "--image", &format!("{}:1", place("out/oci")), &place("bundle")],
        );
        assert_eq!(fs::read_to_string(lab.path("bundle/rootfs/dir/file")).unwrap(), "content\n");
        assert_eq!(fs::read_to_string(lab.path("out/files/other")).unwrap(), "more\n");
        assert!(lab.path("out/split").join(split_name()).join("dir/file").exists());
        assert_eq!(tool("tar", &["tf", &place("out/tree.tar")]), "dir/\ndir/file\nother\n");
    }
}

fn split_name() -> String {
    lapstrake::base::Platform::host().to_string().replace('/', "_")
}

#[test]
fn a_docker_archive_has_the_shape_docker_loads() {
    let (lab, context) = lab(Who::Caller);
    lab.build(&context, IMAGE, &["-t", "example.org/shop:2", "-o", "type=docker,dest=out/docker.tar"])
        .success();
    let folder = lab.path("docker");
    fs::create_dir(&folder).unwrap();
    tool("tar", &["xf", lab.path("out/docker.tar").to_str().unwrap(), "-C", folder.to_str().unwrap()]);
    let images = json(&folder.join("manifest.json"));
    assert_eq!(images[0]["RepoTags"], serde_json::json!(["example.org/shop:2"]));
    let config = json(&folder.join(images[0]["Config"].as_str().unwrap()));
    let layers = images[0]["Layers"].as_array().unwrap();
    assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), layers.len());
    for layer in layers {
        tool("tar", &["tzf", folder.join(layer.as_str().unwrap()).to_str().unwrap()]);
    }
}

#[test]
fn podman_loads_a_docker_archive() {
    let (lab, context) = lab(Who::Caller);
    let flags = ["-t", "example.org/shop:2", "-t", "other:1", "-o", "type=docker,dest=out/docker.tar"];
    lab.build(&context, IMAGE, &flags).success();
    let place = |name: &str| lab.path(name).to_str().unwrap().to_owned();
    let (root, run, temporary) = (place("podman/root"), place("podman/run"), place("podman/tmp"));
    let podman = |arguments: &[&str]| {
        let own = ["--root", &root, "--runroot", &run, "--tmpdir", &temporary, "--storage-driver", "vfs"];
        let quiet = ["--cgroup-manager", "cgroupfs", "--events-backend", "none"];
        tool("podman", &[own.as_slice(), &quiet, arguments].concat())
    };
    let said = podman(&["load", "-q", "-i", &place("out/docker.tar")]);
    assert!(said.contains("example.org/shop:2") && said.contains("other:1"), "{said}");
    let images: Value =
        serde_json::from_str(&podman(&["image", "inspect", "example.org/shop:2", "other:1"])).unwrap();
    assert_eq!(images[0]["Id"], images[1]["Id"]);
    assert_eq!((&images[0]["Labels"]["a"], &images[0]["Config"]["Cmd"][0]), (&"b".into(), &"/x".into()));
    // Saved by podman, the layers are the same again.
    podman(&["save", "-q", "--format", "oci-archive", "-o", &place("out/saved.tar"), "other:1"]);
    let config = tool("skopeo", &["inspect", "--config", &format!("oci-archive:{}", place("out/saved.tar"))]);
    let config: Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["rootfs"]["diff_ids"], images[0]["RootFS"]["Layers"]);
    assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 2);
}

#[test]
fn forms_of_a_layout() {
    let (lab, context) = lab(Who::Caller);
    let build = |name: &str, keys: &str| {
        let output = format!("type=oci,tar=false,dest=out/{name},{keys}");
        lab.build(&context, IMAGE, &["-t", "shop:1", "-o", &output]).success();
        layout(&lab.path("out").join(name))
    };
    let layer = |manifest: &Value| manifest["layers"][0]["mediaType"].as_str().unwrap().to_owned();
    let (plain, _) = build("plain", "compression=uncompressed");
    assert_eq!(layer(&plain), "application/vnd.oci.image.layer.v1.tar");
    let (zstd, _) = build("zstd", "compression=zstd,compression-level=1");
    assert_eq!(layer(&zstd), "application/vnd.oci.image.layer.v1.tar+zstd");
    let (docker, descriptor) = build("types", "oci-mediatypes=false");
    assert_eq!(layer(&docker), "application/vnd.docker.image.rootfs.diff.tar.gzip");
    assert_eq!(docker["config"]["mediaType"], "application/vnd.docker.container.image.v1+json");
    assert_eq!(descriptor["mediaType"], docker["mediaType"]);
    let (words, descriptor) = build("words", "annotation.a.b=c,annotation-manifest-descriptor.d=e");
    assert_eq!(words["annotations"], serde_json::json!({"a.b": "c"}));
    assert_eq!(descriptor["annotations"]["d"], "e");
    let (named, descriptor) = {
        let output = "type=oci,tar=false,dest=out/named,\"name=example.org/a:1,example.org/b:2\"";
        lab.build(&context, IMAGE, &["-o", output]).success();
        layout(&lab.path("out/named"))
    };
    assert!(named["annotations"].is_null());
    assert_eq!(descriptor["annotations"]["io.containerd.image.name"], "example.org/a:1");
}

#[test]
fn words_on_the_image_stay_with_it() {
    let (lab, context) = lab(Who::Caller);
    let flags =
        ["-t", "shop:1", "--annotation", "org.example.team=shop", "--annotation", "manifest-descriptor:x=y"];
    lab.build(&context, IMAGE, &flags).success();
    lab.ok(&["image", "save", "shop:1", "--format", "oci-dir", "-o", "out/saved"]);
    let (manifest, _) = layout(&lab.path("out/saved"));
    assert_eq!(manifest["annotations"]["org.example.team"], "shop");
    for (level, words) in
        [("index:a=b", "single platform"), ("manifest[linux/s390x]:a=b", "no platform linux/s390x")]
    {
        lab.build(&context, IMAGE, &["--annotation", level]).failure(&[words]);
    }
}

#[test]
fn pushed_forms() {
    let (lab, context) = lab(Who::Caller);
    let registry = Registry::start(&lab);
    let base = format!("{}/base:1", registry.address);
    lab.build(&context, IMAGE, &["-t", &base, "--push"]).success();
    // A store that has not seen the base: its layers have to come over to be compressed again.
    let lab = lab.with_store("other");
    let child = format!("FROM {base}\nCOPY other /two\n");
    let raw = |name: &str| {
        let place = format!("docker://{}/{name}", registry.address);
        serde_json::from_str::<Value>(&tool("skopeo", &["inspect", "--tls-verify=false", "--raw", &place]))
            .unwrap()
    };
    let types = |manifest: &Value| -> Vec<String> {
        let layers = manifest["layers"].as_array().unwrap().iter();
        layers
            .map(|layer| layer["mediaType"].as_str().unwrap().rsplit('.').next().unwrap().to_owned())
            .collect()
    };
    let push = |name: &str, keys: &str| {
        let output = format!("type=registry,name={}/{name},{keys}", registry.address);
        lab.build(&context, &child, &["-o", &output]).success()
    };
    push("zstd", "compression=zstd");
    assert_eq!(types(&raw("zstd")), ["tar+gzip", "tar+gzip", "tar+zstd"]);
    push("forced", "compression=zstd,force-compression=true,annotation.k=v");
    assert_eq!(types(&raw("forced")), ["tar+zstd", "tar+zstd", "tar+zstd"]);
    assert_eq!(raw("forced")["annotations"]["k"], "v");
    push("plain", "compression=uncompressed");
    assert_eq!(types(&raw("plain")), ["tar+gzip", "tar+gzip", "tar"]);
    push("docker", "oci-mediatypes=false");
    assert_eq!(types(&raw("docker")), ["gzip", "gzip", "gzip"]);
    tool(
        "skopeo",
        &[
            "copy",
            "-q",
            "--src-tls-verify=false",
            &format!("docker://{}/forced", registry.address),
            &format!("dir:{}", lab.path("forced").display()),
        ],
    );
    let built = push("digest", "push-by-digest=true");
    let digest = raw(&format!("digest@{}", built.field("digest")));
    assert_eq!(types(&digest).len(), 3);
    let place = format!("docker://{}/digest", registry.address);
    let tags = Command::new("skopeo").args(["list-tags", "--tls-verify=false", &place]).output().unwrap();
    assert!(!String::from_utf8_lossy(&tags.stdout).contains("latest"), "{tags:?}");
}

#[test]
fn times_are_rewritten_only_when_one_is_given() {
    let (lab, context) = lab(Who::Caller);
    let output = ["-o", "type=oci,tar=false,dest=out/x,rewrite-timestamp=true", "-t", "x"];
    lab.build(&context, IMAGE, &output)
        .failure(&["rewrite-timestamp=true needs a time", "--source-date-epoch"]);
    let mut flags = output.to_vec();
    flags.extend(["--source-date-epoch", "1000000000"]);
    lab.build(&context, IMAGE, &flags).success();
    let (manifest, _) = layout(&lab.path("out/x"));
    for layer in manifest["layers"].as_array().unwrap() {
        let digest = layer["digest"].as_str().unwrap().trim_start_matches("sha256:");
        let blob = lab.path("out/x/blobs/sha256").join(digest);
        let list = tool("tar", &["--utc", "--full-time", "-tvzf", blob.to_str().unwrap()]);
        assert!(list.lines().all(|line| line.contains("2001-09-09 01:46:40")), "{list}");
    }
}

#[test]
fn what_came_out_is_written_for_programs() {
    let (lab, context) = lab(Who::Caller);
    let flags = ["-q", "-t", "shop:1", "--iidfile", "out/id", "--metadata-file", "out/meta.json"];
    let odd = "FROM scratch\nENV A b\nCOPY file /\n";
    fs::write(context.join("Dockerfile"), odd).unwrap();
    let mut command = lab.command(&["image", "build"]);
    let output = command.args(flags).arg(&context).env("BUILDX_METADATA_WARNINGS", "1").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert_eq!(fs::read_to_string(lab.path("out/id")).unwrap(), id);
    let meta = json(&lab.path("out/meta.json"));
    assert_eq!(meta["containerimage.config.digest"], id.as_str());
    assert_eq!(meta["image.name"], "docker.io/library/shop:1");
    assert_eq!(meta["containerimage.descriptor"]["digest"], meta["containerimage.digest"]);
    assert_eq!(meta["containerimage.descriptor"]["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(meta["buildx.build.warnings"][0]["range"][0]["start"]["line"], 2);
}

#[test]
fn what_cannot_be_is_said_before_anything_runs() {
    let (lab, context) = lab(Who::Caller);
    for (flags, words) in [
        (&["--push"][..], "it has no name"),
        (&["-t", "a", "-o", "type=image,name=b"], "use one of them"),
        (&["-o", "type=oci,dest=x,compression=estargz"], "estargz"),
        (&["-o", "type=image,unpack=true"], "unpack=true does not apply"),
        (&["-o", "type=local"], "dest=PATH"),
    ] {
        let failed = lab.build(&context, IMAGE, flags).failure(&[words]);
        assert_eq!(failed.code, 2, "{failed}");
    }
    let kept = lab.build(&context, IMAGE, &["--load", "-o", "type=image,name=example.org/x:1"]).success();
    assert!(kept.stdout.contains("2 made here"), "{kept}");
    assert!(lab.ok(&["image", "ls"]).stdout.contains("example.org/x"));
}

#[test]
fn kaniko_jobs_move_over() {
    let (lab, context) = lab(Who::Caller);
    let registry = Registry::start(&lab);
    fs::write(context.join("Dockerfile"), IMAGE).unwrap();
    let name = format!("{}/team/shop:1", registry.address);
    let dir = format!("dir://{}", context.display());
    let flags = [
        "image",
        "build",
        "--context",
        &dir,
        "--dockerfile",
        "Dockerfile",
        "--destination",
        &name,
        "--digest-file",
        "out/digest",
        "--image-name-tag-with-digest-file",
        "out/named",
        "--tar-path",
        "out/image.tar",
        "--snapshot-mode=redo",
        "--use-new-run",
        "--cleanup",
        "--push-retry",
        "3",
        "--compression",
        "zstd",
    ];
    let built = lab.ok(&flags);
    let digest = fs::read_to_string(lab.path("out/digest")).unwrap();
    assert!(
        built.stderr.contains("change nothing here: --use-new-run, --snapshot-mode, --cleanup, --push-retry"),
        "{built}"
    );
    let place = format!("docker://{}/team/shop@{digest}", registry.address);
    let raw = tool("skopeo", &["inspect", "--tls-verify=false", "--raw", &place]);
    assert!(raw.contains("tar+zstd"), "{raw}");
    assert_eq!(fs::read_to_string(lab.path("out/named")).unwrap(), format!("{name}@{digest}\n"));
    assert!(lab.path("out/image.tar").exists());
    let quiet = lab.run(&["image", "build", "--no-push", "-d", "127.0.0.1:1/x", "c"]);
    assert_eq!(quiet.code, 0, "{quiet}");
    for (flag, words) in [
        ("--single-snapshot", "--single-snapshot asks for"),
        ("--cache-ttl=6h", "lap image prune"),
        ("--cache-everything", "unexpected argument"),
    ] {
        lab.run(&["image", "build", flag, "c"]).failure(&[words]);
    }
}
