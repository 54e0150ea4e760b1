//! `lap why`: each of these changes is named as the reason that a step ran.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use crate::lab::{Lab, Outcome, Who};

const TEXT: &str = "FROM scratch AS shell\n\
    COPY busybox /bin/busybox\n\
    RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n\
    FROM shell AS build\n\
    ARG V=1\n\
    ARG OWNER=1\n\
    ENV E=1\n\
    WORKDIR /w\n\
    COPY src/ /src/\n\
    COPY one two /flat/\n\
    COPY *.conf /etc/\n\
    RUN cat /src/main.c > /out && echo $V $E\n\
    FROM shell\n\
    ARG OWNER=1\n\
    USER 5\n\
    COPY --from=build /out /result\n\
    RUN --mount=type=bind,target=/ctx,source=lib cat /ctx/x\n\
    RUN <<EOF\necho first\nEOF\n\
    COPY <<FILE /doc\ntext\nFILE\n\
    COPY --chown=${OWNER} one /owned\n\
    ADD two /added\n";

const FILES: [(&str, &str); 9] = [
    ("src/main.c", "main\n"),
    ("src/extra.c", "extra\n"),
    ("src/run.sh", "run\n"),
    ("src/deep/er/file", "deep\n"),
    ("one", "1\n"),
    ("two", "2\n"),
    ("a.conf", "a\n"),
    ("lib/x", "x\n"),
    ("kind", "kind\n"),
];

/// A change: what is done to the context, how the Dockerfile is edited, which flags the build is given; then a part of a
/// step as it is shown, and the reason.
struct Change {
    files: fn(&Path),
    edit: (&'static str, &'static str),
    flags: &'static [&'static str],
    step: &'static str,
    reason: &'static str,
}

fn nothing(_: &Path) {}

const fn file(files: fn(&Path), step: &'static str, reason: &'static str) -> Change {
    Change { files, edit: ("", ""), flags: &[], step, reason }
}

const fn edit(from: &'static str, to: &'static str, step: &'static str, reason: &'static str) -> Change {
    Change { files: nothing, edit: (from, to), flags: &[], step, reason }
}

