//! Cache mounts: what stays between builds, who may use it at once, and what goes when there is too much.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::lab::{Lab, Outcome, Registry, Who, everybody};
use crate::mounts::{build, names, on_shell};

#[test]
fn a_cache_stays_between_builds_and_out_of_the_image() {
    for who in everybody() {
        let lab = Lab::new(who);
        let context = lab.busybox_context("c", &[]);
        let step = |n: usize, flags: &str| {
            format!(
                "RUN --mount=type=cache,target=/root/.cache{flags} echo $(ls /root/.cache) {n} > /seen; touch /root/.cache/f{n}\n"
            )
        };
        build(&lab, &context, &step(1, ""), &[]).success();
        let names = names(&lab, &context, &step(2, ""), &[]);
        assert_eq!(fs::read_to_string(lab.path("out/tree/seen")).unwrap(), "f1 2\n");
        assert!(!names.iter().any(|name| name.starts_with("root")), "{names:?}");
        // By id it is found at any place, and the place alone names it.
        let by_id = "RUN --mount=type=cache,id=/root/.cache,target=/other test -e /other/f2 && touch /other/x\n\
                     WORKDIR /root\nRUN --mount=type=cache,target=/root/x/../.cache test -e .cache/x\n\
                     RUN --mount=type=cache,id=new,target=.cache test ! -e .cache/x\n";
        build(&lab, &context, by_id, &[]).success();
        // Another owner or mode is another cache, with that owner and mode.
        let rest = "RUN --mount=type=cache,id=/root/.cache,target=/c,uid=5,gid=6,mode=0750 \
                    test -z \"$(ls /c)\" && stat -c '%a %u %g' /c > /seen\n\
                    RUN --mount=type=cache,id=/root/.cache,target=/c stat -c '%a %u %g' /c >> /seen\n\
                    RUN --mount=type=cache,id=/root/.cache,target=/c,ro test -e /c/x && ! touch /c/y 2>/dev/null\n";
        build(&lab, &context, rest, &["-o", "type=local,dest=out/other"]).success();
        assert_eq!(fs::read_to_string(lab.path("out/other/seen")).unwrap(), "750 5 6\n755 0 0\n");
        // The namespace keeps projects apart.
        let apart = "RUN --mount=type=cache,id=/root/.cache,target=/c test -z \"$(ls /c)\"\n";
        build(&lab, &context, apart, &["--build-arg", "BUILDKIT_CACHE_MOUNT_NS=project"]).success();
    }
}

#[test]
fn what_a_failed_step_put_into_a_cache_stays() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[]);
    build(&lab, &context, "RUN --mount=type=cache,target=/c touch /c/x && false\n", &[])
        .failure(&["exit code: 1"]);
    build(&lab, &context, "RUN --mount=type=cache,target=/c test -e /c/x\n", &[]).success();
}

#[test]
fn a_cache_can_begin_with_files_of_a_stage() {
    for who in everybody() {
        let lab = Lab::new(who);
        let context = lab.busybox_context("c", &[("seed", "1")]);
        let rest = "COPY --from=seed / /in\n\
                    RUN --mount=type=cache,id=s,from=seed,source=/d/e,target=/c cat /c/f > /seen && echo more > /c/g\n\
                    RUN --mount=type=cache,id=s,from=seed,target=/c cat /c/d/e/f /c/d/e/g >> /seen\n\
                    RUN --mount=type=cache,id=s,target=/c test -z \"$(ls /c)\"\n";
        let seed = "FROM scratch AS seed\nCOPY seed /d/e/f\n";
        let text = format!("{}{seed}FROM shell\n{rest}", crate::mounts::SHELL);
        lab.build(&context, &text, &["-o", "type=local,dest=out/tree"]).success();
        assert_eq!(fs::read_to_string(lab.path("out/tree/seen")).unwrap(), "11more\n");
        let missing = "RUN --mount=type=cache,id=s,source=/none,target=/c true\n";
        build(&lab, &context, missing, &[]).failure(&["\"/none\": not found in the cache mount s"]);
    }
}

