//! The traps of Helm, ordered by the damage they do, and the vectors with Helm's own answers that hold us to each. A
//! vector that goes away fails this table; traps of releases and clusters come with them.

use std::path::Path;

/// A trap, and for each vector its file and the text by which it is found there.
type Trap = (&'static str, &'static [(&'static str, &'static str)]);

const FUNCTIONS: &str = "fixtures/compat/template/functions.jsonl";
const LANGUAGE: &str = "fixtures/compat/template/language.jsonl";
const HELM: &str = "fixtures/compat/template/helm.jsonl";
const READ: &str = "fixtures/compat/yaml/read.jsonl";
const WRITE: &str = "fixtures/compat/yaml/write.jsonl";
const VALUES: &str = "fixtures/charts/values.txt";
const RENDERING: &str = "fixtures/charts/rendering.txt";
const LOADING: &str = "fixtures/charts/loading.txt";
const SCRIPT: &str = "fixtures/compat/helm/script.txt";

const TRAPS: &[Trap] = &[
    ("numbers of values are floats, those of --set are not", &[(VALUES, "== types")]),
    (
        "YAML 1.1: booleans as keys, octals, merge keys, duplicate keys",
        &[(READ, "\"on: "), (READ, "010"), (READ, "\\u003c\\u003c")],
    ),
    ("toYaml: layout, natural order, folding, quotes", &[(WRITE, "a10"), (HELM, "toYaml")]),
    ("nulls of parents, users and subcharts", &[(VALUES, "== null"), (VALUES, "== sub")]),
    ("--set: types, {} and the order of groups", &[(VALUES, "== set"), (SCRIPT, "--set-literal")]),
    (
        "the last template of a name wins, by path; empty ones never; names are global",
        &[(RENDERING, "== order"), (RENDERING, "empty never replaces")],
    ),
    (
        "set and merge change maps that templates share",
        &[(VALUES, "== mutate"), (FUNCTIONS, "mergeOverwrite")],
    ),
    ("<no value> goes everywhere", &[(RENDERING, "== novalue")]),
    (
        "and, or give operands; default and empty take 0 for nothing",
        &[(FUNCTIONS, "default"), (LANGUAGE, "and ")],
    ),
    ("versions before a release, ranges", &[(FUNCTIONS, "v1.33.0-gke"), (SCRIPT, "--version '~1.1'")]),
    (
        "aliases, conditions over tags, imports below the parent",
        &[(VALUES, "== aliases"), (VALUES, "== conditions"), (VALUES, "== imports")],
    ),
    (
        ".helmignore: negation, its own rule, not for archives",
        &[(LOADING, "== ignored"), (LOADING, "== badignore")],
    ),
    ("documents are parted where a line begins with ---", &[(RENDERING, "== splitting")]),
    ("kinds are ordered by name only", &[(RENDERING, "== manifests")]),
    (
        "the digest of a lock file; it is written only if that changes",
        &[(SCRIPT, "grep digest near/Chart.lock")],
    ),
    ("+ is _ in registries; layers and annotations", &[(SCRIPT, "helm push www/shop/job-0.3.1+build.5.tgz")]),
    ("columns of errors: the second link of a chain", &[(RENDERING, "== failures")]),
    (
        "RE2, time layouts, %q, %v",
        &[(FUNCTIONS, "regexReplaceAll"), (FUNCTIONS, "dateInZone"), (LANGUAGE, "%q"), (LANGUAGE, "%v")],
    ),
    (
        "capabilities without a cluster; versions with a suffix",
        &[(RENDERING, "== builtin"), (SCRIPT, "--kube-version 1.29.3")],
    ),
    ("lookup gives nothing without a cluster", &[(HELM, "lookup")]),
];

#[test]
fn every_trap_has_vectors() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = Vec::new();
    for (trap, vectors) in TRAPS {
        for (file, text) in *vectors {
            let content = std::fs::read_to_string(root.join(file)).unwrap();
            if !content.contains(text) {
                missing.push(format!("{trap}: {file} has no {text:?}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
