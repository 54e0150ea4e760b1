//! Trees and their changes: applying a difference gives the changed tree, however the difference was found; and the
//! archive of a layer can be made again from its directory.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use lapstrake::base::DiffId;
use lapstrake::snapshot::{Choice, DiffOptions, Snapshots};
use proptest::prelude::*;

/// Everything the system adds is later than this; everything a change sets is earlier.
const EPOCH: i64 = 1_000_000_000;

#[derive(Clone, Debug)]
enum Change {
    Write(PathBuf, u16, u32),
    MakeDir(PathBuf, u32),
    Link(PathBuf, PathBuf),
    HardLink(PathBuf, PathBuf),
    Fifo(PathBuf),
    Remove(PathBuf),
    Replace(PathBuf),
    Mode(PathBuf, u32),
    Owner(PathBuf, u32),
    Time(PathBuf, i32),
    Touch(PathBuf),
}

const NAMES: [&[u8]; 4] = [b"a", b"b", "\u{e9}".as_bytes(), b"\xff\n"];

/// Something at most places, so that changes find something to change.
fn beginning() -> Vec<Change> {
    let path = |parts: &[&[u8]]| PathBuf::from(OsStr::from_bytes(&parts.join(&b'/')));
    let mut changes = Vec::new();
    for first in &NAMES[..2] {
        changes.push(Change::MakeDir(path(&[first]), 0o755));
        for second in &NAMES[..2] {
            changes.push(Change::MakeDir(path(&[first, second]), 0o755));
            changes.extend(NAMES.map(|third| Change::Write(path(&[first, second, third]), 7, 0o644)));
        }
    }
    changes
}

fn path() -> impl Strategy<Value = PathBuf> {
    let name = prop::sample::select(NAMES.to_vec());
    let parts = prop::collection::vec(name, 1..4);
    parts.prop_map(|parts| PathBuf::from(OsStr::from_bytes(&parts.join(&b'/'))))
}

fn change() -> impl Strategy<Value = Change> {
    let mode = prop::sample::select(vec![0o644u32, 0o755, 0o600, 0o4755, 0o2711, 0o1777, 0o000]);
    prop_oneof![
        6 => (path(), any::<u16>(), mode.clone()).prop_map(|(p, c, m)| Change::Write(p, c, m)),
        8 => (path(), mode.clone()).prop_map(|(p, m)| Change::MakeDir(p, m)),
        2 => (path(), path()).prop_map(|(p, t)| Change::Link(p, t)),
        3 => (path(), path()).prop_map(|(p, t)| Change::HardLink(p, t)),
        1 => path().prop_map(Change::Fifo),
        3 => path().prop_map(Change::Remove),
        4 => path().prop_map(Change::Replace),
        2 => (path(), mode).prop_map(|(p, m)| Change::Mode(p, m)),
        2 => (path(), 0..60_000u32).prop_map(|(p, id)| Change::Owner(p, id)),
        2 => (path(), any::<i32>()).prop_map(|(p, t)| Change::Time(p, t / 3)),
        2 => path().prop_map(Change::Touch),
    ]
}

/// Carries out what can be carried out. Names that ever were names of one file with others (`linked`) are not changed in
/// place: there an overlay, which breaks such files up, and a copy differ by nature.
fn apply(root: &Path, change: &Change, linked: &mut BTreeSet<PathBuf>) {
    let at = |path: &Path| root.join(path);
    let known = linked.clone();
    let alone = |path: &Path| !known.contains(path) && std::fs::symlink_metadata(at(path)).is_ok();
    let followed = |path: &Path| {
        // Links on the way would lead out of the tree under test.
        path.ancestors().skip(1).any(|p| at(p).is_symlink())
    };
    let clear = |path: &Path| match std::fs::symlink_metadata(at(path)) {
        Ok(meta) if meta.is_dir() => drop(std::fs::remove_dir_all(at(path))),
        Ok(_) => drop(std::fs::remove_file(at(path))),
        Err(_) => {}
    };
    let (Change::Write(path, ..)
    | Change::MakeDir(path, _)
    | Change::Link(path, _)
    | Change::HardLink(path, _)
    | Change::Fifo(path)
    | Change::Remove(path)
    | Change::Replace(path)
    | Change::Mode(path, _)
    | Change::Owner(path, _)
    | Change::Time(path, _)
    | Change::Touch(path)) = change;
    if followed(path) || !at(path).parent().is_some_and(Path::is_dir) {
        return;
    }
    match change {
        Change::Write(path, content, mode) => {
            clear(path);
            std::fs::write(at(path), vec![b'x'; usize::from(content % 2000)]).unwrap();
            std::fs::set_permissions(at(path), std::fs::Permissions::from_mode(*mode)).unwrap();
            // Old times, so that contents get compared.
            set_time(&at(path), i64::from(content % 3));
        }
        Change::MakeDir(path, mode) => {
            let permissions = std::fs::Permissions::from_mode(*mode);
            drop(
                std::fs::create_dir(at(path)).and_then(|()| std::fs::set_permissions(at(path), permissions)),
            );
        }
        Change::Link(path, target) => drop(symlink(target, at(path))),
        Change::HardLink(path, target) if !followed(target) && at(target).is_file() => {
            let made = std::fs::hard_link(at(target), at(path));
            linked.extend(made.iter().flat_map(|()| [path.clone(), target.clone()]));
        }
        Change::Fifo(path) => {
            let _ = rustix::fs::mkfifoat(rustix::fs::CWD, at(path), rustix::fs::Mode::RUSR);
        }
        Change::Remove(path) => clear(path),
        Change::Replace(path) if at(path).is_dir() => {
            // The same directories again, with nothing in them.
            let inner = std::fs::read_dir(at(path)).unwrap().map(|entry| entry.unwrap());
            let inner: Vec<_> = inner.filter(|e| e.file_type().unwrap().is_dir()).map(|e| e.path()).collect();
            clear(path);
            std::fs::create_dir(at(path)).unwrap();
            for directory in inner {
                std::fs::create_dir(directory).unwrap();
            }
        }
        Change::Mode(path, mode) if alone(path) && !at(path).is_symlink() => {
            std::fs::set_permissions(at(path), std::fs::Permissions::from_mode(*mode)).unwrap();
        }
        Change::Owner(path, id) if alone(path) => {
            std::os::unix::fs::lchown(at(path), Some(*id), Some(id / 2)).unwrap();
        }
        Change::Time(path, time) if alone(path) => set_time(&at(path), i64::from(*time)),
        Change::Touch(path) if at(path).is_file() => {
            drop(std::fs::OpenOptions::new().append(true).open(at(path)).unwrap());
        }
        _ => {}
    }
}

