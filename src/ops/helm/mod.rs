//! What `lap helm` does, one file per operation. Failures carry Helm's own words as their first cause.

pub mod chart;
pub mod create;
pub mod env;
mod folder;
pub mod lint;
pub mod package;
pub mod settings;
pub mod show;
pub mod template;

pub use chart::{Source, load};
pub use settings::Settings;

use crate::base::{Failure, Kind};

/// A failure with Helm's words as its cause.
pub(crate) fn failed(doing: impl Into<String>, words: impl Into<String>) -> Failure {
    Failure::new(Kind::Config, doing).because(words)
}
