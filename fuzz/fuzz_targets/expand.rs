//! Any text as a word: nothing panics, whatever the variables hold.

#![no_main]

use lapstrake::dockerfile::{Escape, Expander};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (String, String)| {
    let (text, value) = input;
    let env = |name: &str| (name != "NOPE").then(|| value.clone());
    for expander in [Expander::new(Escape::Backslash), Expander::new(Escape::Backtick), Expander::body()] {
        let _ = expander.text(&text, &env);
        let _ = expander.keep_quotes().keep_escapes().keep_unset().text(&text, &|_| None);
    }
});
