//! Building twice to compare.

use crate::lab::{Lab, Who, everybody};

#[test]
fn two_builds_are_compared_file_by_file() {
    for who in everybody() {
        let lab = Lab::new(who);
        let context = lab.busybox_context("c", &[("f", "f")]);
        let shell = "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n";
        let good = format!("{shell}COPY f /f\nRUN mkdir /d && cp /f /d/g && ln /d/g /d/h\n");
        let same = lab.build(&context, &good, &["--verify-reproducible"]).success();
        assert!(same.stdout.starts_with("reproducible: 4 layers"), "{same}");
        let bad = format!("{good}RUN date +%s%N > /time; date +%s > /d/second; touch /d/fine\n");
        let differs = lab.build(&context, &bad, &["--verify-reproducible"]);
        assert_eq!(differs.code, 1, "{differs}");
        for word in ["LAYER", "5: RUN", "d/second", "time", "content", "not reproducible"] {
            assert!(differs.stdout.contains(word), "{word}: {differs}");
        }
        assert!(!differs.stdout.contains("d/fine") && !differs.stdout.contains("1: COPY"), "{differs}");
        let left = std::fs::read_dir(lab.store().join("tmp")).unwrap().count();
        assert_eq!(left, 0, "the temporary stores are gone");
        // Nothing was known, and nothing is known of it now.
        let built = lab.build(&context, &good, &[]).success();
        assert!(built.stdout.contains("4 made, 0 cached"), "{built}");
    }
}

#[test]
fn the_time_of_the_environment_counts_as_the_flag() {
    let lab = Lab::new(Who::Caller);
    let context = lab.context("c", &[("f", "f")]);
    std::fs::write(context.join("Dockerfile"), "FROM scratch\nARG SOURCE_DATE_EPOCH\nCOPY f /f\n").unwrap();
    let id = |variable: Option<&str>, flags: &[&str]| {
        let mut command = lab.command(&[&["image", "build", "-q"], flags, &["c"]].concat());
        if let Some(value) = variable {
            command.env("SOURCE_DATE_EPOCH", value);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let asked = id(None, &["--build-arg", "SOURCE_DATE_EPOCH=1000"]);
    assert_eq!(id(Some("1000"), &[]), asked);
    assert_eq!(id(None, &["--source-date-epoch", "1000"]), asked);
    assert_ne!(id(None, &[]), asked);
    assert_eq!(id(Some("2000"), &["--source-date-epoch", "1000"]), asked, "the flag wins");
}
