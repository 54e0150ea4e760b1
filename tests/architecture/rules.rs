//! The rules, each from the facts of one file to violations.

use std::collections::BTreeMap;

use crate::facts::{Facts, Named, read};
use crate::house::{
    DOORS, FILE_LINES, FORBIDDEN, FUNCTION_LINES, IMPURE, PARAMETERS, PURE, VALUES, Violation, layer,
    may_import,
};
use crate::modules::{Crate, Source, walk};

/// Everything wrong with `files` (path → text), sorted by place.
pub fn check(files: &BTreeMap<String, String>) -> Vec<Violation> {
    let (sources, mut violations) = walk(files);
    for source in &sources {
        let facts = read(source);
        let mut page = Page { source, violations: &mut violations };
        page.layers(&facts);
        page.doors(&facts);
        page.purity(&facts);
        page.plans();
        page.sizes(&facts);
        page.documentation(&facts);
        page.words(&facts);
        page.unsafes(&facts);
    }
    names(files, &mut violations);
    violations.sort();
    violations.dedup();
    violations
}

/// Whether `path` is `prefix` or something inside it.
fn inside(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// What is named outside tests and is not a plain value.
fn acts(facts: &Facts) -> impl Iterator<Item = &Named> {
    let value = |path: &str| VALUES.iter().any(|prefix| inside(path, prefix));
    facts.named.iter().filter(move |named| !named.test && !value(&named.path))
}

struct Page<'a> {
    source: &'a Source,
    violations: &'a mut Vec<Violation>,
}

impl Page<'_> {
    fn say(&mut self, line: usize, rule: &'static str, words: String) {
        self.violations.push(Violation { file: self.source.path.clone(), line, rule, words });
    }

    /// The folder under `src/` this file belongs to; `None` for crate roots and everything outside the library.
    fn folder(&self) -> Option<&str> {
        let first = self.source.module.first().map(String::as_str);
        first.filter(|_| self.source.krate == Crate::Lapstrake)
    }

    fn layers(&mut self, facts: &Facts) {
        let Some(folder) = self.folder().map(str::to_owned) else { return };
        if layer(&folder).is_none() {
            self.say(1, "layers", format!("`{folder}` is in no layer of the table"));
            return;
        }
        for named in facts.named.iter().filter(|named| !named.test) {
            let Some(target) = named.path.strip_prefix("crate::") else { continue };
            let target = target.split("::").next().unwrap_or(target);
            if layer(target).is_some() && !may_import(&folder, target) {
                self.say(
                    named.line,
                    "layers",
                    format!("`{folder}` may not import `{target}` ({})", named.path),
                );
            }
        }
    }

    fn doors(&mut self, facts: &Facts) {
        if self.source.krate != Crate::Lapstrake {
            return;
        }
        let folder = self.folder().unwrap_or("").to_owned();
        for named in acts(facts) {
            for (prefix, folders) in DOORS {
                if inside(&named.path, prefix) && !folders.contains(&folder.as_str()) {
                    let place = if folder.is_empty() { "the crate root" } else { &folder };
                    let words = format!("`{}` in {place}: it stops at {}", named.path, folders.join(", "));
                    self.say(named.line, "doors", words);
                }
            }
        }
    }

    fn purity(&mut self, facts: &Facts) {
        let Some(folder) = self.folder().filter(|folder| PURE.contains(folder)).map(str::to_owned) else {
            return;
        };
        for named in acts(facts) {
            if IMPURE.iter().any(|prefix| inside(&named.path, prefix)) {
                self.say(named.line, "purity", format!("`{}` in {folder}, which is pure", named.path));
            }
        }
        for line in &facts.asyncs {
            self.say(*line, "purity", format!("`async` in {folder}, which is pure"));
        }
    }

    /// A plan decides from facts: no right to act, nothing to wait for.
    fn plans(&mut self) {
        let path = &self.source.path;
        if self.source.krate != Crate::Lapstrake || !(path.ends_with("/plan.rs") || path.contains("/plan/")) {
            return;
        }
        for (line, word) in words(&self.source.text) {
            if matches!(word.as_str(), "cx" | "async" | "await") {
                self.say(line, "plan", format!("`{word}` in a plan, which only decides"));
            }
        }
    }

    fn sizes(&mut self, facts: &Facts) {
        let lines = self.source.text.lines().count();
        if lines > FILE_LINES {
            self.say(FILE_LINES + 1, "size", format!("{lines} lines; a file has at most {FILE_LINES}"));
        }
        for function in &facts.functions {
            let name = &function.name;
            if function.lines > FUNCTION_LINES {
                let words =
                    format!("`{name}` has {} lines; a function has at most {FUNCTION_LINES}", function.lines);
                self.say(function.line, "size", words);
            }
            if function.parameters > PARAMETERS {
                let count = function.parameters;
                let words =
                    format!("`{name}` has {count} parameters; more than {PARAMETERS} are a request struct");
                self.say(function.line, "size", words);
            }
        }
    }

    fn documentation(&mut self, facts: &Facts) {
        if !self.source.text.starts_with("//!") {
            self.say(1, "documentation", "the first line says what the file is for: `//! …`".to_owned());
        }
        if self.source.krate != Crate::Proof {
            for (line, name) in &facts.undocumented {
                self.say(*line, "documentation", format!("`{name}` is public and has no words"));
            }
        }
    }

    fn words(&mut self, facts: &Facts) {
        if self.source.krate != Crate::Proof {
            for line in &facts.unwraps {
                self.say(*line, "unwrap", "`.unwrap()` outside tests".to_owned());
            }
        }
        for (line, name) in facts.modules.iter().filter(|(_, name)| FORBIDDEN.contains(&name.as_str())) {
            self.say(*line, "names", format!("`mod {name}`: the name says nothing"));
        }
    }

    fn unsafes(&mut self, facts: &Facts) {
        for line in &facts.unsafes {
            if self.source.krate == Crate::Lapstrake {
                self.say(*line, "unsafe", "`unsafe` outside rootfs-helpers".to_owned());
            } else if !explained(&self.source.text, *line) {
                self.say(*line, "unsafe", "`unsafe` without a `// SAFETY:` comment above it".to_owned());
            }
        }
    }
}