fn set_time(path: &Path, seconds: i64) {
    let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, flags).unwrap();
}

/// What two equal trees have in common, times clamped.
fn facts(root: &Path) -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, root: &Path, out: &mut BTreeMap<PathBuf, String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = std::fs::symlink_metadata(&path).unwrap();
            let kind = meta.file_type();
            let what = if kind.is_symlink() {
                format!("{:?}", std::fs::read_link(&path).unwrap())
            } else if kind.is_file() {
                format!("{}", std::fs::read(&path).unwrap().len())
            } else {
                String::new()
            };
            let time = meta.mtime().min(EPOCH);
            let fact = format!("{:o} {}:{} @{time} {what}", meta.mode(), meta.uid(), meta.gid());
            out.insert(path.strip_prefix(root).unwrap().to_owned(), fact);
            if kind.is_dir() {
                walk(&path, root, out);
            }
        }
    }
    let mut out = BTreeMap::new();
    walk(root, root, &mut out);
    out
}

/// Each round of changes as a layer; checks the laws on the way.
fn build(choice: Choice, rounds: &[Vec<Change>]) -> Vec<DiffId> {
    let folder = tempfile::tempdir().unwrap();
    let store = Snapshots::open(folder.path(), choice).unwrap();
    let mut layers = Vec::new();
    let mut linked = BTreeSet::new();
    for round in rounds {
        let mut writable = store.writable(&layers).unwrap();
        let root = writable.mounted().unwrap().to_owned();
        for change in round {
            apply(&root, change, &mut linked);
        }
        let expected = facts(&root);
        let options = DiffOptions { source_date_epoch: Some(EPOCH) };
        let committed = writable.commit(&options).unwrap();
        let mut archive = Vec::new();
        store.write_tar(&committed.diff_id, &mut archive).unwrap();
        assert_eq!(DiffId::of(&archive), committed.diff_id, "made again, the archive differs");
        layers.push(committed.diff_id.clone());
        assert_eq!(facts(store.view(&layers).unwrap().root()), expected, "the merged tree differs");
        // The archive says the same as the directory.
        let elsewhere = tempfile::tempdir().unwrap();
        let other = Snapshots::open(elsewhere.path(), choice).unwrap();
        for layer in &layers {
            let mut archive = Vec::new();
            store.write_tar(layer, &mut archive).unwrap();
            other.unpack(layer, archive.as_slice()).unwrap();
        }
        assert_eq!(facts(other.view(&layers).unwrap().root()), expected, "the unpacked tree differs");
    }
    layers
}

/// Runs `body` as root, at least of a user namespace.
fn as_root(test: &str, body: impl FnOnce()) {
    if rustix::process::geteuid().is_root() {
        return body();
    }
    let status = std::process::Command::new("unshare")
        .args(["--map-root-user", "--map-auto", "--mount"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .status()
        .expect("install util-linux for `unshare` and uidmap for `newuidmap`");
    assert!(status.success(), "{test} failed in a user namespace (does /etc/subuid give this user a range?)");
}

#[test]
fn difference_and_application_are_inverse_and_both_ways_agree() {
    as_root("trees::difference_and_application_are_inverse_and_both_ways_agree", || {
        let rounds = prop::collection::vec(prop::collection::vec(change(), 0..40), 1..4);
        // More on request: PROPTEST_CASES=1000.
        let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
        // Inputs that failed once are tried first for ever after.
        let kept = proptest::test_runner::FileFailurePersistence::Direct("tests/props/trees.regressions");
        let config = ProptestConfig {
            cases,
            max_shrink_iters: 400,
            failure_persistence: Some(Box::new(kept)),
            ..ProptestConfig::default()
        };
        proptest!(config, |(mut rounds in rounds)| {
            rounds.insert(0, beginning());
            prop_assert_eq!(build(Choice::Overlay, &rounds), build(Choice::Copy, &rounds));
        });
    });
}
