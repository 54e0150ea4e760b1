//! Projects: real Git repositories, a registry on loopback, images with needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::{Lab, Outcome, Registry, everybody};

const CONFIG: &str = r#"project: shop
configVersion: 1
---
image: base
final: false
dockerfile: base.Dockerfile
---
image: api
context: api
dockerfile: Dockerfile
target: run
args: {VERSION: "7"}
secrets: [{env: TOKEN}]
dependencies:
- image: base
  imports:
  - {type: ImageName, targetBuildArg: BASE}
imageSpec:
  config:
    labels: {team: "%project%-%image%"}
    env: {PATH: "/app:${PATH}"}
---
image: web
dockerfile: web.Dockerfile
staged: false
dependencies:
- image: base
  imports:
  - {type: ImageName, targetBuildArg: BASE}
  - {type: ImageDigest, targetBuildArg: BASE_DIGEST}
  - {type: ImageTag, targetBuildArg: BASE_TAG}
"#;

const FILES: [(&str, &str); 8] = [
    ("werf.yaml", CONFIG),
    (
        "werf-giterminism.yaml",
        "giterminismConfigVersion: 1\nconfig: {secrets: {allowEnvVariables: [TOKEN]}}\n",
    ),
    ("base.Dockerfile", "FROM scratch\nCOPY busybox /bin/sh\nRUN echo base > /base\nENV PATH=/bin:/\n"),
    (
        "api/Dockerfile",
        "ARG BASE\nFROM ${BASE} AS build\nARG VERSION\nCOPY src /src\n\
         RUN --mount=type=secret,id=TOKEN read t < /run/secrets/TOKEN; echo \"$VERSION\" > /out; echo \"${t}\" | read x; true\n\
         FROM ${BASE} AS run\nCOPY --from=build /out /out\nCMD [\"sh\"]\n",
    ),
    ("api/src/main.c", "int main;\n"),
    ("api/src/link.c", "second\n"),
    (
        "web.Dockerfile",
        "ARG BASE\nFROM ${BASE}\nARG BASE_DIGEST\nARG BASE_TAG\nCOPY site/*.html /site/\nLABEL of=$BASE_TAG\n",
    ),
    ("site/index.html", "<p>hello\n"),
];

/// A project in a Git work tree.
pub struct Shop<'l> {
    pub lab: &'l Lab,
    pub root: PathBuf,
}

fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"])
        .args(["-c", "safe.directory=*"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_AUTHOR_DATE", "2024-05-06T07:08:09Z")
        .env("GIT_COMMITTER_DATE", "2024-05-06T07:08:09Z")
        .output()
        .expect("git is installed: run tests/prepare");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl<'l> Shop<'l> {
    pub fn new(lab: &'l Lab, name: &str) -> Self {
        Self::of(lab, name, &FILES)
    }

    /// A project of these files and busybox.
    pub fn of(lab: &'l Lab, name: &str, files: &[(&str, &str)]) -> Self {
        let root = lab.busybox_context(name, files);
        lab.give(&root);
        let shop = Self { lab, root };
        git(&shop.root, &["init", "-q"]);
        shop.commit();
        shop
    }

    pub fn commit(&self) {
        git(&self.root, &["add", "-A"]);
        git(&self.root, &["commit", "-q", "-m", "c"]);
        let status = Command::new("chmod").args(["-R", "a+rX"]).arg(&self.root).status().unwrap();
        assert!(status.success());
    }

    pub fn write(&self, name: &str, content: &str) {
        fs::write(self.root.join(name), content).unwrap();
    }

    /// The binary in the project with a store of its own, ready to run.
    pub fn command(&self, store: &str, arguments: &[&str]) -> Command {
        let store = self.lab.path(store);
        if !store.exists() {
            fs::create_dir(&store).unwrap();
            self.lab.give(&store);
        }
        let mut command = self.lab.command(arguments);
        command.current_dir(&self.root).env("LAP_HOME", store).env("TOKEN", "s3cret-value");
        command
    }

    pub fn run_in(&self, store: &str, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(store, arguments).output().unwrap())
    }

    pub fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_in("store", arguments)
    }

    /// Lines `image name how` of a build, by image.
    pub fn built(&self, store: &str, more: &[&str]) -> std::collections::BTreeMap<String, (String, String)> {
        let arguments: Vec<&str> = ["build"].into_iter().chain(more.iter().copied()).collect();
        lines(&self.run_in(store, &arguments).success())
    }
}

