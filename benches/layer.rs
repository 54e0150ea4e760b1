//! How fast layer archives are written, read, unpacked, mounted and made of changes: many small files, as packages
//! have them. Needs root for the parts that mount.

#![allow(clippy::unwrap_used, reason = "a bench may stop where it stands")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lapstrake::base::{Clock, DiffId};
use lapstrake::oci::layer::{Entry, Kind, Reader, Writer};
use lapstrake::report::Context;
use lapstrake::snapshot::copy::{CopyRequest, Item, Pattern, copy, select};
use lapstrake::snapshot::tree::{self, Source};
use lapstrake::snapshot::{Choice, DiffOptions, Snapshots};

const FILES: usize = 5000;

/// Files of a few kilobytes in directories of fifty.
fn archive() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    let content = vec![b'x'; 6000];
    for n in 0..FILES {
        if n % 50 == 0 {
            writer.append(&Entry::new(format!("d{}", n / 50), Kind::Directory, 0o755), &[][..]).unwrap();
        }
        let mut entry = Entry::new(format!("d{}/file{n}", n / 50), Kind::File, 0o644);
        (entry.size, entry.mtime) = ((n % 6000) as u64, 1_700_000_000);
        writer.append(&entry, &content[..n % 6000]).unwrap();
    }
    writer.finish().unwrap()
}

fn archives(c: &mut Criterion) {
    let bytes = archive();
    let mut group = c.benchmark_group("layer archive, 5000 files");
    group.throughput(Throughput::Bytes(bytes.len() as u64)).sample_size(10);
    group.bench_function("write", |b| b.iter(|| black_box(archive())));
    group.bench_function("read", |b| {
        b.iter(|| {
            let mut reader = Reader::new(bytes.as_slice());
            let mut count = 0;
            while let Some(entry) = reader.next_entry().unwrap() {
                count += entry.path.len();
            }
            black_box(count)
        });
    });
    group.finish();
}

fn trees(c: &mut Criterion) {
    let bytes = archive();
    let id = DiffId::of(&bytes);
    let folder = tempfile::tempdir().unwrap();
    let store = Snapshots::open(folder.path(), Choice::Auto).unwrap();
    let mut group = c.benchmark_group("snapshot, 5000 files");
    group.sample_size(10);
    group.bench_function("unpack", |b| {
        b.iter_with_setup(
            || store.remove(&id).unwrap(),
            |()| black_box(store.unpack(&id, bytes.as_slice()).unwrap()),
        );
    });
    store.unpack(&id, bytes.as_slice()).unwrap();
    let layers = [id];
    group.bench_function("view", |b| b.iter(|| black_box(store.view(&layers).unwrap())));
    group.bench_function("one changed file to a layer", |b| {
        b.iter(|| {
            let mut writable = store.writable(&layers).unwrap();
            std::fs::write(writable.mounted().unwrap().join("d1/new"), "new").unwrap();
            black_box(writable.commit(&DiffOptions { source_date_epoch: Some(0) }).unwrap())
        });
    });
    let view = store.view(&layers).unwrap();
    let source = Source { root: view.root(), filter: None, root_owned: false };
    group.bench_function("hash all", |b| b.iter(|| tree::hash(&source, "".as_ref(), None).unwrap()));
    let pattern = [Pattern { text: b"/", wildcard: false }];
    let selected = select(&source, &pattern, &|_, _| false).unwrap();
    let cx = Context::silent(Clock::fixed(0));
    group.bench_function("copy all to a layer", |b| {
        b.iter(|| {
            let mut writable = store.writable(&[]).unwrap();
            let request = CopyRequest {
                source,
                items: &[Item::Selected(&selected[0])],
                root: writable.mounted().unwrap(),
                destination: b"/app/",
                owner: None,
                mode: None,
                unpack: false,
                created: 0,
                landing: None,
            };
            copy(&cx, &request).unwrap();
            black_box(writable.commit(&DiffOptions::default()).unwrap())
        });
    });
    group.finish();
}

criterion_group!(benches, archives, trees);
criterion_main!(benches);
