//! Two hundred kills at random moments of build, pull and push: the next run just works, the store is whole, and
//! nothing is left running or mounted.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::lab::{Lab, Registry, everybody};

/// Kills in all, spread over who runs and what is done.
const KILLS: usize = 200;

/// A small generator: the moments differ, the test is the same each time.
struct Moments(u64);

impl Moments {
    fn below(&mut self, limit: Duration) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        limit.mul_f64((self.0 >> 33) as f64 / f64::from(u32::MAX >> 1))
    }
}

/// Starts the command, kills it after `after`, and waits until it is gone.
fn kill_after(lab: &Lab, arguments: &[&str], after: Duration) {
    let mut child = lab.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(after);
    // It may have ended before.
    let _ = child.kill();
    child.wait().unwrap();
}

fn timed(lab: &Lab, arguments: &[&str]) -> Duration {
    let begun = Instant::now();
    lab.ok(arguments);
    begun.elapsed()
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
    let limit = Instant::now() + Duration::from_secs(5);
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
    let each = KILLS.div_ceil(everybody.len() * 3);
    for who in everybody {
        let lab = Lab::new(who);
        let registry = Registry::start(&lab);
        let context = lab.busybox_context("c", &[("data", &"line of data\n".repeat(100_000))]);
        let text = "FROM scratch\nARG N\nCOPY busybox /bin/busybox\nCOPY data /data\n\
                    RUN [\"/bin/busybox\", \"sh\", \"-c\", \"/bin/busybox cp /data /copy.$N; /bin/busybox sleep 0.02\"]\n\
                    RUN [\"/bin/busybox\", \"rm\", \"/data\"]\n";
        std::fs::write(context.join("Dockerfile"), text).unwrap();
        let mut moments = Moments(0x6c61_7073);
        let name = |n: usize| format!("{}/kill:{n}", registry.address);

        let build = |n: usize| -> Vec<String> {
            ["image", "build", "--no-cache", "-t", &name(n), "--build-arg", &format!("N={n}"), "c"]
                .map(str::to_owned)
                .into()
        };
        let run = |arguments: &[String], lab: &Lab, after: Option<Duration>| {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            match after {
                Some(after) => kill_after(lab, &arguments, after),
                None => drop(lab.ok(&arguments)),
            }
        };
        let whole = timed(&lab, &build(0).iter().map(String::as_str).collect::<Vec<_>>());
        for n in 1..=each {
            run(&build(n), &lab, Some(moments.below(whole)));
            if n % 10 == 0 {
                run(&build(n), &lab, None);
                no_strays(&lab);
            }
        }
        run(&build(1), &lab, None);

        let push = |n: usize| -> Vec<String> {
            ["image", "push", &name(1), &format!("{}/pushed-{n}/x:1", registry.address)]
                .map(str::to_owned)
                .into()
        };
        let whole = timed(&lab, &push(0).iter().map(String::as_str).collect::<Vec<_>>());
        for n in 1..=each {
            run(&push(n), &lab, Some(moments.below(whole)));
            run(&push(n), &lab, None);
        }

        let store = lab.store();
        let lab = lab.with_store("pulled");
        let pull: Vec<String> =
            ["image", "pull", &format!("{}/pushed-1/x:1", registry.address)].map(str::to_owned).into();
        let whole = timed(&lab, &pull.iter().map(String::as_str).collect::<Vec<_>>());
        for _ in 1..=each {
            lab.ok(&["image", "rm", &pull[2]]);
            lab.ok(&["image", "prune"]);
            run(&pull, &lab, Some(moments.below(whole)));
            run(&pull, &lab, None);
        }
        lab.ok(&["image", "check"]);
        let first = store.file_name().unwrap().to_str().unwrap().to_owned();
        let lab = lab.with_store(&first);
        lab.ok(&["image", "check"]);
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
        let child = lab.command(&["image", "build", "c"]).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(1500));
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let begun = Instant::now();
        let output = child.wait_with_output().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
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
