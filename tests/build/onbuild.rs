//! ONBUILD: of images and of stages of the same file.

use crate::lab::{Lab, Registry, Who, everybody};

#[test]
fn triggers_run_in_what_is_built_on_top() {
    for who in everybody() {
        let lab = Lab::new(who);
        let registry = Registry::start(&lab);
        let context = lab.busybox_context("c", &[("src/main", "main\n")]);
        let base = format!("{}/base:1", registry.address);
        let text = "FROM scratch AS tools\nCOPY busybox /bin/busybox\n\
            FROM scratch\nCOPY busybox /bin/busybox\n\
            ONBUILD ARG who=nobody\n\
            onbuild   COPY --chown=1:2   src /src\n\
            ONBUILD RUN [\"/bin/busybox\", \"sh\", \"-c\", \"echo $who > /who\"]\n\
            ONBUILD COPY --from=extra /made /made\n\
            ONBUILD COPY <<EOF /doc\n\
            hello $who\n\
            EOF\n\
            ONBUILD ENV DONE=1\n";
        lab.build(&context, text, &["-t", &base, "--push"]).success();
        let shown = lab.ok(&["image", "inspect", &base]).stdout;
        assert!(shown.contains("COPY --chown=1:2   src /src"), "{shown}");
        assert!(shown.contains("COPY <<EOF /doc\\nhello $who\\nEOF"), "{shown}");

        let lab = lab.with_store("other");
        let child = format!("FROM scratch AS extra\nCOPY <<EOF /made\nmade\nEOF\nFROM {base}\nENV LAST=1\n");
        let arguments = ["--build-arg", "who=me", "-t", "child", "-o", "out/tree"];
        let built = lab.build(&context, &child, &arguments).success();
        assert!(built.stderr.contains("ONBUILD COPY --chown=1:2 src /src"), "{built}");
        let read = |name: &str| std::fs::read_to_string(lab.path("out/tree").join(name)).unwrap();
        assert_eq!(
            (read("who"), read("src/main"), read("made")),
            ("me\n".into(), "main\n".into(), "made\n".into())
        );
        assert_eq!(read("doc"), "hello me\n");
        let shown = lab.ok(&["image", "inspect", "child"]).stdout;
        assert!(shown.contains("DONE=1") && !shown.to_lowercase().contains("onbuild\": ["), "{shown}");
        // Not to grandchildren.
        let grandchild = lab.build(&context, "FROM child\nENV X=1\n", &["-o", "out/grand"]).success();
        assert!(grandchild.stdout.contains("0 made"), "{grandchild}");
    }
}

#[test]
fn triggers_of_a_stage_of_the_same_file() {
    let lab = Lab::new(Who::Caller);
    let context = lab.context("c", &[("f", "f")]);
    let text = "FROM scratch AS extra\nCOPY f /x\n\
        FROM scratch AS base\nENV A=1\nONBUILD COPY --from=extra /x /from-trigger\nONBUILD ENV T=$A\n\
        FROM base AS child\nENV C=$T\n\
        FROM child\nENV D=$C\n";
    let built = lab.build(&context, text, &["-t", "x", "-o", "out/tree"]).success();
    assert!(lab.path("out/tree/from-trigger").exists());
    assert!(built.stdout.contains("2 made"), "{built}");
    let shown = lab.ok(&["image", "inspect", "x"]).stdout;
    assert!(shown.contains("D=1"), "{shown}");
    let history = lab.ok(&["image", "history", "x"]).stdout;
    assert!(!history.contains("ONBUILD"), "{history}");
}

#[test]
fn what_cannot_be_a_trigger_is_refused() {
    let lab = Lab::new(Who::Caller);
    let context = lab.context("c", &[]);
    for (text, words) in [
        ("FROM scratch\nONBUILD ONBUILD RUN x\n", "ONBUILD ONBUILD"),
        ("FROM scratch\nONBUILD FROM x\n", "FROM isn't allowed as an ONBUILD trigger"),
        ("FROM scratch AS a\nONBUILD NOPE x\nFROM a\nENV A=b\n", "NOPE"),
        ("FROM scratch AS a\nONBUILD COPY missing /\nFROM a\nENV A=b\n", "missing"),
    ] {
        lab.build(&context, text, &[]).failure(&[words, "Dockerfile:"]);
    }
}
