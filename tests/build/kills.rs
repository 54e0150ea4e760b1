//! Kills at random moments of builds, exports, pushes and pulls while prune runs and is killed as well: the next run just
//! works, the store is whole, and nothing is left running, mounted or lying around that nobody knows.
//!
//! Two hundred kills, or as many as `LAP_KILLS` says.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime};

use crate::lab::{Lab, Registry, everybody};

/// Kills in all, spread over who runs and what is done.
fn kills() -> usize {
    std::env::var("LAP_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(200)
}

/// A small generator: the moments differ, the test is the same each time.
pub struct Moments(pub u64);

impl Moments {
    pub fn below(&mut self, limit: Duration) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        limit.mul_f64((self.0 >> 33) as f64 / f64::from(u32::MAX >> 1))
    }
}

fn start(lab: &Lab, arguments: &[String]) -> Child {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    lab.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Starts the command and a prune, kills each after a time of its own, and waits until both are gone.
fn kill_both(lab: &Lab, arguments: &[String], after: Duration, prune_after: Duration) {
    let (mut child, mut prune) = (start(lab, arguments), start(lab, &words(&["image", "prune"])));
    let (first, second) = (after.min(prune_after), after.max(prune_after));
    std::thread::sleep(first);
    let early = if after <= prune_after { &mut child } else { &mut prune };
    // It may have ended before.
    let _ = early.kill();
    early.wait().unwrap();
    std::thread::sleep(second - first);
    for late in [&mut child, &mut prune] {
        let _ = late.kill();
        late.wait().unwrap();
    }
}

fn words(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|word| (*word).to_owned()).collect()
}

fn finish(lab: &Lab, arguments: &[String]) {
    lab.ok(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
}

fn timed(lab: &Lab, arguments: &[String]) -> Duration {
    let begun = Instant::now();
    finish(lab, arguments);
    begun.elapsed()
}

/// Files and folders of the store that nobody can account for: what was half-made, after prune has had its turn.
fn unexplained(lab: &Lab) -> Vec<String> {
    fn walk(folder: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let parent = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_half_made = name.ends_with(".tmp")
                || matches!(parent.as_str(), "scratch" | "ingest" | "tmp" | "leases")
                || parent == "locks" && (name.contains("step-") || name.contains("unpack-"));
            if is_half_made {
                found.push(name);
            } else if path.is_dir() && !path.ends_with("fs") && !entry.path().is_symlink() {
                walk(&path, root, found);
            }
        }
    }
    // What is half-made is left alone for a day: it could be somebody's who is at work.
    fn age(folder: &Path) {
        let old = SystemTime::now() - Duration::from_secs(3 * 24 * 3600);
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                if !entry.path().ends_with("fs") {
                    age(&entry.path());
                }
            } else if let Ok(file) = std::fs::File::options().write(true).open(entry.path()) {
                let _ = file.set_modified(old);
            }
        }
    }
    for folder in ["records", "bases", "builds", "ingest"] {
        let folder = lab.store().join(folder);
        if folder.exists() {
            age(&folder);
        }
    }
    for entry in std::fs::read_dir(lab.store()).unwrap().flatten() {
        if entry.file_name().to_string_lossy().ends_with(".tmp") {
            let old = SystemTime::now() - Duration::from_secs(3 * 24 * 3600);
            std::fs::File::options().write(true).open(entry.path()).unwrap().set_modified(old).unwrap();
        }
    }
    lab.ok(&["image", "prune"]);
    let mut found = Vec::new();
    walk(&lab.store(), &lab.store(), &mut found);
    found
}

/// Processes and mounts of this machine that belong to the lab.
fn strays(lab: &Lab) -> Vec<String> {
    let place = lab.path("").display().to_string();
    let mut found: Vec<String> = std::fs::read_to_string("/proc/mounts")
        .unwrap()
        .lines()
        .filter(|line| line.contains(&place))
        .map(|line| format!("mount {line}"))
        .collect();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(exe) = std::fs::read_link(entry.path().join("exe")) else { continue };
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if exe.starts_with(lab.path("lap")) && !command.contains("registry serve") {
            found.push(format!("process {} {command}", entry.file_name().display()));
        }
    }
    found
}

