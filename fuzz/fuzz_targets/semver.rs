//! Any texts as a version and a constraint: nothing panics, and a version equals itself printed and read again.

#![no_main]

use lapstrake::template::{Constraints, Version};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| {
    let (version, constraint) = input;
    let version = Version::parse(version);
    if let Ok(version) = &version {
        let printed = version.to_string();
        // A version that was written short, such as `1`, may become too long.
        if printed.len() <= 256 {
            let again = Version::parse(&printed).expect("what was printed is a version");
            assert!(version.compare(&again).is_eq());
        }
    }
    if let (Ok(version), Ok(constraint)) = (version, Constraints::parse(constraint)) {
        let _ = constraint.allow(&version);
    }
});
