//! Charts and values that are made to go on for ever: a clear error, in bounded time and memory.

use std::io::Write as _;
use std::process::Command;

use tempfile::TempDir;

use super::helm::tar::{archive, file, pax};

const CHART: &str = "apiVersion: v2\nname: c\nversion: 1.0.0\n";

/// Renders a chart of these files in at most 4 GB of address space and ten minutes; exit code and standard error.
fn render(files: &[(String, Vec<u8>)], more: &[&str]) -> (i32, String) {
    let root = TempDir::new().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let mut command = Command::new("/bin/sh");
    command.args([
        "-c",
        "ulimit -v 4000000; exec timeout 600 \"$0\" \"$@\"",
        env!("CARGO_BIN_EXE_lap"),
        "helm",
        "template",
    ]);
    let output =
        command.args(["r", "c"]).args(more).current_dir(root.path()).env("NO_COLOR", "1").output().unwrap();
    (output.status.code().expect("no signal ends it"), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn fails(files: &[(&str, &str)], words: &str) {
    let mut all = vec![("c/Chart.yaml".to_owned(), CHART.as_bytes().to_vec())];
    all.extend(files.iter().map(|(path, text)| (format!("c/{path}"), text.as_bytes().to_vec())));
    let (code, err) = render(&all, &[]);
    assert!(code == 1 && err.contains(words), "{code} {}", &err[..err.len().min(3000)]);
}

#[test]
fn templates_that_call_themselves() {
    let text = "{{ define \"a\" }}{{ include \"a\" . }}{{ end }}{{ include \"a\" . }}";
    fails(
        &[("templates/t.yaml", text)],
        "rendering template has a nested reference name: a: unable to execute template",
    );
    let text = "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}";
    fails(&[("templates/t.yaml", text)], "exceeded maximum template depth");
    let text = "{{ tpl .Values.x . }}";
    fails(
        &[("templates/t.yaml", text), ("values.yaml", "x: '{{ tpl .Values.x . }}'\n")],
        "exceeded maximum template depth",
    );
    let text = "{{ define \"a\" }}{{ tpl \"{{ include \\\"a\\\" . }}\" . }}{{ end }}{{ include \"a\" . }}";
    fails(&[("templates/t.yaml", text)], "nested reference name: a");
    let text = "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toYaml $d }}{{ toJson $d | fail }}{{ deepCopy $d | toString | len }}";
    fails(&[("templates/t.yaml", text)], "execution error");
}

#[test]
fn charts_in_themselves() {
    let mut files = Vec::new();
    for depth in 0..40 {
        let folder = format!("c{}", "/charts/c".repeat(depth));
        files.push((format!("{folder}/Chart.yaml"), CHART.as_bytes().to_vec()));
    }
    let (code, err) = render(&files, &[]);
    assert!(code == 1 && err.contains("nested deeper than"), "{code} {err}");
}

/// Every level has values and globals of its own and a condition for the next one: each level sees all above it.
#[test]
fn charts_in_charts_with_values() {
    let mut files = Vec::new();
    let mut folder = "c".to_owned();
    for depth in 0..30 {
        let name = if depth == 0 { "c".to_owned() } else { format!("s{depth}") };
        let next = format!("s{}", depth + 1);
        let mut text = format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n");
        if depth < 29 {
            text += &format!(
                "dependencies: [{{name: {next}, version: 1.0.0, condition: {next}.use, tags: [t{depth}]}}]\n"
            );
        }
        let mut values = format!("{next}: {{use: {}}}\ntags: {{t{depth}: true}}\nglobal:\n", depth != 25);
        values += &(0..15).map(|n| format!("  g{depth}-{n}: {{a: [b, c]}}\n")).collect::<String>();
        values += &(0..15).map(|n| format!("k{n}: {{a: [b, c]}}\n")).collect::<String>();
        files.push((format!("{folder}/Chart.yaml"), text.into_bytes()));
        files.push((format!("{folder}/values.yaml"), values.into_bytes()));
        // The first level that the condition above it leaves out would fail.
        let template: &[u8] =
            if depth > 25 { b"{{ fail \"not off\" }}" } else { b"a: {{ len .Values.global }}\n" };
        files.push((format!("{folder}/templates/t.yaml"), template.to_vec()));
        folder = format!("{folder}/charts/{next}");
    }
    let (code, err) = render(&files, &[]);
    assert!(code == 0, "{err}");
}

#[test]
fn aliases_of_aliases() {
    let mut files = Vec::new();
    let mut folder = "c".to_owned();
    for depth in 0..20 {
        let (name, next) =
            (if depth == 0 { "c".to_owned() } else { format!("s{depth}") }, format!("s{}", depth + 1));
        let mut text = format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n");
        if depth < 19 {
            text += &format!(
                "dependencies:\n- {{name: {next}, version: 1.0.0, alias: a}}\n- {{name: {next}, version: 1.0.0, alias: b}}\n"
            );
        }
        files.push((format!("{folder}/Chart.yaml"), text.into_bytes()));
        folder = format!("{folder}/charts/{next}");
    }
    let (code, err) = render(&files, &[]);
    assert!(code == 1 && err.contains("make more than 4096 charts"), "{code} {err}");
}

#[test]
fn documents_that_unfold() {
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for i in 1..12 {
        bomb += &format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 9].join(","));
    }
    fails(&[("values.yaml", &bomb)], "document contains excessive aliasing");
    fails(&[("values.yaml", &"[".repeat(200_000))], "exceeded max depth");
    fails(&[("templates/t.yaml", &bomb)], "document contains excessive aliasing");
    let text = "{{ .Files.Get \"bomb\" | fromYaml | toString | fail }}";
    fails(&[("templates/t.yaml", text), ("bomb", &bomb)], "document contains excessive aliasing");
    fails(
        &[("values.schema.json", &format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)))],
        "recursion limit",
    );
}

