//! Whole builds: trees, configurations, caches, errors.

use crate::lab::{Lab, Registry, Who, everybody, is_root};

/// A base with a shell, as the first stage of a Dockerfile.
const SHELL: &str = "FROM scratch AS shell\n\
    COPY busybox /bin/busybox\n\
    RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n";

fn dockerfile(rest: &str) -> String {
    format!("{SHELL}{rest}")
}

#[test]
fn a_multi_stage_build_runs_and_is_cached() {
    for who in everybody() {
        let lab = Lab::new(who);
        let context = lab.busybox_context("c", &[("src/main.txt", "hello\n")]);
        let text = dockerfile(
            "FROM shell AS build\n\
             COPY src /src\n\
             RUN cat /src/main.txt > /out && id -u >> /out\n\
             FROM shell\n\
             COPY --from=build /out /result\n\
             CMD [\"cat\", \"/result\"]\n",
        );
        let first = lab.build(&context, &text, &["-t", "app:1"]).success();
        assert!(first.stdout.contains("5 made, 0 cached"), "{first}");
        let second = lab.build(&context, &text, &["-t", "app:1"]).success();
        assert!(second.stdout.contains("0 made, 5 cached"), "{second}");
        assert_eq!(first.field("digest"), second.field("digest"));
        let run = lab.ok(&["image", "run", "--rm", "app:1"]);
        assert_eq!(run.stdout, "hello\n0\n");
    }
}

#[test]
fn only_what_the_target_needs_runs() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[]);
    let text = dockerfile("FROM shell AS broken\nRUN false\nFROM shell AS good\nRUN true\n");
    lab.build(&context, &text, &["--target", "GOOD"]).success();
    let failed = lab.build(&context, &text, &["--target", "broken"]);
    failed.failure(&["RUN false", "exit code: 1", "Dockerfile:5"]);
}

#[test]
fn a_changed_file_runs_only_what_reads_it() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[("a", "1"), ("b", "1")]);
    let text = dockerfile("FROM shell\nCOPY a /a\nRUN cat /a\nFROM shell\nCOPY b /b\nCOPY --from=1 /a /a\n");
    lab.build(&context, &text, &[]).success();
    std::fs::write(context.join("b"), "2").unwrap();
    let again = lab.build(&context, &text, &[]).success();
    assert!(again.stdout.contains("2 made, 4 cached"), "{again}");
    // The same content again: times do not count.
    std::fs::write(context.join("b"), "2").unwrap();
    let same = lab.build(&context, &text, &[]).success();
    assert!(same.stdout.contains("0 made"), "{same}");
}

#[test]
fn an_equal_result_of_a_changed_stage_is_reused() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[]);
    let text = |word: &str| {
        dockerfile(&format!(
            "FROM shell AS made\nRUN : {word}; echo same > /x\nFROM shell\nCOPY --from=made /x /x\nRUN cat /x\n"
        ))
    };
    lab.build(&context, &text("one"), &[]).success();
    let second = lab.build(&context, &text("two"), &[]).success();
    assert!(second.stderr.contains("CACHED"), "{second}");
    let third = lab.build(&context, &text("two"), &[]).success();
    assert!(third.stdout.contains("0 made"), "{third}");
}

#[test]
fn root_and_ordinary_user_make_the_same_image() {
    if !is_root() {
        return;
    }
    let text = dockerfile(
        "FROM shell\n\
         RUN mkdir -p /d/e && echo 1 > /d/e/f && chown -R 1000:2000 /d && chmod 4755 /bin/busybox\n\
         RUN rm -r /d/e && mkdir /d/e && ln /bin/busybox /hard && echo x > /etc-file\n\
         COPY --chown=5:6 --chmod=750 src /app/\n\
         USER 1000\nWORKDIR /w\nENV A=b\n",
    );
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[("src/x", "x"), ("src/d/y", "y")]);
    let first = lab.build(&context, &text, &["-t", "x", "-o", "type=oci,dest=out/a.tar"]).success();
    let lab = lab.with_store("second-store");
    let second = lab.build(&context, &text, &["-t", "x", "-o", "type=oci,dest=out/b.tar"]).success();
    assert_eq!(first.field("digest"), second.field("digest"));
    let ordinary = Lab::new(Who::Ordinary);
    let third = ordinary.build(&context, &text, &["-t", "x", "-o", "type=oci,dest=out/c.tar"]).success();
    assert_eq!(first.field("digest"), third.field("digest"));
    let files = |lab: &Lab, name: &str| std::fs::read(lab.path(name)).unwrap();
    assert_eq!(files(&lab, "out/a.tar"), files(&ordinary, "out/c.tar"));
}

