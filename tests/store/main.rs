//! The content store among processes: killed at any moment, several at once, on a full disk, on a read-only one.
//!
//! Workers are this test binary again, told by an environment variable what to do.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod disk;
mod neighbours;
mod worker;

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use lapstrake::base::{Clock, DiffId, Platform};
use lapstrake::content::{CheckOptions, NothingUnpacked, OpenOptions, PruneOptions, Store};
use lapstrake::host;
use lapstrake::report::Context;

use worker::{Work, spawn};

fn open(path: &Path) -> Store {
    Store::open(path, &OpenOptions::default()).unwrap()
}

fn cx() -> Context {
    Context::silent(host::clock::system())
}

fn problems(store: &Store) -> Vec<lapstrake::content::Problem> {
    store.check(&cx(), &CheckOptions { repair: false, unpacked: &NothingUnpacked }).unwrap().problems
}

#[test]
fn killed_at_any_moment_the_store_stays_whole() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..40u64 {
        let mut workers: Vec<_> =
            [Work::Build, Work::Download].into_iter().map(|work| spawn(work, dir.path(), round)).collect();
        // From before the first byte to after several images.
        std::thread::sleep(Duration::from_micros(500 + round * round * 60));
        for worker in &mut workers {
            worker.kill().unwrap();
            worker.wait().unwrap();
        }
        let store = open(dir.path());
        assert_eq!(problems(&store), [], "after round {round}");
        store.du().unwrap();
    }
    let store = open(dir.path());
    // The dead keep nothing, and what they left is cleared away.
    let tomorrow = host::clock::system().now().as_secs() + 25 * 3600;
    let later = Context::silent(Clock::fixed(tomorrow));
    store.prune(&later, &PruneOptions::default()).unwrap();
    let usage = store.du().unwrap();
    assert_eq!((usage.partials, usage.unreferenced_bytes), (0, 0));
    assert_eq!(problems(&store), []);
    for image in store.images().unwrap() {
        let image = store.image(&image.descriptor, &Platform::host()).unwrap();
        for (layer, diff_id) in image.manifest.layers.iter().zip(image.config.layers()) {
            assert!(store.has(&layer.digest));
            assert!(
                store.layer_blobs(diff_id).unwrap().iter().any(|blob| blob.descriptor.digest == layer.digest)
            );
        }
    }
}

#[test]
fn builders_and_pruners_do_not_hurt_each_other() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path());
    let work = [Work::BuildAll, Work::BuildAll, Work::Prune, Work::Prune];
    let workers: Vec<_> =
        work.into_iter().enumerate().map(|(n, work)| spawn(work, dir.path(), n as u64)).collect();
    for mut worker in workers {
        assert!(worker.wait().unwrap().success(), "a worker failed");
    }
    let store = open(dir.path());
    assert_eq!(problems(&store), []);
    assert_eq!(store.images().unwrap().len(), 2 * worker::IMAGES as usize);
}

#[test]
fn the_database_may_vanish_under_running_processes() {
    let dir = tempfile::tempdir().unwrap();
    let layers = {
        let store = open(dir.path());
        (0..5).map(|n| worker::build(&store, 7, n)).collect::<Vec<DiffId>>()
    };
    let mut builder = spawn(Work::BuildAll, dir.path(), 1);
    for n in 0..20 {
        for suffix in ["", "-wal", "-shm"] {
            let path = dir.path().join(format!("index.db{suffix}"));
            // Removed, or damaged where it is; whichever of the files are there. What is mapped into the builder keeps
            // its length: the kernel kills who reads behind the end of a mapped file.
            let mapped = suffix == "-shm";
            let overwrite =
                || File::options().write(true).truncate(!mapped).open(&path)?.write_all(&[n; 9000]);
            let _ = if n % 2 == 0 { std::fs::remove_file(&path) } else { overwrite() };
        }
        let store = open(dir.path());
        for layer in &layers {
            assert_eq!(store.layer_blobs(layer).unwrap().len(), 1, "round {n}");
        }
    }
    assert!(builder.wait().unwrap().success(), "the builder failed");
    assert_eq!(problems(&open(dir.path())), []);
}