fn no_strays(lab: &Lab) {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        let found = strays(lab);
        if found.is_empty() {
            return;
        }
        assert!(Instant::now() < limit, "left behind as {:?}: {found:#?}", lab.who());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn killed_at_any_moment() {
    let everybody = everybody();
    let each = kills().div_ceil(everybody.len() * 6);
    for who in everybody {
        let lab = Lab::new(who);
        let registry = Registry::start(&lab);
        let context = lab.busybox_context("c", &[("data", &"line of data\n".repeat(100_000))]);
        let text = "FROM scratch\nARG N\nCOPY busybox /bin/busybox\nCOPY data /data\n\
                    RUN [\"/bin/busybox\", \"sh\", \"-c\", \"/bin/busybox cp /data /copy.$N; /bin/busybox sleep 0.02\"]\n\
                    RUN [\"/bin/busybox\", \"rm\", \"/data\"]\n";
        std::fs::write(context.join("Dockerfile"), text).unwrap();
        // What this one makes is compressed for a while, and sent meanwhile.
        let large = lab.busybox_context("large", &[]);
        let text = "FROM scratch\nARG N\nCOPY busybox /bin/busybox\n\
                    RUN [\"/bin/busybox\", \"sh\", \"-c\", \"/bin/busybox yes $N | /bin/busybox head -c 40000000 > /large\"]\n\
                    RUN [\"/bin/busybox\", \"sleep\", \"0.02\"]\n";
        std::fs::write(large.join("Dockerfile"), text).unwrap();
        let name = |n: usize| format!("{}/kill:{n}", registry.address);
        let build = |n: usize| {
            words(&["image", "build", "--no-cache", "-t", &name(n), "--build-arg", &format!("N={n}"), "c"])
        };
        let cached = |n: usize| {
            let output = "type=oci,dest=out/export.tar";
            words(&["image", "build", "-t", &name(n), "--build-arg", &format!("N={n}"), "-o", output, "c"])
        };
        let whole_way = |n: usize| {
            let (name, argument) = (format!("{}/way-{n}/x:1", registry.address), format!("N=way-{n}"));
            words(&["image", "build", "-t", &name, "--push", "--build-arg", &argument, "large"])
        };
        let save = |_: usize| words(&["image", "save", "-o", "out/saved.tar", &name(0)]);
        let push =
            |n: usize| words(&["image", "push", &name(0), &format!("{}/pushed-{n}/x:1", registry.address)]);
        let mut moments = Moments(0x6c61_7073);
        let mut round = |lab: &Lab, command: &dyn Fn(usize) -> Vec<String>, between: &dyn Fn(&Lab)| {
            between(lab);
            let whole = timed(lab, &command(0));
            for n in 1..=each {
                between(lab);
                kill_both(lab, &command(n), moments.below(whole), moments.below(whole));
                if n % 10 == 0 || n == each {
                    finish(lab, &command(n));
                    no_strays(lab);
                }
            }
        };
        round(&lab, &build, &|_| {});
        round(&lab, &cached, &|_| {});
        round(&lab, &save, &|_| {});
        round(&lab, &push, &|_| {});
        // Layers are compressed while later steps run, and sent while they are compressed.
        round(&lab, &whole_way, &|_| {});
        // Everything that was pushed came whole, or not at all.
        let pushed = format!("{}/pushed-{each}/x:1", registry.address);
        let pull = |_: usize| words(&["image", "pull", &pushed]);
        let first = lab.store().file_name().unwrap().to_str().unwrap().to_owned();
        let mut lab = lab.with_store("pulled");
        round(&lab, &pull, &|lab| {
            lab.run(&["image", "rm", &pushed]);
            lab.ok(&["image", "prune"]);
        });
        for store in ["pulled", &first] {
            lab = lab.with_store(store);
            lab.ok(&["image", "check"]);
            let found = unexplained(&lab);
            assert!(found.is_empty(), "in {store} as {who:?}: {found:#?}");
            lab.ok(&["image", "check"]);
        }
        let outputs = std::fs::read_dir(lab.path("out")).unwrap().flatten();
        let finished = outputs.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
        assert_eq!(finished.count(), 2, "only whole outputs have their names");
        no_strays(&lab);
    }
}

#[test]
fn stopped_with_a_signal_it_ends_at_once_and_keeps_what_is_finished() {
    for who in everybody() {
        let lab = Lab::new(who);
        let context = lab.busybox_context("c", &[]);
        let text = "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"true\"]\n\
                    RUN [\"/bin/busybox\", \"sleep\", \"600\"]\n";
        std::fs::write(context.join("Dockerfile"), text).unwrap();
        let mut child = lab.command(&["image", "build", "c"]).stderr(Stdio::piped()).spawn().unwrap();
        // What the plain view says first of the step that sleeps, when the others are done.
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("\"600\"")), "the step never began");
        let rest = std::thread::spawn(move || lines.count());
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let begun = Instant::now();
        let output = child.wait_with_output().unwrap();
        // It would sleep for ten minutes.
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
        rest.join().unwrap();
        assert_eq!(output.status.code(), Some(130));
        no_strays(&lab);
        std::fs::write(context.join("Dockerfile"), text.replace("\"sleep\", \"600\"", "\"true\"")).unwrap();
        let again = lab.ok(&["image", "build", "c"]);
        assert!(again.stdout.contains("1 made, 2 cached"), "{again}");
    }
}

#[test]
fn two_builds_at_once_share_their_work() {
    for who in everybody() {
        let lab = Lab::new(who);
        let context = lab.busybox_context("c", &[]);
        let text = "FROM scratch\nCOPY busybox /bin/busybox\n\
                    RUN [\"/bin/busybox\", \"sh\", \"-c\", \"/bin/busybox sleep 0.3; /bin/busybox date +%N > /when\"]\n";
        std::fs::write(context.join("Dockerfile"), text).unwrap();
        let children: Vec<_> = (0..4)
            .map(|_| {
                let mut command = lab.command(&["image", "build", "-q", "c"]);
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        let ids: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
        for output in &ids {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        assert!(ids.iter().all(|output| output.stdout == ids[0].stdout), "four builds, several results");
    }
}