/// Lines `image name how` of a build that ended, by image.
pub fn lines(outcome: &Outcome) -> std::collections::BTreeMap<String, (String, String)> {
    let line = |line: &str| {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        (words[0].to_owned(), (words[1].to_owned(), (*words.get(2).unwrap_or(&"")).to_owned()))
    };
    outcome.stdout.lines().map(line).collect()
}

#[test]
fn a_project_builds_and_a_fresh_store_finds_everything_in_the_registry() {
    for who in everybody() {
        let lab = Lab::new(who);
        let registry = Registry::start(&lab);
        let (shop, repo) = (Shop::new(&lab, "shop"), format!("{}/shop", registry.address));
        let first = shop.built("store", &["--repo", &repo]);
        assert_eq!(first.keys().collect::<Vec<_>>(), ["api", "base", "web"]);
        assert!(first.values().all(|(name, how)| name.starts_with(&repo) && how == "built"), "{first:?}");
        // The same store, then another one, at another path: nothing is made, everything has the same tag.
        for (store, root) in [("store", "shop"), ("fresh", "elsewhere")] {
            let shop = if root == "shop" {
                Shop { lab: &lab, root: lab.path("shop") }
            } else {
                Shop::new(&lab, root)
            };
            let again = shop.built(store, &["--repo", &repo]);
            for (name, (tag, how)) in &again {
                assert_eq!((tag, how.as_str()), (&first[name].0, "was there"));
            }
        }
        let config = lab.run(&["cr", "config", &first["api"].0]).success().stdout;
        for part in [r#""team":"shop-api""#, r#""PATH=/app:/bin:/""#, r#""werf":"shop""#] {
            assert!(config.replace(": ", ":").contains(part), "{part} in {config}");
        }
        assert!(!config.contains("s3cret"));
    }
}

#[test]
fn equal_inputs_give_equal_digests_and_what_changed_is_built_alone() {
    for who in everybody() {
        let lab = Lab::new(who);
        let registry = Registry::start(&lab);
        let shop = Shop::new(&lab, "shop");
        let one = shop.built("one", &["--repo", &format!("{}/one", registry.address)]);
        let other = Shop::new(&lab, "other");
        let two = other.built("two", &["--repo", &format!("{}/two", registry.address)]);
        let tag = |name: &str| name.rsplit(':').next().unwrap().to_owned();
        for name in ["base", "api"] {
            assert_eq!(tag(&one[name].0), tag(&two[name].0), "{name}");
            let digest = |name: &str| lab.run(&["cr", "digest", name]).success().stdout;
            assert_eq!(digest(&one[name].0), digest(&two[name].0), "{name}");
        }
        // A file that no image copies changes nothing; one that api copies changes api.
        shop.write("README", "words\n");
        shop.write("api/src/main.c", "int main(void);\n");
        shop.commit();
        let repo = format!("{}/one", registry.address);
        let dry = shop.run_in("one", &["build", "--repo", &repo, "--dry-run"]).success().stdout;
        let line = |image: &str| {
            dry.lines().find(|line| line.starts_with(&format!("- {image} "))).unwrap().to_owned()
        };
        assert!(line("base").ends_with("is there") && line("web").ends_with("is there"), "{dry}");
        assert!(line("api").contains("would be built"), "{dry}");
        let again = shop.built("one", &["--repo", &repo]);
        assert_eq!(again["base"], (one["base"].0.clone(), "was there".into()));
        assert_eq!(again["api"].1, "built");
        assert_ne!(again["api"].0, one["api"].0);
        let missing = shop.run_in("one", &["build", "--repo", &format!("{repo}x"), "--check-built-images"]);
        missing.failure(&["images are required that were not built", "api"]);
    }
}

