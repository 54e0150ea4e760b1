//! The tables of the house: which folder lies in which layer, where foreign types stop, what is pure, how big things
//! may be.

use std::fmt;

/// Folders under `src/`, lowest layer first.
pub const LAYERS: [&[&str]; 8] = [
    &["base"],
    &["report", "host", "schedule"],
    &["yaml", "template", "dockerfile"],
    &["oci", "chart", "project"],
    &["registry", "content", "snapshot", "stages", "sandbox", "git", "cluster", "chartrepo", "sync"],
    &["build", "deploy", "release", "cleanup", "bundle", "module"],
    &["ops"],
    &["cli", "ui"],
];

/// The only imports allowed within one layer.
pub const ARROWS: [(&str, &str); 8] = [
    ("template", "yaml"),
    ("snapshot", "content"),
    ("stages", "registry"),
    ("stages", "content"),
    ("chartrepo", "registry"),
    ("sandbox", "snapshot"),
    ("deploy", "release"),
    ("cli", "ui"),
];

/// Path prefix → the folders whose own code (tests apart) may name it.
pub const DOORS: [(&str, &[&str]); 20] = [
    ("clap", &["cli"]),
    ("reqwest", &["registry", "chartrepo", "sync"]),
    ("axum", &["registry", "sync"]),
    ("kube", &["cluster"]),
    ("k8s_openapi", &["cluster"]),
    ("gix", &["git"]),
    ("nix", &["host", "sandbox"]),
    ("tar", &["oci", "content", "chart"]),
    ("ocidir", &["oci", "content"]),
    ("rusqlite", &["content"]),
    ("rustix", &["host", "snapshot", "sandbox", "content"]),
    ("std::fs", &["host"]),
    ("std::env", &["host"]),
    ("std::process", &["host"]),
    ("std::time::SystemTime", &["host"]),
    ("std::time::Instant", &["host", "report"]),
    ("rand", &["host"]),
    ("ssh_agent_lib", &["sandbox"]),
    ("rsa", &["sandbox"]),
    ("pgp", &["chart"]),
];

/// Values without an act behind them, although their module is behind a door.
pub const VALUES: [&str; 2] = ["std::env::consts", "std::process::ExitCode"];

/// Folders that take bytes and give values: no files, sockets, clock, processes, threads of a runtime.
pub const PURE: [&str; 7] = ["base", "yaml", "template", "dockerfile", "oci", "chart", "project"];

/// What pure folders may not name.
pub const IMPURE: [&str; 10] = [
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "std::time::SystemTime",
    "std::time::Instant",
    "tokio",
    "rustix",
    "crate::host",
    "crate::report::Context",
];

/// Names that say nothing about what is inside.
pub const FORBIDDEN: [&str; 9] =
    ["core", "common", "util", "utils", "helper", "helpers", "manager", "misc", "legacy"];

/// Lines of one file.
pub const FILE_LINES: usize = 1000;
/// Lines of one function.
pub const FUNCTION_LINES: usize = 100;
/// Parameters of one function, `self` included.
pub const PARAMETERS: usize = 5;

/// A broken rule and where.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Path inside the repository.
    pub file: String,
    /// 1-based.
    pub line: usize,
    /// Which rule.
    pub rule: &'static str,
    /// What is wrong, and what would be right.
    pub words: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.rule, self.words)
    }
}

/// The layer of a folder under `src/`.
pub fn layer(folder: &str) -> Option<usize> {
    LAYERS.iter().position(|folders| folders.contains(&folder))
}

/// Whether code in `from` may import `to`.
pub fn may_import(from: &str, to: &str) -> bool {
    match (layer(from), layer(to)) {
        _ if from == to => true,
        (Some(a), Some(b)) => b < a || (a == b && ARROWS.contains(&(from, to))),
        _ => false,
    }
}
