//! Every flag that Helm 3.22 and 4.3 show in their help (`fixtures/compat/helm/flags.txt`, written by
//! `tests/oracles/helm-flags`): it is understood, and it acts (a line of the script or of the charts with Helm's own answer
//! uses it), or it is without effect in Helm, too, or it is refused with a reason.

use std::process::Command;

use super::{Lab, fixtures};

/// Flags that have no effect on what the command does here or there, and why.
const INERT: &[(&str, &str, &str)] = &[
    ("*", "--color", "these commands have no colours"),
    ("*", "--colour", "the other spelling of --color"),
    ("template", "--force", "Helm 3's way to replace objects of a cluster"),
    ("template", "--force-replace", "a way to replace objects of a cluster"),
    ("repo_add", "--no-update", "Helm 3 has not looked at it for years"),
];

/// Flags that are refused, with the words that say why.
const REFUSED: &[(&str, &str, &str)] = &[
    ("template", "--validate", "does not speak to clusters"),
    ("template", "--dry-run", "does not speak to clusters"),
];

/// Flags whose effect is tested elsewhere: the test's name.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("template", "--post-renderer", "post_renderers"),
    ("template", "--post-renderer-args", "post_renderers"),
    ("repo_update", "--fail-on-repo-update-fail", "updates_that_fail_in_helm_3"),
];

struct Row<'r> {
    command: &'r str,
    flag: &'r str,
    letter: &'r str,
    kind: &'r str,
    versions: &'r str,
}

fn rows(text: &str) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for line in text.lines() {
        if let [command, flag, letter, kind, versions] = *line.split(' ').collect::<Vec<_>>() {
            rows.push(Row { command, flag, letter, kind, versions });
        }
    }
    rows
}

/// A value that a flag of a type takes.
fn sample(row: &Row<'_>) -> Option<&'static str> {
    Some(match (row.kind, row.flag) {
        ("bool", _) => return None,
        ("int" | "uint" | "float32", _) => "1",
        ("duration", _) => "1s",
        ("stringToString" | "stringArray", _) => "a=b",
        ("WaitStrategy", _) => "watcher",
        ("format", _) => "json",
        (_, "--color" | "--colour") => "never",
        (_, "--dry-run") => "client",
        _ => "x",
    })
}

fn lap(row: &Row<'_>, version: &str, arguments: &[&str]) -> std::process::Output {
    let command = if row.command == "*" { "template" } else { row.command };
    Command::new(env!("CARGO_BIN_EXE_lap"))
        .args(["helm", "--helm-version", version])
        .args(command.split('_'))
        .args(arguments)
        .env_clear()
        .output()
        .unwrap()
}

/// Whether a command line of a script uses a flag.
fn uses(line: &str, row: &Row<'_>) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let long = |name: &str| match name {
        "dep" | "dependencies" => "dependency".to_owned(),
        "ls" => "list".to_owned(),
        "up" => "update".to_owned(),
        "rm" => "remove".to_owned(),
        "fetch" => "pull".to_owned(),
        name => name.to_owned(),
    };
    let wanted: Vec<&str> = row.command.split('_').collect();
    let right = match wanted.as_slice() {
        ["*"] => true,
        // One type of ours has the flags of all of them.
        ["completion", _] => words.first() == Some(&"completion"),
        ["show", _] if row.flag != "--jsonpath" => words.first() == Some(&"show"),
        wanted => wanted.iter().enumerate().all(|(i, w)| words.get(i).is_some_and(|word| long(word) == *w)),
    };
    right
        && words.iter().any(|word| {
            let long =
                *word == row.flag || word.strip_prefix(row.flag).is_some_and(|rest| rest.starts_with('='));
            long || row.letter != "-"
                && (*word == row.letter || word.starts_with(row.letter) && !word.starts_with("--"))
        })
}

