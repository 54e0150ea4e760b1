//! What a command in the sandbox sees, leaves behind and takes with it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use crate::stage::{Outcome, Stage, Who, ages, as_everybody, finish, processes_with};

/// Lines of the form `KEY: VALUE`.
fn field<'a>(text: &'a str, key: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {key} in {text}")).trim()
}

fn lines(outcome: &Outcome) -> Vec<&str> {
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    outcome.stdout.lines().collect()
}

#[test]
fn the_rung_is_the_best_one() {
    as_everybody(|stage| {
        let outcome = stage.sh("true");
        let expected = if stage.who() == Who::Root { "RootfulNamespaces" } else { "UserNamespace" };
        assert_eq!(outcome.said["rung"], expected, "{outcome:?}");
        assert_eq!(outcome.said["map"] == "identity", stage.who() == Who::Root);
    });
}

#[test]
fn privileges_are_dockers_defaults() {
    as_everybody(|stage| {
        let outcome = stage.sh("cat /proc/self/status");
        let status = &outcome.stdout;
        for set in ["CapPrm", "CapEff", "CapBnd"] {
            assert_eq!(field(status, set), "00000000a80425fb", "{set}");
        }
        for set in ["CapInh", "CapAmb"] {
            assert_eq!(field(status, set), "0000000000000000", "{set}");
        }
        assert_eq!(field(status, "NoNewPrivs"), "0");
        assert_eq!(field(status, "Seccomp"), "2");
        assert_eq!(field(status, "Groups"), "0", "its own group is among them, as with runc");
        let outcome = stage.run(json!({ "args": ["cat", "/proc/self/status"], "user": "app" }));
        assert_eq!(field(&outcome.stdout, "CapEff"), "0000000000000000");
        assert_eq!(field(&outcome.stdout, "CapBnd"), "00000000a80425fb");
    });
}

#[test]
fn forbidden_calls_fail_and_the_machine_stays_as_it_is() {
    as_everybody(|stage| {
        for script in [
            "mount -t tmpfs none /tmp",
            "unshare -m true",
            "unshare -U true",
            "hostname other",
            "echo 1 > /proc/sys/kernel/hostname",
            "echo b > /proc/sysrq-trigger",
            "echo 1 > /sys/kernel/uevent_seqnum",
            "touch /sys/x",
            "ip link set lo down",
        ] {
            let outcome = stage.sh(script);
            assert_ne!(outcome.code(), 0, "{script}: {outcome:?}");
        }
        let outcome =
            stage.sh("cat /proc/keys /proc/timer_list | wc -c; ls /proc/acpi /sys/firmware | wc -w");
        assert_eq!(lines(&outcome)[0], "0");
        // Allowed by the default capabilities.
        let outcome = stage.sh("chroot / /bin/true && chown 1000:44 /tmp && su app -c id");
        assert!(lines(&outcome)[0].starts_with("uid=1000(app) gid=1001(app)"), "{outcome:?}");
    });
}

#[test]
fn devices_and_mounts_are_the_usual() {
    as_everybody(|stage| {
        let outcome = stage.sh(
            "ls /dev; stat -c '%a' /dev /dev/shm; echo lost > /dev/null; head -c 3 /dev/zero | wc -c; \
             head -c 3 /dev/urandom | wc -c; echo x > /dev/full || echo full; readlink /dev/fd; readlink /dev/ptmx",
        );
        let seen = lines(&outcome);
        let devices = [
            "core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin",
            "stdout", "tty", "urandom", "zero",
        ];
        assert_eq!(seen[..devices.len()], devices);
        assert_eq!(seen[devices.len()..], ["755", "1777", "3", "3", "full", "/proc/self/fd", "pts/ptmx"]);
        let outcome = stage.sh("cat /proc/mounts");
        let place = stage.beside("").display().to_string();
        for line in outcome.stdout.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let known = ["/", "/proc", "/dev", "/sys", "/etc/resolv.conf", "/etc/hosts"].iter();
            assert!(
                known.clone().any(|k| words[1] == *k || words[1].starts_with(&format!("{k}/"))),
                "{line}"
            );
            assert!(words[1] == "/" || !line.contains(&place), "{line}");
        }
    });
}

