//! Small sources, each with one thing wrong (or nothing): every rule fires where it should and nowhere else.

use std::collections::BTreeMap;

use crate::rules::check;

/// A house of one library file at `path`, declared from the root, and what is said about it.
fn said(path: &str, text: &str) -> Vec<String> {
    let folder = path.trim_start_matches("src/").split('/').next().unwrap();
    let mut files = vec![
        ("Cargo.toml".to_owned(), String::new()),
        ("src/lib.rs".to_owned(), format!("//! Root.\npub mod {folder};\n")),
        (path.to_owned(), text.to_owned()),
    ];
    if !path.ends_with("/mod.rs") {
        let name = path.rsplit('/').next().unwrap().trim_end_matches(".rs");
        files.push((format!("src/{folder}/mod.rs"), format!("//! Folder.\nmod {name};\n")));
    }
    house(files)
}

fn house(files: Vec<(String, String)>) -> Vec<String> {
    check(&files.into_iter().collect::<BTreeMap<_, _>>()).iter().map(ToString::to_string).collect()
}

#[track_caller]
fn fires(path: &str, text: &str, wanted: &str) {
    let said = said(path, text);
    assert!(said.iter().any(|line| line.starts_with(wanted)), "wanted {wanted}, said {said:#?}");
}

#[track_caller]
fn quiet(path: &str, text: &str) {
    assert_eq!(said(path, text), Vec::<String>::new());
}

#[test]
fn imports_go_down() {
    fires(
        "src/content/mod.rs",
        "//! X.\nuse crate::build::Plan;\n",
        "src/content/mod.rs:2: layers: `content` may not",
    );
    fires("src/content/mod.rs", "//! X.\nuse crate::{base, registry::A};\n", "src/content/mod.rs:2: layers:");
    fires(
        "src/content/mod.rs",
        "//! X.\nfn f() {\n    crate::ops::g();\n}\n",
        "src/content/mod.rs:3: layers:",
    );
    fires("src/content/a.rs", "//! X.\nuse super::super::ui::B;\n", "src/content/a.rs:2: layers:");
    fires(
        "src/content/mod.rs",
        "//! X.\nfn f() {\n    vec![crate::cli::x()];\n}\n",
        "src/content/mod.rs:3: layers:",
    );
    fires("src/invented/mod.rs", "//! X.\n", "src/invented/mod.rs:1: layers: `invented` is in no layer");
    quiet("src/content/mod.rs", "//! X.\nuse crate::base::A;\nuse crate::oci::B;\nuse crate::content::C;\n");
    quiet("src/snapshot/mod.rs", "//! X.\nuse crate::content::Store;\n");
    quiet("src/cli/mod.rs", "//! X.\nuse crate::ui::page;\n");
    fires("src/ui/mod.rs", "//! X.\nuse crate::cli::A;\n", "src/ui/mod.rs:2: layers:");
    quiet("src/content/mod.rs", "//! X.\n#[cfg(test)]\nmod tests {\n    use crate::ops::A;\n}\n");
}

#[test]
fn foreign_types_stop_at_doors() {
    fires("src/ops/mod.rs", "//! X.\nuse clap::Parser;\n", "src/ops/mod.rs:2: doors: `clap::Parser` in ops");
    fires("src/ops/mod.rs", "//! X.\nfn f(c: &reqwest::Client) {}\n", "src/ops/mod.rs:2: doors:");
    fires("src/build/mod.rs", "//! X.\nuse std::{fs, io};\n", "src/build/mod.rs:2: doors: `std::fs`");
    fires("src/build/mod.rs", "//! X.\nuse std::time::{Duration, Instant};\n", "src/build/mod.rs:2: doors:");
    fires(
        "src/build/mod.rs",
        "//! X.\nfn f() -> u32 {\n    std::process::id()\n}\n",
        "src/build/mod.rs:3: doors:",
    );
    fires(
        "src/build/mod.rs",
        "//! X.\nfn f() {\n    println!(\"{:?}\", std::env::args());\n}\n",
        "src/build/mod.rs:3: doors:",
    );
    fires("src/lib.rs", "//! X.\nuse nix::unistd;\n", "src/lib.rs:2: doors: `nix::unistd` in the crate root");
    quiet("src/host/mod.rs", "//! X.\nuse std::{env, fs, process};\nuse std::time::{Instant, SystemTime};\n");
    quiet("src/base/mod.rs", "//! X.\nconst A: &str = std::env::consts::ARCH;\n");
    quiet("src/report/mod.rs", "//! X.\nuse std::time::Instant;\n");
    quiet("src/build/mod.rs", "//! X.\nuse std::time::Duration;\n");
    quiet("src/cli/mod.rs", "//! X.\nuse std::process::ExitCode;\nuse clap::Parser;\n");
    quiet("src/content/mod.rs", "//! X.\nuse rusqlite::Connection;\nuse tar::Header;\n");
    quiet("src/build/mod.rs", "//! X.\n#[test]\nfn f() {\n    std::fs::read(\"x\").unwrap();\n}\n");
}

