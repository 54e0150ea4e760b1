//! Registries that refuse, lose and change things, and lock servers that lie, under builders of a project.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::lab::{Lab, Registry, Who, everybody};
use crate::meddling::{Asked, Meddler, Meddling};
use crate::project::{Shop, lines};

fn pass(_: &mut Asked) -> Meddling {
    Meddling::Pass
}

fn is_of_tag(asked: &Asked, method: &str) -> bool {
    asked.method == method
        && asked.path.split_once("/manifests/").is_some_and(|(_, tag)| !tag.starts_with("sha256:"))
}

#[test]
fn what_a_registry_may_refuse_is_not_needed() {
    let lab = Lab::new(Who::Caller);
    let registry = Registry::start(&lab);
    let meddler = Meddler::start(
        &registry.address,
        |asked| match asked.method.as_str() {
            "DELETE" | "PATCH" => Meddling::Refuse(405, "UNSUPPORTED"),
            "POST" if asked.path.contains("mount=") => Meddling::Refuse(405, "UNSUPPORTED"),
            "PUT" if asked.headers.contains_key("if-none-match") => Meddling::Refuse(400, "UNSUPPORTED"),
            _ => Meddling::Pass,
        },
        |_| {},
    );
    let shop = Shop::new(&lab, "shop");
    let repo = format!("{}/shop", meddler.address);
    let first = shop.built("store", &["--repo", &repo]);
    assert!(first.values().all(|(_, how)| how == "built"), "{first:?}");
    let again = shop.built("fresh", &["--repo", &repo]);
    assert!(again.values().all(|(_, how)| how == "was there"), "{again:?}");
    // Copies between its repositories are sent where they cannot be mounted.
    let other = format!("{}/other", meddler.address);
    let copied = shop.built("third", &["--repo", &other, "--secondary-repo", &repo]);
    assert!(copied.values().all(|(_, how)| how == "was there"), "{copied:?}");
}

#[test]
fn tags_that_never_change() {
    let lab = Lab::new(Who::Caller);
    let registry = Registry::start(&lab);
    let taken: Mutex<BTreeSet<String>> = Mutex::default();
    let meddler = Meddler::start(
        &registry.address,
        move |asked| match is_of_tag(asked, "PUT") && !taken.lock().unwrap().insert(asked.path.clone()) {
            true => Meddling::Refuse(409, "TAG_IMMUTABLE"),
            false => Meddling::Pass,
        },
        |_| {},
    );
    let shop = Shop::new(&lab, "shop");
    let repo = format!("{}/shop", meddler.address);
    let stable = ["--repo", &repo, "--add-custom-tag", "%image%-stable"];
    shop.built("store", &stable);
    for store in ["store", "fresh"] {
        let again = shop.built(store, &stable);
        assert!(again["api"].1 == "was there" && again.contains_key("tag"), "{again:?}");
    }
    shop.write("api/src/main.c", "changed\n");
    shop.commit();
    let arguments: Vec<&str> = ["build"].into_iter().chain(stable).collect();
    shop.run_in("store", &arguments).failure(&["api-stable"]);
    // The images themselves are there: only the name could not be given.
    let built = shop.built("store", &["--repo", &repo]);
    assert_eq!(built["api"].1, "was there");
}

/// Files below a folder whose content has `part` in it.
fn holding(folder: &Path, part: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, part));
        } else if fs::read(&path).unwrap().windows(part.len()).any(|window| window == part.as_bytes()) {
            found.push(path);
        }
    }
    found
}

/// Files below a folder with this name.
fn named(folder: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(named(&path, name));
        }
        if path.file_name().is_some_and(|own| own.to_string_lossy().contains(name)) {
            found.push(path);
        }
    }
    found
}