#[test]
fn only_given_things_are_visible() {
    as_everybody(|stage| {
        let outcome = stage.run(json!({ "args": ["env"], "env": [["A", "1"], ["A", "2"]] }));
        let mut seen = lines(&outcome);
        seen.sort_unstable();
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        assert_eq!(seen, ["A=2", "HOME=/root", path]);
        let outcome =
            stage.sh("ls /proc | grep -c '^[0-9]'; readlink /proc/self/fd/0; cat; hostname; umask; pwd");
        assert_eq!(lines(&outcome)[1..], ["/dev/null", "buildkitsandbox", "0022", "/"]);
        assert!(lines(&outcome)[0].parse::<u32>().unwrap() <= 6, "{outcome:?}");
        let outcome =
            stage.sh("ls /proc/self/fd | wc -l; ls -l /proc/1/fd /proc/1/root; cat /proc/1/environ");
        // Three streams and the directory being listed.
        assert_eq!(outcome.stdout.lines().next(), Some("4"), "{outcome:?}");
        assert!(outcome.stderr.contains("ermission denied"), "{outcome:?}");
    });
}

#[test]
fn users_and_groups_come_from_the_image() {
    as_everybody(|stage| {
        let id = |user: &str| {
            let outcome = stage.sh_with("id -u; id -g; id -G; echo $HOME", json!({ "user": user }));
            lines(&outcome).join(" ")
        };
        assert_eq!(id(""), "0 0 0 /root");
        assert_eq!(id("app"), "1000 1001 1001 44 /home/app");
        assert_eq!(id("1000"), "1000 1001 1001 44 /home/app");
        assert_eq!(id("app:staff"), "1000 50 50 /home/app");
        assert_eq!(id("4242"), "4242 0 0 /");
        assert_eq!(id("4242:4343"), "4242 4343 4343 /");
        let outcome = stage.sh_with("true", json!({ "user": "nobody" }));
        assert_eq!(outcome.said["kind"], "config");
        assert!(
            outcome.said["error"].as_str().unwrap().contains("unable to find user nobody"),
            "{outcome:?}"
        );
        // Streams can be opened by their names by users, too.
        let outcome =
            stage.sh_with("echo one > /dev/stdout; echo two > /dev/stderr", json!({ "user": "app" }));
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("one\n", "two\n"));
        // A link in the image does not lead to this machine's accounts.
        fs::remove_file(stage.base("etc/passwd")).unwrap();
        symlink("/../../../../../../etc/passwd", stage.base("etc/passwd")).unwrap();
        let outcome = stage.sh_with("true", json!({ "user": "daemon" }));
        assert_eq!(outcome.said["kind"], "config", "{outcome:?}");
    });
}

#[test]
fn networks_are_this_machines_or_none() {
    as_everybody(|stage| {
        let outcome = stage.sh_with("ip addr; ip route", json!({ "network": "none" }));
        let seen = lines(&outcome).join("\n");
        assert!(seen.contains("inet 127.0.0.1/8") && seen.contains("<LOOPBACK,UP"), "{seen}");
        assert!(!seen.contains("\n2: ") && !seen.contains("default"), "{seen}");
        let own = fs::read_link("/proc/self/ns/net").unwrap();
        let outcome = stage.sh("readlink /proc/self/ns/net");
        assert_eq!(lines(&outcome), [own.to_str().unwrap()]);
        let outcome = stage
            .sh_with("cat /etc/hosts; test -s /etc/resolv.conf", json!({ "hosts": [["db", "10.0.0.9"]] }));
        let seen = lines(&outcome);
        assert!(
            seen.contains(&"127.0.0.1\tlocalhost buildkitsandbox") && seen.contains(&"10.0.0.9\tdb"),
            "{seen:?}"
        );
    });
}

