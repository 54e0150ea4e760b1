//! The reader on every dialect and on hostile archives, the writer read back by the reader.

use std::io::{self, Read as _};

use super::*;

/// A hand-made header block, with its sum.
fn header(name: &[u8], type_flag: u8, size: &[u8; 12], edit: impl FnOnce(&mut [u8; 512])) -> Vec<u8> {
    let mut block = [0u8; 512];
    block[..name.len()].copy_from_slice(name);
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..136].copy_from_slice(size);
    block[156] = type_flag;
    block[257..265].copy_from_slice(b"ustar\x0000");
    edit(&mut block);
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block.to_vec()
}

fn octal(n: usize) -> [u8; 12] {
    format!("{n:011o}\0").into_bytes().try_into().unwrap()
}

fn with_data(name: &[u8], type_flag: u8, data: &[u8]) -> Vec<u8> {
    let mut out = header(name, type_flag, &octal(data.len()), |_| {});
    out.extend_from_slice(data);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

fn pax_header(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut data = Vec::new();
    for (key, value) in records {
        pax::push(&mut data, key.as_bytes(), value);
    }
    with_data(b"PaxHeaders/x", b'x', &data)
}

fn read_all(archive: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, Error> {
    let mut reader = Reader::new(archive);
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        let mut content = Vec::new();
        reader.read_to_end(&mut content).map_err(Error::read)?;
        entries.push((entry, content));
    }
    reader.finish()?;
    Ok(entries)
}

fn write_all(entries: &[(Entry, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, content) in entries {
        writer.append(entry, content.as_slice()).unwrap();
    }
    writer.finish().unwrap()
}

fn file(path: &[u8], content: &[u8]) -> (Entry, Vec<u8>) {
    let mut entry = Entry::new(path, Kind::File, 0o644);
    entry.size = content.len() as u64;
    (entry, content.to_vec())
}

#[test]
fn whatever_is_written_is_read_back() {
    let mut odd = file("dir/ü".repeat(60).as_bytes(), b"content");
    odd.0.uid = 3_000_000;
    odd.0.gid = u32::MAX - 1;
    odd.0.mtime = -5;
    odd.0.mode = 0o6755;
    odd.0.xattrs.insert(b"security.capability".to_vec(), b"\x01\0\0\x02\n\n=\0\xff".to_vec());
    let mut late = file(b"late", &[7; 513]);
    late.0.mtime = 1 << 40;
    let device = Kind::CharDevice { major: 4095, minor: 0o7777777 };
    let mut entries = vec![
        (Entry::new(b"", Kind::Directory, 0o1777), vec![]),
        (Entry::new(b"d", Kind::Directory, 0o755), vec![]),
        file(b"d/\xff\xfe raw", b""),
        file(&[b"\xff".repeat(200), b"/".to_vec(), b"\xfe".repeat(200)].concat(), b"x"),
        odd,
        late,
        (Entry::new(b"d/link", Kind::Symlink(b"/absolute/../\xff".to_vec()), 0o777), vec![]),
        (Entry::new(b"d/long", Kind::Symlink(vec![b'l'; 300]), 0o777), vec![]),
        (Entry::new(b"d/hard", Kind::Hardlink(b"late".to_vec()), 0o644), vec![]),
        (Entry::new(b"dev", device, 0o600), vec![]),
        (Entry::new(b"block", Kind::BlockDevice { major: 8, minor: 1 }, 0o600), vec![]),
        (Entry::new(b"fifo", Kind::Fifo, 0o600), vec![]),
    ];
    for length in (90..110).chain(150..160).chain(250..262) {
        entries.push(file(b"abcdefghi/".repeat(30)[..length].trim_ascii_end(), b""));
        entries.push((Entry::new(&b"jklmnopqr/".repeat(30)[..length], Kind::Directory, 0o700), vec![]));
    }
    for (entry, _) in &mut entries {
        while entry.path.ends_with(b"/") {
            entry.path.pop();
        }
    }
    let archive = write_all(&entries);
    assert_eq!(read_all(&archive).unwrap(), entries);
    assert_eq!(archive, write_all(&entries));
}

#[test]
fn whiteouts_are_written_and_recognised() {
    let mut writer = Writer::new(Vec::new());
    writer.whiteout(b"a/b").unwrap();
    writer.whiteout(b"c").unwrap();
    assert!(writer.whiteout(b"").is_err());
    let reserved = writer.append(&Entry::new(b"x/.wh.y", Kind::File, 0o644), io::empty());
    assert!(matches!(reserved, Err(Error::Name { name, .. }) if name == "x/.wh.y"));
    let entries = read_all(&writer.finish().unwrap()).unwrap();
    assert_eq!(entries[0].0.whiteout(), Some(Whiteout::Removed { directory: b"a", name: b"b" }));
    assert_eq!(entries[1].0.whiteout(), Some(Whiteout::Removed { directory: b"", name: b"c" }));
    assert_eq!((entries[0].0.mode, entries[0].0.mtime), (0, 0));
    let opaque = Entry::new(b"d/.wh..wh..opq", Kind::File, 0);
    assert_eq!(opaque.whiteout(), Some(Whiteout::Opaque { directory: b"d" }));
    assert_eq!(Entry::new(b"d/.wh.", Kind::File, 0).whiteout(), None);
}

#[test]
fn content_must_be_as_long_as_announced() {
    for actual in [4, 6] {
        let (entry, _) = file(b"f", b"12345");
        let result = Writer::new(Vec::new()).append(&entry, &vec![0; actual][..]);
        assert!(matches!(result, Err(Error::Content { expected: 5, .. })), "{actual}: {result:?}");
    }
}

#[test]
fn hostile_names_are_refused_by_name() {
    let bad = |archive: Vec<u8>| read_all(&archive).unwrap_err();
    let escape = bad(with_data(b"a/../../etc/passwd", b'0', b""));
    assert!(escape.to_string().contains("../../etc/passwd"), "{escape}");
    let in_pax = [pax_header(&[("path", b"ok/../../x")]), with_data(b"fine", b'0', b"")].concat();
    assert!(matches!(bad(in_pax), Error::Name { .. }));
    let nul = [pax_header(&[("path", b"a\0b")]), with_data(b"fine", b'0', b"")].concat();
    assert!(matches!(bad(nul), Error::Name { .. }));
    let link = header(b"h", b'1', &octal(0), |b| b[157..167].copy_from_slice(b"../outside"));
    assert!(matches!(bad(link), Error::Name { .. }));
    assert!(matches!(bad(with_data(b".", b'0', b"")), Error::Name { .. }));
    let deep = [pax_header(&[("path", &b"d/".repeat(2000))]), with_data(b"x", b'5', b"")].concat();
    assert!(matches!(bad(deep), Error::Name { .. }));
    // A leading slash is only noise.
    assert_eq!(read_all(&with_data(b"/etc/x", b'0', b"")).unwrap()[0].0.path, b"etc/x");
}

#[test]
fn broken_archives_are_errors_not_panics() {
    let (entry, content) = file(b"name", &[9; 700]);
    let mut named = entry.clone();
    named.xattrs.insert(b"user.x".to_vec(), vec![1; 600]);
    let archive = write_all(&[(entry, content.clone()), (named, content)]);
    for end in 1..archive.len() - 1024 {
        // Only a cut between entries can pass for an end.
        assert!(read_all(&archive[..end]).is_err() || end == 512 + 1024, "cut at {end}");
    }
    for at in 0..archive.len() - 1024 {
        let mut bent = archive.clone();
        bent[at] ^= 0x55;
        let _ = read_all(&bent);
    }
    assert!(matches!(read_all(&vec![b'x'; 512]), Err(Error::Header { offset: 0, .. })));
    let huge = header(b"PaxHeaders", b'x', &octal(1 << 30), |_| {});
    assert!(matches!(read_all(&huge), Err(Error::Limit { .. })));
}

#[test]
fn limits_on_entries() {
    let archive = with_data(b"a", b'0', b"").repeat(3);
    let limits = Limits { entries: 2, ..Limits::default() };
    let mut reader = Reader::with_limits(archive.as_slice(), limits);
    assert!(reader.next_entry().is_ok() && reader.next_entry().is_ok());
    assert!(matches!(reader.next_entry(), Err(Error::Limit { .. })));
}

#[test]
fn what_follows_the_end_is_ignored_and_a_missing_end_too() {
    let one = with_data(b"a", b'0', b"x");
    let zeros = [0; 10240];
    assert_eq!(read_all(&one).unwrap().len(), 1);
    assert_eq!(read_all(&[&one[..], &zeros[..512]].concat()).unwrap().len(), 1);
    assert_eq!(read_all(&[&one[..], &zeros, b"garbage"].concat()).unwrap().len(), 1);
    assert_eq!(read_all(b"").unwrap().len(), 0);
}

#[test]
fn gnu_long_names_and_links() {
    let name = [b'n'; 150];
    let archive = [
        with_data(b"././@LongLink", b'L', &[&name[..], b"\0"].concat()),
        with_data(b"././@LongLink", b'K', &[&[b't'; 140][..], b"\0"].concat()),
        header(&name[..100], b'2', &octal(0), |b| b[257..265].copy_from_slice(b"ustar  \0")),
    ];
    let (entry, _) = &read_all(&archive.concat()).unwrap()[0];
    assert_eq!(entry.path, name);
    assert_eq!(entry.kind, Kind::Symlink(vec![b't'; 140]));
    // An extension header with nothing behind it.
    assert!(matches!(read_all(&archive[0]), Err(Error::Truncated { .. })));
}

#[test]
fn local_records_win_over_global_ones_and_do_not_touch_extension_headers() {
    let mut global = Vec::new();
    pax::push(&mut global, b"uid", b"7");
    pax::push(&mut global, b"path", b"ignored");
    let archive = [
        with_data(b"g", b'g', &global),
        with_data(b"one", b'0', b""),
        // The size of the file, not of the long name between.
        pax_header(&[("size", b"3"), ("uid", b"9")]),
        with_data(b"L", b'L', b"two\0"),
        [header(b"x", b'0', &octal(0), |_| {}), b"abc".to_vec(), vec![0; 509]].concat(),
        pax_header(&[("uid", b"")]),
        with_data(b"three", b'0', b""),
    ];
    let entries = read_all(&archive.concat()).unwrap();
    let seen: Vec<_> = entries.iter().map(|(e, c)| (e.path.as_slice(), e.uid, c.as_slice())).collect();
    assert_eq!(seen, [(&b"one"[..], 7, &b""[..]), (b"two", 9, b"abc"), (b"three", 0, b"")]);
}

#[test]
fn large_numbers_by_base_256() {
    let mut uid = [0u8; 8];
    uid[0] = 0x80;
    uid[4..].copy_from_slice(&70_000_000u32.to_be_bytes());
    let archive = header(b"f", b'0', &octal(0), |b| b[108..116].copy_from_slice(&uid));
    assert_eq!(read_all(&archive).unwrap()[0].0.uid, 70_000_000);
    let unmappable =
        header(b"f", b'0', &octal(0), |b| b[108..116].copy_from_slice(b"\x80\0\0\0\xff\xff\xff\xff"));
    assert!(read_all(&unmappable).is_err());
}

/// `ab`, a hole, `cd`, a hole: twelve bytes.
const HOLED: &[u8] = b"ab\0\0\0\0cd\0\0\0\0";

#[test]
fn sparse_files_of_every_version() {
    let slots = |block: &mut [u8; 512]| {
        block[257..265].copy_from_slice(b"ustar  \0");
        for (slot, n) in [0, 2, 6, 2, 12, 0].into_iter().enumerate() {
            block[386 + 12 * slot..398 + 12 * slot].copy_from_slice(&octal(n));
        }
        block[483..495].copy_from_slice(&octal(12));
    };
    let body = |extra: &[u8]| {
        let mut out = [extra, b"abcd"].concat();
        out.resize(out.len().next_multiple_of(512), 0);
        out
    };
    let old = [header(b"s", b'S', &octal(4), slots), body(b"")].concat();
    let size = ("GNU.sparse.size", &b"12"[..]);
    let v00 = [
        pax_header(&[
            size,
            ("GNU.sparse.numblocks", b"2"),
            ("GNU.sparse.offset", b"0"),
            ("GNU.sparse.numbytes", b"2"),
            ("GNU.sparse.offset", b"6"),
            ("GNU.sparse.numbytes", b"2"),
        ]),
        with_data(b"s", b'0', b"abcd"),
    ]
    .concat();
    let name = ("GNU.sparse.name", &b"s"[..]);
    let v01 = [
        pax_header(&[size, name, ("GNU.sparse.map", b"0,2,6,2")]),
        with_data(b"GNUSparseFile.0/s", b'0', b"abcd"),
    ]
    .concat();
    let mut map = b"2\n0\n2\n6\n2\n".to_vec();
    map.resize(512, 0);
    let v10 = [
        pax_header(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            name,
            ("GNU.sparse.realsize", b"12"),
        ]),
        [header(b"GNUSparseFile.0/s", b'0', &octal(516), |_| {}), body(&map)].concat(),
    ]
    .concat();
    for (version, archive) in [("old", old), ("0.0", v00), ("0.1", v01), ("1.0", v10)] {
        let archive = [archive, with_data(b"after", b'0', b"x")].concat();
        let entries = read_all(&archive).unwrap();
        assert_eq!((entries[0].0.path.as_slice(), entries[0].1.as_slice()), (&b"s"[..], HOLED), "{version}");
        assert_eq!(entries[0].0.size, 12);
        assert_eq!(entries[1].0.path, b"after", "{version}");
    }
}

#[test]
fn crafted_sparse_maps_are_refused() {
    for map in ["4,2,0,2", "0,20", "0,4,3,1", "0,2", "18446744073709551615,2", "0,2,6", "a,b"] {
        let archive = [
            pax_header(&[("GNU.sparse.size", b"12"), ("GNU.sparse.map", map.as_bytes())]),
            with_data(b"s", b'0', b"abcd"),
        ]
        .concat();
        assert!(matches!(read_all(&archive), Err(Error::Header { .. })), "{map}");
    }
    for map in ["99999999999\n", "1\n0\n", "x\n"] {
        let archive = [
            pax_header(&[("GNU.sparse.major", b"1"), ("GNU.sparse.realsize", b"12")]),
            with_data(b"s", b'0', map.as_bytes()),
        ]
        .concat();
        assert!(read_all(&archive).is_err(), "{map}");
    }
}
