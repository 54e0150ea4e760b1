//! The store as a whole: layers in, trees out, changes to layers.

use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use super::elevated::as_root;
use super::*;
use crate::base::DiffId;
use crate::host::fs;
use crate::oci::layer::{Entry, Kind, Reader, Writer};

fn dir(path: &str, mode: u32) -> (Entry, &'static [u8]) {
    (Entry { mtime: 1000, ..Entry::new(path, Kind::Directory, mode) }, b"")
}

fn file(path: &str, content: &'static [u8]) -> (Entry, &'static [u8]) {
    let entry = Entry::new(path, Kind::File, 0o644);
    (Entry { size: content.len() as u64, mtime: 1000, ..entry }, content)
}

fn archive(entries: &[(Entry, &[u8])], whiteouts: &[&str]) -> (DiffId, Vec<u8>) {
    let mut writer = Writer::new(Vec::new());
    for path in whiteouts {
        writer.whiteout(path.as_bytes()).unwrap();
    }
    for (entry, content) in entries {
        writer.append(entry, *content).unwrap();
    }
    let bytes = writer.finish().unwrap();
    (DiffId::of(&bytes), bytes)
}

fn unpack(store: &Snapshots, entries: &[(Entry, &[u8])], whiteouts: &[&str]) -> DiffId {
    let (id, bytes) = archive(entries, whiteouts);
    store.unpack(&id, bytes.as_slice()).unwrap();
    id
}

fn store(choice: Choice) -> (tempfile::TempDir, Snapshots) {
    let folder = tempfile::tempdir().unwrap();
    let store = Snapshots::open(folder.path(), choice).unwrap();
    (folder, store)
}

/// Names and facts of a tree: what two equal trees have in common.
pub(super) fn facts(root: &Path) -> BTreeMap<String, String> {
    fn walk(folder: &Path, root: &Path, out: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let kind = meta.file_type();
            let what = if kind.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else if kind.is_file() {
                format!("{:?}", blake3::hash(&fs::read(&path).unwrap()))
            } else {
                format!("dir={} fifo={} rdev={}", kind.is_dir(), kind.is_fifo(), meta.rdev())
            };
            let (mode, uid, gid, time) = (meta.mode(), meta.uid(), meta.gid(), meta.mtime());
            let name = format!("{:?}", path.strip_prefix(root).unwrap());
            out.insert(name, format!("{mode:o} {uid}:{gid} @{time} {what}"));
            if kind.is_dir() {
                walk(&path, root, out);
            }
        }
    }
    let mut out = BTreeMap::new();
    walk(root, root, &mut out);
    out
}

fn names(root: &Path) -> Vec<String> {
    facts(root).into_keys().collect()
}

fn entries(bytes: &[u8]) -> Vec<String> {
    let mut reader = Reader::new(bytes);
    let mut out = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        let mark = match &entry.kind {
            Kind::Directory => "/".to_owned(),
            Kind::Hardlink(to) => format!(" = {}", String::from_utf8_lossy(to)),
            Kind::Symlink(to) => format!(" -> {}", String::from_utf8_lossy(to)),
            _ => String::new(),
        };
        out.push(entry.display() + &mark);
    }
    out
}

fn tar_of(store: &Snapshots, layer: &DiffId) -> Vec<u8> {
    let mut bytes = Vec::new();
    let size = store.write_tar(layer, &mut bytes).unwrap();
    assert_eq!(size, bytes.len() as u64);
    assert_eq!(DiffId::of(&bytes), *layer);
    bytes
}

