//! Building and running with real parts: namespaces, overlays, BusyBox.
//!
//! Started as root, every test runs twice: as root and as an ordinary user with sub-ids (`lap-test`, made by
//! `tests/prepare`). Started by an ordinary user, the rootful half is left out, and the tests say so.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may stop where it stands")]

mod builders;
mod cache;
mod cachemounts;
mod checks;
mod contexts;
mod copying;
mod crowd;
mod damage;
mod full;
mod goldens;
mod image_run;
mod images;
mod includes;
mod kills;
mod lab;
mod leaving;
mod meddling;
mod mounts;
mod onbuild;
mod outputs;
mod platforms;
mod project;
mod remote;
mod reproducible;
mod running;
mod sandbox;
mod screens;
#[path = "../registry/servers.rs"]
#[allow(dead_code, reason = "the tests of registries use all of it")]
mod servers;
mod stage;
mod timeline;
mod tree;
mod watched;
mod web;
mod why;
