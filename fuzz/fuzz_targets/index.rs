//! Any bytes as an index: nothing panics; a chart that the whole index has is found when it is looked up alone.

#![no_main]

use lapstrake::chartrepo::{Index, pick};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(index) = Index::parse(bytes, "fuzz") else { return };
    let _ = (index.to_yaml(), index.to_json());
    for (name, versions) in &index.entries {
        let _ = (pick(versions, ""), pick(versions, ">0.0.0-0"));
        let _ = Index::lookup(bytes, name, "fuzz");
    }
});
