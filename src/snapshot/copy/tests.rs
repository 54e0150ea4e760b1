//! COPY and ADD, rule by rule.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::*;
use crate::base::Clock;
use crate::host::fs;
use crate::oci::layer::{Entry, Kind, Writer};
use crate::report::Context;
use crate::snapshot::elevated::as_root;
use crate::snapshot::folder::timestamps;
use crate::snapshot::tree::Source;
use crate::snapshot::{Error, Result};

const CREATED: i64 = 5000;

/// A source and a destination.
struct Trees {
    _folder: tempfile::TempDir,
    from: PathBuf,
    to: PathBuf,
}

#[derive(Default)]
struct Flags<'a> {
    owner: Option<(u32, u32)>,
    mode: Option<&'a str>,
    unpack: bool,
    keep_ids: bool,
}

impl Trees {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir(&from).unwrap();
        fs::create_dir(&to).unwrap();
        Self { _folder: folder, from, to }
    }

    fn put(&self, name: &str, mode: u32) {
        put(&self.from, name, mode);
    }

    fn run(&self, sources: &[&str], destination: &str, flags: &Flags<'_>) -> Result<Copied> {
        let source = Source { root: &self.from, filter: None, root_owned: !flags.keep_ids };
        let patterns: Vec<_> =
            sources.iter().map(|s| Pattern { text: s.as_bytes(), wildcard: false }).collect();
        let selected = select(&source, &patterns, &|_, _| false)?;
        let items: Vec<_> = selected.iter().map(Item::Selected).collect();
        let mode = flags.mode.map(|m| m.parse::<ModeChange>().unwrap());
        let request = CopyRequest {
            source,
            items: &items,
            root: &self.to,
            destination: destination.as_bytes(),
            owner: flags.owner.map(|(uid, gid)| Ownership { uid, gid }),
            mode: mode.as_ref(),
            unpack: flags.unpack,
            created: CREATED,
            landing: None,
        };
        copy(&Context::silent(Clock::fixed(0)), &request)
    }

    fn copy(&self, sources: &[&str], destination: &str) -> Result<Copied> {
        self.run(sources, destination, &Flags::default())
    }

    /// Mode, owner and time.
    fn facts(&self, path: &str) -> String {
        let meta = fs::symlink_metadata(self.to.join(path)).unwrap();
        format!("{:o} {}:{} @{}", meta.mode() & 0o7777, meta.uid(), meta.gid(), meta.mtime())
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.to.join(path)).unwrap()
    }
}

/// A file (a directory, if its name ends with a slash) that contains its name, of time 1000.
fn put(root: &Path, name: &str, mode: u32) {
    let path = root.join(name);
    if name.ends_with('/') {
        fs::create_dir_all(&path).unwrap();
    } else {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, name).unwrap();
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    stamp(&path, 1000);
}

fn stamp(path: &Path, seconds: i64) {
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::utimensat(rustix::fs::CWD, path, &timestamps((seconds, 0)), flags).unwrap();
}

#[test]
fn files_go_into_directories_and_onto_names() {
    as_root("copy::tests::files_go_into_directories_and_onto_names", || {
        let trees = Trees::new();
        trees.put("a", 0o4755);
        trees.put("b", 0o600);
        put(&trees.to, "exists/", 0o700);
        trees.copy(&["a"], "/new").unwrap();
        trees.copy(&["a"], "/exists").unwrap();
        trees.copy(&["a", "b"], "/made/on/way/").unwrap();
        trees.copy(&["a"], "/deep/er/name").unwrap();
        assert_eq!(trees.facts("new"), "4755 0:0 @1000");
        assert_eq!(trees.text("exists/a"), "a");
        assert_eq!(trees.facts("exists"), "700 0:0 @1000");
        assert_eq!(trees.facts("made/on/way"), format!("755 0:0 @{CREATED}"));
        assert_eq!(trees.facts("made"), format!("755 0:0 @{CREATED}"));
        assert_eq!(trees.facts("made/on/way/b"), "600 0:0 @1000");
        assert_eq!(trees.text("deep/er/name"), "a");
        // Without a slash the last one wins.
        trees.copy(&["a", "b"], "/one").unwrap();
        assert_eq!(trees.text("one"), "b");
        assert!(matches!(trees.copy(&["none"], "/x"), Err(Error::NoSource { .. })));
    });
}