/// Names of everything in the upper directory.
fn upper_names(stage: &Stage) -> Vec<String> {
    let mut names = Vec::new();
    let mut open = vec![stage.upper("")];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let entry = entry.unwrap();
            names.push(entry.path().strip_prefix(stage.upper("")).unwrap().display().to_string());
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            }
        }
    }
    names.sort();
    names
}

#[test]
fn nothing_given_leaves_a_trace() {
    as_everybody(|stage| {
        stage.put(&stage.beside("given/file"), "given");
        stage.put(&stage.base("etc/ssl/certs/ca-certificates.crt"), "theirs\n");
        symlink("../run/resolve/resolv.conf", stage.base("etc/resolv.conf")).unwrap();
        let before = fs::metadata(stage.base("etc")).unwrap();
        let root_time = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        fs::File::open(stage.upper("")).unwrap().set_modified(root_time).unwrap();
        let wish = json!({
            "trust": "ours\n",
            "mounts": [
                { "target": "/mnt/deep/er/dir", "what": { "bind": { "source": stage.beside("given"), "read_only": true } } },
                { "target": "/etc/given", "what": { "bind": { "source": stage.beside("given/file"), "read_only": false } } },
                { "target": "/scratch", "what": { "tmpfs": { "size": 65536, "mode": 0o700 } } },
                { "target": "/scratch/in/side", "what": { "tmpfs": { "size": null, "mode": 0o755 } } },
                { "target": "/run/secret", "what": { "file": { "content": "7331", "mode": 0o400, "uid": 1000, "gid": 44 } } },
            ],
        });
        let outcome = stage.sh_with(
            "cat /mnt/deep/er/dir/file /etc/given; echo new > /etc/given; touch /mnt/deep/er/dir/x || echo ro; \
             cat /run/secret; stat -c '%a %u %g' /run/secret /scratch; touch /scratch/in/side/x; \
             dd if=/dev/zero of=/scratch/big bs=1k count=100 2>/dev/null || echo full; \
             cat /etc/ssl/certs/ca-certificates.crt; cat $SSL_CERT_FILE; touch /etc/hosts || echo hosts",
            wish,
        );
        let seen = outcome.stdout.replace("given", "G");
        let expected = "GGro\ns1400 1000 44\n700 0 0\nfull\ntheirs\nours\ntheirs\nours\nhosts\n";
        assert_eq!(seen, expected, "{outcome:?}");
        assert_eq!(fs::read_to_string(stage.beside("given/file")).unwrap(), "new\n");
        // /dev, /proc and /sys stay, empty, as with BuildKit; directories on the way were copied up and are unchanged.
        let left = upper_names(&stage);
        let allowed =
            ["dev", "etc", "etc/ssl", "etc/ssl/certs", "etc/ssl/certs/ca-certificates.crt", "proc", "sys"];
        assert_eq!(left, allowed, "{outcome:?}");
        let after = fs::metadata(stage.upper("etc")).unwrap();
        assert_eq!((after.mtime(), after.mtime_nsec()), (before.mtime(), before.mtime_nsec()));
        // They are as new as all that a step makes: the time of the root depends on how the layer below came here.
        assert_eq!(fs::metadata(stage.upper("")).unwrap().modified().unwrap(), root_time);
        for path in ["dev", "proc", "sys"] {
            assert!(fs::metadata(stage.upper(path)).unwrap().modified().unwrap() > root_time, "{path}");
        }
        let bundle = "etc/ssl/certs/ca-certificates.crt";
        assert_eq!(fs::read_to_string(stage.upper(bundle)).unwrap(), "theirs\n");
        let times = |path| fs::metadata(path).unwrap().modified().unwrap();
        assert_eq!(times(stage.upper(bundle)), times(stage.base(bundle)));
    });
}

