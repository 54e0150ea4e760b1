//! What RUN steps are shown beside their tree, and what of it stays.

use std::fs;
use std::path::Path;

use crate::lab::{Lab, Outcome, Who, everybody};

/// A base with a shell, as the first stage of a Dockerfile.
pub const SHELL: &str = "FROM scratch AS shell\n\
    COPY busybox /bin/busybox\n\
    RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n";

/// A Dockerfile whose last stage, on a shell, is `rest`.
pub fn on_shell(rest: &str) -> String {
    format!("{SHELL}FROM shell\n{rest}")
}

/// Builds `rest` on a shell.
pub fn build(lab: &Lab, context: &Path, rest: &str, more: &[&str]) -> Outcome {
    lab.build(context, &on_shell(rest), more)
}

/// The names in the layers of the image made last, by building again into a tar of its files.
pub fn names(lab: &Lab, context: &Path, rest: &str, more: &[&str]) -> Vec<String> {
    let mut arguments = vec!["-o", "type=local,dest=out/tree"];
    arguments.extend(more);
    let _ = fs::remove_dir_all(lab.path("out/tree"));
    build(lab, context, rest, &arguments).success();
    let mut names = Vec::new();
    let mut open = vec![lab.path("out/tree")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            names.push(path.strip_prefix(lab.path("out/tree")).unwrap().display().to_string());
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            }
        }
    }
    names.sort();
    names
}

#[test]
fn secrets_are_files_and_variables_and_leave_nothing() {
    for who in everybody() {
        let lab = Lab::new(who);
        let context = lab.busybox_context("c", &[]);
        fs::write(lab.path("token"), "very secret\n").unwrap();
        let rest = "RUN --mount=type=secret,id=token stat -c '%a %u %g' /run/secrets/token > /seen && \
                    wc -c < /run/secrets/token >> /seen\n\
                    RUN --mount=type=secret,id=token,target=/etc/deep/t,mode=0444,uid=5,gid=6 \
                    stat -c '%a %u %g' /etc/deep/t >> /seen\n\
                    RUN --mount=type=secret,id=var,env=TOKEN test ! -e /run/secrets && echo ${#TOKEN} >> /seen\n\
                    WORKDIR /w\n\
                    RUN --mount=type=secret,id=token,env=A,target=rel test -s rel && echo ${#A} >> /seen\n\
                    RUN --mount=type=secret,target=/x/token test -s /x/token\n\
                    RUN --mount=type=secret,source=token test -s /run/secrets/token\n\
                    RUN --mount=type=secret,id=none test ! -e /run/secrets/none\n\
                    RUN --mount=type=secret,id=none,env=N test \"${N-unset}\" = ''\n";
        let secrets = ["--secret", "id=token,src=token", "--secret", "id=var,env=HOME"];
        let names = names(&lab, &context, rest, &secrets);
        let home = lab.path("home").display().to_string().len();
        let seen = fs::read_to_string(lab.path("out/tree/seen")).unwrap();
        assert_eq!(seen, format!("400 0 0\n12\n444 5 6\n{home}\n12\n"));
        for left in ["run", "etc", "x", "w/rel"] {
            assert!(!names.iter().any(|name| name == left), "{left} in {names:?}");
        }
    }
}

#[test]
fn a_secret_that_is_missing_says_so() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[]);
    fs::write(lab.path("token"), "x").unwrap();
    let required = "RUN --mount=type=secret,id=tokn,required=true true\n";
    let failed = build(&lab, &context, required, &["--secret", "id=token,src=token"]);
    failed.failure(&["secret tokn: not found", "did you mean token?", "Dockerfile:5"]);
    let failed = build(&lab, &context, required, &[]);
    failed.failure(&["secret tokn: not found", "--secret id=tokn,src=FILE"]);
    build(&lab, &context, "RUN true\n", &["--secret", "id=x,src=no-such-file"]).failure(&["no-such-file"]);
    fs::write(lab.path("large"), vec![b'x'; 600 << 10]).unwrap();
    build(&lab, &context, "RUN true\n", &["--secret", "id=x,src=large"]).failure(&["too big", "500 KB"]);
    for wrong in ["id=a,tpe=file", "src=x", "id=a,src=b,env=c"] {
        let refused = build(&lab, &context, "RUN true\n", &["--secret", wrong]);
        assert_eq!(refused.code, 2, "{refused}");
    }
}

