//! A store on a disk that gets full, at any point of a build: the error says so and how to go on, and nothing is damaged.

use std::process::Command;

use crate::lab::{Lab, Who, is_root};

/// Sizes of the store's disk in KiB; the build needs about 11 MB.
const SIZES: [u32; 14] =
    [64, 300, 900, 1_400, 1_800, 2_300, 2_800, 3_400, 4_200, 5_000, 7_000, 9_000, 12_000, 24_000];

#[test]
fn a_full_disk_is_said_and_damages_nothing() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[("data", &"some data\n".repeat(100_000))]);
    let text = "FROM scratch AS first\nCOPY busybox /bin/busybox\nCOPY data /data\n\
        RUN [\"/bin/busybox\", \"cp\", \"/data\", \"/copy\"]\n\
        FROM scratch\nCOPY --from=first /copy /copy\nCOPY --from=first /bin /bin\n\
        RUN [\"/bin/busybox\", \"cp\", \"/copy\", \"/second\"]\n";
    std::fs::write(context.join("Dockerfile"), text).unwrap();
    let script = "mount -t tmpfs -o size=${SIZE}k,mode=755 tmpfs \"$LAP_HOME\"\n\
        if \"$LAP\" image build -t app -o type=oci,dest=\"$OUT\" c 2> \"$SAID\"; then echo fits; else echo full; fi\n\
        mount -o remount,size=200m \"$LAP_HOME\"\n\
        \"$LAP\" image check > \"$CHECK\"\n\
        \"$LAP\" image build -q -t app c 2>&1\n\
        \"$LAP\" image run --rm app /bin/busybox cmp /copy /second\n\
        \"$LAP\" image check >> \"$CHECK\"\n";
    let (mut full, mut fits) = (0, 0);
    for size in SIZES {
        let mut command = Command::new("unshare");
        if !is_root() {
            command.args(["--user", "--map-root-user", "--map-auto"]);
        }
        command.args(["--mount", "sh", "-ec", script]).current_dir(lab.path(""));
        command
            .env("SIZE", size.to_string())
            .env("LAP", lab.path("lap"))
            .env("LAP_HOME", lab.store())
            .env("LAP_PROGRESS", "plain")
            .env("OUT", lab.path("out/a.tar"))
            .env("SAID", lab.path("said"))
            .env("CHECK", lab.path("check"));
        let output = command.output().expect("unshare of util-linux is installed");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = std::fs::read_to_string(lab.path("said")).unwrap();
        let check = std::fs::read_to_string(lab.path("check")).unwrap_or_default();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{size} KiB:\n{stdout}\n{said}\n{check}\n{stderr}");
        assert!(!said.contains("panicked"), "{size} KiB: {said}");
        if stdout.lines().any(|line| line == "fits") {
            fits += 1;
            continue;
        }
        full += 1;
        let store = lab.store().display().to_string();
        let is_full = ["No space left on device", "no space is left", "disk is full"];
        assert!(is_full.iter().any(|words| said.contains(words)), "{size} KiB: {said}");
        assert!(said.contains("free space") && said.contains(&store), "{size} KiB: {said}");
    }
    assert!(full > 5 && fits > 0, "{full} full, {fits} fit");
}

#[test]
fn check_finds_and_repairs_unpacked_layers_and_records() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[("f", "content\n")]);
    let text = "FROM scratch\nCOPY busybox /bin/busybox\nCOPY f /f\nRUN [\"/bin/busybox\", \"cp\", \"/f\", \"/g\"]\n";
    let first = lab.build(&context, text, &["-t", "app"]).success();
    lab.ok(&["image", "check"]);
    let find = |name: &str| {
        let output = Command::new("find").arg(lab.store()).args(["-path", name]).output().unwrap();
        let found = String::from_utf8(output.stdout).unwrap();
        std::path::PathBuf::from(found.lines().next().unwrap_or_else(|| panic!("no {name}")))
    };
    std::fs::write(find("*/layers/*/fs/g"), "other\n").unwrap();
    std::fs::write(find("*/records/*/*.json"), "{").unwrap();
    let found = lab.run(&["image", "check"]);
    assert!(found.stdout.contains("damaged-layer") && found.stdout.contains("damaged-record"), "{found}");
    assert_eq!(lab.run(&["image", "check", "--repair"]).code, 1);
    lab.ok(&["image", "check"]);
    let again = lab.build(&context, text, &["-t", "app"]).success();
    assert_eq!(first.field("image"), again.field("image"));
    lab.ok(&["image", "check"]);
}
