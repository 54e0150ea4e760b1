//! Cache mounts: what stays between builds, who may use it at once, and what goes when there is too much.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::lab::{Lab, Outcome, Registry, Who, everybody};
use crate::mounts::{build, names, on_shell};

/// The output of a step, without its number and time.
fn said(outcome: &Outcome, prefix: &str) -> Vec<String> {
    let marked = outcome.stderr.lines().filter_map(|line| line.split_once(prefix));
    marked.map(|(_, rest)| rest.trim().to_owned()).collect()
}

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

/// A step that says when it began and ended, in milliseconds.
fn timed(n: usize, sharing: &str) -> String {
    format!(
        "RUN --mount=type=cache,id=t,target=/c{sharing} : {n}; echo began $(date +%s%N); ls /c | wc -l; \
         touch /c/{n}; sleep 0.7; echo ended $(date +%s%N)\n"
    )
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

fn moments(outcomes: &[Outcome]) -> Vec<(u128, u128)> {
    // The step's own text has the words, too.
    let number = |outcome: &Outcome, word: &str| {
        said(outcome, word).iter().find_map(|text| text.parse().ok()).unwrap()
    };
    let mut moments: Vec<_> =
        outcomes.iter().map(|outcome| (number(outcome, " began "), number(outcome, " ended "))).collect();
    moments.sort_unstable();
    moments
}

#[test]
fn sharing_decides_who_waits() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[]);
    build(&lab, &context, "RUN true\n", &[]).success();
    let steps = |sharing: &str| [timed(1, sharing), timed(2, sharing)];
    let locked = at_once(&lab, &steps(",sharing=locked"));
    let moments_of = moments(&locked);
    assert!(moments_of[1].0 >= moments_of[0].1, "they ran at once: {moments_of:?}");
    assert!(locked.iter().any(|o| o.stderr.contains("waiting for cache mount t")), "{locked:?}");
    for sharing in ["", ",sharing=shared", ",sharing=private"] {
        lab.ok(&["image", "prune", "--all"]);
        build(&lab, &context, "RUN true\n", &[]).success();
        let moments_of = moments(&at_once(&lab, &steps(sharing)));
        assert!(moments_of[1].0 < moments_of[0].1, "{sharing}: one waited: {moments_of:?}");
    }
    // Two private users of one moment left a cache each; one alone finds the first again.
    let outcome =
        build(&lab, &context, "RUN --mount=type=cache,id=t,target=/c,sharing=private ls /c | wc -l\n", &[]);
    assert!(outcome.success().stderr.contains(" 1\n"));
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

#[test]
fn no_lock_is_held_by_the_dead() {
    for who in everybody() {
        let lab = Lab::new(who);
        let context = lab.busybox_context("c", &[]);
        let step = |script: &str| {
            on_shell(&format!("RUN --mount=type=cache,id=t,target=/c,sharing=locked {script}\n"))
        };
        fs::write(context.join("Dockerfile"), step("touch /c/x; sleep 600")).unwrap();
        let mut child = lab.command(&["image", "build", "c"]).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(2500));
        child.kill().unwrap();
        child.wait().unwrap();
        let begun = Instant::now();
        lab.build(&context, &step("test -e /c/x"), &[]).success();
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
}

#[test]
fn somebody_who_waits_for_a_cache_can_be_stopped() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[]);
    let text = |seconds: usize| {
        on_shell(&format!("RUN --mount=type=cache,id=t,target=/c,sharing=locked sleep {seconds}\n"))
    };
    fs::write(context.join("Dockerfile"), text(60)).unwrap();
    let mut first = lab.command(&["image", "build", "c"]).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(2000));
    fs::write(context.join("Dockerfile"), text(61)).unwrap();
    let second = lab.command(&["image", "build", "c"]).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1000));
    let pid = rustix::process::Pid::from_child(&second);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let begun = Instant::now();
    let output = Outcome::of(second.wait_with_output().unwrap());
    assert_eq!(output.code, 130, "{output}");
    assert!(output.stderr.contains("waiting for cache mount t"), "{output}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
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
