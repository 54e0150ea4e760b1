//! Several builders of one project: turns, locks of a server, and what happens when there are none.

use std::io::{BufRead as _, BufReader, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::kills::Moments;
use crate::lab::{Lab, Outcome, Over, Registry, Who, everybody};
use crate::project::{Shop, lines};
use crate::servers::{debian, ports};

/// `lap synchronization` on loopback; it ends with the value.
pub struct Locks {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
}

impl Locks {
    pub fn start(lab: &Lab, address: &str) -> Self {
        Self::attempt(lab, address).unwrap_or_else(|| panic!("no lock server on {address}"))
    }

    /// `None` if somebody else has the address now.
    fn attempt(lab: &Lab, address: &str) -> Option<Self> {
        let mut child = Command::new(lab.path("lap"))
            .args(["synchronization", "--addr", address])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let locks = Self { child, address: line.trim().to_owned() };
        Some(locks).filter(|locks| !locks.address.is_empty())
    }

    /// Does `work` while the server is killed and started again, over and over.
    fn disturbed<T>(self, lab: &Lab, work: impl FnOnce() -> T) -> T {
        let (address, is_over) = (self.address.clone(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let _end = Over(&is_over);
            scope.spawn(|| {
                let mut server = Some(self);
                while !is_over.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(400));
                    drop(server.take());
                    server = Self::attempt(lab, &address);
                }
            });
            work()
        })
    }
}