#[test]
fn only_what_replaces_something_keeps_the_fraction_of_its_time() {
    as_root("copy::tests::only_what_replaces_something_keeps_the_fraction_of_its_time", || {
        let trees = Trees::new();
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        for name in ["fresh", "replaced"] {
            trees.put(name, 0o444);
            let time = timestamps((1000, 5));
            rustix::fs::utimensat(rustix::fs::CWD, trees.from.join(name), &time, flags).unwrap();
        }
        put(&trees.to, "d/replaced", 0o600);
        trees.copy(&["fresh", "replaced"], "/d/").unwrap();
        let nanos = |name: &str| fs::symlink_metadata(trees.to.join("d").join(name)).unwrap().mtime_nsec();
        assert_eq!((nanos("fresh"), nanos("replaced")), (0, 5));
        for name in ["fresh", "replaced"] {
            assert_eq!(trees.facts(&format!("d/{name}")), "444 0:0 @1000");
            assert_eq!(trees.text(&format!("d/{name}")), name);
        }
    });
}

#[test]
fn directories_give_their_contents_and_keep_the_destination() {
    as_root("copy::tests::directories_give_their_contents_and_keep_the_destination", || {
        let trees = Trees::new();
        for (name, mode) in [("d/f", 0o644), ("d/sub/g", 0o644), ("d/sub/", 0o711), ("d/", 0o750)] {
            trees.put(name, mode);
        }
        put(&trees.to, "there/sub/old", 0o600);
        put(&trees.to, "there/sub/", 0o777);
        put(&trees.to, "there/", 0o700);
        stamp(&trees.to.join("there"), 1);
        trees.copy(&["d"], "/there").unwrap();
        // The top keeps its metadata and takes the source's time, nested ones take all.
        assert_eq!(trees.facts("there"), "700 0:0 @1000");
        assert_eq!(trees.facts("there/sub"), "711 0:0 @1000");
        assert_eq!(
            (trees.text("there/sub/g"), trees.text("there/sub/old")),
            ("d/sub/g".into(), "there/sub/old".into())
        );
        trees.copy(&["d/"], "/fresh").unwrap();
        assert_eq!(trees.facts("fresh"), "755 0:0 @1000");
        trees.copy(&["d"], "/fresh2/").unwrap();
        assert_eq!(trees.facts("fresh2"), "755 0:0 @1000");
    });
}

#[test]
fn flags_apply_to_what_is_copied_and_made() {
    as_root("copy::tests::flags_apply_to_what_is_copied_and_made", || {
        let trees = Trees::new();
        trees.put("d/f", 0o644);
        trees.put("d/x", 0o755);
        symlink("f", trees.from.join("d/l")).unwrap();
        let octal = Flags { owner: Some((7, 8)), mode: Some("600"), ..Flags::default() };
        trees.run(&["d"], "/p/q", &octal).unwrap();
        for (path, mode) in
            [("p", "600"), ("p/q", "600"), ("p/q/f", "600"), ("p/q/x", "600"), ("p/q/l", "777")]
        {
            assert!(trees.facts(path).starts_with(&format!("{mode} 7:8")), "{path}: {}", trees.facts(path));
        }
        let symbolic = Flags { mode: Some("go=,u+X"), ..Flags::default() };
        trees.run(&["d"], "/s/t/", &symbolic).unwrap();
        for (path, mode) in [("s", "755"), ("s/t", "755"), ("s/t/f", "600"), ("s/t/x", "700")] {
            assert!(trees.facts(path).starts_with(mode), "{path}: {}", trees.facts(path));
        }
        std::os::unix::fs::chown(trees.from.join("d/f"), Some(5), Some(6)).unwrap();
        trees.run(&["d/f"], "/kept", &Flags { keep_ids: true, ..Flags::default() }).unwrap();
        assert!(trees.facts("kept").contains("5:6"));
        trees.copy(&["d/f"], "/zeroed").unwrap();
        assert!(trees.facts("zeroed").contains("0:0"));
    });
}

