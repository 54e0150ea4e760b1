//! Caches between users, sizes and travels.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use super::*;
use crate::base::Clock;
use crate::host::clock;

struct Place {
    dir: tempfile::TempDir,
    mounts: CacheMounts,
    cx: Context,
}

fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let mounts = CacheMounts::open(dir.path()).unwrap();
    Place { dir, mounts, cx: Context::silent(clock::system()) }
}

fn own() -> (u32, u32, u32) {
    let (uid, gid) = crate::host::user();
    (0o755, uid, gid)
}

fn wanted(id: &str, sharing: Sharing) -> Wanted<'_> {
    Wanted { key: ContentHash::of(id.as_bytes()), id, sharing, access: own(), seed: None }
}

impl Place {
    fn take(&self, id: &str, sharing: Sharing) -> Held {
        self.mounts.acquire(&self.cx, &wanted(id, sharing), &|| {}).unwrap()
    }
}

#[test]
fn what_is_written_is_there_the_next_time() {
    let place = place();
    fs::write(place.take("a", Sharing::Shared).path().join("x"), "1").unwrap();
    assert_eq!(fs::read(place.take("a", Sharing::Locked).path().join("x")).unwrap(), b"1");
    assert!(!fs::exists(place.take("b", Sharing::Shared).path().join("x")));
    assert_eq!(place.take("a", Sharing::Shared).inside("/none").unwrap(), None);
    let ids: BTreeSet<String> = place.mounts.list().unwrap().into_iter().map(|mount| mount.id).collect();
    assert_eq!(ids, ["a".to_owned(), "b".to_owned()].into());
}

#[test]
fn what_the_dead_left_is_gone_at_the_next_start() {
    let place = place();
    let scratch = place.mounts.root.join("scratch");
    fs::write(scratch.join("dead.lock"), "").unwrap();
    fs::create_dir_all(scratch.join("dead/mount/tree")).unwrap();
    CacheMounts::open(place.dir.path()).unwrap();
    assert!(fs::read_dir(&scratch).unwrap().is_empty());
}

#[test]
fn private_users_never_meet_and_take_what_is_free() {
    let place = place();
    let first = place.take("a", Sharing::Private);
    let second = place.take("a", Sharing::Private);
    assert_ne!(first.path(), second.path());
    let known = first.path().to_owned();
    drop(first);
    assert_eq!(place.take("a", Sharing::Private).path(), known);
    assert_eq!(place.mounts.list().unwrap().len(), 2);
}

#[test]
fn shared_users_meet() {
    let place = place();
    let (one, two) = (place.take("a", Sharing::Shared), place.take("a", Sharing::Shared));
    assert_eq!(one.path(), two.path());
    assert!(!place.mounts.remove(&place.mounts.list().unwrap()[0].name).unwrap(), "it is in use");
}

#[test]
fn locked_users_wait_for_each_other() {
    let place = Arc::new(place());
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let users: Vec<_> = (0..4)
        .map(|_| {
            let (place, inside, most) = (Arc::clone(&place), Arc::clone(&inside), Arc::clone(&most));
            std::thread::spawn(move || {
                let _held = place.take("a", Sharing::Locked);
                most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(5));
                inside.fetch_sub(1, Ordering::SeqCst);
            })
        })
        .collect();
    users.into_iter().for_each(|user| user.join().unwrap());
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[test]
fn who_waits_says_so_and_can_be_stopped() {
    let place = place();
    let _held = place.take("a", Sharing::Locked);
    let waiting = || place.cx.cancel.cancel();
    let outcome = place.mounts.acquire(&place.cx, &wanted("a", Sharing::Shared), &waiting);
    assert!(matches!(outcome, Err(Error::Cancelled)));
}

#[test]
fn makers_at_the_same_moment_get_the_same_cache() {
    let place = Arc::new(place());
    let start = Arc::new(Barrier::new(8));
    let makers: Vec<_> = (0..8)
        .map(|_| {
            let (place, start) = (Arc::clone(&place), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                let held = place.take("a", Sharing::Shared);
                assert!(fs::exists(held.path()));
                held.path().to_owned()
            })
        })
        .collect();
    let paths: BTreeSet<PathBuf> = makers.into_iter().map(|maker| maker.join().unwrap()).collect();
    assert_eq!(paths.len(), 1);
    assert_eq!(place.mounts.list().unwrap().len(), 1);
}

#[test]
fn the_longest_unused_goes_first() {
    let mut place = place();
    let seconds = Arc::new(AtomicU64::new(1000));
    let ticking = Arc::clone(&seconds);
    place.cx.clock = Clock::new(move || Duration::from_secs(ticking.load(Ordering::SeqCst)));
    for id in ["a", "b", "c"] {
        fs::write(place.take(id, Sharing::Shared).path().join("x"), vec![0; 1000]).unwrap();
        seconds.fetch_add(1, Ordering::SeqCst);
    }
    drop(place.take("a", Sharing::Shared));
    assert!(place.mounts.trim(3000).unwrap().is_empty());
    let busy = place.take("b", Sharing::Shared);
    let gone: Vec<String> = place.mounts.trim(2000).unwrap().into_iter().map(|mount| mount.id).collect();
    assert_eq!(gone, ["c"], "b is older but in use");
    drop(busy);
    assert_eq!(place.mounts.trim(0).unwrap().len(), 2);
    assert!(place.mounts.list().unwrap().is_empty());
}

#[test]
fn caches_travel_and_stay_equal() {
    let (here, there) = (place(), place());
    let held = here.take("a", Sharing::Locked);
    fs::create_dir_all(held.path().join("d")).unwrap();
    fs::write(held.path().join("d/x"), "content").unwrap();
    let mut archive = Vec::new();
    let first = held.write_tar(&mut archive).unwrap();
    let key = ContentHash::of(b"a");
    there.mounts.import(&key, "a", Duration::ZERO, archive.as_slice()).unwrap();
    let arrived = there.take("a", Sharing::Locked);
    assert_eq!(fs::read(arrived.path().join("d/x")).unwrap(), b"content");
    assert_eq!(arrived.write_tar(std::io::sink()).unwrap(), first);
    // What is there is not replaced.
    there.mounts.import(&key, "a", Duration::ZERO, &b"broken"[..]).unwrap();
    let broken = there.mounts.import(&ContentHash::of(b"b"), "b", Duration::ZERO, &b"broken"[..]);
    assert!(broken.is_err() && !there.mounts.contains(&ContentHash::of(b"b")));
    assert_eq!(there.mounts.clean_stale().unwrap(), 0);
}