#[test]
fn bytes_that_are_no_text() {
    let chart = |files: &[(&str, &[u8])]| {
        let mut all = vec![("c/Chart.yaml".to_owned(), CHART.as_bytes().to_vec())];
        all.extend(files.iter().map(|(path, text)| (format!("c/{path}"), text.to_vec())));
        render(&all, &[])
    };
    let (code, err) = chart(&[("values.yaml", b"a: \xff\n")]);
    assert!(code == 1 && err.contains("invalid leading UTF-8 octet"), "{err}");
    let (code, err) = chart(&[("Chart.yaml", b"name: \xc3(\n")]);
    assert!(code == 1 && err.contains("invalid trailing UTF-8 octet"), "{err}");
    let (code, err) = chart(&[("templates/t.yaml", b"a: \"\xff{{ .Values }}\"\n")]);
    assert!(code == 1 && err.contains("invalid leading UTF-8 octet"), "{err}");
    let (code, err) = chart(&[("templates/t.yaml", b"{{ \xff }}")]);
    assert!(code == 1 && err.contains("parse error at (c/templates/t.yaml:1)"), "{err}");
}

#[test]
fn schemas_that_lead_to_themselves() {
    let cycle = "{\"$ref\": \"#/definitions/a\", \"definitions\": {\"a\": {\"$ref\": \"#/definitions/b\"}, \"b\": {\"$ref\": \
                 \"#/definitions/a\"}}}";
    let words = "both /$ref/$ref/$ref and /$ref resolve to \"file:///values.schema.json#/definitions/a\" causing reference";
    fails(&[("values.schema.json", cycle)], words);
    let tree = "{\"$ref\": \"#/definitions/t\", \"definitions\": {\"t\": {\"type\": \"object\", \"properties\": {\"num\": {\"type\": \
                \"integer\"}, \"t\": {\"$ref\": \"#/definitions/t\"}}}}}";
    fails(
        &[("values.schema.json", tree), ("values.yaml", "t: {t: {t: {num: x}}}\n")],
        "at '/t/t/t/num': got string, want integer",
    );
}

#[test]
fn archives_in_archives() {
    let mut inner: Option<Vec<u8>> = None;
    for depth in (0..300).rev() {
        let name = if depth == 0 { "c".to_owned() } else { format!("s{depth}") };
        let chart = format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n");
        let mut parts = vec![file(&format!("{name}/Chart.yaml"), chart.as_bytes())];
        parts.extend(inner.map(|bytes| file(&format!("{name}/charts/s{}-1.0.0.tgz", depth + 1), &bytes)));
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        out.write_all(&archive(&parts)).unwrap();
        inner = Some(out.finish().unwrap());
    }
    let (code, err) = render(&[("c".to_owned(), inner.unwrap())], &[]);
    assert!(code == 1 && err.contains("charts are nested deeper than 32"), "{err}");
    // All levels in one archive, which needs no more than their names.
    let mut parts = Vec::new();
    let mut folder = "c".to_owned();
    for depth in 0..300 {
        let name = if depth == 0 { "c".to_owned() } else { format!("s{depth}") };
        let chart = format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n");
        parts.push(pax(b'x', &[("path", format!("{folder}/Chart.yaml").as_bytes())]));
        parts.push(file("x", chart.as_bytes()));
        folder = format!("{folder}/charts/s{}", depth + 1);
    }
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    out.write_all(&archive(&parts)).unwrap();
    let (code, err) = render(&[("c".to_owned(), out.finish().unwrap())], &[]);
    assert!(code == 1 && err.contains("nested deeper than"), "{err}");
}

#[test]
fn large_values_are_only_read() {
    let mut values = String::new();
    for i in 0..150_000 {
        values += &format!("key-{i}:\n  name: the value of number {i}\n  on: true\n");
    }
    let files = [
        ("c/Chart.yaml".to_owned(), CHART.as_bytes().to_vec()),
        ("c/templates/t.yaml".to_owned(), b"n: {{ len .Values }}\n".to_vec()),
        ("large.yaml".to_owned(), values.into_bytes()),
    ];
    assert_eq!(render(&files, &["-f", "large.yaml"]).0, 0);
}