#[test]
fn what_is_lost_or_damaged_in_the_registry_is_made_again_and_said() {
    for who in everybody() {
        let lab = Lab::new(who);
        let registry = Registry::start(&lab);
        let root = lab.path("registry");
        let shop = Shop::new(&lab, "shop");
        let repo = format!("{}/shop", registry.address);
        let first = shop.built("store", &["--repo", &repo]);
        let digest = |name: &str| lab.ok(&["cr", "digest", name]).stdout.trim().to_owned();
        let before = digest(&first["base"].0);
        // The tag is gone: the image comes out of the records of its steps.
        lab.ok(&["cr", "delete", &first["base"].0]);
        let again = shop.run_in("empty-1", &["build", "--repo", &repo]).success();
        assert_eq!(crate::builders::made(&again), Vec::<&str>::new(), "{again}");
        assert_eq!(digest(&first["base"].0), before);
        // The image is there and its layers are not, when another one is to be built on it.
        let layers: serde_json::Value =
            serde_json::from_str(&lab.ok(&["cr", "manifest", &first["base"].0]).stdout).unwrap();
        let layer = layers["layers"][1]["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
        let gone = named(&root, &layer);
        assert!(!gone.is_empty(), "no {layer} below {}", root.display());
        for path in gone {
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        shop.write("api/src/main.c", "changed\n");
        shop.commit();
        let healed = shop.run_in("empty-2", &["build", "--repo", &repo]).success();
        assert!(healed.stderr.contains("base is damaged in the repository and is made again"), "{healed}");
        let built = lines(&healed);
        assert_eq!((built["base"].1.as_str(), built["api"].1.as_str()), ("built", "built"));
        for image in ["base", "api", "web"] {
            lab.ok(&["cr", "validate", &built[image].0]);
        }
        // Records that are something else count as absent.
        let tags = lab.ok(&["cr", "tags", &repo]).stdout;
        for tag in tags.lines().filter(|tag| tag.starts_with("lap-cache-")) {
            lab.ok(&["cr", "copy", &built["web"].0, &format!("{repo}:{tag}")]);
        }
        lab.ok(&["cr", "delete", &built["base"].0]);
        let replaced = shop.run_in("empty-3", &["build", "--repo", &repo, "base"]).success();
        assert!(replaced.stderr.contains("is not a record of a build step and not used"), "{replaced}");
        assert_eq!(lines(&replaced)["base"].1, "built");
        lab.ok(&["cr", "delete", &built["base"].0]);
        let known = shop.run_in("empty-4", &["build", "--repo", &repo, "base"]).success();
        assert_eq!(crate::builders::made(&known), Vec::<&str>::new(), "{known}");
        // A manifest that is garbage under its digest.
        let manifest = digest(&built["base"].0);
        for path in holding(&root, "\"rootfs\"").into_iter().chain(holding(&root, "layers")) {
            if path.to_string_lossy().contains(manifest.trim_start_matches("sha256:")) {
                fs::write(path, "{}").unwrap();
            }
        }
        shop.write("api/src/main.c", "changed again\n");
        shop.commit();
        let healed = shop.run_in("empty-5", &["build", "--repo", &repo]).success();
        assert!(healed.stderr.contains("base is damaged in the repository"), "{healed}");
        lab.ok(&["cr", "validate", &lines(&healed)["api"].0]);
    }
}

/// A project with one image that comes out different each time, and without records of its steps.
fn lottery<'l>(lab: &'l Lab, name: &str) -> Shop<'l> {
    let config = "project: p\nconfigVersion: 1\n---\nimage: a\nstaged: false\ndockerfile: D\n";
    let dockerfile = "FROM scratch\nCOPY busybox /bin/busybox\n\
        RUN [\"/bin/busybox\", \"sh\", \"-c\", \"/bin/busybox cat /proc/sys/kernel/random/uuid > /id\"]\n";
    Shop::of(lab, name, &[("werf.yaml", config), ("D", dockerfile)])
}

fn digest_of(report: &Path) -> String {
    let value: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    value["Images"]["a"]["DockerImageDigest"].as_str().unwrap().to_owned()
}

#[test]
fn who_comes_second_adopts_at_the_last_moment() {
    let lab = Lab::new(Who::Caller);
    let registry = Registry::start(&lab);
    let shop = lottery(&lab, "shop");
    let direct = format!("{}/p", registry.address);
    let report = |name: &str| lab.path("out").join(name);
    let arguments = |repo: &str, name: &str| {
        let report = report(name).to_str().unwrap().to_owned();
        ["build", "--repo", repo, "--save-build-report", "--build-report-path", &report].map(str::to_owned)
    };
    let words = |all: &[String]| all.iter().map(String::as_str).collect::<Vec<&str>>().join(" ");
    // Right before the first one's manifest arrives, another builder comes from the beginning to the end.
    let mut other =
        shop.command("two", &words(&arguments(&direct, "two.json")).split(' ').collect::<Vec<_>>());
    let is_first = AtomicBool::new(true);
    let other = Mutex::new(move || assert!(other.output().unwrap().status.success()));
    let meddler = Meddler::start(
        &registry.address,
        move |asked| {
            if is_of_tag(asked, "PUT") && is_first.swap(false, Ordering::SeqCst) {
                (other.lock().unwrap())();
            }
            Meddling::Pass
        },
        |_| {},
    );
    let through = format!("{}/p", meddler.address);
    let one = words(&arguments(&through, "one.json"));
    shop.run_in("one", &one.split(' ').collect::<Vec<_>>()).success();
    let tag = lines(&shop.run_in("three", &["build", "--repo", &direct]).success())["a"].0.clone();
    let stands = lab.ok(&["cr", "digest", &tag]).stdout.trim().to_owned();
    assert_eq!(digest_of(&report("two.json")), stands, "the first one was replaced");
    assert_eq!(digest_of(&report("one.json")), stands, "the second one did not adopt");
}

