//! What happens when the others fail: broken registries, hostile archives.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod archives;
mod registry;
mod tar;
mod yard;
