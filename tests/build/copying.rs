//! The flags of COPY and ADD on real trees.

use std::path::Path;
use std::process::Command;

use crate::lab::{Lab, Outcome, everybody};

/// Builds and writes the image's tree as a tar; gives its listing: mode, owner, path, target of links.
fn tree(lab: &Lab, context: &Path, dockerfile: &str, more: &[&str]) -> Vec<String> {
    let arguments = [&["-q", "-o", "type=tar,dest=out/tree.tar"], more].concat();
    lab.build(context, dockerfile, &arguments).success();
    listing(&lab.path("out/tree.tar"))
}

/// Mode, owner, path and target of everything in a tar.
pub fn listing(tar: &Path) -> Vec<String> {
    let list = Command::new("tar").args(["--numeric-owner", "-tvf"]).arg(tar).output().unwrap();
    let text = String::from_utf8(list.stdout).unwrap();
    let words = text.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        [&words[..2], &words[5..]].concat().join(" ")
    });
    words.collect()
}

/// Fails the test unless the line is there.
pub fn has(lines: &[String], line: &str) {
    assert!(lines.iter().any(|l| l == line), "no {line:?} in {lines:#?}");
}

/// Fails the test if the path is there.
pub fn lacks(lines: &[String], path: &str) {
    assert!(!lines.iter().any(|l| l.ends_with(path)), "{path:?} in {lines:#?}");
}

#[test]
fn parents_keep_the_path_from_the_pivot() {
    for who in everybody() {
        let lab = Lab::new(who);
        let files = [("a/b/c/x.txt", "x"), ("a/b/c/y.md", "y"), ("a/b2/c/z.txt", "z"), ("a/top.txt", "t")];
        let context = lab.context("c", &files);
        let text = "FROM scratch\n\
            COPY --parents a/b/c/x.txt /plain/\n\
            COPY --parents a/b/./c/y.md /pivot/\n\
            COPY --parents a/*/c/*.txt /stars/\n\
            COPY --parents **/*.txt /deep/\n\
            COPY --parents a/b*/./c /wild/\n\
            COPY --parents a/none* /nothing/\n";
        let lines = tree(&lab, &context, text, &[]);
        for path in [
            "plain/a/b/c/x.txt",
            "pivot/c/y.md",
            "stars/a/b/c/x.txt",
            "stars/a/b2/c/z.txt",
            "deep/a/b/c/x.txt",
            "deep/a/b2/c/z.txt",
            "deep/a/top.txt",
            "wild/c/x.txt",
            "wild/c/z.txt",
        ] {
            has(&lines, &format!("-rw-r--r-- 0/0 {path}"));
        }
        has(&lines, "drwxr-xr-x 0/0 nothing/");
        for path in [
            "plain/a/b/c/y.md",
            "pivot/a/",
            "pivot/c/x.txt",
            "stars/a/top.txt",
            "deep/a/b/c/y.md",
            "nothing/a/",
        ] {
            lacks(&lines, path);
        }
        let missing = lab.build(&context, "FROM scratch\nCOPY --parents a/./nope /x/\n", &[]);
        missing.failure(&["/a/nope", "not found in the build context", "Dockerfile:2"]);
    }
}

#[test]
fn exclude_hides_below_each_source() {
    for who in everybody() {
        let lab = Lab::new(who);
        let files = [
            ("src/a.txt", "a"),
            ("src/b.md", "b"),
            ("src/d/c.md", "c"),
            ("src/d/keep.md", "k"),
            ("b.md", "b"),
        ];
        let context = lab.context("c", &files);
        let text = "FROM scratch AS one\n\
            COPY --exclude=*.md --exclude=d src /top/\n\
            COPY --exclude=**/*.md --exclude=!d/keep.md src /deep/\n\
            COPY --exclude=d --parents src /parents/\n\
            COPY --exclude=*.md b.md /file/\n\
            FROM scratch\n\
            COPY --from=one --exclude=d /deep /again/\n\
            COPY --from=one --exclude=$x / /\n";
        let lines = tree(&lab, &context, text, &[]);
        for path in
            ["top/a.txt", "deep/a.txt", "deep/d/keep.md", "parents/src/d/c.md", "file/b.md", "again/a.txt"]
        {
            has(&lines, &format!("-rw-r--r-- 0/0 {path}"));
        }
        for path in ["top/b.md", "top/d/", "deep/b.md", "deep/d/c.md", "again/d/"] {
            lacks(&lines, path);
        }
        // What is hidden is no input.
        let text = "FROM scratch\nCOPY --exclude=*.md src /top/\n";
        lab.build(&context, text, &[]).success();
        std::fs::write(context.join("src/b.md"), "changed").unwrap();
        let again = lab.build(&context, text, &[]).success();
        assert!(again.stdout.contains("0 made"), "{again}");
        std::fs::write(context.join("src/d/c.md"), "changed").unwrap();
        let changed = lab.build(&context, text, &[]).success();
        assert!(changed.stdout.contains("1 made"), "{changed}");
        lab.build(&context, "FROM scratch\nCOPY --exclude=[ src /\n", &[]).failure(&["Dockerfile:2"]);
    }
}

