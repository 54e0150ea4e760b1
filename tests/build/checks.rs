//! Checks as people and CI meet them: `--check`, `--call`, warnings beside a build.

use crate::lab::{Lab, Who};

const ODD: &str = "# check=skip=MaintainerDeprecated\n\
    # made for tests\n\
    FROM scratch as Base\n\
    MAINTAINER me\n\
    COPY file $NOPE /\n\
    # check=skip=JSONArgsRecommended\n\
    ENTRYPOINT run\n\
    CMD run\n";

fn lab() -> (Lab, std::path::PathBuf) {
    let lab = Lab::new(Who::Caller);
    let context = lab.context("c", &[("file", "x")]);
    (lab, context)
}

#[test]
fn a_check_shows_lines_and_ends_with_one() {
    let (lab, context) = lab();
    let found = lab.build(&context, ODD, &["--check"]);
    assert_eq!(found.code, 1, "{found}");
    for words in [
        "warning[StageNameCasing]: Stage name 'Base' should be lowercase",
        "--> Dockerfile:3:",
        "warning[FromAsCasing]: 'as' and 'FROM' keywords' casing do not match",
        "warning[UndefinedVar]: Usage of undefined variable '$NOPE'",
        "5 | COPY file $NOPE /",
        "note: https://docs.docker.com/go/dockerfile/rule/undefined-var/",
        "JSON arguments recommended for CMD",
        "Check complete, 4 warnings have been found!",
    ] {
        assert!(found.stdout.contains(words), "no {words:?} in {found}");
    }
    for skipped in ["recommended for ENTRYPOINT", "warning[MaintainerDeprecated]"] {
        assert!(!found.stdout.contains(skipped), "{found}");
    }
    // Nothing was built.
    assert_eq!(lab.ok(&["image", "ls", "-q"]).stdout, "");
}

#[test]
fn a_clean_file_says_so() {
    let (lab, context) = lab();
    let found = lab.build(&context, "FROM scratch\nCOPY file /\n", &["--check"]).success();
    assert_eq!(found.stdout, "Check complete, no warnings found.\n");
    let ignored = lab.build(&context, ODD, &["--call", "check,ignorestatus=true"]).success();
    assert!(ignored.stdout.contains("4 warnings"), "{ignored}");
}

#[test]
fn programs_get_what_buildx_prints() {
    let (lab, context) = lab();
    let found = lab.build(&context, ODD, &["--call", "check,format=json"]);
    assert_eq!(found.code, 1, "{found}");
    let document: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(document["warnings"][0]["ruleName"], "StageNameCasing");
    assert_eq!(document["warnings"][2]["location"]["ranges"][0]["start"]["line"], 5);
    assert_eq!(document["sources"][0]["filename"], "Dockerfile");
    let broken = lab.build(&context, "FROM scratch\nNOPE x\n", &["--call", "check,format=json"]);
    assert_eq!(broken.code, 1, "{broken}");
    let document: serde_json::Value = serde_json::from_str(&broken.stdout).unwrap();
    assert_eq!(document["buildError"]["location"]["ranges"][0]["start"]["line"], 2);
    assert!(broken.stderr.contains("Dockerfile:2"), "{broken}");
}

#[test]
fn outlines_and_targets() {
    let (lab, context) = lab();
    let text = "# VERSION is what is built\nARG VERSION=1\n# base has the tools\nFROM scratch AS base\n\
        ARG VERSION\nRUN --mount=type=secret,id=token,required true\n\
        # app is the result\nFROM base AS app\nARG DEBUG\nCOPY file /\n";
    let outline = lab.build(&context, text, &["--call", "outline"]).success();
    assert_eq!(
        outline.stdout,
        "TARGET:      app\nDESCRIPTION: is the result\n\n\
         BUILD ARG   VALUE   DESCRIPTION\nVERSION     1       is what is built\nDEBUG\n\n\
         SECRET   REQUIRED\ntoken    true\n\n"
    );
    let given = ["--call", "outline,format=json", "--build-arg", "VERSION=9", "--target", "base"];
    let json = lab.build(&context, text, &given).success();
    let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["args"][0]["value"], "9");
    let targets = lab.build(&context, text, &["--call", "targets"]).success();
    assert_eq!(
        targets.stdout,
        "TARGET        DESCRIPTION\nbase          has the tools\napp (default) is the result\n"
    );
}

#[test]
fn a_build_sums_its_warnings_up() {
    let (lab, context) = lab();
    let text = "FROM scratch\nENV A b\nCOPY file /$NOPE\nCOPY file /$NOPE\n";
    let built = lab.build(&context, text, &[]).success();
    assert!(
        built.stderr.contains("warning[LegacyKeyValueFormat]") && built.stderr.contains("2 | ENV A b"),
        "{built}"
    );
    assert!(built.stderr.trim_end().ends_with("3 warnings found"), "{built}");
    assert_eq!(lab.build(&context, text, &["--progress", "none"]).success().stderr, "");
    let json = lab.build(&context, text, &["--log-format", "json"]).success();
    let warned = json.stderr.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let rules: Vec<_> =
        warned.filter(|event| event["event"] == "warned").map(|event| event["rule"].clone()).collect();
    assert_eq!(rules, ["LegacyKeyValueFormat", "UndefinedVar", "UndefinedVar"]);
}

#[test]
fn warnings_can_be_errors() {
    let (lab, context) = lab();
    let text = "# check=error=true\nFROM scratch\nENV A b\nCOPY file /\n";
    let words = ["lint violation found for rules: LegacyKeyValueFormat", "2 | FROM scratch"];
    lab.build(&context, text, &[]).failure(&words);
    let skip = ["--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=LegacyKeyValueFormat"];
    lab.build(&context, text, &skip).success();
    lab.build(&context, text, &["--build-arg", "BUILDKIT_DOCKERFILE_CHECK=nonsense"])
        .failure(&["BUILDKIT_DOCKERFILE_CHECK", "nonsense"]);
}
