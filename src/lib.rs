//! Lapstrake builds container images from Dockerfiles and delivers them to Kubernetes with nothing but itself.
//!
//! The folders are layers; each may import only lower ones (`tests/architecture.rs` enforces it):
//!
//! | layer | folders |
//! |---|---|
//! | edge | [`cli`] [`ui`] |
//! | use | [`ops`] |
//! | engines | [`build`] |
//! | services | [`registry`] [`content`] [`snapshot`] [`stages`] [`sandbox`] [`git`] [`sync`] |
//! | models | [`oci`] [`chart`] [`project`] |
//! | languages | [`yaml`] [`template`] [`dockerfile`] |
//! | floor | [`report`] [`host`] [`schedule`] |
//! | base | [`base`] |

#![forbid(unsafe_code)]

pub mod base;
pub mod build;
pub mod chart;
pub mod chartrepo;
pub mod cli;
pub mod content;
pub mod dockerfile;
pub mod git;
pub mod host;
pub mod oci;
pub mod ops;
pub mod project;
pub mod registry;
pub mod report;
pub mod sandbox;
pub mod schedule;
pub mod snapshot;
pub mod stages;
pub mod sync;
pub mod template;
pub mod ui;
pub mod yaml;
