//! Inputs that the fuzzer found worth keeping, once more: `fuzz/corpus/<target>/`, each through what its target calls.
//! Targets that take two values are given a file in two halves.

use std::io::Read as _;
use std::path::Path;

use lapstrake::base::{BlobDigest, Platform, Reference, SourceFile};
use lapstrake::dockerfile::ignore::{Matcher, Parent};
use lapstrake::dockerfile::{Escape, Expander, parse, print};
use lapstrake::oci::layer::{Kind, Limits, Reader};
use lapstrake::oci::{AnyManifest, ImageConfig, Index};

/// Gives every input of a target to `check`; there must be some.
pub fn each(target: &str, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no inputs of {target}");
    for path in paths {
        check(&std::fs::read(&path).unwrap());
    }
}

/// An input in two halves, as texts.
pub fn halves(bytes: &[u8]) -> (String, String) {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    (String::from_utf8_lossy(first).into_owned(), String::from_utf8_lossy(second).into_owned())
}

#[test]
fn dockerfiles() {
    each("dockerfile", |bytes| match parse(&SourceFile::new("Dockerfile", bytes)) {
        Err(error) => assert!(error.lines().is_some_and(|(first, last)| first >= 1 && first <= last)),
        Ok(tree) => {
            let printed = print(&tree);
            assert!(tree == parse(&SourceFile::new("printed", printed.as_str())).unwrap(), "{printed:?}");
        }
    });
}

#[test]
fn words() {
    each("expand", |bytes| {
        let (text, value) = halves(bytes);
        for text in [&text, &value, &String::from_utf8_lossy(bytes).into_owned()] {
            let env = |name: &str| (name != "NOPE").then(|| value.clone());
            for expander in
                [Expander::new(Escape::Backslash), Expander::new(Escape::Backtick), Expander::body()]
            {
                let _ = expander.text(text, &env);
                let _ = expander.keep_quotes().keep_escapes().keep_unset().text(text, &|_| None);
            }
        }
    });
}

#[test]
fn ignore_files() {
    each("ignore", |bytes| {
        let (file, path) = halves(bytes);
        let Ok(matcher) = Matcher::read(file.as_bytes()) else { return };
        let (mut parent, mut left_out) = (Parent::default(), false);
        for (at, _) in path.match_indices('/') {
            let (hidden, known) = matcher.enter(&parent, &path[..at]);
            left_out |= hidden && !matcher.may_include_below(&path[..at]);
            parent = known;
        }
        assert!(matcher.enter(&parent, &path).0 || !left_out, "{file:?} {path:?}");
    });
}

#[test]
fn layers() {
    each("layer", |bytes| {
        let mut reader = Reader::with_limits(bytes, Limits { entries: 1000, ..Limits::default() });
        while let Ok(Some(entry)) = reader.next_entry() {
            let is_plain = |part: &[u8]| !matches!(part, b"." | b"..");
            assert!(entry.path.split(|&b| b == b'/').all(is_plain) && !entry.path.starts_with(b"/"));
            if let Kind::Hardlink(target) = &entry.kind {
                assert!(target.split(|&b| b == b'/').all(is_plain));
            }
            if (&mut reader).take(1 << 16).read_to_end(&mut Vec::new()).is_err() {
                return;
            }
        }
    });
}

#[test]
fn images() {
    each("image", |bytes| {
        if let Ok(config) = ImageConfig::parse(bytes) {
            assert!(ImageConfig::parse(&config.to_bytes()).unwrap() == config);
        }
        if let Ok(manifest) = AnyManifest::parse(None, bytes) {
            let written = match &manifest {
                AnyManifest::Image(image) => image.to_bytes(),
                AnyManifest::Index(index) => index.to_bytes(),
            };
            assert!(AnyManifest::parse(None, &written).unwrap() == manifest);
        }
        let _ = Index::parse_layout(bytes);
    });
}

#[test]
fn references() {
    each("reference", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(reference) = text.parse::<Reference>() {
            assert_eq!(reference.to_string().parse::<Reference>().as_ref(), Ok(&reference));
            assert_eq!(reference.familiar().parse::<Reference>().as_ref(), Ok(&reference));
        }
        if let Ok(digest) = text.parse::<BlobDigest>() {
            assert_eq!(digest.to_string(), text);
        }
        if let Ok(platform) = text.parse::<Platform>() {
            assert_eq!(platform.to_string().parse::<Platform>().unwrap().to_string(), platform.to_string());
        }
    });
}
