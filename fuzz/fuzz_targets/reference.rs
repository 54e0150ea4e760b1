//! Any text as a reference, digest or platform: nothing panics, and what is printed means the same.

#![no_main]

use lapstrake::base::{BlobDigest, Platform, Reference};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(reference) = text.parse::<Reference>() {
        assert_eq!(reference.to_string().parse::<Reference>().as_ref(), Ok(&reference), "{text:?}");
        assert_eq!(reference.familiar().parse::<Reference>().as_ref(), Ok(&reference), "{text:?}");
        let _ = (reference.with_default_tag(), reference.name(), reference.selector());
    }
    if let Ok(digest) = text.parse::<BlobDigest>() {
        assert_eq!(digest.to_string(), text);
        assert!(digest.hex().bytes().all(|b| b.is_ascii_hexdigit()));
    }
    if let Ok(platform) = text.parse::<Platform>() {
        // The version of an operating system is not printed (containerd `platforms.Format`: the same).
        let again = platform.to_string().parse::<Platform>().expect("what was printed is read");
        assert_eq!(again.to_string(), platform.to_string(), "{text:?}");
    }
});