#[test]
fn an_empty_store_with_a_warm_registry_makes_only_the_step_that_changed() {
    for who in everybody() {
        let lab = Lab::new(who);
        let registry = Registry::start(&lab);
        let (shop, repo) = (Shop::new(&lab, "shop"), format!("{}/shop", registry.address));
        shop.built("store", &["--repo", &repo, "base"]);
        shop.write(
            "base.Dockerfile",
            "FROM scratch\nCOPY busybox /bin/sh\nRUN echo base > /base\nRUN echo more > /more\n",
        );
        shop.commit();
        let outcome = shop.run_in("empty", &["build", "--repo", &repo, "base"]).success();
        assert!(outcome.stderr.contains("CACHED"), "{outcome}");
        let cached = |step: &str| {
            let line = outcome
                .stderr
                .lines()
                .find(|line| line.ends_with(step))
                .unwrap_or_else(|| panic!("{step}: {outcome}"));
            let number = line.split_whitespace().next().unwrap();
            outcome.stderr.lines().any(|line| line == format!("{number} CACHED"))
        };
        assert!(cached("RUN echo base > /base") && !cached("RUN echo more > /more"), "{outcome}");
    }
}

#[test]
fn tags_reports_and_repositories() {
    for who in everybody() {
        let lab = Lab::new(who);
        let registry = Registry::start(&lab);
        let (shop, repo) = (Shop::new(&lab, "shop"), format!("{}/shop", registry.address));
        let (final_repo, cache) =
            (format!("{}/final", registry.address), format!("{}/cache", registry.address));
        let report = lab.path("out/report.json");
        let env = lab.path("out/report.env");
        let common =
            ["--repo", &repo, "--final-repo", &final_repo, "--cache-repo", &cache, "--save-build-report"];
        let tag = "%image%-latest";
        let first: Vec<&str> = common
            .into_iter()
            .chain(["--add-custom-tag", tag, "--build-report-path", report.to_str().unwrap()])
            .collect();
        let built = shop.built("store", &first);
        assert!(built["api"].0.starts_with(&final_repo) && built["base"].0.starts_with(&repo), "{built:?}");
        let json = fs::read_to_string(&report).unwrap();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let api = &value["Images"]["api"];
        assert_eq!(api["DockerImageName"].as_str(), Some(built["api"].0.as_str()));
        assert_eq!((api["Rebuilt"].as_bool(), api["Final"].as_bool()), (Some(true), Some(true)));
        let digest = |name: &str| lab.run(&["cr", "digest", name]).success().stdout.trim().to_owned();
        assert_eq!(
            api["DockerImageDigest"].as_str(),
            Some(digest(&format!("{final_repo}:api-latest")).as_str())
        );
        let second: Vec<&str> =
            common.into_iter().chain(["--build-report-path", env.to_str().unwrap()]).collect();
        shop.built("store", &second);
        let env = fs::read_to_string(&env).unwrap();
        assert!(env.contains(&format!("WERF_API_DOCKER_IMAGE_NAME={}\n", built["api"].0)), "{env}");
        assert!(env.contains("WERF_BASE_FINAL=false\n"), "{env}");
        let tags = lab.run(&["cr", "tags", &repo]).success().stdout;
        for part in ["managed-image-api", "managed-image-web", "custom-tag-meta-api-latest", "build-"] {
            assert_eq!(tags.lines().filter(|line| line.starts_with(part)).count(), 1, "{part} in {tags}");
        }
        // Another repository knows it: nothing is made there.
        let other = format!("{}/other", registry.address);
        let there = shop.built("third", &["--repo", &other, "--secondary-repo", &repo]);
        assert!(
            there.values().all(|(name, how)| name.starts_with(&other) && how == "was there"),
            "{there:?}"
        );
    }
}

