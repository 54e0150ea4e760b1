//! CopyIgnoredFile: sources that the ignore file hides.

use crate::build::evaluate::remote::Remote;
use crate::dockerfile::ignore::{self, Matcher};

/// The source in the form that is told, if the ignore file hides it. An ignore file that takes something back with `!`
/// says too little about a folder, so then nothing is told.
pub fn hidden(ignore: &Matcher, source: &str) -> Option<String> {
    if ignore.is_empty() || ignore.has_negations() || !matches!(Remote::of(source), Ok(None)) {
        return None;
    }
    let path = ignore::clean(source);
    // The root itself cannot be hidden; all that is in it can.
    let hidden = match path.as_str() {
        "." | "/" => ignore.hides_everything(),
        path => ignore.excludes(path),
    };
    hidden.then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources() {
        let matcher = |lines: &[&str]| Matcher::new(lines).unwrap();
        let hides = |lines: &[&str], source| hidden(&matcher(lines), source);
        assert_eq!(hides(&["target"], "./target/app/").as_deref(), Some("target/app"));
        assert_eq!(hides(&["*"], ".").as_deref(), Some("."));
        assert_eq!(hides(&["a"], "."), None);
        assert_eq!(hides(&["*", "!a"], "b"), None);
        assert_eq!(hides(&["*"], "https://example.org/a"), None);
        assert_eq!(hides(&[], "a"), None);
    }
}
