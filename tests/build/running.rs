//! How RUN steps run: agents, names, limits, and what is said of one that fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::lab::{Lab, Who, everybody};
use crate::mounts::{SHELL, build, names};

/// Makes a key that whoever runs the lab can read.
fn key(lab: &Lab, name: &str, more: &[&str]) -> PathBuf {
    let path = lab.path("home").join(name);
    let made = Command::new("ssh-keygen").args(["-q", "-N", "", "-f"]).arg(&path).args(more).status();
    assert!(made.expect("install openssh-client").success());
    for file in [path.clone(), path.with_extension("pub")] {
        if lab.who() == Who::Ordinary {
            assert!(Command::new("chown").arg(crate::lab::USER).arg(file).status().unwrap().success());
        }
    }
    path
}

/// An agent with a key, as a developer has one.
struct SshAgent {
    child: Child,
    socket: PathBuf,
}

impl SshAgent {
    fn start(lab: &Lab, key: &Path) -> Self {
        let socket = lab.path("home/agent");
        let run = |program: &str| match lab.who() {
            Who::Caller => Command::new(program),
            Who::Ordinary => {
                let mut command = Command::new("setpriv");
                command.args([
                    "--reuid",
                    crate::lab::USER,
                    "--regid",
                    crate::lab::USER,
                    "--init-groups",
                    "--",
                    program,
                ]);
                command
            }
        };
        let child = run("ssh-agent").args(["-D", "-a"]).arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        let limit = std::time::Instant::now() + std::time::Duration::from_secs(60);
        // The file is there a moment before somebody listens.
        while let Err(e) = std::os::unix::net::UnixStream::connect(&socket) {
            assert!(std::time::Instant::now() < limit, "the agent does not begin: {e}");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let added = run("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &socket).status();
        assert!(added.unwrap().success());
        Self { child, socket }
    }
}

impl Drop for SshAgent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A base with OpenSSH's client, whose programs bring their libraries.
fn openssh(lab: &Lab) -> PathBuf {
    let context = lab.busybox_context("ssh", &[]);
    for program in ["ssh-add", "ssh-keygen"] {
        let path = PathBuf::from(format!("/usr/bin/{program}"));
        let listed = Command::new("ldd").arg(&path).output().unwrap().stdout;
        let libraries = String::from_utf8(listed).unwrap();
        let found = libraries.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from);
        for file in found.chain([path]) {
            let place = context.join("root").join(file.strip_prefix("/").unwrap());
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::copy(&file, place).unwrap();
        }
    }
    context
}

const WITH_SSH: &str = "FROM scratch AS shell\nCOPY root /\nCOPY busybox /bin/busybox\n\
    RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n\
    RUN echo root:x:0:0::/root:/bin/sh > /etc/passwd; echo app:x:1000:1000::/:/bin/sh >> /etc/passwd; mkdir -m 1777 /tmp\n\
    FROM shell\n";

#[test]
fn steps_reach_keys_without_having_them() {
    for who in everybody() {
        let lab = Lab::new(who);
        let context = openssh(&lab);
        let first = key(&lab, "first", &["-t", "ed25519"]);
        let second = key(&lab, "second", &["-t", "rsa", "-b", "2048"]);
        let agent = SshAgent::start(&lab, &first);
        let word = |key: &Path| {
            let text = fs::read_to_string(key.with_extension("pub")).unwrap();
            text.split(' ').nth(1).unwrap().to_owned()
        };
        fs::copy(second.with_extension("pub"), context.join("second.pub")).unwrap();
        let (one, two) = (word(&first), word(&second));
        let rest = format!(
            "RUN --mount=type=ssh ssh-add -L | grep -q {one} && test $SSH_AUTH_SOCK = /run/buildkit/ssh_agent.0\n\
             RUN --mount=type=ssh ! ssh-add -D 2>/dev/null\n\
             RUN --mount=type=ssh,id=keys,required ssh-add -L | grep -q {two}\n\
             RUN --mount=type=ssh --mount=type=ssh,id=keys \
             SSH_AUTH_SOCK=/run/buildkit/ssh_agent.1 ssh-add -L | grep -q {two}\n\
             COPY second.pub /k.pub\n\
             RUN --mount=type=ssh,id=keys,target=/tmp/s cd /tmp && echo text > m && ssh-keygen -q -Y sign -n t -f /k.pub m && \
             ssh-keygen -Y check-novalidate -n t -s m.sig < m && stat -c '%a %u %g' /tmp/s\n\
             USER app\n\
             RUN --mount=type=ssh,id=keys,uid=1000 ssh-add -L | grep -q {two}\n\
             RUN --mount=type=ssh,id=keys ! ssh-add -L 2>/dev/null\n\
             RUN --mount=type=ssh,id=none test -n \"$SSH_AUTH_SOCK\" && test ! -e $SSH_AUTH_SOCK\n"
        );
        let keys = format!("keys={}", second.display());
        fs::write(context.join("Dockerfile"), format!("{WITH_SSH}{rest}")).unwrap();
        let arguments =
            ["image", "build", "--ssh", "default", "--ssh", &keys, "-o", "type=local,dest=out/tree", "ssh"];
        let built = lab.command(&arguments).env("SSH_AUTH_SOCK", &agent.socket).output().unwrap();
        let built = crate::lab::Outcome::of(built).success();
        assert!(built.stderr.contains(" 600 0 0\n"), "{built}");
        assert!(!lab.path("out/tree/run").exists() && !lab.path("out/tree/tmp/s").exists());
        // Which agent it is, is no input.
        let again = lab.ok(&["image", "build", "--ssh", &keys, "ssh"]);
        assert!(again.stdout.contains("0 made"), "{again}");
    }
}

#[test]
fn an_agent_that_is_missing_says_so() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[]);
    let needs = "RUN --mount=type=ssh,required=true true\n";
    build(&lab, &context, needs, &[])
        .failure(&["no SSH key \"default\" forwarded from the client", "Dockerfile:5"]);
    build(&lab, &context, needs, &["--ssh", "default"]).failure(&["make sure SSH_AUTH_SOCK is set"]);
    build(&lab, &context, needs, &["--ssh", "default=no-such-file"]).failure(&["no-such-file"]);
    fs::write(lab.path("nonsense"), "x").unwrap();
    build(&lab, &context, needs, &["--ssh", "default=nonsense"]).failure(&["nonsense", "no private key"]);
    let locked = lab.path("locked");
    let made =
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "secret", "-f"]).arg(&locked).status();
    assert!(made.unwrap().success());
    build(&lab, &context, needs, &["--ssh", "default=locked"]).failure(&["passphrase", "ssh-add"]);
}