#[test]
fn links_lead_inside_and_conflicts_are_errors() {
    as_root("copy::tests::links_lead_inside_and_conflicts_are_errors", || {
        let trees = Trees::new();
        trees.put("f", 0o644);
        trees.put("tree/bin/tool", 0o755);
        trees.put("tree/file", 0o644);
        put(&trees.to, "real/", 0o755);
        symlink("/real", trees.to.join("link")).unwrap();
        symlink("/made/later", trees.to.join("dangling")).unwrap();
        symlink("../../../../../../outside", trees.to.join("escape")).unwrap();
        trees.copy(&["f"], "/link/inner/").unwrap();
        assert_eq!(trees.text("real/inner/f"), "f");
        trees.copy(&["f"], "/link").unwrap();
        assert_eq!(trees.text("real/f"), "f");
        trees.copy(&["f"], "/dangling").unwrap();
        assert_eq!(trees.text("made/later"), "f");
        trees.copy(&["f"], "/escape").unwrap();
        assert_eq!(trees.text("outside"), "f");
        let conflict =
            |sources: &[&str], to: &str| matches!(trees.copy(sources, to), Err(Error::Conflict { .. }));
        put(&trees.to, "top/file/", 0o755);
        assert!(conflict(&["tree"], "/outside"), "a directory onto a file");
        assert!(conflict(&["tree"], "/top"), "a file onto a directory");
        put(&trees.to, "other/", 0o755);
        symlink("/real", trees.to.join("other/bin")).unwrap();
        assert!(conflict(&["tree"], "/other"), "a directory onto a link");
        assert!(trees.copy(&["f"], "/real/f/x").is_err());
    });
}

#[test]
fn names_of_one_file_stay_names_of_one_file_and_special_files_are_made() {
    as_root("copy::tests::names_of_one_file_stay_names_of_one_file_and_special_files_are_made", || {
        let trees = Trees::new();
        trees.put("d/one", 0o644);
        fs::create_dir(trees.from.join("d/sub")).unwrap();
        std::fs::hard_link(trees.from.join("d/one"), trees.from.join("d/sub/two")).unwrap();
        let mode = rustix::fs::Mode::from_raw_mode(0o640);
        rustix::fs::mkfifoat(rustix::fs::CWD, trees.from.join("d/fifo"), mode).unwrap();
        drop(std::os::unix::net::UnixListener::bind(trees.from.join("d/socket")).unwrap());
        let copied = trees.copy(&["d"], "/d").unwrap();
        let inode = |path: &str| fs::symlink_metadata(trees.to.join(path)).unwrap().ino();
        assert_eq!(inode("d/one"), inode("d/sub/two"));
        assert!(trees.facts("d/fifo").starts_with("640"));
        assert!(!fs::exists(trees.to.join("d/socket")));
        assert_eq!(copied.files, 2);
    });
}

fn archive() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    let mut put = |path: &str, kind: Kind, content: &[u8]| {
        let mut entry = Entry::new(path, kind, 0o711);
        (entry.uid, entry.gid, entry.mtime, entry.size) = (3, 4, 2000, content.len() as u64);
        writer.append(&entry, content).unwrap();
    };
    put("", Kind::Directory, b"");
    put("in", Kind::Directory, b"");
    put("in/file", Kind::File, b"packed");
    put("implied/file", Kind::File, b"packed");
    put("gone", Kind::Symlink(b"in".to_vec()), b"");
    writer.finish().unwrap()
}