#[test]
fn what_is_not_committed_is_refused_and_built_in_development() {
    for who in everybody() {
        let lab = Lab::new(who);
        let shop = Shop::new(&lab, "shop");
        shop.write("site/index.html", "<p>changed\n");
        shop.write("site/new.html", "<p>new\n");
        shop.write("site/new.txt", "not copied\n");
        let refused = shop
            .run(&["build", "web"])
            .failure(&["site/index.html (changed)", "site/new.html (not committed)"]);
        assert!(!refused.stderr.contains("new.txt"), "{refused}");
        // What an image does not copy does not matter to it.
        let base = shop.built("store", &["base"]);
        assert!(base["base"].0.starts_with("shop:"), "{base:?}");
        let dev = shop.built("store", &["--dev", "web"]);
        git(&shop.root, &["add", "site"]);
        shop.commit();
        let committed = shop.built("store", &["web"]);
        assert_eq!((&committed["web"].0, committed["web"].1.as_str()), (&dev["web"].0, "was there"));
        let shown = shop
            .run(&[
                "image",
                "run",
                "--rm",
                &dev["web"].0,
                "sh",
                "-c",
                "read x < /site/new.html; echo \"$x\"; echo /site/*",
            ])
            .success();
        assert_eq!(shown.stdout, "<p>new\n/site/index.html /site/new.html\n");
    }
}

#[test]
fn images_run_and_leave_under_other_names_and_bases_are_pinned() {
    for who in everybody() {
        let lab = Lab::new(who);
        let registry = Registry::start(&lab);
        let (shop, repo) = (Shop::new(&lab, "shop"), format!("{}/shop", registry.address));
        let kept = shop.run(&["stage", "image", "base", "--repo", &repo]);
        kept.failure(&["base is not built"]);
        let ran = shop.run(&[
            "run",
            "base",
            "--repo",
            &repo,
            "--",
            "/bin/sh",
            "-c",
            "read x < /base; echo got $x; exit 7",
        ]);
        assert_eq!((ran.code, ran.stdout.as_str()), (7, "got base\n"), "{ran}");
        let name = shop.run(&["stage", "image", "base", "--repo", &repo]).success().stdout;
        assert!(name.starts_with(&repo), "{name}");
        let other = format!("{}/free/%image%:v1", registry.address);
        let out = shop
            .run(&["export", "api", "--repo", &repo, "--tag", &other, "--add-label", "a=b"])
            .success()
            .stdout;
        assert_eq!(out.trim(), other.replace("%image%", "api"));
        let config = lab.run(&["cr", "config", out.trim()]).success().stdout;
        assert!(config.contains("\"a\"") && !config.contains("\"werf"), "{config}");
        shop.run(&["managed-images", "add", "old/name", "--repo", &repo]).success();
        let names = || shop.run(&["managed-images", "ls", "--repo", &repo]).success().stdout;
        assert_eq!(names(), "api\nbase\nold/name\n");
        shop.run(&["managed-images", "rm", "old/name", "--repo", &repo]).success();
        assert_eq!(names(), "api\nbase\n");
        // A base image from elsewhere is pinned until the lock is written anew.
        let from = format!("{}/os:1", registry.address);
        lab.run(&["cr", "copy", name.trim(), &from]).success();
        shop.write("web.Dockerfile", &format!("FROM {from}\nCOPY site /site\n"));
        let config = fs::read_to_string(shop.root.join("werf.yaml")).unwrap();
        let web = config.find("image: web").unwrap();
        shop.write("werf.yaml", &format!("{}image: web\ndockerfile: web.Dockerfile\n", &config[..web]));
        shop.commit();
        let pins = shop.run(&["lock", "update"]).success().stdout;
        assert!(pins.starts_with(&format!("{from} sha256:")), "{pins}");
        shop.commit();
        let before = shop.built("store", &["web", "--repo", &repo]);
        lab.run(&["cr", "copy", out.trim(), &from]).success();
        assert_eq!(shop.built("store", &["web", "--repo", &repo])["web"].0, before["web"].0);
        shop.run(&["lock", "update"]).success();
        shop.commit();
        let after = shop.built("store", &["web", "--repo", &repo]);
        assert_ne!(after["web"].0, before["web"].0);
    }
}