/// Whether the statement around 1-based `line` carries a SAFETY text: on the line, or on lines above it up to the end
/// of whatever came before.
fn explained(text: &str, line: usize) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    let says = |text: &str| text.contains("SAFETY:") || text.contains("# Safety");
    if lines.get(line - 1).is_some_and(|text| says(text)) {
        return true;
    }
    for above in lines[..line - 1].iter().rev().map(|text| text.trim()) {
        if says(above) {
            return true;
        }
        let comment = above.starts_with("//") || above.starts_with("#[");
        if above.is_empty() || (!comment && above.ends_with([';', '}', '{', ','])) {
            return false;
        }
    }
    false
}

/// Every identifier of a source with its line, comments and strings left out.
fn words(text: &str) -> Vec<(usize, String)> {
    fn flatten(tokens: proc_macro2::TokenStream, out: &mut Vec<(usize, String)>) {
        for tree in tokens {
            match tree {
                proc_macro2::TokenTree::Group(group) => flatten(group.stream(), out),
                proc_macro2::TokenTree::Ident(ident) => {
                    out.push((ident.span().start().line, ident.to_string()))
                }
                _ => {}
            }
        }
    }
    let mut out = Vec::new();
    if let Ok(tokens) = text.parse() {
        flatten(tokens, &mut out);
    }
    out
}

/// Files and folders whose name says nothing.
fn names(files: &BTreeMap<String, String>, violations: &mut Vec<Violation>) {
    for path in files.keys() {
        for part in path.split('/') {
            let stem = part.split('.').next().unwrap_or(part);
            if FORBIDDEN.contains(&stem) {
                let words = format!("`{part}`: the name says nothing");
                violations.push(Violation { file: path.clone(), line: 1, rule: "names", words });
            }
        }
    }
}