#[test]
fn secrets_are_never_shown() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[]);
    fs::write(lab.path("token"), "hunter22\n").unwrap();
    let rest = "RUN --mount=type=secret,id=token cat /run/secrets/token; printf 'in hunt'; sleep 0.3; \
                printf 'er22 pieces\\n' ; printf \"on $(cat /run/secrets/token)\" >&2; exit 3\n";
    for progress in ["plain", "quiet", "rawjson", "none"] {
        let outcome =
            build(&lab, &context, rest, &["--progress", progress, "--secret", "id=token,src=token"]);
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(!outcome.stderr.contains("hunter22"), "{progress}: {outcome}");
        assert!(!outcome.stdout.contains("hunter22"), "{outcome}");
    }
    let plain = build(&lab, &context, rest, &["--secret", "id=token,src=token"]);
    assert!(plain.stderr.contains("in *** pieces") && plain.stderr.contains("on ***"), "{plain}");
}

#[test]
fn a_secrets_value_and_name_are_no_input() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[]);
    for (name, value) in [("a", "first"), ("b", "second")] {
        fs::write(lab.path(name), value).unwrap();
    }
    let rest = |id: &str| format!("RUN --mount=type=secret,id={id},target=/s wc -c /s > /size\n");
    build(&lab, &context, &rest("a"), &["--secret", "id=a,src=a"]).success();
    for (id, secret) in [("a", "id=a,src=b"), ("b", "id=b,src=b")] {
        let again = build(&lab, &context, &rest(id), &["--secret", secret]).success();
        assert!(again.stdout.contains("0 made"), "{again}");
    }
}

#[test]
fn memory_is_bounded_and_vanishes() {
    for who in everybody() {
        let lab = Lab::new(who);
        let context = lab.busybox_context("c", &[]);
        let rest = "RUN --mount=type=tmpfs,target=/mem,size=64k stat -c %a /mem > /seen && echo x > /mem/x && \
                    ! dd if=/dev/zero of=/mem/big bs=1k count=100 2>/dev/null\n\
                    RUN --mount=type=tmpfs,target=/mem,readonly ! touch /mem/x 2>/dev/null && test -z \"$(ls /mem)\"\n\
                    WORKDIR /w\nRUN --mount=type=tmpfs,target=in/side touch in/side/x\n";
        let names = names(&lab, &context, rest, &[]);
        assert_eq!(fs::read_to_string(lab.path("out/tree/seen")).unwrap(), "1777\n");
        assert!(!names.iter().any(|name| name.starts_with("mem") || name.starts_with("w/")), "{names:?}");
    }
}

#[test]
fn networks_are_chosen_by_the_step() {
    for who in everybody() {
        let lab = Lab::new(who);
        let context = lab.busybox_context("c", &[]);
        let count = "ip -o link | wc -l";
        let rest = format!(
            "RUN --network=none test $({count}) = 1\nRUN --network=host test $({count}) -gt 1\n\
             RUN --network=default --security=sandbox test $({count}) -gt 1\n"
        );
        build(&lab, &context, &rest, &[]).success();
        let default = format!("RUN --network=default test $({count}) = 1\n");
        build(&lab, &context, &default, &["--network", "none"]).success();
    }
}

#[test]
fn what_nobody_can_grant_is_refused_with_the_reason() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[]);
    let table = [
        ("RUN --security=insecure true\n", ["security.insecure is not allowed", "capabilities"]),
        ("RUN --device=vendor.com/gpu=all true\n", ["--device is refused", "Dockerfile:5"]),
        ("RUN --mount=type=tmpfs,target=/ true\n", ["invalid mount target", "Dockerfile:5"]),
        ("RUN --mount=type=tmpfs true\n", ["invalid mount target", "Dockerfile:5"]),
        ("RUN --mount=type=secret,target=/ true\n", ["invalid mount target", "Dockerfile:5"]),
        ("RUN --mount=type=ssh,source=x true\n", ["ssh does not support source", "Dockerfile:5"]),
        ("RUN --mount=type=secret,id=a,env=A=B true\n", ["name of a variable", "Dockerfile:5"]),
    ];
    for (rest, words) in table {
        build(&lab, &context, rest, &[]).failure(&words);
    }
}

#[test]
fn values_of_a_mount_are_expanded() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[]);
    let rest = "ARG NAME=n\nENV PLACE=/there\n\
                RUN --mount=type=tmpfs,target=$PLACE/${NAME} grep -q ' /there/n tmpfs' /proc/mounts\n";
    build(&lab, &context, rest, &[]).success();
}

