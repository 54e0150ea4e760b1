//! Where files come from: named contexts and the kinds of build contexts.

use crate::lab::{Lab, Registry, Who, everybody};

#[test]
fn named_contexts_stand_for_stages_and_images() {
    for who in everybody() {
        let lab = Lab::new(who);
        let registry = Registry::start(&lab);
        let context = lab.context("c", &[("own", "own\n")]);
        let other = lab.context("other", &[("o", "other\n"), ("hidden", "x"), (".dockerignore", "hidden\n")]);
        let image = format!("{}/made:1", registry.address);
        lab.build(&context, "FROM scratch\nCOPY own /from-image\nENV I=1\n", &["-t", &image, "--push"])
            .success();
        lab.build(
            &context,
            "FROM scratch\nCOPY own /from-layout\nENV L=1\n",
            &["-o", "type=oci,dest=out/layout,tar=false"],
        )
        .success();
        let text = "FROM scratch AS replaced\nCOPY missing /\n\
            FROM scratch AS stage\nCOPY own /from-stage\n\
            FROM nowhere.invalid/base:1\n\
            COPY --from=files / /files/\n\
            COPY --from=nowhere.invalid/layout /from-layout /\n\
            COPY --from=replaced /from-image /again\n\
            COPY --from=link /from-stage /\n\
            COPY own /\n";
        let files = format!("files={}", other.display());
        let (base, replaced) = (
            format!("nowhere.invalid/base:1=docker-image://{image}"),
            format!("replaced=docker-image://{image}"),
        );
        let layout = format!("nowhere.invalid/layout=oci-layout://{}", lab.path("out/layout").display());
        let mut arguments = vec!["-o", "out/tree", "-t", "x"];
        let link = "link=target:stage".to_owned();
        for context in [&files, &base, &replaced, &layout, &link] {
            arguments.extend(["--build-context", context.as_str()]);
        }
        let built = lab.build(&context, text, &arguments).success();
        for name in ["files/o", "from-layout", "again", "from-stage", "own", "from-image"] {
            assert!(lab.path("out/tree").join(name).exists(), "{name}: {built}");
        }
        assert!(!lab.path("out/tree/files/hidden").exists());
        assert!(lab.ok(&["image", "inspect", "x"]).stdout.contains("I=1"));
        // A change in a named context is seen, and nothing else is made again.
        std::fs::write(other.join("o"), "changed\n").unwrap();
        let again = lab.build(&context, text, &arguments).success();
        assert_eq!(std::fs::read_to_string(lab.path("out/tree/files/o")).unwrap(), "changed\n", "{again}");
        let same = lab.build(&context, text, &arguments).success();
        assert!(same.stdout.contains("0 made"), "{same}");
    }
}

#[test]
fn files_as_a_base() {
    for who in everybody() {
        let lab = Lab::new(who);
        let context = lab.context("c", &[("f", "f")]);
        let other = lab.context("root", &[("etc/motd", "hi\n"), ("bin/x*", "x")]);
        let named = format!("base={}", other.display());
        let built = lab.build(
            &context,
            "FROM base\nCOPY f /f\n",
            &["--build-context", &named, "-t", "x", "-o", "out/t"],
        );
        let built = built.success();
        assert!(lab.path("out/t/etc/motd").exists() && lab.path("out/t/f").exists(), "{built}");
        let history = lab.ok(&["image", "history", "x"]).stdout;
        assert_eq!(history.lines().count(), 3, "{history}");
    }
}

#[test]
fn bad_named_contexts() {
    let lab = Lab::new(Who::Caller);
    let context = lab.context("c", &[("f", "f")]);
    let text = "FROM scratch AS a\nCOPY --from=x f /\nFROM scratch AS later\n";
    for (named, words) in [
        ("x=/no/where", "/no/where"),
        ("x=target:later", "not before"),
        ("x=target:none", "not there"),
        ("x=oci-layout:///no/where", "/no/where"),
    ] {
        let outcome = lab.build(&context, text, &["--target", "a", "--build-context", named]);
        outcome.failure(&[words, "Dockerfile:2"]);
    }
    lab.build(&context, text, &["--build-context", "x"]).failure(&["NAME=SOURCE"]);
}
