//! YAML against `sigs.k8s.io/yaml` and go-yaml version 3 (`tests/oracles/helm`).

use base64::Engine as _;
use lapstrake::yaml::{self, Style, json};
use serde_json::Value as Json;

fn vectors(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).expect("a golden is a line of JSON")).collect()
}

fn field<'v>(vector: &'v Json, name: &str) -> &'v str {
    vector[name].as_str().unwrap_or("")
}

fn report(what: &str, failures: &[String], total: usize) {
    assert!(
        failures.is_empty(),
        "{} of {total} {what} vectors differ:\n{}",
        failures.len(),
        failures[..failures.len().min(25)].join("\n\n")
    );
}

#[test]
fn writing() {
    let (failures, total) = compare_writing(include_str!("../../../fixtures/compat/yaml/write.jsonl"));
    report("writing", &failures, total);
}

pub(crate) fn compare_writing(text: &str) -> (Vec<String>, usize) {
    let vectors = vectors(text);
    let mut failures = Vec::new();
    for vector in &vectors {
        let value = json::read(field(vector, "json").as_bytes()).unwrap();
        let got = match yaml::write(&value) {
            Ok(text) => String::from_utf8(text).unwrap(),
            Err(_) => "error".to_owned(),
        };
        let want = if vector["err"].is_string() { "error" } else { field(vector, "out") };
        if got != want {
            failures.push(format!("{}\n  want {want:?}\n  got  {got:?}", field(vector, "json")));
        }
        if vector["pretty"].is_string() {
            let got = String::from_utf8(yaml::write_with(&value, Style::Pretty).unwrap()).unwrap();
            let want = field(vector, "pretty");
            if got != want {
                failures.push(format!("pretty {}\n  want {want:?}\n  got  {got:?}", field(vector, "json")));
            }
        }
    }
    (failures, vectors.len())
}

#[test]
fn reading() {
    let (failures, total) = compare_reading(include_str!("../../../fixtures/compat/yaml/read.jsonl"));
    report("reading", &failures, total);
}

pub(crate) fn compare_reading(text: &str) -> (Vec<String>, usize) {
    let vectors = vectors(text);
    let mut failures = Vec::new();
    for vector in &vectors {
        let text = match vector["bytes"].as_str() {
            Some(bytes) => base64::engine::general_purpose::STANDARD.decode(bytes).unwrap(),
            None => field(vector, "in").as_bytes().to_vec(),
        };
        let plain = yaml::Options::default();
        let strict = yaml::Options { strict: true, ..plain };
        let show = |value: Result<yaml::Value, yaml::Error>| match value {
            Ok(value) => (json::write(&value, json::Html::Escape).unwrap().to_string(), String::new()),
            Err(error) => (String::new(), error.to_string()),
        };
        let (out, err) = show(yaml::read(&text, plain));
        let mut got = vec![out, err.clone()];
        let mut want = vec![field(vector, "out"), field(vector, "err")];
        if err.is_empty() {
            let map = yaml::read_map(&text, plain).err().map_or(String::new(), |e| e.to_string());
            got.extend([map, show(yaml::read(&text, strict)).1]);
            want.extend([field(vector, "map"), field(vector, "strict")]);
        }
        if got != want {
            failures.push(format!("{:?}\n  want {want:?}\n  got  {got:?}", String::from_utf8_lossy(&text)));
        }
    }
    (failures, vectors.len())
}