#[test]
fn a_base_image_that_cannot_be_asked_for_is_what_it_was_and_that_is_said() {
    let lab = Lab::new(everybody().remove(0));
    let registry = Registry::start(&lab);
    let shop = Shop::new(&lab, "shop");
    let from = format!("{}/os:1", registry.address);
    let base = lab.context("os", &[("Dockerfile", "FROM scratch\nCOPY Dockerfile /os\n")]);
    lab.run(&["image", "build", "-t", &from, "--push", base.to_str().unwrap()]).success();
    shop.write("web.Dockerfile", &format!("FROM {from}\nCOPY site /site\n"));
    shop.write("werf.yaml", "project: p\nconfigVersion: 1\n---\nimage: web\ndockerfile: web.Dockerfile\n");
    shop.commit();
    let first = shop.built("store", &[]);
    drop(registry);
    let again = shop.run(&["build"]).success();
    assert!(again.stdout.contains(&first["web"].0), "{again}");
    assert!(again.stderr.contains("as it was last"), "{again}");
}

/// Sources of COPY with everything that can be odd about them, each with whether it leads anywhere.
const SOURCES: [(&str, bool); 16] = [
    ("COPY tree /x", true),
    ("COPY tree/ to-sub/ /x/", true),
    ("COPY to-file /x", true),
    ("COPY ../../tree/./a.txt /x/", true),
    ("COPY t*e/*.txt /x/", true),
    ("COPY to-sub/* /x/", true),
    ("COPY none* tree/a.txt /x/", true),
    ("COPY --parents tree/./sub/b.txt /x/", true),
    ("COPY --parents to-tree/./sub /x/", true),
    ("COPY --exclude=**/*.txt tree /x/", true),
    ("COPY --parents dangling tree/to-sub/ /x/", true),
    ("COPY --parents --exclude=tree/* --exclude=!tree/sub/b.txt tree/sub /x/", true),
    ("COPY --parents tree/./to-sub/b.txt /x/", false),
    ("COPY nowhere /x/", false),
    ("COPY dangling /x/", false),
    ("COPY tree/hidden /x/", false),
];

#[test]
fn copy_selects_from_a_commit_what_it_selects_from_the_disk() {
    use std::os::unix::fs::symlink;
    let lab = Lab::new(everybody().remove(0));
    let registry = Registry::start(&lab);
    let shop = Shop::new(&lab, "shop");
    fs::create_dir_all(shop.root.join("tree/sub/deep")).unwrap();
    for file in ["a.txt", "b.md", "hidden", "sub/b.txt", "sub/deep/c"] {
        shop.write(&format!("tree/{file}"), file);
    }
    shop.write(".dockerignore", "tree/hidden\n");
    for (target, link) in
        [("tree", "to-tree"), ("/tree/sub", "to-sub"), ("sub", "tree/to-sub"), ("to-sub/../a.txt", "to-file")]
    {
        symlink(target, shop.root.join(link)).unwrap();
    }
    symlink("tree/none", shop.root.join("dangling")).unwrap();
    let images: Vec<String> =
        (0..SOURCES.len()).map(|n| format!("---\nimage: i{n}\ndockerfile: d{n}\n")).collect();
    shop.write("werf.yaml", &format!("project: p\nconfigVersion: 1\n{}", images.concat()));
    for (n, (line, _)) in SOURCES.iter().enumerate() {
        shop.write(&format!("d{n}"), &format!("# syntax=docker/dockerfile:1\nFROM scratch\n{line}\n"));
    }
    shop.commit();
    let repo = format!("{}/p", registry.address);
    let good = SOURCES.iter().enumerate().filter(|(_, (_, leads))| *leads);
    let names: Vec<String> = good.map(|(n, _)| format!("i{n}")).collect();
    let wanted: Vec<&str> = ["--repo", &repo].into_iter().chain(names.iter().map(String::as_str)).collect();
    let built = shop.built("store", &wanted);
    for (n, (line, leads)) in SOURCES.iter().enumerate() {
        let (image, file) = (format!("i{n}"), format!("d{n}"));
        let plain = format!("{}/plain:{n}", registry.address);
        let direct = shop.run(&["image", "build", "-f", &file, "-t", &plain, "--push", "."]);
        if !leads {
            let missing = line.rsplit(' ').nth(1).unwrap().replace("/./", "/");
            direct.failure(&["not found in the build context", &missing]);
            shop.run(&["build", &image]).failure(&["not found in the build context", &missing]);
            continue;
        }
        direct.success();
        let files = |name: &str| {
            let listed = lab.run(&["cr", "ls-files", name]).success().stdout;
            assert!(!listed.is_empty(), "{line} copies nothing");
            listed
        };
        assert_eq!(files(&built[&image].0), files(&plain), "{line}");
    }
}