#[test]
fn pushed_images_come_back() {
    for who in everybody() {
        let lab = Lab::new(who);
        let registry = Registry::start(&lab);
        let context = lab.busybox_context("c", &[]);
        let name = format!("{}/shop:1", registry.address);
        let text = dockerfile("FROM shell\nRUN echo answer > /x\nCMD [\"cat\", \"/x\"]\n");
        let built = lab.build(&context, &text, &["-t", &name, "--push"]).success();
        let lab = lab.with_store("fresh");
        let pulled = lab.ok(&["image", "pull", "-q", &name]);
        assert_eq!(pulled.stdout.trim(), built.field("digest"));
        assert_eq!(lab.ok(&["image", "run", "--rm", &name]).stdout, "answer\n");
        // As a base image it is pulled lazily.
        let child = dockerfile(&format!("FROM {name}\nRUN cat /x\n"));
        lab.build(&context, &child, &[]).success();
    }
}

#[test]
fn errors_name_the_place() {
    let lab = Lab::new(Who::Caller);
    let context =
        lab.busybox_context("c", &[("real.txt", "x"), (".dockerignore", "hidden\n"), ("hidden", "x")]);
    let cases: &[(&str, &[&str])] = &[
        ("FROM scratch\nCOPY reel.txt /\n", &["not found in the build context", "Dockerfile:2", "real.txt"]),
        ("FROM scratch\nCOPY hidden /\n", &["Dockerfile:2", ".dockerignore hides it"]),
        ("FROM scratch\nCOPPY a b\n", &["unknown instruction", "COPY", "Dockerfile:2"]),
        ("FROM scratch\nRUN echo\n", &["Dockerfile:2", "shell"]),
        ("FROM 127.0.0.1:1/nothing\n", &["127.0.0.1:1", "Dockerfile:1"]),
        ("FROM scratch\nCOPY --chown=nobody-here real.txt /\n", &["nobody-here", "Dockerfile:2"]),
        (
            "# syntax=docker/dockerfile:1.99\nFROM scratch\nNEWTHING x\n",
            &["NEWTHING", "Dockerfile:3", "1.99", "1.27"],
        ),
        ("# syntax=docker/dockerfile:1.99\nFROM scratch\nCOPY --newflag a b\n", &["newflag", "1.99"]),
        ("", &["cannot be empty"]),
        ("# only a comment\n", &["file with no instructions"]),
    ];
    for (text, words) in cases {
        lab.build(&context, text, &[]).failure(words);
    }
    std::fs::remove_file(context.join("Dockerfile")).unwrap();
    lab.run(&["image", "build", "c"]).failure(&["there is no Dockerfile in c"]);
    lab.run(&["image", "build", "nowhere"]).failure(&["does not exist"]);
    lab.run(&["image", "build", "-f", "c", "c"]).failure(&["is a directory"]);
}

#[test]
fn carriage_returns_and_stray_bytes() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[]);
    lab.build(&context, &SHELL.replace('\n', "\r\n"), &[]).success();
    std::fs::write(context.join("Dockerfile"), b"FROM scratch\nLABEL a=\xff\xfe\n").unwrap();
    lab.run(&["image", "build", "c"]).failure(&["Dockerfile:2"]);
    let large = std::fs::File::create(context.join("Dockerfile")).unwrap();
    large.set_len(100 << 20).unwrap();
    lab.run(&["image", "build", "c"]).failure(&["100 MB", "-f"]);
}

#[test]
fn outputs_hold_the_same_tree() {
    for who in everybody() {
        let lab = Lab::new(who);
        let context = lab.busybox_context("c", &[("f", "content")]);
        let text = "FROM scratch\nCOPY f /dir/f\n";
        lab.build(&context, text, &["-o", "out/files", "-o", "type=tar,dest=out/x.tar"]).success();
        assert_eq!(std::fs::read_to_string(lab.path("out/files/dir/f")).unwrap(), "content");
        let list = std::process::Command::new("tar").arg("tf").arg(lab.path("out/x.tar")).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&list.stdout), "dir/\ndir/f\n");
    }
}