#[test]
fn a_step_may_change_what_it_was_given_a_copy_of() {
    as_everybody(|stage| {
        stage.put(&stage.base("etc/ssl/certs/ca-certificates.crt"), "theirs\n");
        let outcome = stage.sh_with(
            "cd /etc/ssl/certs && echo made > new && mv -f new ca-certificates.crt && touch /etc/made",
            json!({ "trust": "ours\n" }),
        );
        assert_eq!(outcome.code(), 0, "{outcome:?}");
        assert_eq!(fs::read_to_string(stage.upper("etc/ssl/certs/ca-certificates.crt")).unwrap(), "made\n");
        let age = fs::metadata(stage.upper("etc")).unwrap().modified().unwrap().elapsed().unwrap();
        assert!(age < Duration::from_secs(60), "a directory the step changed keeps its new time");
    });
}

#[test]
fn an_image_without_bundles_gets_one_outside_of_the_layer() {
    as_everybody(|stage| {
        let outcome = stage.sh_with("cat $CURL_CA_BUNDLE $NODE_EXTRA_CA_CERTS", json!({ "trust": "ours" }));
        assert_eq!(outcome.stdout, "ours\nours\n", "{outcome:?}");
        let wish = json!({ "trust": "ours", "env": [["SSL_CERT_FILE", "/own"]] });
        assert_eq!(
            stage.sh_with("echo $SSL_CERT_FILE", wish).stdout,
            "/own\n",
            "the image's own choice wins"
        );
        assert_eq!(upper_names(&stage), ["dev", "etc", "proc", "sys"]);
    });
}

#[test]
fn a_plain_directory_takes_the_changes_too() {
    as_everybody(|stage| {
        let wish = json!({ "root": { "directory": stage.base("") }, "cwd": "/work/here" });
        let outcome = stage.sh_with("pwd; echo x > made; ls /etc", wish);
        assert_eq!(lines(&outcome), ["/work/here", "group", "hosts", "passwd", "resolv.conf"]);
        assert_eq!(fs::read_to_string(stage.base("work/here/made")).unwrap(), "x\n");
        assert!(!stage.base("etc/hosts").exists() && stage.base("proc").is_dir());
    });
}

#[test]
fn exit_codes_and_signals_are_told() {
    as_everybody(|stage| {
        assert_eq!(stage.sh("exit 0").code(), 0);
        assert_eq!(stage.sh("exit 42").code(), 42);
        let outcome = stage.sh("kill -9 $$");
        assert_eq!((outcome.code(), &outcome.said["signal"]), (137, &json!(9)));
        let outcome = stage.sh("echo out; echo err >&2; no-such-command");
        assert_eq!(outcome.code(), 127);
        assert_eq!(outcome.stdout, "out\n");
        assert!(outcome.stderr.starts_with("err\n"));
        assert!(stage.sh("true").said["max_rss"].as_u64().unwrap() > 100_000);
    });
}

#[test]
fn programs_that_cannot_start_are_explained() {
    as_everybody(|stage| {
        let fails = |args: &[&str], user: &str| {
            let outcome = stage.run(json!({ "args": args, "user": user }));
            assert!(outcome.said["error"].is_string(), "{outcome:?}");
            let error = outcome.said["error"].as_str().unwrap().to_owned();
            (error, outcome.said["exit"].as_u64().unwrap(), outcome.said["hints"].to_string())
        };
        let (error, exit, hints) = fails(&["/bin/bash", "-c", "x"], "");
        assert!(error.contains("not found") && exit == 127 && hints.contains("no shell"), "{error} {hints}");
        let (error, exit, _) = fails(&["nothing"], "");
        assert!(error.contains("nothing: not found") && exit == 127, "{error}");
        stage.put(&stage.base("bin/plain"), "text");
        assert_eq!(fails(&["plain"], "").1, 126);
        assert!(fails(&["/etc"], "").0.contains("directory"));
        for (name, content, words) in [
            ("script", "#!/no/such/thing\n", "/no/such/thing"),
            ("windows", "#!/bin/sh\r\n", "Windows"),
            ("nothing", "text", "neither ELF nor"),
            ("foreign", "\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x16\0\x01\0\0\0", "s390x"),
        ] {
            let path = stage.base("bin").join(name);
            stage.put(&path, content);
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            let (error, _, hints) = fails(&[name], "app");
            assert!(error.contains(words), "{name}: {error}");
            assert!(name != "foreign" || hints.contains("--platform"), "{hints}");
        }
    });
}

