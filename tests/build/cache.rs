//! Results of steps shared through registries, folders and images.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use crate::lab::{Lab, Outcome, Registry, Who, everybody};

/// Two stages; the RUNs give something else each time they run.
const TEXT: &str = "FROM scratch AS shell\n\
    COPY busybox /bin/busybox\n\
    RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n\
    FROM shell AS build\n\
    COPY src /src\n\
    RUN cat /src/a /proc/sys/kernel/random/uuid > /out\n\
    FROM shell\n\
    COPY --from=build /out /result\n\
    RUN cat /proc/sys/kernel/random/uuid > /last\n";

fn context(lab: &Lab) -> PathBuf {
    lab.busybox_context("c", &[("src/a", "a\n")])
}

/// Names of files below a folder that look like what is counted: blobs, unpacked layers.
fn count(folder: &Path, is_it: &dyn Fn(&Path) -> bool) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| {
            let path = entry.path();
            let deeper = path.is_dir() && !path.ends_with("fs");
            usize::from(is_it(&path)) + if deeper { count(&path, is_it) } else { 0 }
        })
        .sum()
}

fn unpacked(lab: &Lab) -> usize {
    count(&lab.store().join("snapshots"), &|path| {
        path.ends_with("fs") && path.components().any(|c| c.as_os_str() == "layers")
    })
}

/// Blobs of the store that are larger than documents are.
fn blobs(lab: &Lab) -> usize {
    count(&lab.store().join("blobs"), &|path| path.is_file() && path.metadata().unwrap().len() > 10_000)
}

fn made(outcome: &Outcome, made: usize, cached: usize) {
    let words = format!("{made} made, {cached} cached");
    assert!(outcome.stdout.contains(&words), "not {words}: {outcome}");
}

#[test]
fn a_fresh_store_takes_all_from_the_registry_and_moves_no_blob() {
    for who in everybody() {
        let lab = Lab::new(who);
        let registry = Registry::start(&lab);
        let (context, place) = (context(&lab), format!("{}/app/cache", registry.address));
        let flag = format!("type=registry,ref={place}");
        let first = lab.build(&context, TEXT, &["--cache-to", &flag]).success();
        made(&first, 6, 0);
        let lab = lab.with_store("second");
        let second = lab.build(&context, TEXT, &["--cache-from", &flag]).success();
        made(&second, 0, 6);
        assert_eq!(first.field("image"), second.field("image"));
        assert_eq!((unpacked(&lab), blobs(&lab)), (0, 0), "nothing had to run, so nothing was pulled");
        // What was found is known now.
        let again = lab.build(&context, TEXT, &[]).success();
        made(&again, 6, 0);
    }
}

#[test]
fn only_what_runs_pulls_and_only_what_it_stands_on() {
    let lab = Lab::new(Who::Caller);
    let registry = Registry::start(&lab);
    let (context, place) = (context(&lab), format!("{}/app/cache:main", registry.address));
    lab.build(&context, TEXT, &["--cache-to", &place]).success();
    let changed = TEXT.replace("> /last", "> /other");
    let lab = lab.with_store("second");
    let second = lab.build(&context, &changed, &["--cache-from", &place, "--cache-to", &place]).success();
    made(&second, 1, 5);
    assert_eq!(unpacked(&lab), 4, "three layers below, and the one that was made");
    // The new result is there for the third, together with the old ones.
    let lab = lab.with_store("third");
    let third = lab.build(&context, &changed, &["--cache-from", &place]).success();
    made(&third, 0, 6);
    assert_eq!(second.field("image"), third.field("image"));
    let old = lab.build(&context, TEXT, &["--cache-from", &place]).success();
    made(&old, 0, 6);
}

#[test]
fn the_first_wins_and_everybody_adopts_its_result() {
    let lab = Lab::new(Who::Caller);
    let registry = Registry::start(&lab);
    let (context, place) = (context(&lab), format!("{}/app/cache", registry.address));
    let first = lab.build(&context, TEXT, &["--cache-to", &place]).success();
    let lab = lab.with_store("second");
    // It does not look before, and finds out after each step.
    let second = lab.build(&context, TEXT, &["--cache-to", &place]).success();
    assert_eq!(first.field("image"), second.field("image"));
    let lab = lab.with_store("third");
    let alone = lab.build(&context, TEXT, &[]).success();
    assert_ne!(first.field("image"), alone.field("image"), "or this test says nothing");
    // A rebuild on demand replaces.
    let renewed = lab.build(&context, TEXT, &["--no-cache", "--cache-to", &place]).success();
    assert_ne!(first.field("image"), renewed.field("image"));
    let lab = lab.with_store("fourth");
    let fourth = lab.build(&context, TEXT, &["--cache-from", &place]).success();
    made(&fourth, 0, 6);
    assert_eq!(renewed.field("image"), fourth.field("image"));
}

