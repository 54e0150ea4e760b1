//! `lap cr` as a user runs it, beside skopeo and umoci, on Debian's registry and our own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use lapstrake::base::BlobDigest;
use lapstrake::registry::{BlobRequest, serve};
use serde_json::Value;
use tempfile::TempDir;

use crate::servers::{MANIFEST, Server, client, cx, debian, embedded, manifest_of, name};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A user with a folder, two registries and a few images.
pub struct Desk {
    dir: TempDir,
    pub debian: Server,
    ours: Server,
    _runtime: tokio::runtime::Runtime,
}

pub struct Answer {
    pub code: i32,
    pub out: String,
    err: String,
}

impl Desk {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let ours = runtime.block_on(embedded(serve::Options::default()));
        Self { dir: tempfile::tempdir().unwrap(), debian: debian("", ""), ours, _runtime: runtime }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn try_lap(&self, line: &str) -> Answer {
        let output = Command::new(env!("CARGO_BIN_EXE_lap"))
            .args(line.split_whitespace())
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOME", self.dir.path())
            .env("PATH", "/usr/bin:/bin")
            .env("LAP_PROGRESS", "quiet")
            .output()
            .unwrap();
        Answer {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub fn lap(&self, line: &str) -> String {
        let Answer { code, out, err } = self.try_lap(line);
        assert_eq!(code, 0, "lap {line}: {err}");
        out
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.lap(line)).unwrap()
    }

    /// `lap LINE` fails and says these words.
    fn refused(&self, line: &str, words: &[&str]) {
        let Answer { code, out, err } = self.try_lap(line);
        assert_ne!(code, 0, "lap {line}: {out}");
        words.iter().for_each(|word| assert!(err.contains(word), "no {word:?} in {err}"));
    }

    /// An archive of what `fill` puts into a folder.
    fn layer(&self, name: &str, fill: impl FnOnce(&Path)) -> String {
        let folder = self.path(&format!("{name}.d"));
        fs::create_dir(&folder).unwrap();
        fill(&folder);
        let file = format!("{name}.tar");
        run(
            "tar",
            &["--numeric-owner", "--sort=name", "-C", folder.to_str().unwrap(), "-cf"],
            &self.path(&file),
        );
        file
    }

    /// `NAME:1` with three layers, in which everything happens that layers can do to each other.
    pub fn image(&self, repository: &str) -> String {
        let low = self.layer("low", |root| {
            fs::create_dir_all(root.join("usr/lib")).unwrap();
            fs::create_dir_all(root.join("data/old")).unwrap();
            fs::write(root.join("usr/lib/os-release"), "NAME=low\n").unwrap();
            symlink("usr/lib", root.join("lib")).unwrap();
            fs::write(root.join("data/old/f"), "old").unwrap();
            fs::write(root.join("first"), "same").unwrap();
            fs::hard_link(root.join("first"), root.join("second")).unwrap();
            fs::hard_link(root.join("first"), root.join("third")).unwrap();
            fs::write(root.join("turned"), "a file").unwrap();
        });
        let middle = self.layer("middle", |root| {
            fs::create_dir_all(root.join("usr/lib")).unwrap();
            fs::create_dir_all(root.join("data")).unwrap();
            fs::write(root.join("usr/lib/os-release"), "NAME=middle\n").unwrap();
            fs::write(root.join("data/.wh.old"), "").unwrap();
            fs::write(root.join("data/new"), "new").unwrap();
            fs::write(root.join(".wh.first"), "").unwrap();
            fs::create_dir(root.join("turned")).unwrap();
            fs::write(root.join("turned/inside"), "x").unwrap();
        });
        let high = self.layer("high", |root| {
            fs::create_dir_all(root.join("etc")).unwrap();
            symlink("../lib/os-release", root.join("etc/os-release")).unwrap();
        });
        run("gzip", &["-n"], &self.path(&middle));
        let name = format!("{repository}:1");
        self.lap(&format!("cr append -f {low} -f {middle}.gz -f {high} -t {name}"));
        name
    }
}

fn run(program: &str, arguments: &[&str], last: &Path) {
    let mut command = Command::new(program);
    command.args(arguments).arg(last);
    if program == "tar" {
        command.arg(".");
    }
    let output = command.output().unwrap_or_else(|e| panic!("{program} is missing: {e}; run tests/prepare"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Type, mode, size and name of everything below a folder.
fn tree(root: &Path) -> Vec<String> {
    let output = Command::new("find")
        .arg(root)
        .args(["-mindepth", "1", "-printf", "%y %m %n %P %l\n"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // The number of names of a directory is the file system's affair.
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| if line.starts_with('d') { line.replacen(' ', "/", 2) } else { line.to_owned() })
        .map(|line| match line.strip_prefix("d/") {
            Some(rest) => {
                let (mode, rest) = rest.split_once('/').unwrap();
                format!("d {mode} {}", rest.split_once(' ').unwrap().1)
            }
            None => line,
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn files_of_an_image_are_what_umoci_unpacks() {
    let desk = Desk::new();
    let image = desk.image(&format!("{}/team/app", desk.debian.host));
    assert_eq!(
        desk.lap(&format!("cr ls-files {image}")),
        "data\ndata/new\netc\netc/os-release\nlib\nsecond\nthird\nturned\nturned/inside\nusr\nusr/lib\n\
         usr/lib/os-release\n"
    );
    assert_eq!(
        desk.lap(&format!("cr ls-files {image} lib/ data")),
        "data\ndata/new\nusr/lib\nusr/lib/os-release\n"
    );
    assert_eq!(desk.lap(&format!("cr cat {image} /etc/os-release second data/new")), "NAME=middle\nsamenew");
    let listed = desk.json(&format!("cr ls-files -o json {image} /lib/os-release"));
    assert_eq!((listed[0]["size"].as_u64(), listed[0]["layer"].as_u64()), (Some(12), Some(2)));
    desk.refused(&format!("cr cat {image} data/old/f"), &["data/old/f", "no such file"]);
    desk.refused(&format!("cr cat {image} usr"), &["it is a directory"]);
    desk.lap(&format!("cr export {image} flat.tar"));
    let [ours, theirs] = ["ours", "theirs"].map(|name| desk.path(name));
    fs::create_dir(&ours).unwrap();
    let unpack = ["--numeric-owner", "-p", "-C", ours.to_str().unwrap(), "-xf"];
    let output = Command::new("tar").args(unpack).arg(desk.path("flat.tar")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let layout = format!("oci:{}:1", desk.path("layout").display());
    run(
        "skopeo",
        &["--insecure-policy", "copy", "-q", "--src-tls-verify=false", &format!("docker://{image}")],
        Path::new(&layout),
    );
    let from = format!("{}:1", desk.path("layout").display());
    run("umoci", &["unpack", "--rootless", "--image", &from], &theirs);
    assert_eq!(tree(&ours), tree(&theirs.join("rootfs")));
    assert_eq!(desk.lap(&format!("cr validate {image}")).split(':').next(), Some("PASS"));
    let flat = desk.json(&format!("cr flatten {image} -t {}/team/flat:1 -o json", desk.ours.host));
    let flat = flat["reference"].as_str().unwrap();
    let listed = desk.json(&format!("cr ls-files -o json {flat}"));
    assert!(listed.as_array().unwrap().iter().all(|file| file["layer"] == 1), "{listed}");
    assert!(desk.lap(&format!("cr ls-files -l {flat}")).contains("lib -> usr/lib"));
    assert_eq!(desk.lap(&format!("cr ls-files {flat}")), desk.lap(&format!("cr ls-files {image}")));
    assert_eq!(desk.lap(&format!("cr cat {flat} lib/os-release third")), "NAME=middle\nsame");
    assert!(desk.lap(&format!("cr validate {flat}")).starts_with("PASS: "));
}

#[test]
fn what_is_printed_is_what_the_registry_has() {
    let desk = Desk::new();
    let repository = format!("{}/team/app", desk.ours.host);
    let image = desk.image(&repository);
    let digest = desk.lap(&format!("cr digest {image}")).trim().to_owned();
    let manifest = desk.lap(&format!("cr manifest {image}"));
    assert_eq!(BlobDigest::of(manifest.as_bytes()).to_string(), digest);
    let parsed: Value = serde_json::from_str(&manifest).unwrap();
    let config = desk.lap(&format!("cr config {repository}@{digest}"));
    assert_eq!(BlobDigest::of(config.as_bytes()).to_string(), parsed["config"]["digest"].as_str().unwrap());
    let blob = format!("{repository}@{}", parsed["config"]["digest"].as_str().unwrap());
    assert_eq!(desk.lap(&format!("cr blob {blob}")), config);
    desk.refused(&format!("cr blob {repository}:1"), &["no digest says which one"]);
    desk.lap(&format!("cr tag {image} two"));
    assert_eq!(desk.lap(&format!("cr ls {repository}")), "1\ntwo\n");
    assert_eq!(
        desk.json(&format!("cr tags -o json --full-ref {repository}"))[1],
        format!("{repository}:two")
    );
    assert_eq!(desk.lap(&format!("cr catalog {}", desk.ours.host)), "team/app\n");
    assert_eq!(
        desk.lap(&format!("cr digest --full-ref {repository}:two")),
        format!("{repository}@{digest}\n")
    );
    desk.refused(&format!("cr digest {repository}:none"), &["none"]);
    desk.refused("cr optimize a b", &["left out", "flatten"]);
}

#[test]
fn copies_send_only_what_is_not_there() {
    let desk = Desk::new();
    let (here, there) = (format!("{}/a", desk.debian.host), format!("{}/b", desk.ours.host));
    let image = desk.image(&here);
    let first = desk.json(&format!("cr copy -o json {image} {there}:1"));
    assert_eq!(first[0]["blobs"]["sent"], 4, "{first}");
    let again = desk.json(&format!("cr copy -o json {image} {there}:1"));
    assert_eq!(again[0]["unchanged"], true, "{again}");
    let within = desk.json(&format!("cr copy -o json {image} {}/other/c:2", desk.debian.host));
    assert_eq!(
        (&within[0]["blobs"]["sent"], &within[0]["blobs"]["mounted"]),
        (&0.into(), &4.into()),
        "{within}"
    );
    desk.refused(&format!("cr copy -n {image} {there}:1"), &["--no-clobber"]);
    for tag in ["x", "y"] {
        desk.lap(&format!("cr mutate {image} -l tag={tag} -t {here}:{tag}"));
    }
    let before = desk.lap(&format!("cr digest {there}:1"));
    assert_eq!(desk.json(&format!("cr copy -a -n -o json {here} {there}")).as_array().unwrap().len(), 2);
    assert_eq!(desk.lap(&format!("cr ls {there}")), "1\nx\ny\n");
    assert_eq!(desk.lap(&format!("cr digest {there}:1")), before);
    assert_eq!(desk.lap(&format!("cr digest {there}:x")), desk.lap(&format!("cr digest {here}:x")));
    desk.refused(&format!("cr copy -a {image} {there}"), &["give repositories"]);
    desk.refused(&format!("cr copy {here}:none {there}:none"), &["none"]);
    assert_eq!(desk.lap(&format!("cr ls {there}")), "1\nx\ny\n", "what fails leaves no name");
}

#[test]
fn tags_go_alone_where_the_registry_can() {
    let desk = Desk::new();
    for (host, removes_tags) in [(&desk.ours.host, true), (&desk.debian.host, false)] {
        let repository = format!("{host}/app");
        let layer = desk.layer(&format!("l{removes_tags}"), |root| fs::write(root.join("f"), "f").unwrap());
        desk.lap(&format!("cr append -f {layer} -t {repository}:1"));
        desk.lap(&format!("cr tag {repository}:1 2"));
        if removes_tags {
            assert!(desk.lap(&format!("cr delete {repository}:1")).contains("tag removed"));
            assert_eq!(desk.lap(&format!("cr ls {repository}")), "2\n");
        } else {
            desk.refused(&format!("cr delete {repository}:1"), &["lap cr delete", "with every tag"]);
        }
        let digest = desk.lap(&format!("cr digest {repository}:2"));
        let deleted = desk.json(&format!("cr delete -o json {repository}@{digest}"));
        assert_eq!(deleted[0]["tag_only"], false);
        desk.refused(&format!("cr digest {repository}:2"), &[&repository]);
        desk.refused(&format!("cr delete {repository}"), &["neither tag nor digest"]);
    }
}

#[test]
fn a_registry_that_will_not_say_is_not_taken_for_an_empty_one() {
    use std::io::{BufRead as _, BufReader, Write as _};
    let desk = Desk::new();
    let layer = desk.layer("l", |root| fs::write(root.join("f"), "f").unwrap());
    desk.lap(&format!("cr append -f {layer} -t {}/app:1", desk.ours.host));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap();
    let (heard, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut first = String::new();
            let _ = reader.read_line(&mut first);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let _ = heard.send(first);
            let _ = reader
                .get_mut()
                .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    desk.refused(&format!("cr copy --no-clobber {}/app:1 {silent}/app:1", desk.ours.host), &["403"]);
    let asked: Vec<String> = asked.try_iter().collect();
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|line| line.starts_with("HEAD ") || line.starts_with("GET ")), "{asked:?}");
}

#[test]
fn an_index_that_names_nothing_is_not_changed() {
    let desk = Desk::new();
    let to = name(&desk.ours, "none:1");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let index = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[]}}"#);
    runtime.block_on(client().push_manifest(&cx(), &to, INDEX, index.as_bytes())).unwrap();
    let place = format!("{}/none", desk.ours.host);
    desk.refused(&format!("cr mutate {place}:1 -l a=b -t {place}:2"), &["names no image"]);
    assert_eq!(desk.lap(&format!("cr ls {place}")), "1\n");
}

#[test]
fn configurations_change_and_layers_stay() {
    let desk = Desk::new();
    let image = desk.image(&format!("{}/app", desk.ours.host));
    let made = desk.lap(&format!(
        "cr mutate {image} -t {0}/new:1 -e A=1 -e PATH=/b -l l=v -a note=x --entrypoint /run,-v -u 7:8 -w /w \
         --exposed-ports 80,53/udp --set-platform linux/arm64",
        desk.ours.host
    ));
    let new = made.trim();
    let config = desk.json(&format!("cr config --platform linux/arm64 {new}"));
    assert_eq!(
        config["config"],
        serde_json::json!({
            "Entrypoint": ["/run", "-v"], "Env": ["A=1", "PATH=/b"], "ExposedPorts": {"53/udp": {}, "80/tcp": {}},
            "Labels": {"l": "v"}, "User": "7:8", "WorkingDir": "/w"
        })
    );
    assert_eq!(config["architecture"], "arm64");
    let manifest = desk.json(&format!("cr manifest {new}"));
    assert_eq!(manifest["annotations"]["note"], "x");
    assert_eq!(manifest["layers"], desk.json(&format!("cr manifest {image}"))["layers"]);
    // Without a name the result is beside the image, and the image's name stays.
    let before = desk.lap(&format!("cr digest {image}"));
    let beside = desk.lap(&format!("cr mutate {image} --cmd a,b"));
    assert_eq!(desk.json(&format!("cr config {}", beside.trim()))["config"]["Cmd"][1], "b");
    assert_eq!(desk.lap(&format!("cr digest {image}")), before);
    desk.refused(&format!("cr mutate {image} --exposed-ports x"), &["PORT"]);
    fs::write(desk.path("no.tar"), "no archive at all, although it is long enough".repeat(40)).unwrap();
    desk.refused(&format!("cr append -b {image} -f no.tar -t {image}x"), &["no.tar"]);
    desk.refused("cr append -f no.tar", &["-t NAME:TAG"]);
    // An image of layers alone is of the kind that is asked for.
    let layers = |flag: &str| {
        let made = desk.lap(&format!("cr append -f low.tar {flag} -t {}/alone:1", desk.ours.host));
        let manifest = desk.json(&format!("cr manifest {}", made.trim()));
        let kind =
            |of: &Value| of["mediaType"].as_str().unwrap().split(['.', '+']).nth(1).unwrap().to_owned();
        [kind(&manifest), kind(&manifest["config"]), kind(&manifest["layers"][0])]
    };
    assert_eq!(
        (layers("").concat(), layers("--oci-empty-base").concat()),
        ("oci".repeat(3), "oci".repeat(3))
    );
    assert_eq!(layers("--docker-empty-base"), ["docker"; 3]);
    desk.refused(&format!("cr append -b {image} -f low.tar --docker-empty-base -t {image}x"), &["--base"]);
}

#[test]
fn a_base_is_replaced_by_another() {
    let desk = Desk::new();
    let host = &desk.debian.host;
    let layer = |name: &str, text: &str| {
        let text = text.to_owned();
        desk.layer(name, |root| fs::write(root.join("release"), text).unwrap())
    };
    let (old, new) = (layer("old", "1"), layer("new", "2"));
    let app = desk.layer("app", |root| fs::write(root.join("app"), "app").unwrap());
    desk.lap(&format!("cr append -f {old} -t {host}/base:1"));
    desk.lap(&format!("cr append -f {new} -t {host}/base:2"));
    desk.lap(&format!("cr append -b {host}/base:1 -f {app} -t {host}/app:1"));
    desk.refused(&format!("cr rebase {host}/app:1"), &["org.opencontainers.image.base.name", "--old-base"]);
    desk.refused(
        &format!("cr rebase {host}/app:1 --old-base {host}/base:2 --new-base {host}/base:1"),
        &["do not begin with"],
    );
    desk.lap(&format!(
        "cr rebase {host}/app:1 --old_base {host}/base:1 --new_base {host}/base:2 -t {host}/app:2"
    ));
    assert_eq!(desk.lap(&format!("cr cat {host}/app:2 release app")), "2app");
    assert!(desk.lap(&format!("cr validate {host}/app:2")).starts_with("PASS"));
    // Now the annotations tell; the base moved meanwhile.
    desk.lap(&format!("cr copy {host}/base:1 {host}/base:2"));
    desk.lap(&format!("cr rebase {host}/app:2 -t {host}/app:3"));
    assert_eq!(desk.lap(&format!("cr cat {host}/app:3 release")), "1");
}

#[test]
fn lists_are_changed_image_by_image_and_damage_is_found() {
    let desk = Desk::new();
    let to = name(&desk.ours, "multi:1");
    let layer = b"no archive but a layer by name".repeat(40);
    let config = |architecture: &str| {
        format!(
            r#"{{"architecture":"{architecture}","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            BlobDigest::of(b"another layer")
        )
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = client();
        let mut entries = Vec::new();
        for architecture in ["amd64", "arm64"] {
            let config = config(architecture).into_bytes();
            for bytes in [&layer, &config] {
                let digest = BlobDigest::of(bytes);
                let blob = BlobRequest::new(&to, &digest, bytes.len() as u64);
                client.push_blob(&cx(), &blob, bytes).await.unwrap();
            }
            let manifest = manifest_of(&config, &[&layer], "");
            let place = to.with_digest(BlobDigest::of(&manifest).digest().clone());
            let digest = client.push_manifest(&cx(), &place, MANIFEST, &manifest).await.unwrap();
            entries.push(format!(
                r#"{{"mediaType":"{MANIFEST}","digest":"{digest}","size":{},"platform":{{"os":"linux","architecture":"{architecture}"}}}}"#,
                manifest.len()
            ));
        }
        let index = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, entries.join(","));
        client.push_manifest(&cx(), &to, INDEX, index.as_bytes()).await.unwrap();
    });
    let list = format!("{}/multi:1", desk.ours.host);
    let Answer { code, out, .. } = desk.try_lap(&format!("cr validate {list}"));
    assert_eq!((code, out.matches("FAIL").count()), (1, 2), "{out}");
    assert!(desk.lap(&format!("cr validate --fast {list}")).contains("linux/arm64"));
    let labelled = desk.lap(&format!("cr mutate {list} -l a=b -t {list}x"));
    let labelled = labelled.trim();
    for platform in ["amd64", "arm64"] {
        let config = desk.json(&format!("cr config --platform linux/{platform} {labelled}"));
        assert_eq!(
            (&config["config"]["Labels"]["a"], &config["architecture"]),
            (&"b".into(), &platform.into())
        );
    }
    let one = format!("{}/one:1", desk.debian.host);
    desk.lap(&format!("cr copy --platform linux/arm64 {list} {one}"));
    assert!(desk.json(&format!("cr manifest {one}"))["config"].is_object());
    desk.lap(&format!("cr copy {list} {}/all:1", desk.debian.host));
    assert_eq!(
        desk.lap(&format!("cr digest {}/all:1", desk.debian.host)),
        desk.lap(&format!("cr digest {list}"))
    );
    desk.refused(&format!("cr config --platform linux/s390x {list}"), &["linux/amd64", "--platform"]);
    desk.refused(
        &format!("cr export --platform linux/arm64 {list}"),
        &["read the layers of", "broken tar header"],
    );
}