#[test]
fn languages_and_models_are_pure() {
    fires("src/dockerfile/mod.rs", "//! X.\nasync fn f() {}\n", "src/dockerfile/mod.rs:2: purity: `async`");
    fires(
        "src/yaml/mod.rs",
        "//! X.\nfn f() {\n    let _ = async {};\n}\n",
        "src/yaml/mod.rs:3: purity: `async`",
    );
    fires("src/oci/mod.rs", "//! X.\nuse tokio::io::AsyncRead;\n", "src/oci/mod.rs:2: purity:");
    fires("src/oci/mod.rs", "//! X.\nuse std::net::TcpStream;\n", "src/oci/mod.rs:2: purity:");
    fires("src/oci/mod.rs", "//! X.\nuse crate::host::fs;\n", "src/oci/mod.rs:2: purity: `crate::host::fs`");
    fires("src/oci/mod.rs", "//! X.\nuse crate::report::{Context, Event};\n", "src/oci/mod.rs:2: purity:");
    quiet("src/oci/mod.rs", "//! X.\nuse std::io::Read;\nuse crate::dockerfile::Word;\n");
}

#[test]
fn plans_only_decide() {
    fires("src/build/plan.rs", "//! X.\nfn f(cx: u8) {}\n", "src/build/plan.rs:2: plan: `cx`");
    fires("src/build/plan.rs", "//! X.\nasync fn f() {}\n", "src/build/plan.rs:2: plan: `async`");
    quiet("src/build/plan.rs", "//! X: no cx, never async.\nfn f() -> &'static str {\n    \"cx\"\n}\n");
    quiet("src/build/execute.rs", "//! X.\nasync fn f(cx: u8) {}\n");
}

#[test]
fn things_stay_small() {
    let long = format!("//! X.\n{}", "// y\n".repeat(1000));
    fires("src/base/mod.rs", &long, "src/base/mod.rs:1001: size: 1001 lines");
    let function = format!("//! X.\nfn f() {{\n{}}}\n", "    g();\n".repeat(99));
    fires("src/base/mod.rs", &function, "src/base/mod.rs:2: size: `f` has 101 lines");
    quiet("src/base/mod.rs", &format!("//! X.\nfn f() {{\n{}}}\n", "    g();\n".repeat(98)));
    let wide = "//! X.\nstruct A;\nimpl A {\n    fn f(&self, a: u8, b: u8, c: u8, d: u8, e: u8) {}\n}\n";
    fires("src/base/mod.rs", wide, "src/base/mod.rs:4: size: `f` has 6 parameters");
    quiet("src/base/mod.rs", "//! X.\nfn f(a: u8, b: u8, c: u8, d: u8, e: u8) {}\n");
}

#[test]
fn everything_public_has_words() {
    fires("src/base/mod.rs", "use std::io;\n", "src/base/mod.rs:1: documentation: the first line");
    fires("src/base/mod.rs", "//! X.\npub struct A;\n", "src/base/mod.rs:2: documentation: `A`");
    let method = "//! X.\n/// A.\npub struct A;\nimpl A {\n    pub fn f(&self) {}\n}\n";
    fires("src/base/mod.rs", method, "src/base/mod.rs:5: documentation: `f`");
    quiet(
        "src/base/mod.rs",
        "//! X.\n/// A.\npub struct A;\nimpl Clone for A {\n    fn clone(&self) -> A {\n        A\n    }\n}\n",
    );
    quiet("src/base/mod.rs", "//! X.\npub(crate) struct A;\n");
    quiet("src/base/mod.rs", "//! X.\nmod inner {\n    pub fn f() {}\n}\n");
}

