//! Any bytes as YAML: nothing panics, and what was read is the same after it was written and read again.

#![no_main]

use lapstrake::yaml::{Options, Style, deep_equal, read, read_all, write, write_with};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = read_all(bytes, Options { strict: true, keep_integers: true });
    let Ok(value) = read(bytes, Options::default()) else { return };
    let _ = write_with(&value, Style::Pretty);
    let Ok(text) = write(&value) else { return };
    // go-yaml writes a `<<` that had a tag plain, and then it is a merge.
    if text.windows(2).any(|pair| pair == b"<<") {
        return;
    }
    // Line ends other than a line feed may not come back; everything else must.
    let again = read(&text, Options::default()).unwrap_or_else(|e| panic!("{e}\n{}", String::from_utf8_lossy(&text)));
    let shown = format!("{value:?}");
    let odd = |line_end: &char| {
        let escaped = line_end.escape_debug().to_string();
        shown.contains(&escaped) || shown.contains(*line_end)
    };
    if !['\r', '\u{85}', '\u{2028}', '\u{2029}', '\u{feff}'].iter().any(odd) {
        assert!(deep_equal(&value, &again) || shown.contains("NaN"), "{}", String::from_utf8_lossy(&text));
    }
});
