//! Our output against goldens that the reference tools produced.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod beyond;
mod bounds;
mod charts;
mod checks;
mod dockerfile;
mod evaluate;
mod giterminism;
mod helm;
mod layers;
mod project;
mod template;
mod yaml;
