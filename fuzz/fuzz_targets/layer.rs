//! Any bytes as a layer archive: nothing panics, memory stays bounded, and no name leaves the archive.

#![no_main]

use std::io::Read as _;

use lapstrake::oci::layer::{Kind, Limits, Reader, is_archive};
use libfuzzer_sys::fuzz_target;

fn is_inside(path: &[u8]) -> bool {
    !path.starts_with(b"/")
        && !path.contains(&0)
        && path.split(|&b| b == b'/').all(|part| !matches!(part, b"." | b".."))
}

fuzz_target!(|bytes: &[u8]| {
    let _ = is_archive(bytes);
    let mut reader = Reader::with_limits(bytes, Limits { entries: 1000, ..Limits::default() });
    let mut read = 0;
    while let Ok(Some(entry)) = reader.next_entry() {
        assert!(is_inside(&entry.path), "{:?}", entry.display());
        if let Kind::Hardlink(target) = &entry.kind {
            assert!(is_inside(target));
        }
        let _ = entry.whiteout();
        // A hole may be said to be as long as anything.
        let mut content = Vec::new();
        if (&mut reader).take(1 << 16).read_to_end(&mut content).is_err() {
            return;
        }
        read += content.len();
        if read > 1 << 20 {
            return;
        }
    }
});