#[test]
fn binds_show_the_context_stages_and_images() {
    for who in everybody() {
        let lab = Lab::new(who);
        let files = [("src/a.txt", "a\n"), ("src/deep/b.txt", "b\n"), ("run.sh*", "#!/bin/sh\necho ran\n")];
        let context = lab.busybox_context("c", &files);
        let rest = "COPY --from=made /out /copied\n\
                    RUN --mount=target=/c cat /c/src/a.txt /c/src/deep/b.txt > /seen && ! touch /c/x 2>/dev/null\n\
                    RUN --mount=type=bind,source=src/a.txt,target=/one.txt cat /one.txt >> /seen\n\
                    RUN --mount=source=run.sh,target=/r.sh /r.sh >> /seen && stat -c '%u %g' /r.sh >> /seen\n\
                    RUN --mount=from=made,source=/out,target=/m cat /m/x >> /seen\n\
                    RUN --mount=from=made,source=/link,target=/l cat /l/x >> /seen\n\
                    RUN --mount=from=made,source=../../etc/../out,target=/m cat /m/x >> /seen\n\
                    RUN --mount=from=scratch,target=/empty test -z \"$(ls /empty)\"\n\
                    WORKDIR /w\nRUN --mount=source=src,target=rel cat rel/a.txt >> /seen\n";
        let made = "FROM shell AS made\nRUN mkdir /out && echo made > /out/x && ln -s /out /link\n";
        let text = format!("{SHELL}{made}FROM shell\n{rest}");
        lab.build(&context, &text, &["-o", "type=local,dest=out/tree"]).success();
        let seen = fs::read_to_string(lab.path("out/tree/seen")).unwrap();
        assert_eq!(seen, "a\nb\na\nran\n0 0\nmade\nmade\nmade\na\n");
        for left in ["c", "one.txt", "r.sh", "m", "l", "empty", "w/rel"] {
            assert!(!lab.path("out/tree").join(left).exists(), "{left} is left");
        }
    }
}

#[test]
fn what_is_written_to_a_bind_is_gone_after_the_step() {
    for who in everybody() {
        let lab = Lab::new(who);
        let context = lab.busybox_context("c", &[("src/a.txt", "a\n")]);
        let rest = "RUN --mount=source=src,target=/c,rw echo changed > /c/a.txt && touch /c/new && \
                    cat /c/a.txt > /seen\n\
                    RUN --mount=source=src,target=/c cat /c/a.txt >> /seen && test ! -e /c/new\n\
                    RUN --mount=from=shell,target=/s,rw rm -r /s/bin && touch /s/x && ls /s >> /seen\n\
                    RUN --mount=from=shell,target=/s test ! -e /s/x && test -e /s/bin/busybox\n";
        names(&lab, &context, rest, &[]);
        let seen = fs::read_to_string(lab.path("out/tree/seen")).unwrap();
        assert!(seen.starts_with("changed\na\n") && seen.ends_with("x\n"), "{seen}");
        assert_eq!(fs::read_to_string(context.join("src/a.txt")).unwrap(), "a\n");
        assert!(!context.join("src/new").exists());
    }
}

#[test]
fn a_bind_is_an_input_by_content() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[("src/a", "1"), ("other", "1"), ("hidden", "1")]);
    fs::write(context.join(".dockerignore"), "hidden\n").unwrap();
    let rest = "RUN --mount=source=src,target=/c cat /c/a\nRUN --mount=target=/c test ! -e /c/hidden\n";
    build(&lab, &context, rest, &[]).success();
    fs::write(context.join("hidden"), "2").unwrap();
    let again = build(&lab, &context, rest, &[]).success();
    assert!(again.stdout.contains("0 made"), "{again}");
    fs::write(context.join("other"), "2").unwrap();
    let again = build(&lab, &context, rest, &[]).success();
    assert!(again.stdout.contains("1 made"), "{again}");
    fs::write(context.join("src/a"), "2").unwrap();
    let again = build(&lab, &context, rest, &[]).success();
    assert!(again.stdout.contains("2 made"), "{again}");
    // A stage that is made anew with the same content is no change.
    let staged = |word: &str| {
        format!(
            "{SHELL}FROM shell AS made\nRUN : {word}; echo same > /x\nFROM shell\nRUN --mount=from=made,source=/x,target=/x cat /x\n"
        )
    };
    lab.build(&context, &staged("one"), &[]).success();
    let again = lab.build(&context, &staged("two"), &[]).success();
    assert!(again.stderr.contains("CACHED"), "{again}");
    let known = lab.build(&context, &staged("two"), &[]).success();
    assert!(known.stdout.contains("0 made"), "{known}");
}

#[test]
fn a_missing_source_of_a_bind_says_where_it_was_looked_for() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[("main.c", "x")]);
    let failed = build(&lab, &context, "RUN --mount=source=main.cc,target=/m true\n", &[]);
    failed.failure(&["not found in the build context", "did you mean main.c?", "Dockerfile:5"]);
    let failed = build(&lab, &context, "RUN --mount=from=shell,source=/none,target=/m true\n", &[]);
    failed.failure(&["\"/none\": not found in stage 0", "Dockerfile:5"]);
    let failed = build(
        &lab,
        &context,
        "RUN --mount=from=late,target=/m true\nFROM shell AS late\n",
        &["--target", "1"],
    );
    failed.failure(&["late"]);
}
