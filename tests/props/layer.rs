//! Layer archives: what is written is read back, and no bytes make the reader panic or run away.

use std::collections::BTreeMap;
use std::io::Read as _;

use lapstrake::oci::layer::{Entry, Kind, Limits, Reader, Writer};
use proptest::prelude::*;

fn name() -> impl Strategy<Value = Vec<u8>> {
    let component = prop_oneof![
        3 => "[a-z]{1,8}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 1..40),
        1 => "[aé ]{60,120}".prop_map(String::into_bytes),
    ];
    let component = component.prop_map(|mut bytes| {
        bytes.retain(|b| !matches!(b, 0 | b'/'));
        // Neither a dot name nor one that means a whiteout.
        bytes.insert(0, b'n');
        bytes
    });
    prop::collection::vec(component, 1..6).prop_map(|parts| parts.join(&b'/'))
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        4 => Just(Kind::File),
        2 => Just(Kind::Directory),
        1 => prop::collection::vec(1..=255u8, 1..200).prop_map(Kind::Symlink),
        1 => name().prop_map(Kind::Hardlink),
        1 => Just(Kind::Fifo),
        1 => (0..1u32 << 20, 0..1u32 << 20).prop_map(|(major, minor)| Kind::CharDevice { major, minor }),
    ]
}

fn item() -> impl Strategy<Value = (Entry, Vec<u8>)> {
    let ids = prop_oneof![0..5000u32, 0..u32::MAX];
    let content = prop::collection::vec(any::<u8>(), 0..1500);
    let xattrs = prop::collection::btree_map("[a-z.]{1,12}", prop::collection::vec(any::<u8>(), 1..60), 0..3);
    (name(), kind(), 0..0o10000u32, (ids.clone(), ids), any::<i32>(), content, xattrs).prop_map(
        |(path, kind, mode, (uid, gid), time, mut content, xattrs)| {
            let mut entry = Entry::new(path, kind, mode);
            if entry.kind != Kind::File {
                content.clear();
            }
            (entry.uid, entry.gid, entry.size) = (uid, gid, content.len() as u64);
            entry.mtime = i64::from(time) * 40;
            entry.xattrs = xattrs.into_iter().map(|(k, v)| (k.into_bytes(), v)).collect::<BTreeMap<_, _>>();
            (entry, content)
        },
    )
}

fn write(items: &[(Entry, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, content) in items {
        writer.append(entry, content.as_slice()).unwrap();
    }
    writer.finish().unwrap()
}

/// Reads to the end or the first error.
fn read(bytes: &[u8]) -> Vec<(Entry, Vec<u8>)> {
    let limits = Limits { entries: 10_000, ..Limits::default() };
    let mut reader = Reader::with_limits(bytes, limits);
    let mut items = Vec::new();
    while let Ok(Some(entry)) = reader.next_entry() {
        let mut content = Vec::new();
        // A hole may be said to be as long as anything.
        if (&mut reader).take(1 << 20).read_to_end(&mut content).is_err() {
            break;
        }
        items.push((entry, content));
    }
    items
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_written_is_read_back(items in prop::collection::vec(item(), 0..8)) {
        let bytes = write(&items);
        prop_assert_eq!(bytes.len() % 512, 0);
        prop_assert_eq!(read(&bytes), items);
    }

    #[test]
    fn bent_archives_are_survived(
        items in prop::collection::vec(item(), 1..4),
        bends in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        fix in any::<bool>(),
    ) {
        let mut bytes = write(&items);
        for (at, byte) in bends {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if fix {
                // With the sum put right the damage gets further in.
                let block = at / 512 * 512;
                bytes[block + 148..block + 156].fill(b' ');
                let sum: u32 = bytes[block..block + 512].iter().map(|&b| u32::from(b)).sum();
                bytes[block + 148..block + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
        }
        for (entry, _) in read(&bytes) {
            let unsafe_part = entry.path.split(|&b| b == b'/').any(|c| c == b".." || c == b".");
            prop_assert!(!unsafe_part && !entry.path.starts_with(b"/") && !entry.path.contains(&0));
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        read(&bytes);
    }
}