#[test]
fn zombies_are_reaped_and_daemons_end_with_the_step() {
    as_everybody(|stage| {
        let word = format!("sleep {}", ages());
        // Whoever has ended is reaped after a while; the daemon has begun by then, and goes on.
        let script = format!(
            "(setsid sh -c 'trap \"\" TERM HUP; {word}; :' >/dev/null 2>&1 &); for i in 1 2 3 4 5; do (true &); done; \
             i=0; until ps -o args | grep -q '^{word}'; do sleep 0.1; done; \
             while ps -o stat | grep -q Z && test $i -lt 600; do i=$((i+1)); sleep 0.1; done; ps -o stat | grep -c Z"
        );
        let outcome = stage.sh(&script);
        assert_eq!(outcome.stdout, "0\n", "zombies: {outcome:?}");
        assert_eq!(processes_with(&word), Vec::<String>::new());
    });
}

#[test]
fn cancelling_ends_everything_at_once() {
    as_everybody(|stage| {
        let word = format!("sleep {}", ages());
        let script = format!("trap '' TERM INT; ({word} &); {word}; :");
        let begun = Instant::now();
        let outcome = stage.sh_with(&script, json!({ "cancel_after": 400 }));
        assert_eq!(outcome.said["kind"], "cancelled", "{outcome:?}");
        assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", begun.elapsed());
        assert_eq!(processes_with(&word), Vec::<String>::new());
    });
}

#[test]
fn killing_the_parent_ends_everything() {
    as_everybody(|stage| {
        let word = format!("sleep {}", ages());
        let script = format!("echo up; trap '' TERM INT HUP; {word}; :");
        let mut child = stage.start(json!({ "args": ["/bin/sh", "-c", script] }), &[]);
        let mut up = [0; 3];
        child.stdout.as_mut().unwrap().read_exact(&mut up).unwrap();
        // `setpriv` and `sh` replaced themselves by the driver.
        child.kill().unwrap();
        child.wait().unwrap();
        let begun = Instant::now();
        while !processes_with(&word).is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", processes_with(&word));
            std::thread::sleep(Duration::from_millis(20));
        }
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        assert!(!mounts.contains(stage.beside("").to_str().unwrap()), "{mounts}");
    });
}

#[test]
fn input_and_signals_are_passed_on() {
    as_everybody(|stage| {
        let mut child = stage.start(json!({ "args": ["/bin/sh", "-c", "cat; echo end"] }), &["-i"]);
        child.stdin.take().unwrap().write_all(b"typed\n").unwrap();
        assert_eq!(finish(child, &stage).stdout, "typed\nend\n");
        let script = "trap 'echo got; exit 7' TERM; echo up; while :; do sleep 0.05; done";
        let mut child = stage.start(json!({ "args": ["/bin/sh", "-c", script] }), &["-i"]);
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let outcome = finish(child, &stage);
        assert_eq!((outcome.code(), outcome.stdout.as_str()), (7, "got\n"));
    });
}

