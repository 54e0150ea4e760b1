//! Follows `mod` declarations from every crate root, as the compiler does, so that each file's module path is known
//! and files that nobody declares are found.

use std::collections::{BTreeMap, BTreeSet};

use syn::{Item, ItemMod};

use crate::facts::{is_test, line_of};
use crate::house::Violation;

/// Which crate a file is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crate {
    /// `src/`: the library and the binary.
    Lapstrake,
    /// `rootfs-helpers/src/`.
    Helpers,
    /// Tests, benches, oracles, fuzz targets.
    Proof,
}

/// One source file in its place.
pub struct Source {
    /// Path inside the repository.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its syntax.
    pub ast: syn::File,
    /// Which crate it is part of.
    pub krate: Crate,
    /// Its module path; the first name is the folder under `src/`.
    pub module: Vec<String>,
    /// Whether it is compiled for tests only.
    pub test: bool,
}

struct Walk<'a> {
    files: &'a BTreeMap<String, String>,
    seen: BTreeSet<String>,
    sources: Vec<Source>,
    violations: Vec<Violation>,
}

/// A file about to be read.
struct Place {
    path: String,
    krate: Crate,
    module: Vec<String>,
    test: bool,
    /// Folder where its child modules are.
    children: String,
}

/// All sources that some crate root declares, and the violations met on the way.
pub fn walk(files: &BTreeMap<String, String>) -> (Vec<Source>, Vec<Violation>) {
    let mut walk = Walk { files, seen: BTreeSet::new(), sources: Vec::new(), violations: Vec::new() };
    for root in roots(files) {
        let krate = match root.as_str() {
            "src/lib.rs" | "src/main.rs" => Crate::Lapstrake,
            path if path.starts_with("rootfs-helpers/src/") => Crate::Helpers,
            _ => Crate::Proof,
        };
        let children = parent(&root).to_owned();
        walk.enter(Place { path: root, krate, module: Vec::new(), test: krate == Crate::Proof, children });
    }
    for path in files.keys().filter(|path| path.ends_with(".rs") && !walk.seen.contains(*path)) {
        let words = "no `mod` declares this file".to_owned();
        walk.violations.push(Violation { file: path.clone(), line: 1, rule: "forgotten", words });
    }
    (walk.sources, walk.violations)
}

/// Crate roots of every package in the tree: Cargo's own discovery and explicit `path = "….rs"` lines.
fn roots(files: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut roots = BTreeSet::new();
    for (manifest, text) in files.iter().filter(|(path, _)| path.ends_with("Cargo.toml")) {
        let top = manifest.trim_end_matches("Cargo.toml");
        let explicit =
            text.lines().filter_map(|line| line.trim().strip_prefix("path = \"")?.strip_suffix('"'));
        roots.extend(explicit.filter(|path| path.ends_with(".rs")).map(|path| format!("{top}{path}")));
        for path in files.keys() {
            let Some(inside) = path.strip_prefix(top) else { continue };
            let parts: Vec<&str> = inside.split('/').collect();
            let discovered = match parts.as_slice() {
                ["build.rs"] | ["src", "lib.rs" | "main.rs"] => true,
                ["src", "bin", file] | ["tests" | "benches" | "examples", file] => file.ends_with(".rs"),
                ["tests" | "benches" | "examples", _, "main.rs"] => true,
                _ => false,
            };
            if discovered {
                roots.insert(path.clone());
            }
        }
    }
    roots.retain(|path| files.contains_key(path));
    roots
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl Walk<'_> {
    fn enter(&mut self, place: Place) {
        if !self.seen.insert(place.path.clone()) {
            return;
        }
        let text = self.files.get(&place.path).cloned().unwrap_or_default();
        let ast = match syn::parse_file(&text) {
            Ok(ast) => ast,
            Err(error) => {
                let line = error.span().start().line;
                self.violation(&place, line, "syntax", error.to_string());
                return;
            }
        };
        for item in &ast.items {
            if let Item::Mod(module) = item {
                self.module(&place, module);
            }
        }
        let Place { path, krate, module, test, .. } = place;
        self.sources.push(Source { path, text, ast, krate, module, test });
    }

    fn module(&mut self, place: &Place, item: &ItemMod) {
        let name = item.ident.to_string();
        let test = place.test || is_test(&item.attrs);
        let module: Vec<String> = place.module.iter().cloned().chain([name.clone()]).collect();
        if let Some((_, items)) = &item.content {
            let children = format!("{}/{name}", place.children);
            let inner = Place { path: place.path.clone(), krate: place.krate, module, test, children };
            for item in items {
                if let Item::Mod(module) = item {
                    self.module(&inner, module);
                }
            }
            return;
        }
        let (path, children) = if let Some(explicit) = explicit_path(item) {
            let path = normal(&format!("{}/{explicit}", parent(&place.path)));
            let children = parent(&path).to_owned();
            (path, children)
        } else {
            let folder = format!("{}/{name}", place.children);
            let (flat, deep) = (format!("{folder}.rs"), format!("{folder}/mod.rs"));
            if self.files.contains_key(&flat) { (flat, folder) } else { (deep, folder) }
        };
        if !self.files.contains_key(&path) {
            // The compiler will say so as well; here it keeps the walk honest about what it has not read.
            self.violation(
                place,
                line_of(&item.ident),
                "forgotten",
                format!("`mod {name}` has no file {path}"),
            );
            return;
        }
        let root = place.module.is_empty();
        if place.krate != Crate::Proof && !root && !place.path.ends_with("/mod.rs") {
            let words = format!("a file with child modules is a folder with mod.rs: `mod {name}`");
            self.violation(place, line_of(&item.ident), "modules", words);
        }
        self.enter(Place { path, krate: place.krate, module, test, children });
    }

    fn violation(&mut self, place: &Place, line: usize, rule: &'static str, words: String) {
        self.violations.push(Violation { file: place.path.clone(), line, rule, words });
    }
}

/// The value of `#[path = "…"]`.
fn explicit_path(item: &ItemMod) -> Option<String> {
    item.attrs.iter().find(|attr| attr.path().is_ident("path")).and_then(|attr| {
        let syn::Meta::NameValue(pair) = &attr.meta else { return None };
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { return None };
        Some(text.value())
    })
}

/// `path` without `.` and `..`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
