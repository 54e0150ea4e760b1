//! How fast the content store answers: a build in which nothing has changed is made of these questions.

#![allow(clippy::unwrap_used, reason = "a bench may stop where it stands")]

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use lapstrake::base::{BlobDigest, ContentHash, DiffId, Platform, Reference};
use lapstrake::content::{FileStat, LayerBlob, OpenOptions, Store};
use lapstrake::oci::{Descriptor, ImageConfig, media};

const NOW: Duration = Duration::from_secs(1_700_000_000);

fn open(path: &Path) -> Store {
    Store::open(path, &OpenOptions::default()).unwrap()
}

/// A store with a hundred images of three layers.
fn filled(path: &Path) -> Store {
    let store = open(path);
    for n in 0..100u32 {
        let mut config = ImageConfig::new(&Platform::host());
        let mut layers = Vec::new();
        for layer in 0..3u32 {
            let tar = [n, layer].map(u32::to_le_bytes).concat();
            store.put(&tar).unwrap();
            let descriptor = Descriptor::of(media::OCI_LAYER, &tar);
            let diff_id = DiffId::of(&tar);
            let blob = LayerBlob {
                descriptor: descriptor.clone(),
                uncompressed_size: Some(tar.len() as u64),
                compressor: "none".into(),
            };
            store.record_layer(&diff_id, &blob).unwrap();
            config.rootfs.diff_ids.push(diff_id);
            layers.push(descriptor);
        }
        let image = store.put_image(&config, layers).unwrap();
        store.tag(&name(n), &image.descriptor).unwrap();
    }
    store
}

fn name(n: u32) -> Reference {
    format!("registry.example:5000/team/image:{n}").parse().unwrap()
}

fn questions(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    let mut group = c.benchmark_group("store");
    group.bench_function("open", |b| b.iter(|| open(dir.path())));
    let known = BlobDigest::of(&[0; 8]);
    group.bench_function("has", |b| b.iter(|| black_box(store.has(&known))));
    let _lease = store.lease().unwrap();
    group.bench_function("has, leased", |b| b.iter(|| black_box(store.has(&known))));
    group.bench_function("resolve among 100", |b| b.iter(|| store.resolve(&name(50)).unwrap()));
    let descriptor = store.resolve(&name(50)).unwrap().unwrap();
    group.bench_function("image", |b| b.iter(|| store.image(&descriptor, &Platform::host()).unwrap()));
    let diff_id = DiffId::of(&[0; 8]);
    group.bench_function("layer_blobs", |b| b.iter(|| store.layer_blobs(&diff_id).unwrap()));
    group.finish();
}

fn writes(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    let mut group = c.benchmark_group("store writes");
    group.sample_size(20);
    let mut n = 0u64;
    group.bench_function("put a new blob, synced", |b| {
        b.iter(|| {
            n += 1;
            store.put(&n.to_be_bytes()).unwrap()
        });
    });
    let images = [name(1), name(2)].map(|name| store.resolve(&name).unwrap().unwrap());
    group.bench_function("tag among 100", |b| {
        b.iter(|| {
            n += 1;
            store.tag(&name(3), &images[(n % 2) as usize]).unwrap();
        });
    });
    group.finish();
}

fn stat_cache(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let stat = |ino: u64| FileStat { dev: 1, ino, size: 100, mtime: 1, ctime: 1, mode: 0o100_644 };
    let path = |n: u64| format!("src/folder{}/file{n}.rs", n % 100).into_bytes();
    let fill = || {
        let cache = store.stat_cache(Path::new("/project")).unwrap();
        (0..5000).for_each(|n| cache.put(&path(n), stat(n), ContentHash::of(&n.to_le_bytes()), NOW));
        cache
    };
    let mut group = c.benchmark_group("stat cache of 5000 files");
    group.sample_size(20);
    group.bench_function("save", |b| {
        b.iter_batched(fill, |cache| store.save_stat_cache(&cache, NOW).unwrap(), BatchSize::PerIteration);
    });
    group.bench_function("load and ask", |b| {
        b.iter(|| {
            let cache = store.stat_cache(Path::new("/project")).unwrap();
            black_box((0..5000).filter(|n| cache.get(&path(*n), &stat(*n)).is_some()).count())
        });
    });
    group.finish();
}

criterion_group!(benches, questions, writes, stat_cache);
criterion_main!(benches);
