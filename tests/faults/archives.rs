//! Layer archives that try to write outside, to use up the machine, or to be understood in two ways.

use std::io::{Cursor, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;

use lapstrake::base::{DiffId, Failure};
use lapstrake::oci::compress::{Compression, Compressor, at_most, decompress};
use lapstrake::oci::layer::{Limits, Reader};

use crate::tar::{archive, directory, entry, file, hardlink, head, long, pax, symlink, with};
use crate::yard::{Yard, content, hostile, is_refused, within};

fn refused(archive: &[u8], words: &[&str]) {
    Yard::new().refuses(archive, words);
}

/// The name as a PAX header gives it.
fn pax_name(path: &[u8]) -> Vec<u8> {
    archive(&[pax(b'x', &[("path", path)]), file("x", b"evil")])
}

hostile! {
    absolute_names_stay_inside => {
        let yard = Yard::new();
        let name = yard.outside_text() + "/file";
        let view = yard.unpack(&archive(&[long(b'L', name.as_bytes()), file("x", b"evil")]));
        assert_eq!(content(view.root(), name.trim_start_matches('/')), b"evil");
    };
    dots_in_a_name => refused(&archive(&[file("../out", b"evil")]), &["`..`", "../out"]);
    dots_inside_a_name => refused(&archive(&[directory("a"), file("a/../../out", b"evil")]), &["`..`"]);
    dots_in_a_pax_path => refused(&pax_name(b"a/../../out"), &["`..`"]);
    dots_in_a_gnu_long_name => refused(
        &archive(&[long(b'L', b"../../out"), file("x", b"evil")]), &["`..`"]
    );
    dots_in_a_sparse_name => refused(
        &archive(&[
            pax(b'x', &[("GNU.sparse.name", b"../out"), ("GNU.sparse.size", b"4"), ("GNU.sparse.map", b"0,4")]),
            file("x", b"evil"),
        ]),
        &["`..`"],
    );
    a_nul_in_a_name => refused(&pax_name(b"a\0b"), &["NUL"]);
    a_name_of_300_bytes => refused(&pax_name(&[b'n'; 300]), &["longer than 255"]);
    a_name_of_100000_directories => refused(&pax_name(&b"d/".repeat(100_000)), &["too many directories"]);
    a_file_that_is_the_root => refused(&archive(&[file("./", b"")[..0].to_vec(), head("./.", b'0', 0)]), &["root"]);
    an_empty_name => refused(&archive(&[head("", b'0', 0)]), &["root"]);
    a_name_that_is_no_text => {
        let yard = Yard::new();
        let view = yard.unpack(&pax_name(b"\xff\xfe\n\x1b[31m"));
        let names: Vec<_> = std::fs::read_dir(view.root()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, [std::ffi::OsStr::from_bytes(b"\xff\xfe\n\x1b[31m")]);
    };

    a_file_below_a_link => {
        let yard = Yard::new();
        let out = yard.outside_text();
        let view = yard.unpack(&archive(&[symlink("l", &out), file("l/file", b"evil")]));
        assert_eq!(content(view.root(), &format!("{}/file", &out[1..])), b"evil");
    };
    a_file_over_a_link => {
        let yard = Yard::new();
        let target = yard.outside_text() + "/file";
        let view = yard.unpack(&archive(&[symlink("l", &target), file("l", b"evil")]));
        assert_eq!(content(view.root(), "l"), b"evil");
    };
    a_directory_over_a_link => {
        let yard = Yard::new();
        let out = yard.outside_text();
        let view = yard.unpack(&archive(&[symlink("l", &out), directory("l"), file("l/file", b"evil")]));
        assert_eq!(content(view.root(), "l/file"), b"evil");
    };
    links_through_links => {
        let yard = Yard::new();
        let up = "../".repeat(30);
        let parts = [symlink("a", &up), symlink("b", "a/../.."), symlink("c", "b/outside"), file("c/file", b"evil")];
        let view = yard.unpack(&archive(&parts));
        assert_eq!(content(view.root(), "outside/file"), b"evil");
    };
    links_in_a_circle => refused(
        &archive(&[symlink("a", "b"), symlink("b", "a"), file("a/file", b"evil")]), &["a"]
    );
    a_chain_of_100_links => {
        let mut parts: Vec<_> = (0..100).map(|n| symlink(&format!("l{n}"), &format!("l{}", n + 1))).collect();
        parts.extend([directory("l100"), file("l0/file", b"evil")]);
        refused(&archive(&parts), &["l0"]);
    };
    /// Between two entries a directory becomes a link: what was open stays where it was.
    a_link_swapped_in_for_a_directory => {
        let yard = Yard::new();
        let out = yard.outside_text();
        let parts = [directory("d"), file("d/one", b"1"), symlink("d", &out), file("d/file", b"evil")];
        let view = yard.unpack(&archive(&parts));
        assert_eq!(content(view.root(), &format!("{}/file", &out[1..])), b"evil");
    };
    a_link_without_target => refused(&archive(&[symlink("l", "")]), &["no target"]);
    a_link_target_with_nul => refused(
        &archive(&[pax(b'x', &[("linkpath", b"a\0b")]), symlink("l", "x")]), &["NUL"]
    );
    a_hard_link_to_the_outside => {
        let yard = Yard::new();
        let target = yard.outside_text() + "/file";
        yard.refuses(&archive(&[pax(b'x', &[("linkpath", target.as_bytes())]), hardlink("h", "x")]), &["link to"]);
    };
    a_hard_link_through_a_link => {
        let yard = Yard::new();
        let out = yard.outside_text();
        yard.refuses(&archive(&[symlink("l", &out), hardlink("h", "l/file")]), &["link to"]);
    };
    a_hard_link_with_dots => refused(&archive(&[hardlink("h", "../outside/file")]), &["leads outside"]);
    a_hard_link_to_nothing => refused(&archive(&[hardlink("h", "absent")]), &["link to", "absent"]);
    a_hard_link_to_a_directory => refused(&archive(&[directory("d"), hardlink("h", "d")]), &["h"]);
    a_hard_link_to_what_is_removed => refused(
        &archive(&[file(".wh.gone", b""), hardlink("h", "gone")]), &["link to"]
    );
    a_hard_link_to_itself => {
        let yard = Yard::new();
        let view = yard.unpack(&archive(&[file("f", b"1"), hardlink("f", "f")]));
        assert_eq!(content(view.root(), "f"), b"1");
    };
    /// A second name of a link, and then a file over it: the link's target is not touched.
    a_file_over_a_hard_link_to_a_link => {
        let yard = Yard::new();
        let target = yard.outside_text() + "/file";
        let view = yard.unpack(&archive(&[symlink("l", &target), hardlink("h", "l"), file("h", b"evil")]));
        assert_eq!(content(view.root(), "h"), b"evil");
    };

    a_whiteout_through_a_link => {
        let yard = Yard::new();
        let out = yard.outside_text();
        yard.unpack(&archive(&[symlink("l", &out), file("l/.wh.file", b"")]));
    };
    an_opaque_mark_through_a_link => {
        let yard = Yard::new();
        let out = yard.outside_text();
        yard.unpack(&archive(&[symlink("l", &out), file("l/.wh..wh..opq", b"")]));
    };
    a_whiteout_of_dots => refused(&archive(&[directory("d"), file("d/.wh...", b"")]), &["cannot remove"]);
    a_whiteout_of_nothing => refused(&archive(&[file(".wh.", b"")]), &["needs a name"]);
    a_whiteout_of_what_the_layer_has => {
        let yard = Yard::new();
        let view = yard.unpack(&archive(&[file("kept", b"1"), file(".wh.kept", b"")]));
        assert_eq!(content(view.root(), "kept"), b"1");
    };
    a_file_below_a_file => refused(&archive(&[file("f", b"1"), file("f/g", b"2")]), &["f"]);

    entries_that_change_kind => {
        let fifo = head("x", b'6', 0);
        let parts = [directory("x"), file("x/in", b"1"), fifo, symlink("x", "/etc"), file("x", b"last")];
        let yard = Yard::new();
        let view = yard.unpack(&archive(&parts));
        assert_eq!(content(view.root(), "x"), b"last");
    };
    one_name_20000_times => {
        let yard = Yard::new();
        let mut parts: Vec<_> = (0..2000).map(|n| directory(&format!("d{n}"))).collect();
        for n in 0..10_000 {
            parts.push(if n % 2 == 0 { file("x", b"1") } else { symlink("x", "y") });
        }
        parts.push(file("x", b"last"));
        let view = within(300, || yard.unpack(&archive(&parts)));
        assert_eq!(content(view.root(), "x"), b"last");
    };
    /// A tree that is thrown away again and again must not be remembered.
    a_tree_replaced_1000_times => {
        let yard = Yard::new();
        let mut parts = Vec::new();
        for _ in 0..300 {
            parts.push(directory("x"));
            parts.extend((0..10).map(|n| directory(&format!("x/{n}"))));
            parts.push(file("x", b"flat"));
        }
        let view = within(300, || yard.unpack(&archive(&parts)));
        assert_eq!(content(view.root(), "x"), b"flat");
    };
    more_entries_than_allowed => {
        let mut yard = Yard::new();
        yard.limits.entries = 100;
        let parts: Vec<_> = (0..101).map(|n| file(&format!("f{n}"), b"")).collect();
        yard.refuses(&archive(&parts), &["more than 100 entries", "--max-layer-entries", "LAP_MAX_LAYER_ENTRIES"]);
    };
    a_million_entries => {
        // Read only: making them is a matter of the disk. A counting stream stands for 1.5 GB.
        let (one, count) = (file("f", b"x"), 1_000_000u64);
        let mut reader = Reader::with_limits(Repeated { part: one, left: count, at: 0 }, Limits::default());
        let mut seen = 0;
        within(600, || while reader.next_entry().unwrap().is_some() { seen += 1 });
        assert_eq!(seen, count);
    };
    a_directory_of_100000_entries => {
        let yard = Yard::new();
        let parts: Vec<_> = (0..100_000).map(|n| head(&format!("d/{n}"), b'1', 0)).map(|h| with(h, 157, b"d/f")).collect();
        let bytes = archive(&[vec![file("d/f", b"1")], parts[..60_000].to_vec()].concat());
        // ext4 gives one file 65,000 names: more than these would be its error.
        let layer = DiffId::of(&bytes);
        let info = within(600, || yard.unpack_as(&layer, bytes.as_slice()).unwrap());
        assert_eq!(info.entries, 60_001);
    };

    a_bomb_of_gzip => bomb(Compression::Gzip(9));
    a_bomb_of_zstd => bomb(Compression::Zstd(19));
    /// Behind the end of the archive, where nobody looks but the digest.
    a_bomb_behind_the_end => {
        let yard = Yard::new();
        let tar = archive(&[file("f", b"1")]);
        let endless = tar.as_slice().chain(std::io::repeat(0));
        let outcome = yard.unpack_as(&DiffId::of(b"any"), at_most(endless, 100 << 20));
        is_refused(outcome.map(drop).map_err(Failure::from), &["more than 100 MiB", "--max-layer-size"]);
    };
    a_bomb_of_many_members => {
        let one = packed(Compression::Gzip(9), &vec![0; 1 << 20]);
        let bytes = one.repeat(300);
        let yard = Yard::new();
        let outcome = yard.unpack_as(&DiffId::of(b"any"), at_most(decompress(bytes.as_slice()).unwrap(), 64 << 20));
        is_refused(outcome.map(drop).map_err(Failure::from), &["more than 64 MiB"]);
    };
    a_window_of_2_gigabytes => {
        // A zstd frame header: no single segment, window descriptor of 2^31.
        let frame = [&b"\x28\xb5\x2f\xfd"[..], &[0x00, 21 << 3], &[0; 64]].concat();
        let yard = Yard::new();
        let outcome = yard.unpack_as(&DiffId::of(b"any"), decompress(frame.as_slice()).unwrap());
        is_refused(outcome.map(drop).map_err(Failure::from), &["too much memory"]);
    };
    garbage_behind_gzip => {
        let mut bytes = packed(Compression::Gzip(6), &archive(&[file("f", b"1")]));
        bytes.extend_from_slice(b"garbage");
        let outcome = Yard::new().unpack_as(&DiffId::of(b"any"), decompress(bytes.as_slice()).unwrap());
        assert!(outcome.is_err());
    };
    gzip_with_a_wrong_checksum => {
        let mut bytes = packed(Compression::Gzip(6), &archive(&[file("f", b"1")]));
        let at = bytes.len() - 8;
        bytes[at] ^= 1;
        let outcome = Yard::new().unpack_as(&DiffId::of(b"any"), decompress(bytes.as_slice()).unwrap());
        is_refused(outcome.map(drop).map_err(Failure::from), &["read layer"]);
    };
    gzip_with_an_endless_file_name => {
        let start = [0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0];
        let endless = Cursor::new(start).chain(std::io::repeat(b'n').take(1 << 30));
        let outcome = within(120, || Yard::new().unpack_as(&DiffId::of(b"any"), decompress(endless).unwrap()));
        assert!(outcome.is_err());
    };
    gzip_cut_short => {
        let bytes = packed(Compression::Gzip(6), &archive(&[file("f", &[7; 100_000])]));
        let outcome = Yard::new().unpack_as(&DiffId::of(b"any"), decompress(&bytes[..bytes.len() - 20]).unwrap());
        is_refused(outcome.map(drop).map_err(Failure::from), &["read layer"]);
    };

    a_hole_of_a_terabyte => {
        let size = (1u64 << 40).to_string();
        let records: [(&str, &[u8]); 2] = [("GNU.sparse.size", size.as_bytes()), ("GNU.sparse.map", b"0,2")];
        let yard = Yard::new();
        let view = within(120, || yard.unpack(&archive(&[pax(b'x', &records), file("holes", b"ab")])));
        let meta = std::fs::metadata(view.root().join("holes")).unwrap();
        assert_eq!((meta.len(), meta.blocks() < 1000), (1 << 40, true));
    };
    a_hole_larger_than_any_file => {
        let size = u64::MAX.to_string();
        let records: [(&str, &[u8]); 2] = [("GNU.sparse.size", size.as_bytes()), ("GNU.sparse.map", b"0,2")];
        let yard = Yard::new();
        let bytes = archive(&[pax(b'x', &records), file("holes", b"ab")]);
        yard.refuses(&bytes, &["write", "holes", "too large"]);
    };
    segments_out_of_order => sparse(b"4,2,0,2", "out of order");
    segments_that_overlap => sparse(b"0,3,2,1", "out of order");
    segments_past_the_end => sparse(b"0,2,9,2", "out of order");
    segments_that_overflow => sparse(b"18446744073709551615,4", "out of order");
    segments_longer_than_what_is_stored => sparse(b"0,8", "does not fit");
    segments_without_length => sparse(b"0,2,4", "middle of a pair");
    two_million_segments => {
        let map = vec!["1,0"; 300_000].join(",");
        let records: [(&str, &[u8]); 2] = [("GNU.sparse.size", b"10"), ("GNU.sparse.map", map.as_bytes())];
        refused(&archive(&[pax(b'x', &records), file("f", b"1234")]), &["extension headers"]);
    };
    an_endless_old_sparse_map => {
        let mut parts = vec![with(with(head("f", b'S', 0), 482, b"\x01"), 386, b"00000000001\x0000000000000\0")];
        let mut block = vec![0; 512];
        for slot in 0..21 {
            block[slot * 24..slot * 24 + 24].copy_from_slice(b"00000000001\x0000000000000\0");
        }
        block[504] = 1;
        parts.extend(std::iter::repeat_n(block, 60_000));
        within(300, || refused(&archive(&parts), &["segments"]));
    };

    a_negative_size => refused(&archive(&[with(head("f", b'0', 0), 124, &[0xff; 12])]), &["negative"]);
    a_size_larger_than_the_archive => {
        let huge = [0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        refused(&archive(&[with(head("f", b'0', 0), 124, &huge)]), &["middle of", "f"]);
    };
    a_pax_size_that_is_no_number => refused(
        &archive(&[pax(b'x', &[("size", b"-1")]), file("f", b"1")]), &["size"]
    );
    /// Two sizes: a reader that believes the header would see another archive inside.
    a_pax_size_that_hides_an_entry => {
        let inner = file("hidden", b"evil");
        let size = inner.len().to_string();
        let bytes = archive(&[pax(b'x', &[("size", size.as_bytes())]), entry(head("f", b'0', 0), &inner)]);
        let yard = Yard::new();
        let view = yard.unpack(&bytes);
        assert!(!view.root().join("hidden").exists());
        assert_eq!(content(view.root(), "f").len(), inner.len());
    };
    a_wrong_checksum => {
        let mut bytes = archive(&[file("f", b"1")]);
        bytes[0] = b'g';
        refused(&bytes, &["checksum", "byte 0"]);
    };
    a_wrong_checksum_later => {
        let mut bytes = archive(&[file("f", b"1"), file("g", b"2")]);
        bytes[1024] = b'h';
        refused(&bytes, &["checksum", "byte 1024"]);
    };
    cut_in_a_header => refused(&file("f", b"1")[..300], &["middle of"]);
    cut_in_the_content => refused(&file("f", &[1; 5000])[..3000], &["middle of", "f"]);
    cut_after_an_extension => refused(&long(b'L', b"name"), &["middle of", "extension"]);
    an_extension_of_a_gigabyte => refused(&head("x", b'x', 1 << 30), &["extension headers"]);
    a_long_name_of_a_gigabyte => refused(&head("x", b'L', 1 << 30), &["extension headers"]);
    extensions_without_end => {
        // Each is small; together they would fill the memory.
        let one = pax(b'x', &[("comment", &[b'c'; 100_000])]);
        refused(&one.repeat(50), &["extension headers"]);
    };
    global_records_without_end => {
        let parts: Vec<_> = (0..100)
            .map(|n| pax(b'g', &[(&format!("SCHILY.xattr.user.{n}"), &[b'v'; 60_000])])).collect();
        refused(&parts.concat(), &["extension headers"]);
    };
    one_global_record_100000_times => {
        let yard = Yard::new();
        let mut bytes = pax(b'g', &[("mtime", b"5")]).repeat(100_000);
        bytes.extend(archive(&[file("f", b"1")]));
        let view = within(300, || yard.unpack(&bytes));
        assert_eq!(std::fs::metadata(view.root().join("f")).unwrap().mtime(), 5);
    };
    a_record_longer_than_its_header => refused(
        &archive(&[entry(head("x", b'x', 12), b"99 path=abc\n"), file("f", b"")]), &["longer than its header"]
    );
    a_record_without_key => refused(
        &archive(&[entry(head("x", b'x', 6), b"6 =ab\n"), file("f", b"")]), &["no key"]
    );

    a_device_that_is_an_overlay_mark => {
        let yard = Yard::new();
        let view = yard.unpack(&archive(&[with(head("gone", b'3', 0), 329, b"0000000\x000000000\0")]));
        assert!(std::fs::symlink_metadata(view.root().join("gone")).is_err());
    };
    attributes_of_overlays => {
        let mark: [(&str, &[u8]); 3] = [
            ("SCHILY.xattr.user.overlay.opaque", b"y"),
            ("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
            ("SCHILY.xattr.user.overlay.metacopy", b""),
        ];
        let yard = Yard::new();
        let lower = archive(&[directory("d"), file("d/below", b"1")]);
        let upper = archive(&[pax(b'x', &mark), directory("d"), file("d/above", b"2")]);
        let layers = [DiffId::of(&lower), DiffId::of(&upper)];
        yard.unpack_as(&layers[0], lower.as_slice()).unwrap();
        yard.unpack_as(&layers[1], upper.as_slice()).unwrap();
        let view = yard.store.view(&layers).unwrap();
        assert_eq!(content(view.root(), "d/below"), b"1");
    };
    an_attribute_larger_than_any => {
        let record: [(&str, &[u8]); 1] = [("SCHILY.xattr.user.big", &[b'v'; 200_000])];
        let yard = Yard::new();
        let bytes = archive(&[pax(b'x', &record), file("f", b"1")]);
        let error = yard.unpack_as(&DiffId::of(&bytes), bytes.as_slice()).unwrap_err();
        assert!(error.to_string().contains("attribute"), "{error}");
    };
    an_owner_out_of_range => refused(
        &archive(&[pax(b'x', &[("uid", b"4294967295")]), file("f", b"")]), &["owner", "out of range"]
    );
    a_negative_group => refused(
        &archive(&[pax(b'x', &[("gid", b"-2")]), file("f", b"")]), &["group", "out of range"]
    );
    a_time_that_is_no_number => refused(
        &archive(&[pax(b'x', &[("mtime", b"yesterday")]), file("f", b"")]), &["time"]
    );
    a_time_beyond_all_clocks => {
        for time in [&b"9223372036854775807"[..], b"-9223372036854775807.999999999", b"99999999999"] {
            let yard = Yard::new();
            let bytes = archive(&[pax(b'x', &[("mtime", time)]), file("f", b"")]);
            // The file system decides what it can hold; nothing else may happen.
            let _ = yard.unpack_as(&DiffId::of(&bytes), bytes.as_slice());
        }
    };
    a_kind_nobody_knows => refused(&archive(&[head("f", b'Z', 0)]), &["its type is 'Z'", "f"]);
    no_archive_at_all => refused(&[b'x'; 4096], &["header", "byte 0"]);
    nothing_at_all => {
        let yard = Yard::new();
        assert_eq!(yard.unpack_as(&DiffId::of(b""), &b""[..]).unwrap().entries, 0);
    };
    another_archive_than_was_asked_for => {
        let yard = Yard::new();
        let outcome = yard.unpack_as(&DiffId::of(b"asked for"), archive(&[file("f", b"1")]).as_slice());
        is_refused(outcome.map(drop).map_err(Failure::from), &["its bytes have the digest"]);
    };
    bytes_behind_the_end_belong_to_the_digest => {
        let yard = Yard::new();
        let bytes = archive(&[file("f", b"1")]);
        let longer = [bytes.as_slice(), b"more"].concat();
        let outcome = yard.unpack_as(&DiffId::of(&bytes), longer.as_slice());
        is_refused(outcome.map(drop).map_err(Failure::from), &["its bytes have the digest"]);
    };
    a_stream_that_fails => {
        let yard = Yard::new();
        let bytes = archive(&[file("f", &[1; 9000])]);
        let outcome = yard.unpack_as(&DiffId::of(&bytes), bytes[..4000].chain(Failing));
        is_refused(outcome.map(drop).map_err(Failure::from), &["read layer", "torn cable"]);
    };
}

fn sparse(map: &[u8], word: &str) {
    let records: [(&str, &[u8]); 2] = [("GNU.sparse.size", b"10"), ("GNU.sparse.map", map)];
    refused(&archive(&[pax(b'x', &records), file("f", b"1234")]), &["sparse map", word]);
}

fn packed(compression: Compression, data: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(Vec::new(), compression).unwrap();
    compressor.write_all(data).unwrap();
    compressor.finish().unwrap()
}

/// A file of 200 MB of zeros in a few hundred kilobytes.
fn bomb(compression: Compression) {
    let mut compressor = Compressor::new(Vec::new(), compression).unwrap();
    compressor.write_all(&head("zeros", b'0', 200 << 20)).unwrap();
    for _ in 0..200 {
        compressor.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bytes = compressor.finish().unwrap();
    assert!(bytes.len() < 1 << 20);
    let yard = Yard::new();
    let outcome =
        yard.unpack_as(&DiffId::of(b"any"), at_most(decompress(bytes.as_slice()).unwrap(), 50 << 20));
    let words = ["more than 50 MiB once decompressed", "--max-layer-size", "LAP_MAX_LAYER_SIZE"];
    is_refused(outcome.map(drop).map_err(Failure::from), &words);
}

/// One part again and again.
struct Repeated {
    part: Vec<u8>,
    left: u64,
    at: usize,
}

impl std::io::Read for Repeated {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let count = (self.part.len() - self.at).min(buffer.len());
        buffer[..count].copy_from_slice(&self.part[self.at..self.at + count]);
        self.at += count;
        if self.at == self.part.len() {
            (self.at, self.left) = (0, self.left - 1);
        }
        Ok(count)
    }
}

struct Failing;

impl std::io::Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("torn cable"))
    }
}
