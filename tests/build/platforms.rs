//! Projects for two platforms.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::builders::made;
use crate::lab::{Lab, Registry, everybody};
use crate::project::Shop;
use crate::servers::debian;

const CONFIG: &str = "project: multi\nconfigVersion: 1\nbuild: {platform: [linux/amd64, linux/arm64]}\n---\n\
    image: base\nfinal: false\ndockerfile: base.Dockerfile\n---\n\
    image: api\ndockerfile: api.Dockerfile\nargs: {NAME: seven}\ndependencies:\n- image: base\n  imports:\n\
    \x20 - {type: ImageName, targetBuildArg: BASE}\n  - {type: ImageDigest, targetBuildArg: DIGEST}\n---\n\
    image: web\ndockerfile: web.Dockerfile\nstaged: false\nplatform: [linux/arm64]\ndependencies:\n- image: base\n  imports:\n\
    \x20 - {type: ImageName, targetBuildArg: BASE}\n";

const FILES: [(&str, &str); 5] = [
    ("werf.yaml", CONFIG),
    ("base.Dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY files/$TARGETARCH /arch\n"),
    (
        "api.Dockerfile",
        "ARG BASE\nFROM ${BASE}\nARG NAME\nARG DIGEST\nCOPY werf.yaml /$NAME\nLABEL base=$DIGEST\n",
    ),
    ("web.Dockerfile", "ARG BASE\nFROM ${BASE}\nCOPY web.Dockerfile /web\n"),
    ("files/amd64", "amd\n"),
];

