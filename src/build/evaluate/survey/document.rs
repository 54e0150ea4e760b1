//! Surveys as `docker buildx build --call` prints them: its JSON, and its tables.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::base::{Failure, SourceFile};
use crate::build::evaluate::survey::{Target, TargetParameters};
use crate::dockerfile::Warning;

/// The result of `--call check,format=json`; `error` is what keeps the file from being built.
pub fn check(file: &SourceFile, warnings: &[Warning], error: Option<&Failure>) -> Value {
    let warning = |warning: &Warning| {
        let mut object = Map::new();
        object.insert("ruleName".into(), warning.rule.name().into());
        object.insert("description".into(), warning.rule.description().into());
        if let Some(url) = warning.rule.url() {
            object.insert("url".into(), url.into());
        }
        object.insert("detail".into(), warning.message.clone().into());
        object.insert("location".into(), location(warning.lines));
        Value::Object(object)
    };
    let warnings: Vec<Value> = warnings.iter().map(warning).collect();
    let source = json!({
        "filename": file.name(),
        "language": "Dockerfile",
        "data": STANDARD.encode(file.bytes()),
    });
    let mut document = json!({ "warnings": warnings, "sources": [source] });
    if let Some(error) = error {
        let place = match error.label() {
            Some(label) => location((label.span.first_line(), label.span.last_line())),
            None => json!({}),
        };
        document["buildError"] = json!({ "message": sentence(error), "location": place });
    }
    document
}

/// What is wrong and why, on one line.
fn sentence(failure: &Failure) -> String {
    let words = std::iter::once(failure.message()).chain(failure.causes().iter().map(String::as_str));
    words.collect::<Vec<_>>().join(": ")
}

/// The result of `--call outline,format=json`.
pub fn outline(file: &SourceFile, parameters: &TargetParameters) -> Value {
    let mut object = Map::new();
    for (name, text) in [("name", &parameters.name), ("description", &parameters.description)] {
        if !text.is_empty() {
            object.insert(name.into(), text.clone().into());
        }
    }
    let args = parameters.args.iter().map(|arg| placed(arg, arg.lines)).collect();
    let secrets = parameters.secrets.iter().map(|secret| placed(secret, secret.lines)).collect();
    let ssh = parameters.ssh.iter().map(|agent| placed(agent, agent.lines)).collect();
    for (name, list) in [("args", args), ("secrets", secrets), ("ssh", ssh)] {
        let list: Vec<Value> = list;
        if !list.is_empty() {
            object.insert(name.into(), list.into());
        }
    }
    object.insert("sources".into(), json!([STANDARD.encode(file.bytes())]));
    object.into()
}

/// The result of `--call targets,format=json`.
pub fn targets(file: &SourceFile, targets: &[Target]) -> Value {
    let list: Vec<Value> = targets.iter().map(|target| placed(target, target.lines)).collect();
    json!({ "targets": list, "sources": [STANDARD.encode(file.bytes())] })
}

fn placed(value: &impl Serialize, lines: (usize, usize)) -> Value {
    // Structs of strings and booleans always have a JSON form.
    let mut object = serde_json::to_value(value).unwrap_or_default();
    object["location"] = location(lines);
    object
}

/// One range a line.
fn location((first, last): (usize, usize)) -> Value {
    let ranges: Vec<Value> =
        (first..=last).map(|line| json!({ "start": { "line": line }, "end": { "line": line } })).collect();
    json!({ "ranges": ranges })
}

/// The tables of `--call outline`.
pub fn outline_text(parameters: &TargetParameters) -> String {
    let mut out = String::new();
    if !parameters.name.is_empty() || !parameters.description.is_empty() {
        let name = if parameters.name.is_empty() { "(default)" } else { &parameters.name };
        let mut rows = vec![vec!["TARGET:".to_owned(), name.to_owned()]];
        if !parameters.description.is_empty() {
            rows.push(vec!["DESCRIPTION:".into(), parameters.description.clone()]);
        }
        out.push_str(&format!("{}\n", table(&rows, 1)));
    }
    let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
    if !parameters.args.is_empty() {
        let heading = row(["BUILD ARG", "VALUE", "DESCRIPTION"]);
        let args = parameters.args.iter().map(|arg| row([&arg.name, &arg.value, &arg.description]));
        let rows: Vec<_> = std::iter::once(heading).chain(args).collect();
        out.push_str(&format!("{}\n", table(&rows, 3)));
    }
    for (word, list) in [("SECRET", &parameters.secrets), ("SSH", &parameters.ssh)] {
        if list.is_empty() {
            continue;
        }
        let required = |required| if required { "true" } else { "" };
        let mut rows = vec![vec![word.to_owned(), "REQUIRED".to_owned()]];
        rows.extend(list.iter().map(|wanted| vec![wanted.name.clone(), required(wanted.required).into()]));
        out.push_str(&format!("{}\n", table(&rows, 3)));
    }
    out
}

/// The table of `--call targets`.
pub fn targets_text(targets: &[Target]) -> String {
    let mut rows = vec![vec!["TARGET".to_owned(), "DESCRIPTION".to_owned()]];
    rows.extend(targets.iter().map(|target| {
        let name = match (target.name.as_str(), target.default) {
            ("", true) => "(default)".to_owned(),
            (name, true) => format!("{name} (default)"),
            (name, false) => name.to_owned(),
        };
        vec![name, target.description.clone()]
    }));
    table(&rows, 1)
}

/// Rows in columns, `gap` blanks between, none at the ends of lines.
fn table(rows: &[Vec<String>], gap: usize) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len)).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<0$}", width + gap));
        let line: String = cells.collect();
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