/// Builds several Dockerfiles at once, each by a process of its own.
fn at_once(lab: &Lab, texts: &[String]) -> Vec<Outcome> {
    let children: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(n, text)| {
            let context = lab.busybox_context(&format!("c{n}"), &[]);
            fs::write(context.join("Dockerfile"), on_shell(text)).unwrap();
            let mut command = lab.command(&["image", "build", context.to_str().unwrap()]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    children.into_iter().map(|child| Outcome::of(child.wait_with_output().unwrap()).success()).collect()
}

#[test]
fn sharing_decides_who_waits() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[]);
    build(&lab, &context, "RUN true\n", &[]).success();
    // Each is alone as long as it holds the cache.
    let alone = |n: usize| {
        format!(
            "RUN --mount=type=cache,id=t,target=/c,sharing=locked : {n}; mkdir /c/alone && sleep 0.5 && rmdir /c/alone\n"
        )
    };
    at_once(&lab, &[alone(1), alone(2), alone(3)]);
    // Each waits until the other is there, too: if one had to wait for the cache, neither would end.
    for (sharing, seen) in [("", 2), (",sharing=shared", 2), (",sharing=private", 1)] {
        lab.ok(&["image", "prune", "--all"]);
        build(&lab, &context, "RUN true\n", &[]).success();
        let meet = |n: usize| {
            format!(
                "RUN --mount=type=cache,id=t,target=/c{sharing} --mount=type=cache,id=meet,target=/meet \
                 touch /c/{n} /meet/{n}; i=0; until test -e /meet/1 -a -e /meet/2; do sleep 0.1; i=$((i+1)); \
                 test $i -lt 3000; done; test $(ls /c | wc -l) = {seen}\n"
            )
        };
        at_once(&lab, &[meet(1), meet(2)]);
    }
    // Two private users of one moment left a cache each; one alone finds the first again.
    let again = "RUN --mount=type=cache,id=t,target=/c,sharing=private test $(ls /c | wc -l) = 1\n";
    build(&lab, &context, again, &[]).success();
}

#[test]
fn steps_of_one_build_share_and_wait_as_well() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[]);
    let stage = |n: usize| {
        format!(
            "FROM shell AS s{n}\nRUN --mount=type=cache,id=t,target=/c,sharing=locked : {n}; \
                 mkdir /c/alone && sleep 0.2 && rmdir /c/alone && touch /{n}\n"
        )
    };
    let copies: String = (0..4).map(|n| format!("COPY --from=s{n} /{n} /{n}\n")).collect();
    let stages: String = (0..4).map(stage).collect();
    let text = format!("{}{stages}FROM shell\n{copies}", crate::mounts::SHELL);
    lab.build(&context, &text, &[]).success();
    // The same cache twice in one step, in both ways, is no reason to wait for itself.
    let twice = "RUN --mount=type=cache,id=t,target=/a,sharing=locked --mount=type=cache,id=t,target=/b \
                 touch /a/x && test -e /b/x\n";
    build(&lab, &context, twice, &[]).success();
}