#[test]
fn names_and_limits_are_those_of_the_command_line() {
    for who in everybody() {
        let lab = Lab::new(who);
        let context = lab.busybox_context("c", &[]);
        let rest = "RUN grep -q '^10.1.2.3.db$' /etc/hosts && grep -q '^::1.six$' /etc/hosts && \
                    grep -q '^10.0.0.2.two$' /etc/hosts && grep -q '^10.0.0.3.two$' /etc/hosts && \
                    grep -q '^127.0.0.1.me$' /etc/hosts\n\
                    RUN df -k /dev/shm | grep -q ' 1024 '\n\
                    RUN test $(ulimit -n) = 100 && test $(ulimit -Hn) = 200 && test $(ulimit -c) = 0\n";
        let flags = [
            "--add-host",
            "db:10.1.2.3",
            "--add-host",
            "six=[::1]",
            "--add-host",
            "two:10.0.0.2,10.0.0.3",
            "--add-host",
            "me:host-gateway",
            "--shm-size",
            "1m",
            "--ulimit",
            "nofile=100:200",
            "--ulimit",
            "core=0",
        ];
        let names = names(&lab, &context, rest, &flags);
        assert!(!names.iter().any(|name| name.starts_with("etc")), "{names:?}");
        // None of it is an input.
        let again = build(&lab, &context, rest, &[]).success();
        assert!(again.stdout.contains("0 made"), "{again}");
    }
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[]);
    for wrong in [
        ["--add-host", "db"],
        ["--add-host", "db:300.1.1.1"],
        ["--shm-size", "big"],
        ["--ulimit", "nofle=1"],
        ["--ulimit", "nofile=2:1"],
    ] {
        let refused = build(&lab, &context, "RUN true\n", &wrong);
        assert_eq!(refused.code, 2, "{refused}");
    }
}

/// Where the unified control groups are, if whoever runs the tests may write to them.
fn control_groups() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    let place = PathBuf::from(line.split(' ').nth(4)?);
    let probe = place.join(format!("lap-probe-{}", std::process::id()));
    fs::create_dir(&probe).ok()?;
    fs::remove_dir(probe).ok()?;
    Some(place)
}

#[test]
fn a_control_group_is_used_or_the_reason_said() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[]);
    let name = format!("lap-test-{}", std::process::id());
    let step = "RUN sleep 600\n";
    match control_groups() {
        Some(place) => {
            fs::write(context.join("Dockerfile"), format!("{SHELL}FROM shell\n{step}")).unwrap();
            let child = lab.command(&["image", "build", "--cgroup-parent", &name, "c"]).spawn().unwrap();
            let limit = std::time::Instant::now() + std::time::Duration::from_secs(120);
            // Every step has one of its own: the last of the three is the one that stays.
            let sleeping = || -> bool {
                let Ok(groups) = fs::read_dir(place.join(&name)) else { return false };
                let of = |group: PathBuf| fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
                groups.flatten().any(|group| {
                    of(group.path()).lines().any(|pid| {
                        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                        String::from_utf8_lossy(&line).replace('\0', " ").contains("sleep 600")
                    })
                })
            };
            while !sleeping() {
                assert!(std::time::Instant::now() < limit, "no step in a group below {name}");
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            let pid = rustix::process::Pid::from_child(&child);
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
            assert_eq!(crate::lab::Outcome::of(child.wait_with_output().unwrap()).code, 130);
            fs::remove_dir(place.join(&name)).expect("no group is left in it");
        }
        None => {
            let refused = build(&lab, &context, step, &["--cgroup-parent", &name]);
            refused.failure(&["make a control group below", "cgroup v2"]);
        }
    }
    build(&lab, &context, "RUN true\n", &["--cgroup-parent", "../x"]).failure(&["leads out"]);
}

