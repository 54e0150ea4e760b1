//! Projects: what `werf.yaml` and its neighbours mean. Pure: files come in through [`ProjectFiles`], values go out.
//!
//! ```text
//! werf.yaml, .werf/**/*.tmpl   render     one Go template                      → text
//! text                         Config     documents, strict, all problems      → meta document, images
//! werf-giterminism.yaml        Giterminism                                     → what may come from outside the commit
//! werf-includes.yaml, .lock    Include, Locked                                 → configuration of other repositories
//! ```
//!
//! Invariants: nothing that is wrong is passed over, and everything that is wrong is told at once with its line; names
//! and hashes that stand in registries and clusters are werf's, byte for byte.
//!
//! Rejected: serde for the configuration (one error at a time, no lines, no nearest key).

mod cleanup;
mod config;
mod decode;
mod giterminism;
mod glob;
pub mod hash;
mod image;
mod includes;
mod meta;
mod render;
pub mod slug;
mod slug_letters;
mod spec;

pub use cleanup::{Cleanup, KeepPolicy, Limit, NamePattern, ReferenceKind};
pub use config::Config;
pub use decode::Problem;
pub use giterminism::{FILE as GITERMINISM_FILE, Giterminism, Outside, Violation};
pub use glob::Glob;
pub use image::{Dependency, Image, Import, ImportKind, Secret, SecretSource};
pub use includes::{FILE as INCLUDES_FILE, Include, IncludeRef, LOCK as INCLUDES_LOCK, Locked};
pub use meta::{BuildDefaults, Deploy, GitWorktree, Meta};
pub use render::{Commit, ProjectFiles, RenderInputs, render};
pub use spec::{HealthcheckSpec, ImageSpec, Matcher};
