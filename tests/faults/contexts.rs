//! Build contexts with things in them that are no files, that change while they are read, or that cannot be read.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::lab::{Lab, Outcome, Over, Who, is_root};
use crate::yard::within;

/// Builds `dockerfile` in a context that `fill` makes, as a tree in the lab's `out`.
fn build(dockerfile: &str, fill: impl FnOnce(&Path)) -> (Lab, Outcome) {
    build_as(Who::Caller, dockerfile, fill)
}

fn build_as(who: Who, dockerfile: &str, fill: impl FnOnce(&Path)) -> (Lab, Outcome) {
    let lab = Lab::new(who);
    let context = lab.context("c", &[("a", "1")]);
    std::fs::write(context.join("Dockerfile"), dockerfile).unwrap();
    fill(&context);
    let outcome = run(&lab, &context);
    (lab, outcome)
}

fn run(lab: &Lab, context: &Path) -> Outcome {
    let output = format!("type=local,dest={}", lab.path("out/tree").display());
    within(600, || lab.run(&["image", "build", "--output", &output, context.to_str().unwrap()]))
}

fn out(lab: &Lab, path: &str) -> PathBuf {
    lab.path("out/tree").join(path)
}

fn fifo(path: &Path) {
    rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
}

/// Tests, each of its own name.
macro_rules! cases {
    ($($(#[$doc:meta])* $name:ident => $body:expr;)*) => {$( $(#[$doc])* #[test] fn $name() { $body } )*};
}

const ALL: &str = "FROM scratch\nCOPY . /\n";

cases! {
    a_socket_is_left_out => {
        let mut held = None;
        let (lab, outcome) = build(ALL, |c| {
            // Its path is longer than a socket may have: bound by a relative name.
            let short = tempfile::tempdir_in("/tmp").unwrap();
            held = Some(UnixListener::bind(short.path().join("s")).unwrap());
            std::fs::rename(short.path().join("s"), c.join("s")).or_else(|_| {
                std::fs::copy("/dev/null", c.join("s")).map(drop)
            }).unwrap();
        });
        outcome.success();
        assert!(out(&lab, "a").exists());
    };
    a_socket_that_is_named => {
        let (_lab, outcome) = build("FROM scratch\nCOPY s /s\n", |c| {
            let at = std::fs::File::open(c).unwrap();
            use std::os::fd::AsRawFd as _;
            drop(UnixListener::bind(format!("/proc/self/fd/{}/s", at.as_raw_fd())).unwrap());
        });
        // Left out like any other, or refused: never waited for.
        assert!(outcome.code == 0 || outcome.stderr.contains("/s"), "{outcome}");
    };
    a_pipe_is_copied_not_read => {
        let (lab, outcome) = build(ALL, |c| fifo(&c.join("p")));
        outcome.success();
        use std::os::unix::fs::FileTypeExt as _;
        assert!(std::fs::symlink_metadata(out(&lab, "p")).unwrap().file_type().is_fifo());
    };
    a_pipe_as_dockerfile => {
        let (_lab, outcome) = build(ALL, |c| {
            std::fs::remove_file(c.join("Dockerfile")).unwrap();
            fifo(&c.join("Dockerfile"));
        });
        outcome.failure(&["Dockerfile", "not a regular file"]);
    };
    a_pipe_as_ignore_file => {
        let (_lab, outcome) = build(ALL, |c| fifo(&c.join(".dockerignore")));
        outcome.failure(&[".dockerignore", "not a regular file"]);
    };
    a_folder_as_ignore_file => {
        let (_lab, outcome) = build(ALL, |c| std::fs::create_dir(c.join(".dockerignore")).unwrap());
        outcome.failure(&[".dockerignore"]);
    };
    an_ignore_file_in_a_circle => {
        let (_lab, outcome) = build(ALL, |c| symlink(".dockerignore", c.join(".dockerignore")).unwrap());
        outcome.failure(&[".dockerignore"]);
    };
    a_dockerfile_in_a_circle => {
        let (_lab, outcome) = build(ALL, |c| {
            std::fs::remove_file(c.join("Dockerfile")).unwrap();
            symlink("Dockerfile", c.join("Dockerfile")).unwrap();
        });
        outcome.failure(&["Dockerfile"]);
    };
    /// Root may read everything; the ordinary user may not.
    an_unreadable_file => {
        if is_root() {
            let (_lab, outcome) = build_as(Who::Ordinary, ALL, |c| {
                std::fs::set_permissions(c.join("a"), std::fs::Permissions::from_mode(0o000)).unwrap();
            });
            outcome.failure(&["a", "ermission denied", "Dockerfile:2"]);
        }
    };
    an_unreadable_folder => {
        if is_root() {
            let (_lab, outcome) = build_as(Who::Ordinary, ALL, |c| {
                std::fs::create_dir(c.join("locked")).unwrap();
                std::fs::set_permissions(c.join("locked"), std::fs::Permissions::from_mode(0o000)).unwrap();
            });
            outcome.failure(&["locked", "ermission denied"]);
        }
    };
    /// What nobody names is nobody's trouble.
    an_unreadable_file_that_is_not_copied => {
        let who = if is_root() { Who::Ordinary } else { Who::Caller };
        let (_lab, outcome) = build_as(who, "FROM scratch\nCOPY a /a\n", |c| {
            std::fs::write(c.join("secret"), "1").unwrap();
            std::fs::set_permissions(c.join("secret"), std::fs::Permissions::from_mode(0o000)).unwrap();
        });
        outcome.success();
    };
    a_link_to_the_outside => {
        let (_lab, outcome) = build("FROM scratch\nCOPY l /x\n", |c| symlink("/etc/hostname", c.join("l")).unwrap());
        outcome.failure(&["l", "not found"]);
    };
    a_link_up_and_out => {
        let (_lab, outcome) = build("FROM scratch\nCOPY l/etc/hostname /x\n", |c| {
            symlink("../".repeat(20), c.join("l")).unwrap();
        });
        outcome.failure(&["not found"]);
    };
    a_path_up_and_out => {
        let (_lab, outcome) = build("FROM scratch\nCOPY ../../../../etc/hostname /x\n", |_| {});
        outcome.failure(&["not found"]);
    };
    links_in_a_circle_are_copied => {
        let (lab, outcome) = build(ALL, |c| {
            symlink("y", c.join("x")).unwrap();
            symlink("x", c.join("y")).unwrap();
            symlink(".", c.join("self")).unwrap();
        });
        outcome.success();
        assert_eq!(std::fs::read_link(out(&lab, "x")).unwrap(), Path::new("y"));
        assert_eq!(std::fs::read_link(out(&lab, "self")).unwrap(), Path::new("."));
    };
    a_link_in_a_circle_as_source => {
        let (_lab, outcome) = build("FROM scratch\nCOPY x/f /f\n", |c| symlink("x", c.join("x")).unwrap());
        outcome.failure(&["x"]);
    };
    names_with_line_breaks_and_no_text => {
        let names: [&[u8]; 4] = [b"line\nbreak", b"\xff\xfe", b"\x1b[31mred", b" blank "];
        let (lab, outcome) = build(ALL, |c| {
            names.iter().for_each(|name| std::fs::write(c.join(OsStr::from_bytes(name)), "1").unwrap());
        });
        let outcome = outcome.success();
        assert!(!outcome.stderr.contains('\x1b'), "{outcome}");
        names.iter().for_each(|name| assert!(out(&lab, "").join(OsStr::from_bytes(name)).exists()));
    };
    a_name_that_means_a_removal => {
        let (_lab, outcome) = build(ALL, |c| std::fs::write(c.join(".wh.a"), "").unwrap());
        outcome.failure(&[".wh.a", "Dockerfile:2"]);
    };
    a_name_that_is_an_opaque_mark => {
        let (_lab, outcome) = build(ALL, |c| std::fs::write(c.join(".wh..wh..opq"), "").unwrap());
        outcome.failure(&[".wh."]);
    };
    a_name_of_255_bytes => {
        let name = "n".repeat(255);
        let (lab, outcome) = build(ALL, |c| std::fs::write(c.join(&name), "1").unwrap());
        outcome.success();
        assert!(out(&lab, &name).exists());
    };
    a_tree_deeper_than_a_path_can_be_long => {
        let (lab, outcome) = build(ALL, |c| {
            let mut at = rustix::fs::open(c, rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
            for _ in 0..100 {
                let name = "d".repeat(100);
                rustix::fs::mkdirat(&at, &name, rustix::fs::Mode::RWXU).unwrap();
                at = rustix::fs::openat(&at, &name, rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
            }
        });
        assert!(outcome.code == 0 || outcome.stderr.contains("ddd"), "{outcome}");
        assert!(!outcome.stderr.contains("panicked"), "{outcome}");
        // Too deep for the standard library's own removal, perhaps: by a shell that walks.
        let _ = std::process::Command::new("rm").arg("-rf").arg(lab.path("c")).arg(lab.path("out")).status();
    };
    a_device_node => {
        if is_root() {
            let (_lab, outcome) = build(ALL, |c| {
                let zero = rustix::fs::makedev(1, 5);
                rustix::fs::mknodat(
                    rustix::fs::CWD, c.join("zero"), rustix::fs::FileType::CharacterDevice, rustix::fs::Mode::RUSR, zero,
                ).unwrap();
            });
            // Copied as a node, never read to its end.
            assert!(outcome.code == 0 || outcome.stderr.contains("zero"), "{outcome}");
        }
    };
    a_hole_of_a_terabyte => {
        let (_lab, outcome) = build(ALL, |c| {
            std::fs::File::create(c.join("sparse")).unwrap().set_len(1 << 40).unwrap();
        });
        outcome.failure(&["sparse", "64 GiB", "--max-layer-size"]);
    };
    an_archive_that_is_a_bomb => {
        use std::io::Write as _;
        let lab = Lab::new(Who::Caller);
        let context = lab.context("c", &[("Dockerfile", "FROM scratch\nADD bomb.tar.gz /\n")]);
        let tar = crate::tar::archive(&[crate::tar::file("zeros", &vec![0; 30 << 20])]);
        let kind = lapstrake::oci::compress::Compression::Gzip(9);
        let mut packed = lapstrake::oci::compress::Compressor::new(Vec::new(), kind).unwrap();
        packed.write_all(&tar).unwrap();
        std::fs::write(context.join("bomb.tar.gz"), packed.finish().unwrap()).unwrap();
        let outcome = lab.run(&["--max-layer-size=1M", "image", "build", context.to_str().unwrap()]);
        outcome.failure(&["bomb.tar.gz", "more than 1 MiB", "--max-layer-size", "Dockerfile:2"]);
    };
    an_archive_that_leads_outside => {
        let (lab, outcome) = build("FROM scratch\nADD evil.tar /\n", |c| {
            let tar = crate::tar::archive(&[crate::tar::file("../../evil", b"1")]);
            std::fs::write(c.join("evil.tar"), tar).unwrap();
        });
        outcome.failure(&["evil.tar", "`..`"]);
        assert!(!lab.path("evil").exists());
    };
    an_archive_with_links_outside => {
        let (lab, outcome) = build("FROM scratch\nADD evil.tar /\n", |c| {
            let tar = crate::tar::archive(&[
                crate::tar::symlink("l", c.parent().unwrap().to_str().unwrap()), crate::tar::file("l/evil", b"1"),
            ]);
            std::fs::write(c.join("evil.tar"), tar).unwrap();
        });
        outcome.success();
        assert!(!lab.path("evil").exists());
    };
    /// Whatever a build makes of files that change under it, it ends, and says so or is right.
    files_that_change_while_they_are_read => {
        let lab = Lab::new(Who::Caller);
        let context = lab.context("c", &[("Dockerfile", ALL), ("a", "1")]);
        let ends = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _end = Over(&ends);
            scope.spawn(|| {
                let mut n = 0u64;
                while !ends.load(Ordering::SeqCst) {
                    n += 1;
                    let size = (n * 7919) % 3_000_000;
                    let _ = std::fs::write(context.join("grows"), vec![7; size as usize]);
                    let _ = std::fs::rename(context.join("grows"), context.join(format!("moved{}", n % 3)));
                    let _ = std::fs::remove_file(context.join(format!("moved{}", (n + 1) % 3)));
                }
            });
            for _ in 0..8 {
                let outcome = run(&lab, &context);
                let honest = outcome.code == 0
                    || ["changed while", "No such file", "not found"].iter().any(|word| outcome.stderr.contains(word));
                assert!(honest && !outcome.stderr.contains("panicked"), "{outcome}");
            }
        });
        lab.ok(&["image", "check"]);
    };
    a_context_that_is_a_file => {
        let lab = Lab::new(Who::Caller);
        lab.run(&["image", "build", "/etc/hostname"]).failure(&["/etc/hostname", "not a directory"]);
    };
    a_context_that_is_not_there => {
        Lab::new(Who::Caller).run(&["image", "build", "/no/such/place"]).failure(&["/no/such/place"]);
    };
    a_context_of_proc => {
        // Endless, and full of files that lie about their size; only what is named is read.
        let lab = Lab::new(Who::Caller);
        let text = "FROM scratch\nCOPY version /v\n";
        std::fs::write(lab.path("Dockerfile"), text).unwrap();
        let output = format!("type=local,dest={}", lab.path("out/tree").display());
        let file = lab.path("Dockerfile");
        let outcome = within(300, || lab.run(&["image", "build", "-f", file.to_str().unwrap(), "--output", &output, "/proc"]));
        assert!(outcome.code == 0 || outcome.stderr.contains("changed while"), "{outcome}");
    };
}
