//! Any bytes as a Dockerfile: nothing panics, and what is printed means the same.

#![no_main]

use lapstrake::base::SourceFile;
use lapstrake::dockerfile::{parse, print};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = SourceFile::new("Dockerfile", bytes);
    match parse(&file) {
        Err(error) => assert!(error.lines().is_some_and(|(first, last)| first >= 1 && first <= last)),
        Ok(tree) => {
            let printed = print(&tree);
            let again = parse(&SourceFile::new("printed", printed.as_str())).expect("what was printed parses");
            assert!(tree == again, "printed as {printed:?}");
        }
    }
});
