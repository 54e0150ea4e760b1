//! What happens when the others fail: broken registries, hostile archives, images, Dockerfiles and contexts.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod archives;
mod contexts;
mod dockerfiles;
mod images;
#[path = "../build/lab.rs"]
#[allow(dead_code, reason = "the tests of builds use all of it")]
mod lab;
mod registry;
mod servers;
mod tar;
mod web;
mod yard;
