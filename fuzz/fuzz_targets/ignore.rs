//! Any bytes as an ignore file, any text as a path: nothing panics, and no visible path is left out of a walk.

#![no_main]

use lapstrake::dockerfile::ignore::{Matcher, Parent};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], String)| {
    let (file, path) = input;
    let Ok(matcher) = Matcher::read(file) else { return };
    let _ = matcher.excludes(&path);
    let (mut parent, mut left_out) = (Parent::default(), false);
    for (at, _) in path.match_indices('/') {
        let (hidden, known) = matcher.enter(&parent, &path[..at]);
        left_out |= hidden && !matcher.may_include_below(&path[..at]);
        parent = known;
    }
    assert!(matcher.enter(&parent, &path).0 || !left_out);
});
