//! ADD of files and repositories that are elsewhere, and build contexts that come from elsewhere.

use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::copying::{has, lacks, listing};
use crate::lab::{Lab, Outcome, Who, everybody};
use crate::web::{Page, Repository, Web};

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn sha256(bytes: &[u8]) -> String {
    lapstrake::base::BlobDigest::of(bytes).to_string()
}

fn archive(folder: &Path, gzip: bool) -> Vec<u8> {
    let output = Command::new("tar")
        .args(["--owner=7", "--group=8", "-C"])
        .arg(folder)
        .args(if gzip { ["-cz", "."] } else { ["-c", "."] })
        .output();
    output.unwrap().stdout
}

#[test]
fn urls_are_added_once() {
    for who in everybody() {
        let lab = Lab::new(who);
        let web = Web::start(&lab.path("git"));
        let page = Page { etag: Some("\"1\"".into()), modified: Some(DATE.into()), ..Page::of("one") };
        web.put("/dir/file.txt", page.clone());
        web.put("/moved/name", Page { location: Some("/dir/file.txt?x".into()), ..Page::default() });
        let inner = lab.context("inner", &[("packed", "p")]);
        web.put("/a.tar", Page::of(archive(&inner, true)));
        let context = lab.context("c", &[]);
        let address = &web.address;
        let text = format!(
            "FROM scratch\n\
             ADD {address}/dir/file.txt?query=1 /d/\n\
             ADD {address}/moved/name /d/\n\
             ADD --chmod=644 --chown=3:4 {address}/dir/file.txt /renamed\n\
             ADD {address}/a.tar /plain/\n\
             ADD --unpack=true {address}/a.tar /unpacked/\n\
             ADD --checksum={} {address}/dir/file.txt /checked/\n",
            sha256(b"one")
        );
        lab.build(&context, &text, &["-o", "type=tar,dest=out/t.tar"]).success();
        let lines = listing(&lab.path("out/t.tar"));
        for line in [
            "-rw------- 0/0 d/file.txt",
            "-rw------- 0/0 d/name",
            "-rw-r--r-- 3/4 renamed",
            "-rw------- 0/0 plain/a.tar",
            "-rw-r--r-- 7/8 unpacked/packed",
            "-rw------- 0/0 checked/file.txt",
        ] {
            has(&lines, line);
        }
        let times =
            Command::new("tar").args(["--full-time", "--utc", "-tvf"]).arg(lab.path("out/t.tar")).output();
        let times = String::from_utf8(times.unwrap().stdout).unwrap();
        let time = |name: &str| {
            let line = times.lines().find(|l| l.ends_with(&format!(" {name}"))).unwrap();
            line.split_whitespace().skip(3).take(2).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(time("d/file.txt"), "1994-11-06 08:49:37");
        assert_eq!(
            time("checked/file.txt"),
            "1970-01-01 00:00:00",
            "what is pinned does not depend on the server"
        );
        web.log();
        // The server is asked, and says that nothing changed; with a checksum nobody is asked.
        let again = lab.build(&context, &text, &[]).success();
        assert!(again.stdout.contains("0 made"), "{again}");
        let log = web.log();
        assert!(log.contains(&"GET /dir/file.txt 304".to_owned()), "{log:?}");
        assert!(!log.contains(&"GET /dir/file.txt".to_owned()), "{log:?}");
        let checked = format!("FROM scratch\nADD --checksum={} {address}/dir/file.txt /\n", sha256(b"one"));
        lab.build(&context, &checked, &[]).success();
        assert!(web.log().is_empty());
        web.put("/dir/file.txt", Page { etag: Some("\"2\"".into()), ..Page::of("two") });
        // What is pinned and known stays; who does not know it yet cannot get it any more.
        lab.build(&context, &text, &["-o", "out/changed"]).success();
        assert_eq!(std::fs::read_to_string(lab.path("out/changed/renamed")).unwrap(), "two");
        assert_eq!(std::fs::read_to_string(lab.path("out/changed/checked/file.txt")).unwrap(), "one");
        let pruned = lab.ok(&["image", "prune", "--all"]);
        assert!(pruned.stdout.contains("fetched files and commits"), "{pruned}");
        assert!(!lab.store().join("fetched").exists());
        lab.build(&context, &text, &[]).failure(&["digest mismatch", "Dockerfile:7"]);
    }
}

#[test]
fn what_cannot_be_downloaded_names_its_line() {
    let lab = Lab::new(Who::Caller);
    let web = Web::start(&lab.path("git"));
    web.put("/loop", Page { location: Some("/loop".into()), ..Page::default() });
    web.put("/out", Page { location: Some("file:///etc/passwd".into()), ..Page::default() });
    let context = lab.context("c", &[("f", "f")]);
    let address = &web.address;
    let cases: &[(String, &[&str])] = &[
        (format!("ADD {address}/none /"), &["404", "Dockerfile:2"]),
        (format!("ADD {address}/loop /"), &["redirects", "Dockerfile:2"]),
        (format!("ADD {address}/out /"), &["redirects", "Dockerfile:2"]),
        ("ADD http://127.0.0.1:1/x /".into(), &["127.0.0.1:1", "Dockerfile:2"]),
        (format!("ADD --checksum=md5:0 {address}/x /"), &["checksum", "Dockerfile:2"]),
        ("ADD --checksum=sha256:0 f /".into(), &["checksum requires", "Dockerfile:2"]),
        (format!("COPY {address}/x /"), &["source can't be a URL for COPY", "Dockerfile:2"]),
        (format!("ADD {address}/git/none.git /"), &["none.git", "Dockerfile:2"]),
    ];
    for (line, words) in cases {
        lab.build(&context, &format!("FROM scratch\n{line}\n"), &[]).failure(words);
    }
}

/// A repository with a tag, a folder, a link, a program and a submodule.
fn repository(lab: &Lab) -> (Repository, String) {
    let library = Repository::create(&lab.path("git/library.git"));
    library.commit(&[("lib.txt", "library\n")]);
    let repository = Repository::create(&lab.path("git/repo.git"));
    symlink("run.sh", lab.path("git/repo.git/link")).unwrap();
    repository.commit(&[
        ("run.sh*", "#!/bin/sh\n"),
        ("sub/dir/file", "old\n"),
        ("sub/Dockerfile", "FROM scratch\nCOPY dir /d\n"),
    ]);
    repository.git(&["submodule", "--quiet", "add", "../library.git", "libs/library"]);
    let first = repository.commit(&[]);
    repository.git(&["tag", "-a", "v1", "-m", "v1"]);
    repository.commit(&[("sub/dir/file", "new\n")]);
    (repository, first)
}

#[test]
fn repositories_are_added() {
    for who in everybody() {
        let lab = Lab::new(who);
        let (repository, first) = repository(&lab);
        let web = Web::start(&lab.path("git"));
        let context = lab.context("c", &[]);
        let url = format!("{}/git/repo.git", web.address);
        let text = format!(
            "FROM scratch\n\
             ADD {url} /head\n\
             ADD {url}#v1:sub/dir /tag/\n\
             ADD --checksum={first} {url}?tag=v1&submodules=false /query/\n\
             ADD {url}#{first} /commit/\n\
             ADD --keep-git-dir=true {url}#main /kept/\n"
        );
        lab.build(&context, &text, &["-o", "type=tar,dest=out/t.tar", "-o", "out/tree"]).success();
        let lines = listing(&lab.path("out/t.tar"));
        for line in [
            "-rwxr-xr-x 0/0 head/run.sh",
            "lrwxrwxrwx 0/0 head/link -> run.sh",
            "-rw-r--r-- 0/0 head/libs/library/lib.txt",
            "-rw-r--r-- 0/0 tag/file",
            "drwxr-xr-x 0/0 query/libs/library/",
            "-rw-r--r-- 0/0 commit/libs/library/lib.txt",
        ] {
            has(&lines, line);
        }
        lacks(&lines, "head/.git/");
        lacks(&lines, "query/libs/library/lib.txt");
        let read = |name: &str| std::fs::read_to_string(lab.path("out/tree").join(name)).unwrap();
        assert_eq!((read("head/sub/dir/file"), read("tag/file")), ("new\n".into(), "old\n".into()));
        // What is kept is a repository that Git itself finds clean.
        let kept = Command::new("git")
            .args(["-c", "safe.directory=*", "-c", "core.fileMode=false", "status", "--porcelain"])
            .current_dir(lab.path("out/tree/kept"))
            .output()
            .unwrap();
        assert!(kept.status.success(), "{kept:?}");
        let status = String::from_utf8_lossy(&kept.stdout).into_owned();
        assert!(status.lines().all(|line| line.contains("libs/library")), "{status}");
        let same = lab.build(&context, &text, &[]).success();
        assert!(same.stdout.contains("0 made"), "{same}");
        repository.commit(&[("sub/dir/file", "newer\n")]);
        let moved = lab.build(&context, &text, &["-o", "out/moved"]).success();
        assert!(moved.stdout.contains("5 made") || moved.stderr.contains("CACHED"), "{moved}");
        assert_eq!(std::fs::read_to_string(lab.path("out/moved/head/sub/dir/file")).unwrap(), "newer\n");
        for (line, words) in [
            (format!("ADD {url}#mian /"), &["mian", "did you mean main", "Dockerfile:2"][..]),
            (format!("ADD {url}#v1:none /"), &["none", "Dockerfile:2"]),
            (
                format!("ADD --checksum=0123456 {url} /"),
                &["expected checksum to match 0123456", "Dockerfile:2"],
            ),
            (format!("ADD {url}?tag=a&branch=b /"), &["branch conflicts with tag", "Dockerfile:2"]),
            (format!("COPY {url} /"), &["source can't be a git ref for COPY", "Dockerfile:2"]),
        ] {
            lab.build(&context, &format!("FROM scratch\n{line}\n"), &[]).failure(words);
        }
    }
}

/// Runs a build with something on standard input.
fn piped(lab: &Lab, arguments: &[&str], input: &[u8]) -> Outcome {
    let mut command = lab.command(&[&["image", "build"], arguments].concat());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    Outcome::of(child.wait_with_output().unwrap())
}

#[test]
fn contexts_come_from_standard_input_and_the_web() {
    for who in everybody() {
        let lab = Lab::new(who);
        let web = Web::start(&lab.path("git"));
        let files = [
            ("Dockerfile", "FROM scratch\nCOPY . /all\n"),
            ("sub/Other", "FROM scratch\nCOPY a /other\n"),
            ("sub/Other.dockerignore", "b\n"),
            (".dockerignore", "hidden\n"),
            ("a", "a"),
            ("hidden", "h"),
        ];
        let folder = lab.context("source", &files);
        for gzip in [false, true] {
            let bytes = archive(&folder, gzip);
            piped(&lab, &["-o", "type=tar,dest=out/t.tar", "-"], &bytes).success();
            let lines = listing(&lab.path("out/t.tar"));
            // An archive says whose its files are.
            has(&lines, "-rw-r--r-- 7/8 all/a");
            lacks(&lines, "all/hidden");
            piped(&lab, &["-f", "sub/Other", "-o", "out/other", "-"], &bytes).success();
            assert!(lab.path("out/other/other").exists());
            web.put("/c.tar.gz", Page::of(&bytes));
            let url = format!("{}/c.tar.gz", web.address);
            lab.ok(&["image", "build", "-o", "type=tar,dest=out/u.tar", &url]);
            assert_eq!(listing(&lab.path("out/u.tar")), lines);
        }
        let alone = b"FROM scratch\nCOPY <<EOF /doc\nhi\nEOF\n";
        piped(&lab, &["-o", "out/alone", "-"], alone).success();
        assert_eq!(std::fs::read_to_string(lab.path("out/alone/doc")).unwrap(), "hi\n");
        piped(&lab, &["-"], b"FROM scratch\nCOPY a /\n").failure(&["not found in the build context"]);
        web.put("/Dockerfile", Page::of(alone));
        lab.ok(&["image", "build", "-o", "out/web", &format!("{}/Dockerfile", web.address)]);
        assert!(lab.path("out/web/doc").exists());
        piped(&lab, &["-f", "-", "-o", "out/given", "source"], b"FROM scratch\nCOPY a hidden* /given/\n")
            .success();
        assert!(lab.path("out/given/given/a").exists() && !lab.path("out/given/given/hidden").exists());
        piped(&lab, &["-f", "-", "-"], alone).failure(&["standard input"]);
        piped(&lab, &["-"], b"").failure(&["cannot be empty"]);
        piped(&lab, &["-f", "none", "-"], &archive(&folder, false))
            .failure(&["no none in the build context"]);
    }
}

#[test]
fn a_repository_is_a_context() {
    for who in everybody() {
        let lab = Lab::new(who);
        let (_repository, _) = repository(&lab);
        let web = Web::start(&lab.path("git"));
        let url = format!("{}/git/repo.git", web.address);
        lab.ok(&["image", "build", "-o", "out/tag", &format!("{url}#v1:sub")]);
        assert_eq!(std::fs::read_to_string(lab.path("out/tag/d/file")).unwrap(), "old\n");
        let missing = lab.run(&["image", "build", &url]);
        missing.failure(&["no Dockerfile in the build context"]);
    }
}

#[test]
fn links_in_foreign_contexts_stay_inside() {
    let lab = Lab::new(Who::Caller);
    std::fs::write(lab.path("secret"), "FROM scratch\nLABEL stolen=1\n").unwrap();
    let folder = lab.context("evil", &[("a", "a")]);
    symlink(lab.path("secret"), folder.join("Dockerfile")).unwrap();
    symlink("/etc/passwd", folder.join("passwd")).unwrap();
    piped(&lab, &["-"], &archive(&folder, false)).failure(&["no Dockerfile in the build context"]);
    std::fs::remove_file(folder.join("Dockerfile")).unwrap();
    std::fs::write(folder.join("Dockerfile"), "FROM scratch\nCOPY passwd /x\n").unwrap();
    piped(&lab, &["-"], &archive(&folder, false)).failure(&["/passwd", "not found"]);
}
