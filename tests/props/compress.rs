//! Compression: round trips, bytes that depend on nothing but the input, and readers that survive anything.

use std::io::{Read as _, Write as _};

use lapstrake::base::{BlobDigest, DiffId};
use lapstrake::oci::compress::{Compression, Compressor, Kind, LayerWriter, decompress};
use proptest::prelude::*;

fn compression() -> impl Strategy<Value = Compression> {
    prop_oneof![
        Just(Compression::None),
        (0u8..=12).prop_map(Compression::Gzip),
        (1u8..=7).prop_map(Compression::Zstd)
    ]
}

/// What the formats begin with.
const STARTS: [&[u8]; 5] =
    [b"", b"\x1f\x8b\x08\x00", b"\x1f\x8b\x08\x1f", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18"];

/// Up to a few members: text that compresses, and noise that does not.
fn data() -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(any::<u8>(), 0..5000);
    (noise, 0usize..600).prop_map(|(noise, times)| noise.repeat(times % 7 + times / 100 * 100))
}

fn written(data: &[u8], compression: Compression, cuts: &[usize]) -> Vec<u8> {
    let mut compressor = Compressor::new(Vec::new(), compression).unwrap();
    let mut rest = data;
    for cut in cuts {
        let (part, after) = rest.split_at((*cut).min(rest.len()));
        compressor.write_all(part).unwrap();
        compressor.flush().unwrap();
        rest = after;
    }
    compressor.write_all(rest).unwrap();
    compressor.finish().unwrap()
}

fn unpacked(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    decompress(bytes)?.take(64 << 20).read_to_end(&mut out)?;
    Ok(out)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn round_trip_whatever_the_writes(
        data in data(),
        compression in compression(),
        cuts in prop::collection::vec(0usize..300_000, 0..8),
    ) {
        let whole = written(&data, compression, &[]);
        prop_assert!(written(&data, compression, &cuts) == whole, "other bytes for other writes");
        // Plain data may look like a compressed file; only what was compressed must come back.
        if compression != Compression::None || Kind::sniff(&data) == Kind::Plain {
            prop_assert!(unpacked(&whole).unwrap() == data);
        }
    }

    #[test]
    fn members_of_any_kind_join(parts in prop::collection::vec(data(), 1..4), zstd: bool, padding in 0usize..2000) {
        let compression = if zstd { Compression::Zstd(1) } else { Compression::Gzip(1) };
        let mut bytes: Vec<u8> = parts.iter().flat_map(|part| written(part, compression, &[])).collect();
        bytes.resize(bytes.len() + padding, 0);
        prop_assert!(unpacked(&bytes).unwrap() == parts.concat());
    }

    #[test]
    fn a_layer_is_what_its_digests_say(data in data(), compression in compression()) {
        let mut writer = LayerWriter::new(Vec::new(), compression).unwrap();
        writer.write_all(&data).unwrap();
        let (blob, layer) = writer.finish().unwrap();
        prop_assert_eq!(layer.digest(), &BlobDigest::of(&blob));
        prop_assert_eq!(layer.size(), blob.len() as u64);
        prop_assert_eq!(layer.diff_id(), &DiffId::of(&data));
        prop_assert_eq!(layer.uncompressed_size(), data.len() as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_make_the_reader_panic(
        start in prop::sample::select(&STARTS[..]),
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let bytes = [start, &rest].concat();
        let _ = unpacked(&bytes);
    }

    #[test]
    fn a_changed_byte_is_noticed_or_harmless(at in any::<prop::sample::Index>(), with: u8, zstd: bool) {
        let compression = if zstd { Compression::Zstd(3) } else { Compression::Gzip(6) };
        let data: Vec<u8> = (0..3000u32).flat_map(|n| (n * n).to_le_bytes()).collect();
        let mut bytes = written(&data, compression, &[]);
        let at = at.index(bytes.len());
        bytes[at] = with;
        // Both formats carry a checksum: content is never silently another one. A damaged magic number makes it plain.
        if let Ok(read) = unpacked(&bytes) {
            prop_assert!(read == data || read == bytes || read.is_empty());
        }
    }
}