impl Drop for Locks {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody else gets while a server that listened there is started again.
fn place_of_its_own() -> String {
    format!("127.0.0.1:{}", ports::free())
}

/// The first connection, or a failure if none comes.
fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let limit = Instant::now() + Duration::from_secs(120);
    loop {
        match listener.accept() {
            Ok((stream, _)) => return stream,
            Err(e) => assert!(e.kind() == ErrorKind::WouldBlock && Instant::now() < limit, "{e}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn begin(shop: &Shop<'_>, store: &str, arguments: &[&str]) -> Child {
    shop.command(store, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_builder_waits_for_another_and_takes_what_that_made() {
    for who in everybody() {
        let lab = Lab::new(who);
        let registry = Registry::start(&lab);
        let locks = Locks::start(&lab, "127.0.0.1:0");
        let server = format!("http://{}", locks.address);
        // Builders of one store know of each other by its files, those of two only by a server.
        for (name, synchronization, stores) in
            [("files", ":local", ["store", "store"]), ("server", server.as_str(), ["one", "two"])]
        {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let dockerfile = format!(
                "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"nc\", \"127.0.0.1\", \"{port}\"]\n\
                 RUN [\"/bin/busybox\", \"sh\", \"-c\", \"/bin/busybox cat /proc/sys/kernel/random/uuid > /id\"]\n"
            );
            let config = format!("project: {name}\nconfigVersion: 1\n---\nimage: slow\ndockerfile: D\n");
            let shop = Shop::of(&lab, name, &[("werf.yaml", &config), ("D", &dockerfile)]);
            let repo = format!("{}/{name}", registry.address);
            let arguments = ["build", "--repo", &repo, "--synchronization", synchronization];
            let first = begin(&shop, stores[0], &arguments);
            // Its step has begun, and ends when this connection does.
            let connection = accept(&listener);
            let mut second = begin(&shop, stores[1], &arguments);
            let mut said = BufReader::new(second.stderr.take().unwrap()).lines().map_while(Result::ok);
            let waits = said.any(|line| line.contains("waiting for another builder of slow"));
            assert!(waits, "the second did not wait with {synchronization}");
            drop(connection);
            let rest = std::thread::spawn(move || said.count());
            let first = Outcome::of(first.wait_with_output().unwrap()).success();
            let second = Outcome::of(second.wait_with_output().unwrap()).success();
            rest.join().unwrap();
            let (first, second) = (lines(&first), lines(&second));
            assert_eq!((first["slow"].1.as_str(), second["slow"].1.as_str()), ("built", "was there"));
            assert_eq!(first["slow"].0, second["slow"].0);
            let again = listener.accept().map(drop).map_err(|e| e.kind());
            assert_eq!(again, Err(ErrorKind::WouldBlock), "the step ran twice");
        }
        let tags = lab.ok(&["cr", "tags", &format!("{}/server", registry.address)]).stdout;
        assert_eq!(tags.lines().filter(|tag| tag.starts_with("client-id-")).count(), 1, "{tags}");
    }
}

/// What two reports of one commit have to agree on: everything but who did the work.
fn essence(report: &std::path::Path) -> Value {
    fn strip(value: &mut Value) {
        if let Value::Object(fields) = value {
            fields.retain(|name, _| !["Rebuilt", "BuildTime", "SourceType"].contains(&name.as_str()));
            fields.values_mut().for_each(strip);
        }
        if let Value::Array(items) = value {
            items.iter_mut().for_each(strip);
        }
    }
    let mut value: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    strip(&mut value["Images"]);
    value["Images"].take()
}

/// Twenty builders at once, each with a store of its own; what their reports agree on.
fn twenty(shop: &Shop<'_>, repo: &str, more: &[&str]) -> Value {
    let report = |n: usize| shop.lab.path("out").join(format!("report-{n}.json"));
    let builders: Vec<Child> = (0..20)
        .map(|n| {
            let report = report(n);
            let report = ["--save-build-report", "--build-report-path", report.to_str().unwrap()];
            let arguments: Vec<&str> =
                ["build", "--repo", repo].into_iter().chain(report).chain(more.iter().copied()).collect();
            begin(shop, &format!("store-{n}"), &arguments)
        })
        .collect();
    for builder in builders {
        Outcome::of(builder.wait_with_output().unwrap()).success();
    }
    let first = essence(&report(0));
    for n in 1..20 {
        assert_eq!(essence(&report(n)), first, "builder {n}");
    }
    first
}

/// The tags of a repository that follow from content: all but the name of its builders on a lock server.
fn tags(lab: &Lab, repo: &str) -> Vec<String> {
    let tags = lab.ok(&["cr", "tags", repo]).stdout;
    tags.lines().filter(|tag| !tag.starts_with("client-id-")).map(str::to_owned).collect()
}

/// Everything in the repository is as one builder alone would have left it, and every image is whole.
fn is_as_of_one(shop: &Shop<'_>, (repo, alone): (&str, &str), report: &Value) {
    shop.built("alone", &["--repo", alone]);
    assert_eq!(tags(shop.lab, repo), tags(shop.lab, alone));
    for (name, image) in report.as_object().unwrap() {
        let place = image["DockerImageName"].as_str().unwrap();
        let digest = shop.lab.ok(&["cr", "digest", place]).stdout;
        assert_eq!(image["DockerImageDigest"].as_str(), Some(digest.trim()), "{name}");
        shop.lab.ok(&["cr", "validate", place]);
    }
}

#[test]
fn twenty_builders_at_once_agree() {
    let lab = Lab::new(Who::Caller);
    let registry = Registry::start(&lab);
    let shop = Shop::new(&lab, "shop");
    let repo = |name: &str| format!("{}/{name}", registry.address);
    let report = twenty(&shop, &repo("many"), &[]);
    assert_eq!(report.as_object().unwrap().len(), 3);
    is_as_of_one(&shop, (&repo("many"), &repo("one")), &report);
}

#[test]
fn twenty_builders_agree_while_the_lock_server_is_killed_and_restarted() {
    let lab = Lab::new(everybody().pop().unwrap());
    let registry = debian("", "");
    let shop = Shop::new(&lab, "shop");
    let repo = |name: &str| format!("{}/{name}", registry.host);
    let locks = Locks::start(&lab, &place_of_its_own());
    let address = format!("http://{}", locks.address);
    let report =
        locks.disturbed(&lab, || twenty(&shop, &repo("many"), &["--synchronization", address.as_str()]));
    is_as_of_one(&shop, (&repo("many"), &repo("one")), &report);
}

/// Steps that a build made, by the plain view of what it did.
pub fn made(outcome: &Outcome) -> Vec<&str> {
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    let is_step =
        |line: &&&str| (line.contains("] RUN ") || line.contains("] COPY ")) && !line.contains("compressing");
    let was_made = |line: &&&str| {
        let number = line.split_whitespace().next().unwrap();
        !lines.contains(&format!("{number} CACHED").as_str())
    };
    lines.iter().filter(is_step).filter(was_made).copied().collect()
}

/// Builders killed in the midst of others, on every registry, with and without a lock server that is killed as well.
/// Twenty, or as many as `LAP_KILLS` says.
#[test]
fn killed_builders_damage_nothing() {
    const AT_ONCE: usize = 4;
    let kills = std::env::var("LAP_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20_usize);
    let everybody = everybody();
    let rounds = kills.div_ceil(AT_ONCE * everybody.len());
    for who in everybody {
        let lab = Lab::new(who);
        let shop = Shop::new(&lab, "shop");
        let (ours, debians) = (Registry::start(&lab), debian("", ""));
        let begun = Instant::now();
        let expected = shop.built("measure", &["--repo", &format!("{}/measure", ours.address)]);
        let (whole, mut moments) = (begun.elapsed(), Moments(0x6d61_6e79));
        for round in 0..rounds {
            let host = if round % 2 == 0 { &ours.address } else { &debians.host };
            let repo = format!("{host}/round-{round}");
            let locks = (round % 4 > 1).then(|| Locks::start(&lab, &place_of_its_own()));
            let place =
                locks.as_ref().map_or(":local".to_owned(), |locks| format!("http://{}", locks.address));
            let arguments = ["build", "--repo", &repo, "--synchronization", &place];
            let mut work = || {
                let survivor = begin(&shop, "survivor", &arguments);
                let victims = (0..AT_ONCE).map(|n| {
                    let mut command = shop.command(&format!("victim-{n}"), &arguments);
                    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
                    (moments.below(whole * 2), child)
                });
                let mut victims: Vec<(Duration, Child)> = victims.collect();
                victims.sort_by_key(|(moment, _)| *moment);
                let began = Instant::now();
                for (moment, mut victim) in victims {
                    std::thread::sleep(moment.saturating_sub(began.elapsed()));
                    // It may have ended before.
                    let _ = victim.kill();
                    victim.wait().unwrap();
                }
                Outcome::of(survivor.wait_with_output().unwrap()).success()
            };
            let outcome = match locks {
                Some(locks) => locks.disturbed(&lab, work),
                None => work(),
            };
            for (image, (name, _)) in lines(&outcome) {
                let tag = |name: &str| name.rsplit(':').next().unwrap().to_owned();
                assert_eq!(tag(&name), tag(&expected[&image].0), "{image}");
                lab.ok(&["cr", "validate", &name]);
            }
            let empty = shop.run_in("empty", &["build", "--repo", &repo]).success();
            assert_eq!(made(&empty), Vec::<&str>::new(), "{empty}");
            // What a killed one left in its store is of use, or not in the way.
            if round + 1 == rounds {
                let again = shop.run_in("victim-0", &["build", "--repo", &format!("{repo}-again")]).success();
                assert_eq!(lines(&again).len(), expected.len());
                shop.run_in("victim-0", &["image", "check"]).success();
            }
            // Without the images the records of their steps are enough.
            if host == &ours.address {
                lines(&outcome).values().for_each(|(name, _)| drop(lab.ok(&["cr", "delete", name])));
                let steps = shop.run_in("records", &["build", "--repo", &repo, "base", "api"]).success();
                assert_eq!(made(&steps), Vec::<&str>::new(), "{steps}");
            }
            for store in ["survivor", "empty", "records", "victim-0", "victim-1", "victim-2", "victim-3"] {
                let _ = std::fs::remove_dir_all(lab.path(store));
            }
        }
    }
}

#[test]
fn one_commit_is_the_same_in_other_places_and_for_other_users() {
    let everybody = everybody();
    let labs: Vec<Lab> = everybody.iter().chain(&everybody[..1]).map(|who| Lab::new(*who)).collect();
    let registry = Registry::start(&labs[0]);
    let built = labs.iter().enumerate().map(|(n, lab)| {
        let shop = Shop::new(lab, &format!("{}clone", "deeper/".repeat(n)));
        let report = lab.path("out/report.json");
        let repo = format!("{}/place-{n}", registry.address);
        let report_path = report.to_str().unwrap();
        shop.built("store", &["--repo", &repo, "--save-build-report", "--build-report-path", report_path]);
        let essence = essence(&report);
        let images = essence.as_object().unwrap().iter().map(|(name, image)| {
            let field = |name: &str| image[name].as_str().unwrap().to_owned();
            (name.clone(), ["DockerTag", "DockerImageDigest", "DockerImageID", "Commit"].map(field))
        });
        images.collect::<Vec<_>>()
    });
    let built: Vec<_> = built.collect();
    assert!(built.len() > 1 && built[0].len() == 3);
    for other in &built[1..] {
        assert_eq!(*other, built[0]);
    }
}