/// The project, which has a file for the other platform too.
fn project<'l>(lab: &'l Lab, name: &str) -> Shop<'l> {
    let files: Vec<(&str, &str)> = FILES.into_iter().chain([("files/arm64", "arm\n")]).collect();
    Shop::of(lab, name, &files)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_project_for_two_platforms_is_published_whole() {
    for who in everybody() {
        let lab = Lab::new(who);
        let (ours, debians) = (Registry::start(&lab), debian("", ""));
        for (nth, host) in [&ours.address, &debians.host].into_iter().enumerate() {
            let shop = project(&lab, &format!("clone-{nth}"));
            let repo = format!("{host}/multi");
            let (report, env) = (lab.path("out/report.json"), lab.path("out/report.env"));
            let flags = ["--repo", &repo, "--save-build-report", "--build-report-path"];
            let common = ["--add-custom-tag", "%image%-latest"];
            let arguments: Vec<&str> =
                flags.into_iter().chain([report.to_str().unwrap()]).chain(common).collect();
            let first = shop.built("store", &arguments);
            assert!(["api", "base", "web"].iter().all(|image| first[*image].1 == "built"), "{first:?}");
            let value = json(&fs::read_to_string(&report).unwrap());
            let api = &value["Images"]["api"];
            // The name is an index of both, and the custom tag is the same.
            let index = json(&lab.ok(&["cr", "manifest", &format!("{repo}:api-latest")]).stdout);
            let entries: Vec<(&str, &str)> = index["manifests"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| {
                    (entry["platform"]["architecture"].as_str().unwrap(), entry["digest"].as_str().unwrap())
                })
                .collect();
            assert_eq!(entries.iter().map(|entry| entry.0).collect::<Vec<_>>(), ["amd64", "arm64"]);
            let digest = lab.ok(&["cr", "digest", &first["api"].0]).stdout;
            assert_eq!(api["DockerImageDigest"].as_str(), Some(digest.trim()));
            assert_eq!(
                (api["TargetPlatform"].as_str(), api["Stages"][0]["Name"].as_str()),
                (Some(""), Some("dockerfile (linux/amd64)"))
            );
            assert_eq!(api["Stages"][1]["DockerImageDigest"].as_str(), Some(entries[1].1));
            // An image of one platform is no index.
            assert_eq!(value["Images"]["web"]["TargetPlatform"].as_str(), Some("linux/arm64"));
            for (platform, content) in [("linux/amd64", "amd\n"), ("linux/arm64", "arm\n")] {
                let shown = lab.ok(&["cr", "cat", "--platform", platform, &first["api"].0, "/arch"]).stdout;
                assert_eq!(shown, content);
                let config = json(&lab.ok(&["cr", "config", "--platform", platform, &first["api"].0]).stdout);
                let base = value["Images"]["base"]["Stages"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .find(|stage| stage["Name"].as_str().unwrap().ends_with(&format!("({platform})")));
                assert_eq!(config["config"]["Labels"]["base"], base.unwrap()["DockerImageDigest"]);
            }
            lab.ok(&["cr", "validate", &first["api"].0]);
            // A fresh clone and a fresh store: nothing is made.
            let clone = project(&lab, &format!("deep/er/clone-{nth}"));
            let arguments: Vec<&str> =
                ["build"].into_iter().chain(flags).chain([env.to_str().unwrap()]).chain(common).collect();
            let again = clone.run_in(&format!("fresh-{nth}"), &arguments).success();
            assert_eq!(made(&again), Vec::<&str>::new(), "{again}");
            let again = crate::project::lines(&again);
            for image in ["api", "base", "web"] {
                assert_eq!(again[image], (first[image].0.clone(), "was there".into()));
            }
            let env = fs::read_to_string(&env).unwrap();
            for line in [
                format!("WERF_API_DOCKER_IMAGE_NAME={}", first["api"].0),
                format!("WERF_API_DOCKER_IMAGE_DIGEST={}", digest.trim()),
                "WERF_BASE_FINAL=false".into(),
            ] {
                assert!(env.lines().any(|own| own == line), "{line} in {env}");
            }
            // A new file for one platform is built for that one alone.
            shop.write("files/arm64", "new\n");
            shop.commit();
            let plan = shop.run_in("store", &["build", "--repo", &repo, "--dry-run"]).success().stdout;
            for (image, platform, words) in [
                ("base", "amd64", "is there"),
                ("base", "arm64", "would be built"),
                ("api", "amd64", "is there"),
                ("web", "arm64", "would be built"),
            ] {
                let start = format!("- {image} [linux/{platform}] ");
                let line = plan.lines().find(|line| line.starts_with(&start));
                assert!(line.unwrap_or_else(|| panic!("{plan}")).contains(words), "{start}: {plan}");
            }
        }
    }
}

#[test]
fn a_step_for_a_platform_that_does_not_run_here_says_so() {
    let (here, other, machine) = match std::env::consts::ARCH {
        "aarch64" => ("arm64", "amd64", 62),
        _ => ("amd64", "arm64", 183),
    };
    for who in everybody() {
        let lab = Lab::new(who);
        let config = format!(
            "project: p\nconfigVersion: 1\nbuild: {{platform: [linux/{here}, linux/{other}]}}\n---\nimage: a\ndockerfile: D\n"
        );
        let dockerfile = "FROM scratch\nARG TARGETARCH\nCOPY programs/$TARGETARCH /bin/busybox\nRUN [\"/bin/busybox\", \"true\"]\n";
        let shop = Shop::of(&lab, "clone", &[("werf.yaml", &config), ("D", dockerfile), ("programs/x", "")]);
        let folder = shop.root.join("programs");
        fs::copy("/bin/busybox", folder.join(here)).unwrap();
        // The head of a program for another machine (System V ABI, chapter 4).
        let mut program = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0".to_vec();
        program.extend([machine, 0, 1, 0, 0, 0]);
        program.resize(64, 0);
        fs::write(folder.join(other), program).unwrap();
        for program in [here, other] {
            fs::set_permissions(folder.join(program), fs::Permissions::from_mode(0o755)).unwrap();
        }
        shop.commit();
        let registry = Registry::start(&lab);
        let repo = format!("{}/p", registry.address);
        let name = if other == "arm64" { "arm64" } else { "x86_64" };
        shop.run_in("store", &["build", "--repo", &repo]).failure(&[
            "exec format error",
            name,
            "for another platform than this machine",
        ]);
        let platform = format!("linux/{here}");
        let built = shop.built("store", &["--repo", &repo, "--platform", &platform]);
        assert_eq!(built["a"].1, "built");
    }
}