#[test]
fn what_is_known_goes_from_registry_to_registry() {
    let lab = Lab::new(Who::Caller);
    let registry = Registry::start(&lab);
    let (context, place) = (context(&lab), format!("{}/app/cache", registry.address));
    let name = format!("{}/app/image:1", registry.address);
    lab.build(&context, TEXT, &["--cache-to", &place]).success();
    let lab = lab.with_store("second");
    let pushed = lab.build(&context, TEXT, &["--cache-from", &place, "-t", &name, "--push"]).success();
    made(&pushed, 0, 6);
    assert_eq!((unpacked(&lab), blobs(&lab)), (0, 0), "layers were mounted, not moved");
    let lab = lab.with_store("third");
    let run = lab.ok(&["image", "run", "--rm", &name, "/bin/cat", "/result"]);
    assert!(run.stdout.starts_with("a\n"), "{run}");
}

#[test]
fn an_image_from_another_cache_can_be_kept_saved_and_shared_on() {
    let lab = Lab::new(Who::Caller);
    let registry = Registry::start(&lab);
    let (context, place) = (context(&lab), format!("{}/app/cache", registry.address));
    let first = lab.build(&context, TEXT, &["--cache-to", &place]).success();
    let lab = lab.with_store("second");
    let kept =
        lab.build(&context, TEXT, &["--cache-from", &place, "-t", "app", "-o", "type=oci,dest=out/a.tar"]);
    made(&kept.success(), 0, 6);
    lab.ok(&["image", "check"]);
    let run = lab.ok(&["image", "run", "--rm", "app", "/bin/cat", "/result"]);
    assert!(run.stdout.starts_with("a\n"), "{run}");
    // Without the blobs that came, the unpacked layers give them again.
    lab.ok(&["image", "rm", "app"]);
    lab.ok(&["image", "prune"]);
    let other = format!("{}/other/cache", registry.address);
    let again = lab.build(&context, TEXT, &["-t", "app", "--cache-to", &other]).success();
    made(&again, 0, 6);
    let lab = lab.with_store("third");
    let third = lab.build(&context, TEXT, &["--cache-from", &other]).success();
    made(&third, 0, 6);
    assert_eq!(first.field("image"), third.field("image"));
}

/// Removes or changes the largest blobs of the registry.
fn damage(lab: &Lab, repository: &str, change: impl Fn(&Path)) {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                walk(&entry.path(), found);
            } else if entry.metadata().unwrap().len() > 100_000 {
                found.push(entry.path());
            }
        }
    }
    let mut found = Vec::new();
    walk(&lab.path("registry"), &mut found);
    found.retain(|path| path.to_str().unwrap().contains(repository));
    assert!(!found.is_empty(), "no large blob of {repository}");
    found.iter().for_each(|path| change(path));
}

#[test]
fn layers_that_are_gone_or_damaged_are_made_again_and_replaced() {
    type Damage = fn(&Path);
    let changes: [(&str, Damage); 2] = [
        ("gone", |path| fs::remove_file(path).unwrap()),
        ("damaged", |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[1000] ^= 1;
            fs::write(path, bytes).unwrap();
        }),
    ];
    for (what, change) in changes {
        let lab = Lab::new(Who::Caller);
        let registry = Registry::start(&lab);
        let (context, place) = (context(&lab), format!("{}/app/cache", registry.address));
        lab.build(&context, TEXT, &["--cache-to", &place]).success();
        damage(&lab, "app/cache", change);
        let changed = TEXT.replace("> /last", "> /other");
        let lab = lab.with_store("second");
        let healed = lab.build(&context, &changed, &["--cache-from", &place, "--cache-to", &place]).success();
        assert!(healed.stderr.contains("cannot be had, what made it runs again"), "{what}: {healed}");
        let lab = lab.with_store("third");
        let more = TEXT.replace("> /last", "> /more");
        let third = lab.build(&context, &more, &["--cache-from", &place]).success();
        if what == "gone" {
            assert!(!third.stderr.contains("cannot be had"), "{what}: {third}");
            made(&third, 1, 5);
        }
    }
}

