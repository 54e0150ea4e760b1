//! The far side of the namespace.

pub mod overlay;
pub mod root;