/// Three layers with deletions, and the two ways to merge them.
fn merged(choice: Choice) {
    let (_folder, store) = store(choice);
    let layers = [
        unpack(
            &store,
            &[
                dir("etc", 0o755),
                file("etc/a", b"1"),
                file("etc/b", b"2"),
                dir("opt", 0o700),
                file("opt/x", b"x"),
                dir("var", 0o755),
                file("var/old", b"o"),
            ],
            &[],
        ),
        unpack(
            &store,
            &[dir("etc", 0o711), file("var/new", b"n")],
            // The last one spells `.wh..wh..opq`.
            &["etc/a", "etc/never", "var/.wh..opq"],
        ),
        unpack(&store, &[file("opt", b"now a file")], &[]),
        unpack(&store, &[], &[]),
    ];
    let view = store.view(&layers).unwrap();
    assert_eq!(names(view.root()), [r#""etc""#, r#""etc/b""#, r#""opt""#, r#""var""#, r#""var/new""#]);
    assert_eq!(fs::metadata(view.root().join("etc")).unwrap().mode() & 0o777, 0o711);
    assert!(fs::read_dir(store.view(&[]).unwrap().root()).unwrap().is_empty());
    assert!(matches!(store.view(&[DiffId::of(b"?")]), Err(Error::Missing { .. })));
}

#[test]
fn layers_merge_by_overlay_and_by_copy() {
    as_root("tests::layers_merge_by_overlay_and_by_copy", || {
        merged(Choice::Overlay);
        merged(Choice::Copy);
    });
}

fn base(store: &Snapshots) -> Vec<DiffId> {
    let mut capable = file("bin/ping", b"ping").0;
    capable.mode = 0o4755;
    capable.xattrs.insert(
        b"security.capability".to_vec(),
        hex::decode("0100000200200000000000000000000000000000").unwrap(),
    );
    let one = unpack(
        store,
        &[
            dir("bin", 0o755),
            (capable, b"ping"),
            dir("d", 0o755),
            file("d/keep", b"keep"),
            file("d/gone", b"gone"),
            dir("d/sub", 0o755),
            file("d/sub/deep", b"deep"),
            dir("replaced", 0o755),
            file("replaced/same", b"same"),
            file("replaced/lost", b"lost"),
            file("touched", b"touched"),
            file("file-to-dir", b"f"),
            dir("dir-to-file", 0o755),
            file("dir-to-file/in", b"in"),
        ],
        &[],
    );
    let two = unpack(store, &[dir("d", 0o750), file("d/second", b"2")], &[]);
    vec![one, two]
}

/// Changes of every kind.
fn change(root: &Path) {
    let put = |path: &str, content: &str| {
        fs::write(root.join(path), content).unwrap();
        stamp(&root.join(path), 2000);
    };
    fs::remove_file(root.join("d/gone")).unwrap();
    put("d/keep", "kept");
    put("d/sub/new", "new");
    fs::remove_dir_all(root.join("replaced")).unwrap();
    fs::create_dir(root.join("replaced")).unwrap();
    put("replaced/same", "other");
    fs::remove_file(root.join("file-to-dir")).unwrap();
    fs::create_dir_all(root.join("file-to-dir/in")).unwrap();
    fs::remove_dir_all(root.join("dir-to-file")).unwrap();
    put("dir-to-file", "now");
    put("hard1", "linked");
    std::fs::hard_link(root.join("hard1"), root.join("a-hard2")).unwrap();
    symlink("/nowhere", root.join("link")).unwrap();
    put("bin/suid", "s");
    std::os::unix::fs::chown(root.join("bin/suid"), Some(7), Some(8)).unwrap();
    std::fs::set_permissions(root.join("bin/suid"), std::fs::Permissions::from_mode(0o6755)).unwrap();
    // Opened for writing and left alone: copied up, not changed.
    drop(std::fs::OpenOptions::new().append(true).open(root.join("touched")).unwrap());
    // By way of a descriptor: the address of a socket holds few bytes.
    let folder = fs::open(root).unwrap();
    let address = format!("/proc/self/fd/{}/socket", std::os::fd::AsRawFd::as_raw_fd(&folder));
    drop(std::os::unix::net::UnixListener::bind(address).unwrap());
    put("temporary", "t");
    fs::remove_file(root.join("temporary")).unwrap();
    for directory in ["d", "d/sub", "replaced", "file-to-dir", "file-to-dir/in", "bin"] {
        stamp(&root.join(directory), 3000);
    }
}

fn stamp(path: &Path, seconds: i64) {
    let times = folder::timestamps((seconds, 123));
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

#[test]
fn the_same_change_gives_the_same_layer_by_overlay_and_by_copy() {
    as_root("tests::the_same_change_gives_the_same_layer_by_overlay_and_by_copy", || {
        let mut tars = Vec::new();
        for choice in [Choice::Overlay, Choice::Copy] {
            let (_folder, store) = store(choice);
            let mut layers = base(&store);
            let mut writable = store.writable(&layers).unwrap();
            change(writable.mounted().unwrap());
            stamp(&writable.mounted().unwrap().join("link"), 2000);
            let expected = facts(writable.mounted().unwrap());
            let options = DiffOptions { source_date_epoch: Some(2500) };
            let committed = writable.commit(&options).unwrap();
            assert!(!committed.known);
            let tar = tar_of(&store, &committed.diff_id);
            assert_eq!(tar.len() as u64, committed.size);
            assert_eq!(entries(&tar), EXPECTED, "{choice:?}");
            layers.push(committed.diff_id);
            let mut seen = facts(store.view(&layers).unwrap().root());
            for (name, fact) in &expected {
                // Sockets are dropped, times clamped.
                if name != "\"socket\"" {
                    assert_eq!(seen.remove(name).as_ref(), Some(&fact.replace("@3000", "@2500")), "{name}");
                }
            }
            assert!(seen.is_empty(), "{seen:?}");
            tars.push(tar);
        }
        assert!(tars[0] == tars[1]);
    });
}

const EXPECTED: &[&str] = &[
    "a-hard2",
    "bin/",
    "bin/suid",
    "d/",
    "d/.wh.gone",
    "d/keep",
    "d/sub/",
    "d/sub/new",
    "dir-to-file",
    "file-to-dir/",
    "file-to-dir/in/",
    "hard1 = a-hard2",
    "link -> /nowhere",
    "replaced/",
    "replaced/.wh.lost",
    "replaced/same",
];

#[test]
fn nothing_changed_is_an_empty_layer_and_equal_layers_are_one() {
    as_root("tests::nothing_changed_is_an_empty_layer_and_equal_layers_are_one", || {
        let (_folder, store) = store(Choice::Auto);
        let layers = base(&store);
        let commit = || {
            let mut writable = store.writable(&layers).unwrap();
            fs::read(writable.mounted().unwrap().join("bin/ping")).unwrap();
            writable.commit(&DiffOptions::default()).unwrap()
        };
        let (first, second) = (commit(), commit());
        assert_eq!((first.entries, first.size), (0, 1024));
        assert_eq!(first.diff_id, second.diff_id);
        assert!(!first.known && second.known);
        assert_eq!(store.list().unwrap().len(), 3);
        assert!(fs::read_dir(store.root().join("scratch")).unwrap().is_empty());
    });
}

#[test]
fn a_mount_elsewhere_and_here_in_turn() {
    as_root("tests::a_mount_elsewhere_and_here_in_turn", || {
        let (folder, store) = store(Choice::Overlay);
        let layers = base(&store);
        let mut writable = store.writable(&layers).unwrap();
        fs::write(writable.mounted().unwrap().join("one"), "1").unwrap();
        let spec = writable.root_spec();
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        rootfs_helpers::overlay::mount_root(&spec, &elsewhere).unwrap();
        fs::write(elsewhere.join("two"), "2").unwrap();
        rootfs_helpers::overlay::unmount(&elsewhere).unwrap();
        assert_eq!(fs::read(writable.mounted().unwrap().join("two")).unwrap(), b"2");
        let committed = writable.commit(&DiffOptions::default()).unwrap();
        assert_eq!(entries(&tar_of(&store, &committed.diff_id)), ["one", "two"]);
    });
}

#[test]
fn archives_without_parents_keep_what_lower_layers_say_of_them() {
    as_root("tests::archives_without_parents_keep_what_lower_layers_say_of_them", || {
        for choice in [Choice::Overlay, Choice::Copy] {
            let (_folder, store) = store(choice);
            let mut tmp = dir("tmp", 0o1777);
            tmp.0.uid = 5;
            let layers = [
                unpack(&store, &[dir("", 0o711), tmp, dir("tmp/sub", 0o700)], &[]),
                unpack(&store, &[file("tmp/sub/file", b"x"), file("other/file", b"y")], &[]),
                unpack(&store, &[file("tmp/more", b"z")], &[]),
            ];
            let view = store.view(&layers).unwrap();
            let seen = facts(view.root());
            assert!(seen["\"tmp\""].starts_with("41777 5:0 @1000"), "{seen:?}");
            assert!(seen["\"tmp/sub\""].starts_with("40700 0:0 @1000"), "{seen:?}");
            assert!(seen["\"other\""].starts_with("40755 0:0 @0"), "{seen:?}");
            assert!(seen.contains_key("\"tmp/sub/file\"") && seen.contains_key("\"tmp/more\""));
            assert_eq!(fs::metadata(view.root()).unwrap().mode() & 0o7777, 0o711);
            let writable = store.writable(&layers).unwrap();
            assert_eq!(writable.commit(&DiffOptions::default()).unwrap().entries, 0);
        }
    });
}

#[test]
fn what_stands_on_layers_goes_with_them_and_what_the_dead_left_at_the_next_start() {
    as_root("tests::what_stands_on_layers_goes_with_them_and_what_the_dead_left_at_the_next_start", || {
        let (folder, store) = store(Choice::Copy);
        let layers = [
            unpack(&store, &[dir("d", 0o700), file("d/a", b"a")], &[]),
            unpack(&store, &[file("d/b", b"b")], &[]),
        ];
        let derived = |name: &str| fs::read_dir(store.root().join(name)).unwrap().len();
        drop(store.view(&layers).unwrap());
        drop(store.view(&layers[..1]).unwrap());
        assert_eq!((derived("flat"), derived("patches")), (2, 1));
        assert_eq!(store.remove_derived().unwrap(), 0);
        store.remove(&layers[1]).unwrap();
        assert_eq!(store.remove_derived().unwrap(), 2);
        assert_eq!((derived("flat"), derived("patches")), (1, 0));
        let orphan = store.root().join("scratch/orphan");
        fs::create_dir_all(orphan.join("layer/fs")).unwrap();
        fs::write(store.root().join("scratch/orphan.lock"), "").unwrap();
        drop(Snapshots::open(folder.path(), Choice::Copy).unwrap());
        assert!(fs::read_dir(store.root().join("scratch")).unwrap().is_empty());
    });
}

#[test]
fn a_wrong_digest_leaves_nothing() {
    as_root("tests::a_wrong_digest_leaves_nothing", || {
        let (_folder, store) = store(Choice::Copy);
        let (_, bytes) = archive(&[file("a", b"a")], &[]);
        let wrong = DiffId::of(b"something else");
        assert!(matches!(store.unpack(&wrong, bytes.as_slice()), Err(Error::WrongDigest { .. })));
        assert!(matches!(store.unpack(&wrong, &bytes[..600]), Err(Error::Archive { .. })));
        assert!(!store.contains(&wrong));
        assert!(fs::read_dir(store.root().join("scratch")).unwrap().is_empty());
    });
}

#[test]
fn orphans_are_found_and_damaged_layers_dropped() {
    as_root("tests::orphans_are_found_and_damaged_layers_dropped", || {
        let (folder, store) = store(Choice::Copy);
        let kept = unpack(&store, &[file("a", b"a")], &[]);
        store.sync().unwrap();
        let lost = unpack(&store, &[file("b", b"b")], &[]);
        let made = |content: &str| {
            let mut writable = store.writable(&[]).unwrap();
            fs::write(writable.mounted().unwrap().join("made"), content).unwrap();
            writable.commit(&DiffOptions::default()).unwrap().diff_id
        };
        let (whole, damaged) = (made("whole"), made("damaged"));
        fs::write(store.tree(&damaged).join("made"), "").unwrap();
        let held = store.scratch().unwrap();
        let orphan = store.root().join("scratch/orphan");
        fs::create_dir_all(orphan.join("layer/fs")).unwrap();
        fs::write(store.root().join("scratch/orphan.lock"), "").unwrap();
        assert_eq!(store.clean_stale().unwrap(), 1);
        assert!(!fs::exists(&orphan) && fs::exists(held.path()));
        // Another boot.
        let marks =
            format!("unsynced-{}", fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim());
        fs::rename(store.root().join(marks), store.root().join("unsynced-before")).unwrap();
        let again = Snapshots::open(folder.path(), Choice::Copy).unwrap();
        assert!(again.contains(&kept) && !again.contains(&lost));
        assert!(again.contains(&whole) && !again.contains(&damaged));
        assert!(matches!(again.remove(&kept), Err(Error::Busy { .. })));
        drop(store);
        let view = again.view(std::slice::from_ref(&kept)).unwrap();
        assert!(matches!(again.remove(&kept), Err(Error::Busy { .. })));
        drop(view);
        again.remove(&kept).unwrap();
        assert!(!again.contains(&kept));
    });
}

#[test]
fn names_that_mean_deletions_cannot_be_stored() {
    as_root("tests::names_that_mean_deletions_cannot_be_stored", || {
        let (_folder, store) = store(Choice::Auto);
        let mut writable = store.writable(&[]).unwrap();
        fs::write(writable.mounted().unwrap().join(".wh.x"), "").unwrap();
        let error = writable.commit(&DiffOptions::default()).unwrap_err();
        assert!(matches!(&error, Error::Unstorable { path, .. } if path == ".wh.x"), "{error}");
    });
}

#[test]
fn a_directory_made_anew_hides_what_its_directories_had() {
    as_root("tests::a_directory_made_anew_hides_what_its_directories_had", || {
        for choice in [Choice::Overlay, Choice::Copy] {
            let (_folder, store) = store(choice);
            let mut layers = vec![unpack(
                &store,
                &[dir("d", 0o755), dir("d/sub", 0o755), dir("d/sub/in", 0o755), file("d/sub/in/old", b"o")],
                &[],
            )];
            let mut writable = store.writable(&layers).unwrap();
            let root = writable.mounted().unwrap().to_owned();
            fs::remove_dir_all(root.join("d")).unwrap();
            fs::create_dir_all(root.join("d/sub/in")).unwrap();
            let committed = writable.commit(&DiffOptions::default()).unwrap();
            let tar = tar_of(&store, &committed.diff_id);
            assert_eq!(entries(&tar), ["d/", "d/sub/", "d/sub/in/", "d/sub/in/.wh.old"]);
            layers.push(committed.diff_id);
            assert!(!fs::exists(store.view(&layers).unwrap().root().join("d/sub/in/old")));
        }
    });
}

#[test]
fn of_attributes_only_capabilities_are_committed() {
    as_root("tests::of_attributes_only_capabilities_are_committed", || {
        use std::ffi::OsStr;

        use super::folder::Folder;
        let (_folder, store) = store(Choice::Auto);
        let mut tree = store.writable(&[]).unwrap();
        let root = tree.mounted().unwrap().to_owned();
        let folder = Folder::at(&root).unwrap();
        let capability = hex::decode("0100000200200000000000000000000000000000").unwrap();
        for name in ["capable", "plain"] {
            fs::write(root.join(name), name).unwrap();
            folder.set_attribute(OsStr::new(name), OsStr::new("user.mine"), b"x").unwrap();
        }
        let attribute = OsStr::new("security.capability");
        folder.set_attribute(OsStr::new("capable"), attribute, &capability).unwrap();
        drop(folder);
        let id = tree.commit(&DiffOptions::default()).unwrap().diff_id;
        let kept = Folder::at(&store.tree(&id)).unwrap();
        assert_eq!(kept.attributes(OsStr::new("capable")).unwrap(), [b"security.capability".to_vec()]);
        assert_eq!(kept.attributes(OsStr::new("plain")).unwrap(), [] as [Vec<u8>; 0]);
        let mut tar = Vec::new();
        store.write_tar(&id, &mut tar).unwrap();
        let mut reader = Reader::new(tar.as_slice());
        let mut found = BTreeMap::new();
        while let Some(entry) = reader.next_entry().unwrap() {
            found.insert(entry.path, entry.xattrs);
        }
        let carried = BTreeMap::from([(b"security.capability".to_vec(), capability)]);
        assert_eq!(found[&b"capable"[..]], carried);
        assert_eq!(found[&b"plain"[..]], BTreeMap::new());
    });
}
