//! Post-renderers: the stream that Helm 4.3.1 gave a plugin, what it made of the answer, and Helm 3's way.
//!
//! Golden: `post-render.json`, from Helm 4.3.1 with a plugin of type postrenderer/v1 whose program is `tee input`, over the
//! chart `fixtures/compat/helm/charts/flags`; helm writes all documents anew, so the trees are compared and not the bytes.

use std::process::Output;

use lapstrake::yaml::{Options, Value, deep_equal, read};

use super::Lab;

fn lab() -> Lab {
    let lab = Lab::new(&format!("{} helm", env!("CARGO_BIN_EXE_lap")));
    let programs = "mkdir programs; printf '#!/bin/sh\\ntee input\\n' > programs/tee; printf '#!/bin/sh\\nexit 3\\n' > \
                    programs/fails; printf '#!/bin/sh\\necho\\n' > programs/nothing; printf '#!/bin/sh\\nsed \
                    \"s/$1/$2/\"\\n' > programs/swap; chmod +x programs/*";
    assert!(lab.run(programs).status.success());
    lab
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn trees(text: &str) -> Vec<Value> {
    let documents = text.split("---\n").filter(|d| !d.trim().is_empty());
    documents.map(|d| read(d.as_bytes(), Options::default()).unwrap()).collect()
}

fn same(got: &str, want: &str) {
    let (ours, theirs) = (trees(got), trees(want));
    let equal = ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(a, b)| deep_equal(a, b));
    assert!(equal, "got\n{got}\nwant\n{want}");
}

#[test]
fn post_renderers() {
    let lab = lab();
    let path = super::fixtures().join("post-render.json");
    let golden: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let out = text(&lab.run("helm template rel flags --post-renderer programs/tee"));
    same(&out, golden["out"].as_str().unwrap());
    let input = text(&lab.run("cat input"));
    same(&input, golden["input"].as_str().unwrap());
    // Places are kept: the same comments that say where a document comes from, in the same order.
    let places = |text: &str| {
        text.lines().filter(|l| l.starts_with("# Source")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(places(&out), places(golden["out"].as_str().unwrap()));
    let swapped = "helm template rel flags --post-renderer programs/swap --post-renderer-args plain --post-renderer-args done";
    assert!(text(&lab.run(swapped)).contains("done"));
}

#[test]
fn helm_3_gives_manifests_without_hooks_and_unchanged() {
    let lab = lab();
    let plain = text(&lab.run("helm template rel flags --helm-version 3"));
    let through = text(&lab.run("helm template rel flags --helm-version 3 --post-renderer programs/tee"));
    assert_eq!(plain, through);
    let input = text(&lab.run("cat input"));
    assert!(input.contains("kind: ConfigMap") && !input.contains("helm.sh/hook"), "{input}");
}

#[test]
fn what_cannot_be_run_is_said() {
    let lab = lab();
    let plugin = "mkdir -p data/plugins/p && printf 'apiVersion: v1\\nname: mark\\ntype: postrenderer/v1\\nruntime: \
                  subprocess\\n' > data/plugins/p/plugin.yaml";
    assert!(lab.run(plugin).status.success());
    for (program, words) in [
        ("programs/fails", "error while running command programs/fails"),
        ("programs/nothing", "produced empty output"),
        ("programs/absent", "programs/absent"),
        ("mark", "\"mark\" is a plugin of Helm, and lap does not run plugins"),
    ] {
        for version in ["3", "4"] {
            let line = format!("helm template rel flags --helm-version {version} --post-renderer {program}");
            let output = lab.run(&line);
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{line}");
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
