//! The shape of the house, enforced on our own source: layers, doors, purity, sizes, names, documentation and files
//! that nobody declares. Every violation is printed as `file:line: rule: words`.
//!
//! The tables are in `architecture/house.rs`; `architecture/samples.rs` proves on small sources that each rule fires.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

#[path = "architecture/facts.rs"]
mod facts;
#[path = "architecture/house.rs"]
mod house;
#[path = "architecture/modules.rs"]
mod modules;
#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/samples.rs"]
mod samples;

use std::collections::BTreeMap;
use std::path::Path;

/// Folders of the repository that hold Rust sources.
const ROOTS: [&str; 5] = ["src", "rootfs-helpers", "tests", "benches", "fuzz"];

#[test]
fn the_house_is_in_order() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = BTreeMap::new();
    files.insert("Cargo.toml".to_owned(), std::fs::read_to_string(top.join("Cargo.toml")).unwrap());
    for root in ROOTS {
        read(top, Path::new(root), &mut files);
    }
    assert!(files.len() > 20, "the sources were not found below {}", top.display());
    let violations = rules::check(&files);
    let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{} violations:\n{}", lines.len(), lines.join("\n"));
}

/// Takes in every file below `relative`: Rust sources and manifests with their text, others by name only.
fn read(top: &Path, relative: &Path, files: &mut BTreeMap<String, String>) {
    let Ok(entries) = std::fs::read_dir(top.join(relative)) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        let path = relative.join(entry.file_name());
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            read(top, &path, files);
        } else if kind.is_file() {
            let wanted = name.ends_with(".rs") || name == "Cargo.toml";
            let text = if wanted { std::fs::read_to_string(top.join(&path)).unwrap() } else { String::new() };
            files.insert(path.to_string_lossy().into_owned(), text);
        }
    }
}
