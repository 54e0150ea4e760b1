//! The registry client against two servers: Debian's `docker-registry` and our own, with the same questions; and
//! `skopeo` against our own.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod auth;
mod cli;
mod cr;
mod crane;
mod locks;
mod machine;
mod prompt;
mod protocol;
mod servers;
mod skopeo;
mod suite;
mod tls;
