//! `lap helm` against Helm 3 and 4 on the charts under `fixtures/charts` (`tests/oracles/helm/charts`).

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value as Json;

/// Where our words differ on purpose, and why.
const OTHER_WORDS: &[(&str, &str)] = &[
    ("loading/nofile template", "a wrong command line is explained by our own parser"),
    ("loading/nofile template rel % --no-such-flag", "a wrong command line is explained by our own parser"),
    (
        "rendering/manifests template rel % --hide-secret",
        "a wrong command line is explained by our own parser",
    ),
    ("rendering/lintfiles lint", "usage is not repeated"),
    ("loading/nofile template rel ./none", "also says what else was tried"),
    ("loading/nofile template rel /none", "also says what else was tried"),
    ("schema/schema:40", "the library that Helm uses names a place that was checked before"),
    ("schema/schema:42", "which property asks for another one is not said"),
    ("schema/schemadrafts:2", "which property asks for another one is not said"),
    ("schema/schema:43", "the items that contains did not match are not listed"),
    ("schema/schemadrafts:9", "JSON is read by another library"),
    ("schema/schemadrafts:10", "what is wrong with a schema is said in one line"),
    ("schema/schemadrafts:11", "what is wrong with a schema is said in one line"),
    ("rendering/crdtemplates lint %", "a file that begins with { is still read as YAML"),
];

struct Case {
    files: BTreeMap<String, String>,
    command: String,
    golden: Json,
}