#[test]
fn a_failing_step_is_explained() {
    let lab = Lab::new(Who::Caller);
    let files = [
        ("script*", "#!/no/such/interpreter\n"),
        ("crlf*", "#!/bin/sh\r\ntrue\r\n"),
        ("text*", "no program\n"),
    ];
    let context = lab.busybox_context("c", &files);
    let arm = [&b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0"[..], &[0; 44]].concat();
    fs::write(context.join("arm"), arm).unwrap();
    let shell = "COPY --chmod=755 script crlf text arm /\nCOPY --chmod=644 text /plain\n";
    let code = |n: i32| format!("did not complete successfully: exit code: {n}");
    let table = [
        ("RUN exit 7", code(7), ""),
        ("RUN no-such-command", code(127), "did not find a command"),
        ("RUN /plain", code(126), "execute bit"),
        ("RUN sh -c 'kill -9 $$'", code(137), "for lack of memory"),
        ("RUN [\"/bin/sh\", \"-c\", \"kill -9 $$\"]", code(137), "for lack of memory"),
        ("RUN [\"/none\"]", "start /none: not found in the image".into(), "PATH"),
        ("RUN [\"/plain\"]", "permission denied".into(), "chmod +x"),
        ("RUN [\"/bin\"]", "is a directory".into(), ""),
        ("RUN [\"/script\"]", "/no/such/interpreter is not in the image".into(), "interpreter"),
        ("RUN [\"/crlf\"]", "Windows line ends".into(), ""),
        ("RUN [\"/text\"]", "exec format error".into(), "#!/bin/sh"),
        ("RUN [\"/arm\"]", "exec format error: it is made for arm64".into(), "--platform"),
    ];
    for (step, words, hint) in table {
        let failed = build(&lab, &context, &format!("{shell}{step}\n"), &[]);
        failed.failure(&[&words, hint, "Dockerfile:7", step]);
    }
    let scratch = lab.build(&context, "FROM scratch\nCOPY text /\nRUN true\n", &[]);
    scratch.failure(&["start /bin/sh: not found in the image", "the image has no shell", "Dockerfile:3"]);
    let failed = build(&lab, &context, "USER nobody\nRUN true\n", &[]);
    failed.failure(&["unable to find user nobody", "Dockerfile:6"]);
}

#[test]
fn a_failing_step_repeats_its_last_words_even_if_quiet() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[]);
    let rest = "RUN for n in $(seq 1 100); do echo line $n; done; echo the last >&2; exit 9\n";
    let quiet = build(&lab, &context, rest, &["-q"]);
    assert_eq!(quiet.code, 1, "{quiet}");
    let quiet = quiet.failure(&["line 100", "the last", "exit code: 9", "Dockerfile:5"]);
    assert!(!quiet.stderr.contains("line 5\n") && quiet.stdout.is_empty(), "{quiet}");
}

#[test]
fn a_stop_ends_every_process_of_a_step_and_keeps_the_steps_before() {
    for (who, signal) in
        everybody().into_iter().zip([rustix::process::Signal::INT, rustix::process::Signal::TERM])
    {
        let lab = Lab::new(who);
        let context = lab.busybox_context("c", &[]);
        let marker = crate::stage::ages();
        let rest = format!(
            "RUN touch /kept\nRUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/m setsid sleep {marker} & \
             (trap '' INT TERM; sleep {marker} & wait); sleep {marker}\n"
        );
        fs::write(context.join("Dockerfile"), format!("{SHELL}FROM shell\n{rest}")).unwrap();
        let child = lab.command(&["image", "build", "c"]).stderr(Stdio::piped()).spawn().unwrap();
        let limit = std::time::Instant::now() + std::time::Duration::from_secs(120);
        let sleeping = || crate::stage::processes_with(&format!("sleep {marker}")).len();
        while sleeping() < 2 {
            assert!(std::time::Instant::now() < limit, "the step does not begin");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal).unwrap();
        let begun = std::time::Instant::now();
        let output = crate::lab::Outcome::of(child.wait_with_output().unwrap());
        assert_eq!(output.code, 130, "{output}");
        assert!(begun.elapsed() < std::time::Duration::from_secs(120), "{:?}", begun.elapsed());
        assert_eq!(sleeping(), 0);
        let again = build(&lab, &context, "RUN touch /kept\n", &[]).success();
        assert!(again.stdout.contains("0 made"), "{again}");
    }
}