/// A build whose last step holds the cache `t` and sleeps, until it is stopped.
fn holder(lab: &Lab, script: &str) -> std::process::Child {
    let context = lab.busybox_context("holder", &[]);
    let marker = crate::stage::ages();
    let step = format!("RUN --mount=type=cache,id=t,target=/c,sharing=locked {script}sleep {marker}\n");
    fs::write(context.join("Dockerfile"), on_shell(&step)).unwrap();
    let child = lab.command(&["image", "build", "holder"]).stderr(Stdio::null()).spawn().unwrap();
    let limit = Instant::now() + Duration::from_secs(120);
    // The shell of the step and the program it runs.
    let place = format!("sleep {marker}");
    while crate::stage::processes_with(&place).iter().all(|line| line.contains("/bin/sh")) {
        assert!(Instant::now() < limit, "the step does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

#[test]
fn no_lock_is_held_by_the_dead() {
    for who in everybody() {
        let lab = Lab::new(who);
        let mut child = holder(&lab, "touch /c/x; ");
        child.kill().unwrap();
        child.wait().unwrap();
        let context = lab.busybox_context("c", &[]);
        let rest = "RUN --mount=type=cache,id=t,target=/c,sharing=locked test -e /c/x\n";
        let begun = Instant::now();
        build(&lab, &context, rest, &[]).success();
        assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", begun.elapsed());
    }
}

#[test]
fn somebody_who_waits_for_a_cache_can_be_stopped() {
    let lab = Lab::new(Who::Caller);
    let mut first = holder(&lab, "");
    let context = lab.busybox_context("c", &[]);
    let rest = "RUN --mount=type=cache,id=t,target=/c,sharing=locked true\n";
    fs::write(context.join("Dockerfile"), on_shell(rest)).unwrap();
    let mut second = lab.command(&["image", "build", "c"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(second.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("waiting for cache mount t")), "it did not wait");
    let pid = rustix::process::Pid::from_child(&second);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let begun = Instant::now();
    // Its words must have a reader until it ends.
    lines.for_each(drop);
    assert_eq!(second.wait().unwrap().code(), Some(130));
    assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", begun.elapsed());
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn too_much_is_thrown_away_and_prune_takes_the_rest() {
    for who in everybody() {
        let lab = Lab::new(who);
        let context = lab.busybox_context("c", &[]);
        let fill = |id: &str| {
            format!(
                "RUN --mount=type=cache,id={id},target=/c : {id}; dd if=/dev/zero of=/c/x bs=1k count=600 2>/dev/null\n"
            )
        };
        for id in ["old", "new"] {
            build(&lab, &context, &fill(id), &[]).success();
        }
        let room = || -> serde_json::Value {
            let report: serde_json::Value =
                serde_json::from_str(&lab.ok(&["image", "du", "-o", "json"]).stdout).unwrap();
            report["cacheMounts"].clone()
        };
        assert_eq!((room()["count"].as_u64(), room()["bytes"].as_u64()), (Some(2), Some(1200 << 10)));
        let third = build(&lab, &context, &fill("newest"), &["--cache-mounts-limit", "1.3m"]).success();
        assert!(third.stderr.contains("removed cache mount old"), "{third}");
        assert_eq!(room()["count"], 2);
        lab.ok(&["image", "prune"]);
        assert_eq!(room()["count"], 2);
        let pruned = lab.ok(&["image", "prune", "--all"]);
        assert!(pruned.stdout.contains("removed 2 cache mounts"), "{pruned}");
        assert_eq!(room()["count"], 0);
        assert!(lab.ok(&["image", "du"]).stdout.contains("cache mounts"));
    }
}

/// How many files a registry keeps.
fn kept(lab: &Lab) -> usize {
    let mut open = vec![lab.path("registry")];
    let mut count = 0;
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() { open.push(entry.path()) } else { count += 1 }
        }
    }
    count
}

#[test]
fn caches_travel_through_a_registry() {
    for who in everybody() {
        let lab = Lab::new(who);
        let registry = Registry::start(&lab);
        let repository = format!("{}/caches", registry.address);
        let context = lab.busybox_context("c", &[]);
        let fill = "RUN --mount=type=cache,target=/c,uid=5,mode=0750 mkdir -p /c/d && touch -d '2001-02-03 04:05:06' /c/d/f && \
                    { test -h /c/d/l || ln -s f /c/d/l; } && chown 7:8 /c/d/f\nRUN --mount=type=cache,id=two,target=/c touch -t 200101010000 /c/x /c\n";
        let to = ["--no-cache", "--cache-mounts-to", &repository];
        let first = build(&lab, &context, fill, &to).success();
        assert!(first.stderr.contains("keep cache mount /c in"), "{first}");
        let count = kept(&lab);
        build(&lab, &context, fill, &to).success();
        assert_eq!(kept(&lab), count, "what did not change was sent again");
        let lab = lab.with_store("fresh");
        let look = "RUN --mount=type=cache,target=/c,uid=5,mode=0750 stat -c '%a %u' /c > /seen && \
                    stat -c '%u %g %Y' /c/d/f >> /seen && readlink /c/d/l >> /seen\n\
                    RUN --mount=type=cache,id=two,target=/c,sharing=locked test -e /c/x\n\
                    RUN --mount=type=cache,id=three,target=/c test -z \"$(ls /c)\"\n";
        let from = ["--cache-mounts-from", &repository, "-o", "type=local,dest=out/tree"];
        let arrived = build(&lab, &context, look, &from).success();
        assert!(!arrived.stderr.contains("warning"), "{arrived}");
        assert_eq!(fs::read_to_string(lab.path("out/tree/seen")).unwrap(), "750 5\n7 8 981173106\nf\n");
        // A registry that cannot be had costs time, not the build.
        drop(registry);
        let lab = lab.with_store("alone");
        let alone = "RUN --mount=type=cache,id=two,target=/c test -z \"$(ls /c)\"\n";
        let outcome = build(&lab, &context, alone, &["--cache-mounts-from", &repository]).success();
        assert!(outcome.stderr.contains("cache mount two begins empty"), "{outcome}");
    }
}
