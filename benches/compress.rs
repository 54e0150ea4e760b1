//! How fast layers are compressed and read: every byte of every layer goes through here.

#![allow(clippy::unwrap_used, reason = "a bench may stop where it stands")]

use std::hint::black_box;
use std::io::{Read as _, Write as _};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lapstrake::oci::compress::{Compression, Compressor, LayerWriter, decompress};

/// This program's own bytes, repeated with small changes: binaries are what layers hold most of.
fn data(size: usize) -> Vec<u8> {
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let mut data: Vec<u8> = own.iter().copied().cycle().take(size).collect();
    for (n, byte) in data.iter_mut().enumerate().step_by(997) {
        *byte = byte.wrapping_add((n / own.len()) as u8);
    }
    data
}

fn write(c: &mut Criterion) {
    let data = data(32 << 20);
    let mut group = c.benchmark_group("compress");
    group.throughput(Throughput::Bytes(data.len() as u64)).sample_size(10);
    for text in ["gzip:1", "gzip:6", "zstd:3"] {
        let compression: Compression = text.parse().unwrap();
        group.bench_function(BenchmarkId::from_parameter(text), |b| {
            b.iter(|| {
                let mut compressor = Compressor::new(Vec::with_capacity(data.len()), compression).unwrap();
                compressor.write_all(&data).unwrap();
                black_box(compressor.finish().unwrap())
            });
        });
    }
    group.bench_function("layer gzip:6, both digests", |b| {
        b.iter(|| {
            let mut writer = LayerWriter::new(std::io::sink(), Compression::Gzip(6)).unwrap();
            for part in data.chunks(64 << 10) {
                writer.write_all(part).unwrap();
            }
            black_box(writer.finish().unwrap().1)
        });
    });
    group.finish();
}

fn read(c: &mut Criterion) {
    let data = data(32 << 20);
    let mut group = c.benchmark_group("decompress");
    group.throughput(Throughput::Bytes(data.len() as u64)).sample_size(10);
    for text in ["gzip:6", "zstd:3"] {
        let mut compressor = Compressor::new(Vec::new(), text.parse().unwrap()).unwrap();
        compressor.write_all(&data).unwrap();
        let packed = compressor.finish().unwrap();
        group.bench_function(BenchmarkId::from_parameter(text), |b| {
            b.iter(|| {
                let mut reader = decompress(packed.as_slice()).unwrap();
                let mut buffer = vec![0; 64 << 10];
                let mut total = 0;
                loop {
                    match reader.read(&mut buffer).unwrap() {
                        0 => break black_box(total),
                        n => total += n,
                    }
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, write, read);
criterion_main!(benches);