#[test]
fn link_makes_a_layer_that_survives_its_base() {
    for who in everybody() {
        let lab = Lab::new(who);
        let context = lab.busybox_context("c", &[("f", "content"), ("d/e", "e")]);
        let text = |word: &str| {
            format!(
                "FROM scratch AS base\n\
                 COPY busybox /bin/busybox\n\
                 RUN [\"/bin/busybox\", \"sh\", \"-c\", \": {word}; /bin/busybox mkdir -p /real /home/app \
                 && /bin/busybox mkdir -m 1777 /tmp && /bin/busybox chown 5:6 /home/app && /bin/busybox ln -s real /sym \
                 && echo {word} > /word\"]\n\
                 FROM base\n\
                 COPY --link f /tmp/f\n\
                 COPY --link --chown=7:8 d /home/app/d\n\
                 COPY --link f /sym/f\n"
            )
        };
        let lines = tree(&lab, &context, &text("one"), &[]);
        for line in [
            "drwxr-xr-x 0/0 tmp/",
            "drwxr-xr-x 0/0 sym/",
            "-rw-r--r-- 0/0 sym/f",
            "drwxr-xr-x 7/8 home/",
            "drwxr-xr-x 7/8 home/app/d/",
            "-rw-r--r-- 7/8 home/app/d/e",
            "drwxr-xr-x 0/0 real/",
        ] {
            has(&lines, line);
        }
        lacks(&lines, "real/f");
        // Another base: the links are put on top of it without being made again.
        let changed = lab.build(&context, &text("two"), &["-o", "type=tar,dest=out/two.tar"]).success();
        // The links, and what is below the RUN.
        assert_eq!(cached(&changed), 4, "{changed}");
        has(&listing(&lab.path("out/two.tar")), "-rw-r--r-- 7/8 home/app/d/e");
        let named = "FROM scratch\nCOPY --link --chown=app f /x\n";
        lab.build(&context, named, &[]).failure(&["app", "Dockerfile:2"]);
        // With --chmod it is an ordinary copy, as with BuildKit.
        let ordinary = text("one").replace("--link f /sym/f", "--link --chmod=600 f /sym/f");
        has(&tree(&lab, &context, &ordinary, &[]), "-rw------- 0/0 real/f");
    }
}

/// How many steps were taken from the cache.
fn cached(outcome: &Outcome) -> usize {
    outcome.stderr.lines().filter(|line| line.contains("CACHED")).count()
}

#[test]
fn modes_apply_to_all_or_to_what_was_copied() {
    let lab = Lab::new(crate::lab::Who::Caller);
    let context = lab.context("c", &[("d/f", "f"), ("d/x*", "x")]);
    let text = "FROM scratch\nARG M=711\n\
        COPY --chmod=$M d /octal/on/way/\n\
        COPY --chmod=u=rwX,go=rX d /symbolic/\n\
        COPY --chmod=a-w d/f /one\n\
        ADD --chmod=4755 --chown=3 d/f /special\n";
    let lines = tree(&lab, &context, text, &[]);
    for line in [
        "drwx--x--x 0/0 octal/",
        "-rwx--x--x 0/0 octal/on/way/f",
        "drwxr-xr-x 0/0 symbolic/",
        "-rw-r--r-- 0/0 symbolic/f",
        "-rwxr-xr-x 0/0 symbolic/x",
        "-r--r--r-- 0/0 one",
        "-rwsr-xr-x 3/3 special",
    ] {
        has(&lines, line);
    }
}

#[test]
fn what_buildkit_does_silently_is_an_error_unless_asked_for() {
    let lab = Lab::new(crate::lab::Who::Caller);
    let context = lab.context(
        "c",
        &[("a", "a"), ("b", "b"), ("passwd", "app:x:100:101::/:\n"), ("g/x", "x"), ("g/y", "y")],
    );
    let owner =
        "FROM scratch\nCOPY passwd /etc/passwd\nCOPY --chown=nobody a /a\nCOPY --chown=app:none b /b\n";
    lab.build(&context, owner, &[]).failure(&["nobody", "Dockerfile:3"]);
    let lines = tree(&lab, &context, owner, &["--compat=buildkit"]);
    has(&lines, "-rw-r--r-- 0/0 a");
    has(&lines, "-rw-r--r-- 100/101 b");
    for text in [
        "FROM scratch\nCOPY a b /dst\n",
        "FROM scratch\nCOPY g/* /dst\n",
        "FROM scratch\nCOPY a <<b /dst\nx\nb\n",
    ] {
        let said = lab.build(&context, text, &[]);
        said.failure(&["Dockerfile:2", "went there already", "/dst/"]);
        let lines = tree(&lab, &context, text, &["--compat", "buildkit"]);
        has(&lines, "-rw-r--r-- 0/0 dst");
        // What was made leniently is not what a strict build takes.
        lab.build(&context, text, &[]).failure(&["went there already"]);
    }
    for fine in [
        "FROM scratch\nCOPY a b /dst/\n",
        "FROM scratch\nCOPY g a /dst\n",
        "FROM scratch\nWORKDIR /dst\nCOPY a b /dst\n",
    ] {
        lab.build(&context, fine, &[]).success();
    }
    let mut command = lab.command(&["image", "build", "c"]);
    std::fs::write(context.join("Dockerfile"), "FROM scratch\nCOPY a b /dst\n").unwrap();
    assert!(command.env("LAP_COMPAT", "buildkit").status().unwrap().success());
}