#[test]
fn a_terminal_is_one_inside() {
    as_everybody(|stage| {
        let script =
            "tty; test -t 0 && test -t 1 && test -t 2 && echo terminal; echo $TERM; stty size; exit 5";
        let child = stage.start(json!({ "args": ["/bin/sh", "-c", script], "user": "app" }), &["-t"]);
        let outcome = finish(child, &stage);
        assert_eq!(outcome.code(), 5, "{outcome:?}");
        let seen: Vec<&str> = outcome.stdout.lines().collect();
        assert_eq!(seen, ["/dev/pts/0", "terminal", "xterm", "24 80"], "{outcome:?}");
        let mut child =
            stage.start(json!({ "args": ["/bin/sh", "-c", "read line; echo [$line]"] }), &["-i", "-t"]);
        child.stdin.take().unwrap().write_all(b"hello\n").unwrap();
        let outcome = finish(child, &stage);
        assert!(outcome.stdout.contains("[hello]"), "{outcome:?}");
    });
}

#[test]
fn limits_are_set() {
    as_everybody(|stage| {
        let limits = |outcome: &Outcome| {
            let line = outcome.stdout.lines().find(|l| l.starts_with("Max open files")).unwrap().to_owned();
            line.split_ascii_whitespace().skip(3).take(2).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(limits(&stage.sh("cat /proc/self/limits"))[0], "1024");
        let wish = json!({ "ulimits": [{ "name": "nofile", "soft": 100, "hard": 200 }] });
        assert_eq!(limits(&stage.sh_with("cat /proc/self/limits", wish)), ["100", "200"]);
        let outcome =
            stage.sh_with("true", json!({ "ulimits": [{ "name": "nonsense", "soft": 1, "hard": 1 }] }));
        assert_eq!(outcome.said["kind"], "environment", "{outcome:?}");
    });
}

#[test]
fn a_step_costs_little() {
    as_everybody(|stage| {
        // The best of some, and of many on a machine that does other things, too, where each is many times what it is on
        // a quiet one: a few milliseconds for a step and ten for entering, most of them for newuidmap and newgidmap.
        let best = |wish: &dyn Fn() -> serde_json::Value, key: &str, enough: u64| {
            let mut best = u64::MAX;
            for _ in 0..100 {
                best = best.min(stage.run(wish()).said[key].as_u64().unwrap());
                if best < enough {
                    break;
                }
            }
            assert!(best < enough, "{:?}: {key} is {best} at best", stage.who());
        };
        best(&|| json!({ "args": ["true"], "times": 10 }), "least_micros", 300_000);
        best(&|| json!({ "args": ["true"] }), "entering_micros", 300_000);
    });
}

#[test]
fn a_masked_proc_costs_the_process_namespace_but_not_the_step() {
    as_everybody(|stage| {
        if stage.who() == Who::Root || !rustix::process::geteuid().is_root() {
            // Real root may always mount; masking takes root.
            return;
        }
        let word = format!("sleep {}", ages());
        let script = format!("echo $$; (setsid sh -c '{word}; :' >/dev/null 2>&1 &); sleep 0.2; exit 3");
        let mut wrapped = stage.start_under(
            &["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /proc/acpi && exec \"$@\"", "sh"],
            json!({ "args": ["/bin/sh", "-c", script] }),
        );
        drop(wrapped.stdin.take());
        let outcome = finish(wrapped, &stage);
        assert_eq!(outcome.code(), 3, "{outcome:?}");
        assert!(
            outcome.stdout.trim().parse::<u32>().unwrap() > 10,
            "not a namespace of its own: {outcome:?}"
        );
        assert_eq!(processes_with(&word), Vec::<String>::new());
    });
}

#[test]
fn without_sub_ids_the_missing_thing_is_named() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    as_everybody(|stage| {
        if stage.who() == Who::Root {
            return;
        }
        // A user nobody gave ids to: the sandbox says what is missing and how to get it.
        let outcome = finish(stage.start_as_stranger(json!({ "args": ["true"] })), &stage);
        assert_eq!(outcome.said["rung"], "None", "{outcome:?}");
        assert_eq!(outcome.said["kind"], "environment");
        assert!(outcome.said["causes"].to_string().contains("/etc/subuid"), "{outcome:?}");
        assert!(outcome.said["hints"].to_string().contains("usermod --add-subuids"), "{outcome:?}");
    });
}