#[test]
fn why_knows_images_by_their_names_and_arguments_need_no_defaults() {
    let lab = Lab::new(everybody()[0]);
    let shop = Shop::new(&lab, "shop");
    let said = shop.run(&["build"]).success();
    assert!(!said.stderr.contains("InvalidDefaultArgInFrom"), "{}", said.stderr);
    shop.write("api/src/main.c", "int main(void);\n");
    shop.commit();
    shop.run(&["build"]).success();
    let why = shop.run(&["why", "api"]).success().stdout;
    assert!(why.contains("COPY src /src: ran") && why.contains("main.c"), "{why}");
    assert!(!why.contains("link.c"), "{why}");
    shop.run(&["why", "nobody"]).failure(&["no image that was built here has this name"]);
}

#[test]
fn images_of_one_base_ask_for_it_once() {
    let lab = Lab::new(everybody()[0]);
    let registry = Registry::start(&lab);
    let base = format!("{}/base:1", registry.address);
    let push = |words: &str| {
        let text = format!("FROM scratch\nCOPY busybox /bin/sh\nLABEL of={words}\n");
        let context = lab.busybox_context("base", &[("Dockerfile", &text)]);
        lab.give(&context);
        lab.run(&["image", "build", "-t", &base, "--push", "base"]).success();
    };
    push("one");
    let mut config = "project: shop\nconfigVersion: 1\n".to_owned();
    for name in ["a", "b", "c"] {
        config.push_str(&format!("---\nimage: {name}\ndockerfile: Dockerfile\nargs: {{N: {name}}}\n"));
    }
    let dockerfile = format!("FROM {base}\nARG N\nRUN echo $N > /n\n");
    let shop = Shop::of(&lab, "shop", &[("werf.yaml", &config), ("Dockerfile", &dockerfile)]);
    let repo = format!("{}/shop", registry.address);
    let first = shop.built("one", &["--repo", &repo]);
    let on = |name: &str, config: &str| {
        let shown = lab.run(&["cr", "config", name]).success().stdout.replace(": ", ":");
        assert!(shown.contains(config), "{config} is not in {shown}");
    };
    on(&first["a"].0, "\"of\":\"one\"");
    // Another base under the name: who knew the old one, who has it under this name and who knows none agree.
    push("two");
    let second = shop.built("one", &["--repo", &repo]);
    assert!(second.values().all(|(_, how)| how == "built"), "{second:?}");
    on(&second["a"].0, "\"of\":\"two\"");
    for store in ["one", "fresh"] {
        let again = shop.built(store, &["--repo", &repo]);
        assert!(
            again.iter().all(|(name, (tag, how))| how == "was there" && *tag == second[name].0),
            "{again:?}"
        );
    }
    // Without the registry a store goes on with what it knows; nothing of it is asked again.
    drop(registry);
    let offline = shop.built("one", &[]);
    assert!(offline.values().all(|(_, how)| how == "built"), "{offline:?}");
}
