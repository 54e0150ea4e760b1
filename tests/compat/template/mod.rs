//! Templates against text/template with Sprig's functions (`tests/oracles/helm`).

mod helm;

use std::sync::Arc;

use base64::Engine as _;
use lapstrake::template::{Closed, Functions, MissingKey, Session, Templates};
use lapstrake::yaml::json;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

fn functions() -> Arc<Functions> {
    let mut functions = Functions::sprig();
    functions.remove(&["env", "expandenv"]);
    Arc::new(functions)
}

/// What the reference tool's test program prints for a template: its output, and its error.
fn run(functions: &Arc<Functions>, text: &str, option: &str) -> (Vec<u8>, String) {
    let missing = match option {
        "default" => MissingKey::Invalid,
        "error" => MissingKey::Error,
        _ => MissingKey::Zero,
    };
    let data = json::read(include_bytes!("../../../fixtures/compat/template/data.json")).unwrap();
    let mut templates = Templates::new("gotpl", Arc::clone(functions), missing);
    if let Err(error) = templates.parse("f.yaml", text.as_bytes()) {
        return (Vec::new(), error.to_string());
    }
    let mut session = Session::new(&Closed);
    match templates.execute("f.yaml", &data, &mut session) {
        Ok(out) => (out, String::new()),
        Err(error) => (Vec::new(), error.to_string()),
    }
}

fn compare(vectors: &str) -> (Vec<String>, usize) {
    let functions = functions();
    let mut failures = Vec::new();
    let mut total = 0;
    for line in vectors.lines() {
        let vector: Json = serde_json::from_str(line).unwrap();
        let text = vector["t"].as_str().unwrap();
        let (out, error) = run(&functions, text, vector["o"].as_str().unwrap_or(""));
        total += 1;
        let want = match vector["raw"].as_str() {
            Some(raw) => base64::engine::general_purpose::STANDARD.decode(raw).unwrap(),
            None => vector["out"].as_str().unwrap_or("").as_bytes().to_vec(),
        };
        let want_error = vector["err"].as_str().unwrap_or("");
        let out = if out.len() > 3000 { hex::encode(Sha256::digest(&out)).into_bytes() } else { out };
        // Go has written what came before an error; we give no output then.
        if error != want_error || want_error.is_empty() && out != want {
            let option = vector["o"].as_str().unwrap_or("");
            let show = |out: &[u8], error: &str| format!("{:?} {error}", String::from_utf8_lossy(out));
            let (got, want) =
                (show(&out, &error), show(if want_error.is_empty() { &want } else { b"" }, want_error));
            failures.push(format!("{text:?} {option}\n  want {want}\n  got  {got}"));
        }
    }
    (failures, total)
}

fn check(vectors: &str) {
    let (failures, total) = compare(vectors);
    report(&failures, total);
}

fn report(failures: &[String], total: usize) {
    assert!(
        failures.is_empty(),
        "{} of {total} vectors differ:\n{}",
        failures.len(),
        failures[..failures.len().min(25)].join("\n")
    );
}

#[test]
fn language() {
    check(include_str!("../../../fixtures/compat/template/language.jsonl"));
}

#[test]
fn functions_of_sprig() {
    check(include_str!("../../../fixtures/compat/template/functions.jsonl"));
}