#[test]
fn names_say_something() {
    fires("src/base/util.rs", "//! X.\n", "src/base/util.rs:1: names: `util.rs`");
    fires("src/common/mod.rs", "//! X.\n", "src/common/mod.rs:1: names: `common`");
    fires("src/base/mod.rs", "//! X.\nmod misc {}\n", "src/base/mod.rs:2: names: `mod misc`");
    quiet("src/base/helpful.rs", "//! X.\n");
}

#[test]
fn unwrap_is_for_tests() {
    fires("src/base/mod.rs", "//! X.\nfn f() {\n    Some(1).unwrap();\n}\n", "src/base/mod.rs:3: unwrap:");
    fires("src/base/mod.rs", "//! X.\nfn f() {\n    vec![a.unwrap()];\n}\n", "src/base/mod.rs:3: unwrap:");
    quiet("src/base/mod.rs", "//! X.\nfn f() {\n    Some(1).unwrap_or(2);\n}\n");
    quiet(
        "src/base/mod.rs",
        "//! X.\n#[cfg(test)]\nmod tests {\n    fn f() {\n        Some(1).unwrap();\n    }\n}\n",
    );
}

#[test]
fn unsafe_lives_in_one_place_and_explains_itself() {
    fires(
        "src/host/mod.rs",
        "//! X.\nfn f() {\n    unsafe { g() }\n}\n",
        "src/host/mod.rs:3: unsafe: `unsafe` outside",
    );
    let far = |text: &str| {
        house(vec![
            ("Cargo.toml".into(), String::new()),
            ("src/lib.rs".into(), "//! Root.\n".into()),
            ("rootfs-helpers/Cargo.toml".into(), String::new()),
            ("rootfs-helpers/src/lib.rs".into(), text.into()),
        ])
    };
    let bare = far("//! X.\nfn f() {\n    // SAFETY: other.\n    h();\n    let x = unsafe { g() };\n}\n");
    assert_eq!(bare.len(), 1);
    assert!(bare[0].starts_with("rootfs-helpers/src/lib.rs:5: unsafe: `unsafe` without"), "{bare:?}");
    assert!(far("//! X.\nfn f() {\n    // SAFETY: g has no conditions\n    // at all.\n    let x =\n        unsafe { g() };\n}\n").is_empty());
}

#[test]
fn no_file_is_forgotten() {
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let said = house(vec![
        file("Cargo.toml", ""),
        file("src/lib.rs", "//! Root.\npub mod base;\n"),
        file("src/base/mod.rs", "//! X.\nmod a;\n#[cfg(test)]\nmod proof;\n"),
        file("src/base/a.rs", "//! X.\nmod below;\n"),
        file("src/base/a/below.rs", "//! X.\n"),
        file("src/base/proof.rs", "//! X.\nfn f() {\n    Some(1).unwrap();\n}\n"),
        file("src/base/lost.rs", "//! X.\n"),
        file("tests/build/main.rs", "//! X.\nmod run;\n"),
        file("tests/build/run.rs", "//! X.\n"),
        file("tests/build/lost.rs", "//! X.\n"),
        file("tests/one.rs", "//! X.\n#[path = \"one/part.rs\"]\nmod part;\nmod gone;\n"),
        file("tests/one/part.rs", "//! X.\n"),
    ]);
    assert_eq!(
        said,
        [
            "src/base/a.rs:2: modules: a file with child modules is a folder with mod.rs: `mod below`",
            "src/base/lost.rs:1: forgotten: no `mod` declares this file",
            "tests/build/lost.rs:1: forgotten: no `mod` declares this file",
            "tests/one.rs:4: forgotten: `mod gone` has no file tests/gone/mod.rs",
        ]
    );
}
