//! What `lap helm` does, one file per operation. Failures carry Helm's own words as their first cause.

pub mod chart;
pub mod create;
pub mod dependency;
pub mod difference;
pub mod env;
mod folder;
pub mod home;
pub mod known;
pub mod lint;
pub mod output;
pub mod package;
mod post_render;
pub mod pull;
pub mod push;
pub mod repo;
pub mod search;
pub mod sets;
pub mod settings;
pub mod show;
pub mod source;
pub mod template;
mod trouble;
pub mod verify;

pub use chart::{Source, load};
pub use home::Home;
pub use settings::Settings;

use std::path::{Path, PathBuf};

use crate::base::{Failure, Kind};

/// A failure with Helm's words as its cause.
pub(crate) fn failed(doing: impl Into<String>, words: impl Into<String>) -> Failure {
    Failure::new(Kind::Config, doing).because(words)
}

/// A path without `.` and `..`, as far as words can tell.
fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}