/// The command lines that were answered by Helm: those of the script, and those of the charts.
fn answered() -> Vec<String> {
    let script = std::fs::read_to_string(fixtures().join("script.txt")).unwrap();
    let mut lines: Vec<String> = Vec::new();
    for line in script.lines().filter(|l| !l.starts_with('#')) {
        lines.extend(
            line.split("helm ").skip(1).map(|part| part.split(['|', ';']).next().unwrap().to_owned()),
        );
    }
    for name in ["loading", "rendering", "schema", "values"] {
        let path = fixtures().join(format!("../../charts/{name}.txt"));
        let text = std::fs::read_to_string(path).unwrap();
        lines.extend(text.lines().filter_map(|l| l.strip_prefix("$ ")).map(str::to_owned));
    }
    lines
}

#[test]
fn every_flag_of_helm_is_understood_and_acts_or_is_refused() {
    let text = std::fs::read_to_string(fixtures().join("flags.txt")).unwrap();
    let (rows, lines) = (rows(&text), answered());
    assert!(rows.len() > 280, "the table has {} rows only", rows.len());
    let mut failures = Vec::new();
    for row in rows.iter().filter(|row| row.flag != "--help") {
        let named = |table: &[(&str, &str, &str)]| {
            table
                .iter()
                .find(|(c, f, _)| *c == row.command && *f == row.flag)
                .map(|(_, _, why)| (*why).to_owned())
        };
        for version in row.versions.split(',') {
            let value = sample(row);
            let long = value.map_or(row.flag.to_owned(), |value| format!("{}={value}", row.flag));
            let mut forms = vec![vec![long.clone(), "--help".to_owned()]];
            if row.letter != "-" {
                let value = value.map(str::to_owned);
                forms.push(
                    [row.letter.to_owned()].into_iter().chain(value).chain(["--help".to_owned()]).collect(),
                );
            }
            for form in forms {
                let form: Vec<&str> = form.iter().map(String::as_str).collect();
                let output = lap(row, version, &form);
                if !output.status.success() {
                    let error = String::from_utf8_lossy(&output.stderr).into_owned();
                    failures.push(format!("{} {form:?} ({version}): {error}", row.command));
                }
            }
        }
        if let Some(words) = named(REFUSED) {
            let flag = if row.flag == "--dry-run" { "--dry-run=server" } else { row.flag };
            let output = lap(row, "4", &["rel", "chart", flag]);
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.code() != Some(1) || !error.contains(&words) {
                failures.push(format!("{} {} is not refused: {error}", row.command, row.flag));
            }
        } else if named(INERT).is_none() && named(ELSEWHERE).is_none() && !lines.iter().any(|l| uses(l, row))
        {
            failures.push(format!(
                "{} {}: no command line that Helm has answered uses it",
                row.command, row.flag
            ));
        }
    }
    let tests = ["post_render.rs", "flags.rs"].map(|name| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat/helm").join(name);
        std::fs::read_to_string(path).unwrap()
    });
    for (command, flag, test) in ELSEWHERE {
        if !tests.iter().any(|text| text.contains(&format!("fn {test}()"))) {
            failures.push(format!("{command} {flag}: there is no test {test}"));
        }
    }
    assert!(failures.is_empty(), "{} of {} rows:\n{}", failures.len(), rows.len(), failures.join("\n"));
}

#[test]
fn updates_that_fail_in_helm_3() {
    let lab = Lab::new(&format!("{} helm --helm-version 3", env!("CARGO_BIN_EXE_lap")));
    let prepare = "helm package web -d www/shop && helm repo index www/shop && helm repo add a $HTTP/plain/shop && helm repo \
                   add b $HTTP/plain/shop && sed -i '0,/plain/s//broken/' config/repositories.yaml";
    assert!(lab.run(prepare).status.success());
    assert!(lab.run("helm repo update").status.success());
    let output = lab.run("helm repo update --fail-on-repo-update-fail");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
}
