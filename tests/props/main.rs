//! Laws, tried on generated values: what is written is read back, the same input gives the same bytes however it
//! comes, and nothing panics on any bytes.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod archive;
mod charts;
mod compress;
mod corpus;
mod layer;
mod model;
mod trees;