const fn flag(flags: &'static [&'static str], step: &'static str, reason: &'static str) -> Change {
    Change { files: nothing, edit: ("", ""), flags, step, reason }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

const CHANGES: [Change; 30] = [
    file(|c| write(&c.join("src/main.c"), "other\n"), "COPY src/", "COPY src : src/main.c changed"),
    file(
        |c| write(&c.join("src/main.c"), "again\n"),
        "COPY --from=build",
        "COPY out from stage build : out changed",
    ),
    file(
        |c| write(&c.join("src/main.c"), "third\n"),
        "RUN cat /src/main.c",
        "the step before changed: [build 4/5] COPY *.conf /etc/",
    ),
    file(|c| write(&c.join("src/new.c"), ""), "COPY src/", "src/new.c is new"),
    file(|c| fs::remove_file(c.join("src/extra.c")).unwrap(), "COPY src/", "src/extra.c is gone"),
    file(
        |c| fs::set_permissions(c.join("src/run.sh"), fs::Permissions::from_mode(0o755)).unwrap(),
        "COPY src/",
        "src/run.sh: mode 0644 → 0755",
    ),
    file(|c| symlink("run.sh", c.join("src/link")).unwrap(), "COPY src/", "src/link is new"),
    file(|c| write(&c.join("src/deep/er/file"), "x"), "COPY src/", "src/deep/er/file changed"),
    file(|c| write(&c.join("one"), "x"), "COPY one two", "COPY one two : one changed"),
    file(|c| write(&c.join("two"), "x"), "ADD two", "ADD two : two changed"),
    file(|c| write(&c.join("b.conf"), "b"), "COPY *.conf", "COPY *.conf : b.conf is new"),
    file(|c| write(&c.join("lib/x"), "y"), "RUN --mount=type=bind", "RUN lib : lib/x changed"),
    file(|c| write(&c.join(".dockerignore"), "src/deep\n"), "COPY src/", "src/deep is gone"),
    flag(&["--build-arg", "V=2"], "RUN cat /src/main.c", "build arg V 1 → 2"),
    flag(&["--build-arg", "OWNER=7"], "COPY --chown=", "build arg OWNER 1 → 7"),
    flag(&["--no-cache"], "RUN cat /src/main.c", "--no-cache"),
    flag(&["--no-cache-filter", "build"], "RUN cat /src/main.c", "--no-cache-filter build"),
    flag(&["--source-date-epoch", "5000"], "COPY one two", "SOURCE_DATE_EPOCH \"\" → 5000"),
    flag(&["--network", "none"], "RUN cat /src/main.c", "network host → none"),
    edit("ARG V=1", "ARG V=3", "RUN cat /src/main.c", "build arg V 1 → 3"),
    edit("ENV E=1", "ENV E=2", "RUN cat /src/main.c", "ENV E 1 → 2"),
    edit("ENV E=1\n", "ENV E=1 F=new\n", "RUN cat /src/main.c", "ENV F unset → new"),
    edit("> /out &&", ">> /out &&", "RUN cat /src/main.c", "RUN text changed"),
    edit("WORKDIR /w", "WORKDIR /v", "WORKDIR /v", "WORKDIR text changed"),
    edit("WORKDIR /w", "WORKDIR /u", "RUN cat /src/main.c", "working directory /w → /u"),
    edit("USER 5", "USER 6", "RUN --mount=type=bind", "USER 5 → 6"),
    edit(
        "USER 5",
        "SHELL [\"/bin/sh\", \"-e\", \"-c\"]\nUSER 5",
        "RUN --mount=type=bind",
        "SHELL /bin/sh -c → /bin/sh -e -c",
    ),
    edit("echo first", "echo second", "RUN <<EOF", "heredoc echo first → echo second"),
    edit("\ntext\n", "\nother text\n", "COPY <<FILE", "heredoc text → other text"),
    edit("COPY one two /flat/", "RUN true\nCOPY one two /flat/", "RUN true", "the step is new"),
];

/// What `lap why` says of the steps whose name contains `step`.
fn told(outcome: &Outcome, step: &str) -> String {
    let mut inside = false;
    let lines = outcome.stdout.lines().filter(|line| {
        if !line.starts_with("  ") {
            inside = line.contains(step);
        }
        inside
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn base(lab: &Lab) -> std::path::PathBuf {
    let context = lab.path("c");
    let _ = fs::remove_dir_all(&context);
    lab.busybox_context("c", &FILES)
}

#[test]
fn each_change_is_named() {
    let lab = Lab::new(Who::Caller);
    lab.run(&["why"]).failure(&["no build is known"]);
    let context = base(&lab);
    lab.build(&context, TEXT, &[]).success();
    assert!(told(&lab.ok(&["why"]), "COPY src/").contains("because: first build"));
    let mut wrong = Vec::new();
    for change in &CHANGES {
        let context = base(&lab);
        (change.files)(&context);
        let (from, to) = change.edit;
        let text = if from.is_empty() { TEXT.to_owned() } else { TEXT.replacen(from, to, 1) };
        lab.build(&context, &text, change.flags).success();
        let why = lab.ok(&["why"]);
        let said = told(&why, change.step);
        if !said.contains(&format!("because: {}", change.reason)) && !said.contains(change.reason) {
            wrong.push(format!("{} should say {:?}:\n{said}", change.step, change.reason));
        }
        // As it was: nothing runs, and the next change is measured against this.
        let again = lab.build(&base(&lab), TEXT, &[]).success();
        let renewed = change.flags.first().is_some_and(|flag| flag.starts_with("--no-cache"));
        assert!(renewed || again.stdout.contains("0 made"), "after {}: {again}", change.reason);
        assert!(!lab.ok(&["why"]).stdout.contains("because"), "after {}", change.reason);
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CHANGES.len(), wrong.join("\n"));
}

#[test]
fn bases_platforms_and_lost_results_are_named() {
    let lab = Lab::new(Who::Caller);
    let make = |name: &str, content: &str, tag: &str| {
        let context = lab.context(name, &[("f", content)]);
        lab.build(&context, "FROM scratch\nCOPY f /f\n", &["-t", tag]).success();
    };
    make("b1", "1", "base:1");
    make("b2", "2", "base:2");
    let context = lab.busybox_context("c", &[]);
    let text = "FROM base:1\nCOPY busybox /bin/\nRUN [\"/bin/busybox\", \"true\"]\n";
    lab.build(&context, text, &["-t", "app"]).success();
    let why = |what: &[&str]| lab.ok(&[&["why"], what].concat());

    lab.build(&context, &text.replace("base:1", "base:2"), &[]).success();
    assert!(told(&why(&[]), "COPY").contains("because: base image base:1 → base:2"), "{}", why(&[]));
    lab.build(&context, text, &[]).success();
    make("b3", "3", "base:1");
    lab.build(&context, text, &["-t", "app"]).success();
    let said = told(&why(&["app"]), "COPY");
    assert!(
        said.contains("because: base image base:1 changed: sha256:") && said.contains("→ sha256:"),
        "{said}"
    );
    assert!(told(&why(&["true"]), "RUN").contains("because: the step before changed"), "{}", why(&[]));

    let plain = lab.context("p", &[("one", "1")]);
    lab.build(&plain, "FROM scratch\nCOPY one /one\n", &["--platform", "linux/amd64"]).success();
    lab.build(&plain, "FROM scratch\nCOPY one /one\n", &["--platform", "linux/arm64"]).success();
    assert!(told(&why(&[]), "COPY").contains("because: platform linux/amd64 → linux/arm64"), "{}", why(&[]));

    lab.ok(&["image", "prune", "--all"]);
    lab.build(&plain, "FROM scratch\nCOPY one /one\n", &["--platform", "linux/arm64"]).success();
    assert!(told(&why(&[]), "COPY").contains("because: its result is no longer there"), "{}", why(&[]));

    let failing = "FROM scratch\nCOPY busybox /bin/\nRUN [\"/bin/busybox\", \"false\"]\n";
    fs::write(context.join("Failing"), failing).unwrap();
    for _ in 0..2 {
        lab.build(&context, text, &["-f", "c/Failing"]).failure(&["exit code: 1"]);
    }
    let said = told(&why(&[]), "RUN");
    assert!(said.contains("did not finish") && said.contains("did not come to its end"), "{said}");
    let json = lab.ok(&["why", "-o", "json"]);
    assert!(json.stdout.contains("\"unfinished\""), "{json}");
    lab.run(&["why", "no such step"]).failure(&["no step of the last build contains it", "RUN"]);
}