/// Every chart of a file, with its command lines.
fn charts(stem: &str, text: &str) -> Vec<(String, Vec<String>, BTreeMap<String, String>)> {
    let mut found = Vec::new();
    for part in format!("\n{text}").split("\n== ").skip(1) {
        let (name, rest) = part.split_once('\n').unwrap();
        let (mut commands, mut files, mut each, mut into) = (Vec::new(), BTreeMap::new(), None, None);
        for line in rest.strip_suffix('\n').unwrap_or(rest).split('\n') {
            let header = line.strip_prefix("-- ").and_then(|line| line.strip_suffix(" --"));
            match (header, &into, line.strip_prefix("$ ")) {
                (Some(path), ..) => match path.strip_prefix("each ") {
                    Some(path) => (each, into) = (Some((path.to_owned(), Vec::new())), None),
                    None => {
                        files.insert(path.to_owned(), String::new());
                        into = Some(path.to_owned());
                    }
                },
                (None, None, Some(command)) if each.is_none() => commands.push(command.to_owned()),
                (None, Some(path), _) => *files.get_mut(path).unwrap() += &format!("{line}\n"),
                (None, None, _) => each.as_mut().unwrap().1.push(line.to_owned()),
            }
        }
        match each {
            None => found.push((format!("{stem}/{name}"), commands, files)),
            Some((path, lines)) => {
                for (n, line) in lines.iter().enumerate() {
                    let text = line.replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t") + "\n";
                    let mut files = files.clone();
                    files.insert(path.clone(), text);
                    found.push((format!("{stem}/{name}:{n}"), commands.clone(), files));
                }
            }
        }
    }
    found
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packed = std::fs::read(root.join("fixtures/compat/charts.jsonl.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    let mut goldens: BTreeMap<(String, String), Json> = BTreeMap::new();
    for line in text.lines() {
        let golden: Json = serde_json::from_str(line).unwrap();
        let key = (golden["chart"].as_str().unwrap().to_owned(), golden["run"].as_str().unwrap().to_owned());
        goldens.insert(key, golden);
    }
    let mut cases = Vec::new();
    for stem in ["loading", "rendering", "schema", "values"] {
        let text = std::fs::read_to_string(root.join(format!("fixtures/charts/{stem}.txt"))).unwrap();
        for (chart, commands, files) in charts(stem, &text) {
            for command in commands {
                let golden = goldens.remove(&(chart.clone(), command.clone()));
                let golden = golden.unwrap_or_else(|| panic!("no answer for {chart}: {command}"));
                cases.push(Case { files: files.clone(), command, golden });
            }
        }
    }
    assert!(goldens.is_empty(), "answers without a question: {:?}", goldens.keys().next());
    cases
}

/// Cuts a command line at blanks; single quotes and backslashes as in a shell.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut any) = (Vec::new(), String::new(), false, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => (quoted, any) = (!quoted, true),
            '\\' if !quoted => word.extend(chars.next()),
            ' ' if !quoted => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            c => word.push(c),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    words
}

/// Helm lists what breaks a schema in no order, and blanks at line ends do not count in an error.
fn comparable(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.retain(|line| !line.is_empty());
    if text.contains("- at '") {
        lines.iter_mut().for_each(|line| {
            let mut parts: Vec<&str> = line.split([' ', ',']).filter(|part| !part.is_empty()).collect();
            parts.sort_unstable();
            *line = parts.join(" ");
        });
        lines.sort();
    }
    lines
}

fn check(case: &Case, version: &str) -> Result<(), String> {
    let golden = case.golden.get(version).unwrap_or(&case.golden["3"]);
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in &case.files {
        let path = dir.path().join("chart").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let output = Command::new(env!("CARGO_BIN_EXE_lap"))
        .args(["helm", "--log-format", "json", "--helm-version", version])
        .args(words(&case.command).iter().map(|word| word.replace('%', "chart")))
        .current_dir(dir.path())
        .env_clear()
        .envs([("HOME", dir.path().join("home")), ("KUBECONFIG", "/dev/null".into())])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let clean = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(dir.path().to_str().unwrap(), "DIR");
    let (code, out, said) = (output.status.code(), clean(&output.stdout), clean(&output.stderr));
    if code != golden["code"].as_i64().and_then(|code| i32::try_from(code).ok()) {
        return Err(format!("exit code {code:?}, not {}: {said}", golden["code"]));
    }
    let name = format!("{} {}", case.golden["chart"].as_str().unwrap(), case.command);
    let differs = |what: &str| name == what || !what.contains(' ') && name.starts_with(&format!("{what} "));
    if OTHER_WORDS.iter().any(|(what, _)| differs(what)) {
        return Ok(());
    }
    if out != golden["out"].as_str().unwrap() {
        return Err(format!("prints {out:?}\n  not    {}", golden["out"]));
    }
    if let Some(files) = golden["files"].as_object() {
        for (path, text) in files {
            let written = std::fs::read(dir.path().join(path)).map_err(|e| format!("{path}: {e}"))?;
            if !path.ends_with(".tgz") && clean(&written) != text.as_str().unwrap() {
                return Err(format!("{path} has other content: {}", clean(&written)));
            }
        }
    }
    if code == Some(0) {
        return Ok(());
    }
    let cause = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Json>(line).ok())
        .find_map(|page| Some(page.get("causes")?.get(0)?.as_str()?.to_owned()));
    let (cause, wanted) = (cause.unwrap_or(said), golden["err"].as_str().unwrap_or_default());
    if comparable(&cause) == comparable(wanted) {
        return Ok(());
    }
    Err(format!("says   {cause:?}\n  not    {wanted:?}"))
}

#[test]
fn charts_as_helm_has_them() {
    let cases = cases();
    assert!(cases.len() > 900);
    let (next, problems) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    for version in ["3", "4"] {
                        if let Err(problem) = check(case, version) {
                            let name = format!("{} v{version}: {}", case.golden["chart"], case.command);
                            problems.lock().unwrap().push(format!("{name}\n  {problem}"));
                        }
                    }
                }
            });
        }
    });
    let problems = problems.into_inner().unwrap();
    let shown = problems.iter().take(25).cloned().collect::<Vec<_>>().join("\n");
    assert!(problems.is_empty(), "{} of {} differ:\n{shown}", problems.len(), cases.len() * 2);
}
