//! Every Dockerfile of fixtures/ that we and another parser both accept has the same instructions and stages for both.
//! Where the answers differ, the reason is in `differences.txt` beside this file, one Dockerfile a line; a difference
//! that is not listed fails, and so does a listed one that is gone.

use std::collections::BTreeSet;
use std::path::Path;

use dockerfile_oracles::{Reading, dockerfile_parser, ours, parse_dockerfile};

/// All Dockerfiles below fixtures/: files of that name, and the texts inside JSON lines.
fn dockerfiles() -> Vec<(String, String)> {
    fn below(folder: &Path, out: &mut Vec<(String, String)>) {
        let mut entries: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                below(&path, out);
            } else if name.contains("Dockerfile") {
                let Ok(text) = std::fs::read_to_string(&path) else { continue };
                out.push((format!("{}/{name}", folder.file_name().unwrap().to_string_lossy()), text));
            } else if name.ends_with(".jsonl") {
                for line in std::fs::read_to_string(&path).unwrap().lines() {
                    let value: serde_json::Value = serde_json::from_str(line).unwrap();
                    if let (Some(case), Some(text)) = (value["name"].as_str(), value["dockerfile"].as_str()) {
                        out.push((format!("{}: {case}", name.trim_end_matches(".jsonl")), text.to_owned()));
                    }
                }
            }
        }
    }
    let mut out = Vec::new();
    below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures"), &mut out);
    out
}

/// Compares our reading with another's; gives how many agree, and a line for each that does not.
fn compare(who: &str, other: fn(&str) -> Result<Reading, String>) -> (usize, BTreeSet<String>) {
    let mut agree = 0;
    let mut differences = BTreeSet::new();
    for (name, text) in dockerfiles() {
        match (ours(&text), other(&text)) {
            (Ok(ours), Ok(theirs)) if ours == theirs => agree += 1,
            (Ok(_), Ok(_)) => drop(differences.insert(format!("{who} differs: {name}"))),
            // What we refuse is compared with BuildKit's own errors elsewhere; what they refuse is theirs to answer for.
            (Err(_), _) | (_, Err(_)) => {}
        }
    }
    (agree, differences)
}

#[test]
fn other_parsers_see_the_same_instructions_and_stages() {
    let listed: BTreeSet<String> = include_str!("differences.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let (first, mut found) = compare("parse-dockerfile", parse_dockerfile);
    let (second, more) = compare("dockerfile-parser", dockerfile_parser);
    found.extend(more);
    println!("{first} Dockerfiles agree with parse-dockerfile, {second} with dockerfile-parser");
    assert!(first >= 300 && second >= 300, "too few Dockerfiles were compared: {first}, {second}");
    let new: Vec<_> = found.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(new.is_empty() && gone.is_empty(), "new differences: {new:#?}\nlisted, but gone: {gone:#?}");
}

#[test]
fn a_difference_is_seen() {
    let text = "FROM a\nRUN x\n";
    let mut other = parse_dockerfile(text).unwrap();
    assert_eq!(ours(text).unwrap(), other);
    other.instructions[1].0 = 3;
    assert_ne!(ours(text).unwrap(), other);
}
