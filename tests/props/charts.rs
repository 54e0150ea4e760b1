//! Inputs of the fuzz targets of charts, once more (`fuzz/corpus`), each under the law of its target.

use std::sync::Arc;

use lapstrake::chart::{Compat, Meaning, parse_into, parse_literal_into};
use lapstrake::chartrepo::{Index, pick};
use lapstrake::template::{Closed, Constraints, Functions, MissingKey, Session, Templates, Version};
use lapstrake::yaml::{Map, Options, Style, Value, deep_equal, json, read, read_all, write, write_with};

use super::corpus::{each, halves};

#[test]
fn documents_come_back_as_they_were_written() {
    each("yaml", |bytes| {
        let _ = read_all(bytes, Options { strict: true, keep_integers: true });
        let Ok(value) = read(bytes, Options::default()) else { return };
        let _ = write_with(&value, Style::Pretty);
        let Ok(text) = write(&value) else { return };
        let shown = String::from_utf8_lossy(&text).into_owned();
        // go-yaml writes a `<<` that had a tag plain, and then it is a merge.
        if shown.contains("<<") {
            return;
        }
        let again = read(&text, Options::default()).unwrap_or_else(|e| panic!("{e}\n{shown}"));
        // Line ends other than a line feed may not come back; `Debug` writes them with a backslash.
        let inside = format!("{value:?}");
        let odd = |end: &char| inside.contains(&end.escape_debug().to_string()) || inside.contains(*end);
        if !['\r', '\u{85}', '\u{2028}', '\u{2029}', '\u{feff}'].iter().any(odd) {
            assert!(deep_equal(&value, &again), "{shown}");
        }
    });
}

#[test]
fn templates_end() {
    let data: Value = json::read(include_bytes!("../../fixtures/compat/template/data.json")).unwrap();
    let functions = Arc::new(Functions::helm());
    each("template", |bytes| {
        let mut templates = Templates::new("gotpl", Arc::clone(&functions), MissingKey::Zero);
        if templates.parse("t", bytes).is_ok() {
            let _ = templates.execute("t", &data, &mut Session::new(&Closed));
            let recorded = &mut Session::new(&Closed).recorded();
            let _ = templates.execute("t", &data, recorded);
        }
    });
}

#[test]
fn arguments_of_set_end() {
    each("strvals", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        for compat in [Compat::Helm3, Compat::Helm4] {
            let values = Map::new();
            let _ = parse_into(&text, &values, Meaning::Typed, compat);
            let _ = parse_into(&text, &values, Meaning::Text, compat);
            let _ = parse_literal_into(&text, &values, compat);
        }
    });
}

#[test]
fn versions_come_back_as_they_were_printed() {
    each("semver", |bytes| {
        let (version, constraint) = halves(bytes);
        for text in [&version, &constraint] {
            let Ok(version) = Version::parse(text) else { continue };
            assert!(version.compare(&Version::parse(&version.to_string()).unwrap()).is_eq());
            for constraint in [&constraint, text] {
                let _ = Constraints::parse(constraint).map(|constraint| constraint.allow(&version));
            }
        }
    });
}

#[test]
fn indexes_are_searched() {
    each("index", |bytes| {
        let Ok(index) = Index::parse(bytes, "corpus") else { return };
        let _ = (index.to_yaml(), index.to_json());
        for (name, versions) in &index.entries {
            let _ = (pick(versions, ""), pick(versions, ">0.0.0-0"));
            assert!(Index::lookup(bytes, name, "corpus").is_ok());
        }
    });
}
