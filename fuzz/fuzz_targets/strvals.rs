//! Any text behind `--set`: nothing panics or runs away.

#![no_main]

use lapstrake::chart::{Compat, Meaning, parse_into, parse_literal_into};
use lapstrake::yaml::Map;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for compat in [Compat::Helm3, Compat::Helm4] {
        let values = Map::new();
        let _ = parse_into(text, &values, Meaning::Typed, compat);
        let _ = parse_into(text, &values, Meaning::Text, compat);
        let _ = parse_literal_into(text, &values, compat);
    }
});