#[test]
fn archives_are_unpacked_by_content() {
    as_root("copy::tests::archives_are_unpacked_by_content", || {
        let tar = archive();
        let gzip = |bytes: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let bzip2 = || {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(&tar).unwrap();
            encoder.finish().unwrap()
        };
        let forms = [tar.clone(), gzip(&tar), zstd::encode_all(tar.as_slice(), 1).unwrap(), bzip2()];
        for bytes in forms {
            let trees = Trees::new();
            fs::write(trees.from.join("no-suffix"), bytes).unwrap();
            put(&trees.to, "there/gone", 0o600);
            put(&trees.to, "there/", 0o750);
            let add = Flags { unpack: true, mode: Some("777"), ..Flags::default() };
            trees.run(&["no-suffix"], "/there", &add).unwrap();
            // The destination's own metadata is left alone, --chmod ignored.
            assert_eq!(trees.facts("there"), "750 0:0 @1000");
            assert_eq!(trees.facts("there/in"), "711 3:4 @2000");
            assert_eq!(trees.facts("there/in/file"), "711 3:4 @2000");
            assert_eq!(trees.facts("there/implied"), format!("755 0:0 @{CREATED}"));
            assert_eq!(trees.text("there/gone/file"), "packed");
            let owned = Flags { unpack: true, owner: Some((9, 9)), ..Flags::default() };
            trees.run(&["no-suffix"], "/owned", &owned).unwrap();
            assert!(trees.facts("owned/in/file").contains("9:9") && trees.facts("owned").contains("9:9"));
            trees.copy(&["no-suffix"], "/copied").unwrap();
            assert!(trees.to.join("copied").is_file());
        }
        let trees = Trees::new();
        for (name, bytes) in
            [("text.tar", b"no archive".to_vec()), ("x.gz", gzip(b"text")), ("y", b"BZh9junk".to_vec())]
        {
            fs::write(trees.from.join(name), bytes).unwrap();
            trees.run(&[name], "/plain/", &Flags { unpack: true, ..Flags::default() }).unwrap();
            assert!(trees.to.join("plain").join(name).is_file(), "{name}");
        }
    });
}

#[test]
fn working_directories_are_made_once() {
    as_root("copy::tests::working_directories_are_made_once", || {
        let trees = Trees::new();
        put(&trees.to, "srv/", 0o700);
        let owner = Some(Ownership { uid: 3, gid: 4 });
        assert!(make_directory(&trees.to, b"/srv/a/b", owner, CREATED).unwrap());
        assert!(!make_directory(&trees.to, b"/srv/a", Some(Ownership { uid: 9, gid: 9 }), 1).unwrap());
        assert_eq!(trees.facts("srv"), "700 0:0 @1000");
        assert_eq!(trees.facts("srv/a"), format!("755 3:4 @{CREATED}"));
        assert_eq!(trees.facts("srv/a/b"), format!("755 3:4 @{CREATED}"));
        put(&trees.to, "file", 0o600);
        assert!(make_directory(&trees.to, b"/file/x", owner, 0).is_err());
        put(&trees.to, "shared/", 0o2775);
        assert!(make_directory(&trees.to, b"/shared/own", owner, CREATED).unwrap());
        assert!(make_directory(&trees.to, b"/shared/nobodys", None, CREATED).unwrap());
        assert_eq!(trees.facts("shared/own"), format!("2755 3:4 @{CREATED}"));
        assert_eq!(trees.facts("shared/nobodys"), format!("2755 0:0 @{CREATED}"));
    });
}

#[test]
fn inline_files() {
    as_root("copy::tests::inline_files", || {
        let trees = Trees::new();
        let item = [Item::Inline { name: "EOF", content: b"text\n" }];
        for destination in ["/etc/", "/motd"] {
            let request = CopyRequest {
                source: Source { root: &trees.from, filter: None, root_owned: true },
                items: &item,
                root: &trees.to,
                destination: destination.as_bytes(),
                owner: None,
                mode: None,
                unpack: false,
                created: CREATED,
                landing: None,
            };
            copy(&Context::silent(Clock::fixed(0)), &request).unwrap();
        }
        assert_eq!(trees.text("etc/EOF"), "text\n");
        assert_eq!(trees.facts("motd"), format!("644 0:0 @{CREATED}"));
    });
}
