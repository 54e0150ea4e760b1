//! The functions Helm gives to charts, against its own engines; every function's name; random templates by hand.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use lapstrake::host;
use lapstrake::ops::door::Live;
use lapstrake::template::{
    Error, ExecError, Functions, MissingKey, Session, Templates, WARNING_END, WARNING_START, without_no_value,
};
use lapstrake::yaml::{Map, MapKind, Value, json};
use serde_json::Value as Json;

const FILE: &str = "c/templates/t.yaml";

fn values() -> Value {
    json::read(include_bytes!("../../../fixtures/compat/template/data.json")).unwrap()
}

/// As Helm 3's engine renders one file of a chart, with its way to tell `fail` from other errors.
fn render(functions: &Arc<Functions>, text: &str) -> Result<Vec<u8>, String> {
    let parsed = |e: Error| match e {
        Error::Parse { name, line, message } => {
            format!("parse error at ({name}:{line}): {}", message.rsplit(": ").next().unwrap_or_default())
        }
        other => other.to_string(),
    };
    let mut templates = Templates::new("gotpl", Arc::clone(functions), MissingKey::Zero);
    templates.parse(FILE, text.as_bytes()).map_err(parsed)?;
    let definitions = include_str!("../../../fixtures/compat/template/definitions.tpl");
    templates.parse("c/templates/_h.tpl", definitions.as_bytes()).map_err(parsed)?;
    let typed = values().as_map().unwrap().retyped(MapKind::Named(&"chartutil.Values"));
    let template = Value::Map(Map::typed(
        [("Name", FILE), ("BasePath", "c/templates")]
            .into_iter()
            .map(|(k, v)| (k.into(), v.into()))
            .collect(),
        MapKind::Named(&"chartutil.Values"),
    ));
    let data = Value::map([("Values", Value::Map(typed)), ("Template", template)]);
    let live = Live::new(host::clock::system(), true);
    match templates.execute(FILE, &data, &mut Session::new(&live)) {
        Ok(out) => Ok(without_no_value(out)),
        Err(Error::Execute(error)) => Err(cleaned(&error)),
        Err(other) => Err(other.to_string()),
    }
}

fn cleaned(error: &ExecError) -> String {
    let text = error.to_string();
    match (text.find(WARNING_START), text.rfind(WARNING_END), &error.frame) {
        (Some(start), Some(end), Some(frame)) => format!(
            "execution error at ({}:{}:{}): {}",
            frame.file,
            frame.line,
            frame.column,
            &text[start + WARNING_START.len()..end]
        ),
        _ => text,
    }
}

/// With Helm 4's functions alone.
fn execute(functions: &Arc<Functions>, text: &str) -> Result<Vec<u8>, String> {
    let mut templates = Templates::new("gotpl", Arc::clone(functions), MissingKey::Zero);
    templates.parse("f.yaml", text.as_bytes()).map_err(|e| e.to_string())?;
    let live = Live::new(host::clock::system(), true);
    let data = Value::map([("Values", values())]);
    templates.execute("f.yaml", &data, &mut Session::new(&live)).map_err(|e| e.to_string())
}

fn lines(text: &str) -> impl Iterator<Item = Json> + '_ {
    text.lines().map(|line| serde_json::from_str(line).unwrap())
}

fn differs(vector: &Json, got: Result<Vec<u8>, String>) -> Option<String> {
    let want = match vector["err"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok(match vector["raw"].as_str() {
            Some(raw) => base64::engine::general_purpose::STANDARD.decode(raw).unwrap(),
            None => vector["out"].as_str().unwrap().as_bytes().to_vec(),
        }),
    };
    let show = |r: &Result<Vec<u8>, String>| match r {
        Ok(out) => format!("{:?}", String::from_utf8_lossy(out)),
        Err(error) => format!("error {error:?}"),
    };
    (got != want).then(|| format!("{}\n  want {}\n  got  {}", vector["t"], show(&want), show(&got)))
}

#[test]
fn functions_of_helm() {
    let (three, four) = (Arc::new(Functions::helm3()), Arc::new(Functions::helm()));
    let mut failures = Vec::new();
    let mut total = 0;
    for vector in lines(include_str!("../../../fixtures/compat/template/helm.jsonl")) {
        let text = vector["t"].as_str().unwrap();
        let got = if vector["helm"] == 3 { render(&three, text) } else { execute(&four, text) };
        total += 1;
        failures.extend(differs(&vector, got));
    }
    super::report(&failures, total);
}

#[test]
fn every_function_is_there_and_has_vectors() {
    let names: Json =
        serde_json::from_str(include_str!("../../../fixtures/compat/template/names.json")).unwrap();
    let of = |key: &str| -> BTreeSet<String> {
        names[key].as_array().unwrap().iter().map(|n| n.as_str().unwrap().to_owned()).collect()
    };
    let go = of("go");
    for (key, table) in [("sprig", Functions::sprig()), ("3", Functions::helm3()), ("4", Functions::helm())] {
        let ours: BTreeSet<String> = table.names().map(str::to_owned).collect();
        let theirs: BTreeSet<String> = of(key).union(&go).cloned().collect();
        let missing: Vec<_> = theirs.difference(&ours).collect();
        let more: Vec<_> = ours.difference(&theirs).collect();
        assert!(missing.is_empty() && more.is_empty(), "{key}: missing {missing:?}, more {more:?}");
    }
    let vectors = [
        include_str!("../../../fixtures/compat/template/language.jsonl"),
        include_str!("../../../fixtures/compat/template/functions.jsonl"),
        include_str!("../../../fixtures/compat/template/helm.jsonl"),
    ];
    let (mut words, mut failing) = (BTreeSet::new(), 0);
    for vector in vectors.into_iter().flat_map(lines) {
        failing += usize::from(vector["err"].is_string());
        let text = vector["t"].as_str().unwrap().to_owned();
        words.extend(text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(str::to_owned));
    }
    let all: BTreeSet<String> = ["go", "sprig", "3", "4"].into_iter().flat_map(of).collect();
    let without: Vec<_> = all.difference(&words).collect();
    assert!(without.is_empty(), "functions without a vector: {without:?}");
    assert!(failing >= 400, "only {failing} vectors fail");
}

/// Random templates and texts: some that were kept, and as many as `tests/oracles/helm/fuzz.sh` makes by hand.
#[test]
fn fuzz_vectors() {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/compat/fuzz").into();
    let folder = host::env::path("LAP_FUZZ_VECTORS").unwrap_or(kept);
    let read = |name: &str| String::from_utf8(host::fs::read(folder.join(name)).unwrap()).unwrap();
    let three = Arc::new(Functions::helm3());
    let (mut failures, mut total) = (Vec::new(), 0);
    for vector in lines(&read("template.jsonl")) {
        total += 1;
        failures.extend(differs(&vector, render(&three, vector["t"].as_str().unwrap())));
    }
    let (wrong, read_total) = crate::yaml::compare_reading(&read("read.jsonl"));
    let (odd, write_total) = crate::yaml::compare_writing(&read("write.jsonl"));
    failures.extend(wrong);
    failures.extend(odd);
    super::report(&failures, total + read_total + write_total);
}