#[test]
fn where_the_last_one_wins_it_is_read_back() {
    let lab = Lab::new(Who::Caller);
    let registry = Registry::start(&lab);
    let shop = lottery(&lab, "shop");
    let other =
        lines(&shop.run_in("two", &["build", "--repo", &format!("{}/other", registry.address)]).success());
    let (other, lap) = (other["a"].0.clone(), lab.path("lap"));
    let host = registry.address.clone();
    let is_first = AtomicBool::new(true);
    // Right after the manifest arrived somebody replaces it.
    let meddler = Meddler::start(
        &registry.address,
        |asked| {
            asked.headers.remove("if-none-match");
            Meddling::Pass
        },
        move |asked| {
            if is_of_tag(asked, "PUT") && is_first.swap(false, Ordering::SeqCst) {
                let tag = asked.path.rsplit('/').next().unwrap();
                let copy = ["cr", "copy", &other, &format!("{host}/p:{tag}")].map(str::to_owned);
                assert!(std::process::Command::new(&lap).args(copy).output().unwrap().status.success());
            }
        },
    );
    let report = lab.path("out/one.json");
    let repo = format!("{}/p", meddler.address);
    let path = report.to_str().unwrap();
    let one =
        shop.run_in("one", &["build", "--repo", &repo, "--save-build-report", "--build-report-path", path]);
    let name = lines(&one.success())["a"].0.clone();
    assert_eq!(digest_of(&report), lab.ok(&["cr", "digest", &name]).stdout.trim());
}

/// A lock server that says `answer` to everything but who asks for a name.
fn liar(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut seen = Vec::new();
            let mut buffer = [0; 4096];
            while !seen.ends_with(b"}") {
                match stream.read(&mut buffer) {
                    Ok(count) if count > 0 => seen.extend_from_slice(&buffer[..count]),
                    _ => break,
                }
            }
            let body = match seen.starts_with(b"POST /new-client-id") {
                true => r#"{"err":"","clientID":"6f1b5c2e-0000-4000-8000-000000000001"}"#,
                false => answer,
            };
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all((head + body).as_bytes());
        }
    });
    address
}

#[test]
fn a_lock_server_that_lies_or_is_gone_ends_no_build() {
    let lab = Lab::new(Who::Caller);
    let registry = Registry::start(&lab);
    let shop = Shop::new(&lab, "shop");
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let servers = [
        gone,
        liar("hello"),
        liar(r#"{"lockHandle":{"uuid":"","lockName":""},"err":"no locks today"}"#),
        // It gives the same lock to everybody, under another name.
        liar(r#"{"lockHandle":{"uuid":"1","lockName":"x"},"err":""}"#),
    ];
    for (nth, server) in servers.iter().enumerate() {
        let repo = format!("{}/shop-{nth}", registry.address);
        let store = format!("store-{nth}");
        let outcome = shop.run_in(&store, &["build", "--repo", &repo, "-S", server]).success();
        let built = lines(&outcome);
        assert!(built.len() == 3 && built.values().all(|(_, how)| how == "built"), "{built:?}");
        let warnings = outcome.stderr.matches("the build goes on without locks").count();
        assert_eq!(warnings, usize::from(nth < 3), "{server}: {outcome}");
    }
    let refused = |address: &str, words: &[&str]| {
        let repo = format!("{}/shop", registry.address);
        let outcome = shop.run_in("store", &["build", "--repo", &repo, "-S", address]);
        assert_eq!(outcome.code, 2, "{outcome}");
        drop(outcome.failure(words));
    };
    refused("kubernetes://ns:context", &["Kubernetes", "lap synchronization"]);
    refused("somewhere", &["no place for locks"]);
}

#[test]
fn a_registry_between_passes_everything_on() {
    let lab = Lab::new(Who::Caller);
    let registry = Registry::start(&lab);
    let meddler = Meddler::start(&registry.address, pass, |_| {});
    let shop = Shop::new(&lab, "shop");
    assert_eq!(shop.built("store", &["--repo", &format!("{}/shop", meddler.address)]).len(), 3);
}
