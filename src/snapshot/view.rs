//! Read-only merged trees.

use std::path::Path;

/// A merged tree; goes away when dropped.
pub struct View {}

impl View {
    /// Where it can be read.
    pub fn root(&self) -> &Path {
        unimplemented!()
    }
}