#[test]
fn a_folder_and_an_image_carry_results_as_well() {
    let lab = Lab::new(Who::Caller);
    let registry = Registry::start(&lab);
    let context = context(&lab);
    let name = format!("{}/app/image:1", registry.address);
    let to = ["--cache-to", "type=local,dest=out/cache", "--cache-to", "type=inline", "-t", &name, "--push"];
    let first = lab.build(&context, TEXT, &to).success();
    let lab = lab.with_store("second");
    let folder = lab.build(&context, TEXT, &["--cache-from", "type=local,src=out/cache"]).success();
    made(&folder, 0, 6);
    let changed = TEXT.replace("> /last", "> /other");
    let more = lab.build(&context, &changed, &["--cache-from", "type=local,src=out/cache"]).success();
    made(&more, 1, 5);
    let lab = lab.with_store("third");
    let inline = lab.build(&context, TEXT, &["--cache-from", &name, "--cache-to", "type=inline"]).success();
    made(&inline, 0, 6);
    assert_eq!(first.field("image"), inline.field("image"));
    let changed = lab.build(&context, &changed, &["--cache-from", &name]).success();
    made(&changed, 1, 5);
    // A layer that is gone from the folder.
    let large = |path: &Path| path.is_file() && path.metadata().unwrap().len() > 100_000;
    for entry in fs::read_dir(lab.path("out/cache/blobs/sha256")).unwrap().flatten() {
        if large(&entry.path()) {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let lab = lab.with_store("fourth");
    let healed = lab.build(&context, TEXT, &["--cache-from", "type=local,src=out/cache"]).success();
    assert!(healed.stderr.contains("is damaged and not used"), "{healed}");
}

#[test]
fn min_shares_the_steps_of_the_image_only() {
    let lab = Lab::new(Who::Caller);
    let registry = Registry::start(&lab);
    let (context, place) = (context(&lab), format!("{}/app/cache", registry.address));
    lab.build(&context, TEXT, &["--cache-to", &format!("type=registry,ref={place},mode=min")]).success();
    let lab = lab.with_store("second");
    let all = lab.build(&context, TEXT, &["--cache-from", &place]).success();
    made(&all, 0, 6);
    let lab = lab.with_store("third");
    let build = lab.build(&context, TEXT, &["--cache-from", &place, "--target", "build"]).success();
    made(&build, 2, 2);
}

#[test]
fn places_that_do_not_answer_are_said() {
    let lab = Lab::new(Who::Caller);
    let context = context(&lab);
    let nobody = "127.0.0.1:9/app/cache";
    let text = "FROM scratch\nCOPY src /src\n";
    let from = lab.build(&context, text, &["--cache-from", nobody]).success();
    assert_eq!(from.stderr.matches("no results are taken from registry 127.0.0.1:9").count(), 1, "{from}");
    lab.build(&context, text, &["--cache-to", nobody]).failure(&["share the results", "127.0.0.1:9"]);
    let ignored = format!("type=registry,ref={nobody},ignore-error=true");
    let ignored = lab.build(&context, text, &["--cache-to", &ignored]).success();
    assert!(ignored.stderr.contains("results were not left in registry 127.0.0.1:9"), "{ignored}");
    for kind in ["gha", "s3", "azblob"] {
        let refused = lab.build(&context, text, &["--cache-to", &format!("type={kind}")]);
        refused.failure(&["type=registry,ref="]);
    }
}

#[test]
fn stages_can_be_forced_to_run() {
    let lab = Lab::new(Who::Caller);
    let context = context(&lab);
    let first = lab.build(&context, TEXT, &[]).success();
    let forced = lab.build(&context, TEXT, &["--no-cache-filter", "build"]).success();
    assert!(forced.stderr.contains("CACHED"), "{forced}");
    assert_ne!(first.field("image"), forced.field("image"));
    // What it led to is known from now on.
    let after = lab.build(&context, TEXT, &[]).success();
    made(&after, 0, 6);
    assert_eq!(forced.field("image"), after.field("image"));
    let unknown = lab.build(&context, TEXT, &["--no-cache-filter", "shell,nobody"]).success();
    assert!(unknown.stderr.contains("there is no such stage"), "{unknown}");
}

/// Speaks plain HTTP to the registry.
fn http(registry: &Registry, method: &str, path: &str, kind: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(&registry.address).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_cache_of_buildkit_is_named() {
    let lab = Lab::new(Who::Caller);
    let registry = Registry::start(&lab);
    let context = context(&lab);
    let digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let opened = http(&registry, "POST", "/v2/app/blobs/uploads/", "application/octet-stream", b"");
    let location = opened.lines().find_map(|line| line.strip_prefix("location: ")).unwrap().trim();
    let sign = if location.contains('?') { '&' } else { '?' };
    let path = location.trim_start_matches("http://").trim_start_matches(&registry.address);
    http(&registry, "PUT", &format!("{path}{sign}digest={digest}"), "application/octet-stream", b"{}");
    let manifest = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{{\"mediaType\":\
         \"application/vnd.buildkit.cacheconfig.v0\",\"digest\":\"{digest}\",\"size\":2}},\"layers\":[]}}"
    );
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let put = http(&registry, "PUT", "/v2/app/manifests/buildcache", kind, manifest.as_bytes());
    assert!(put.contains(" 201 "), "{put}");
    let flag = format!("type=registry,ref={}/app:buildcache", registry.address);
    let built = lab.build(&context, "FROM scratch\nCOPY src /src\n", &["--cache-from", &flag]).success();
    assert!(built.stderr.contains("is a cache that BuildKit wrote"), "{built}");
}
