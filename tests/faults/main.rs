//! What happens when the others fail: broken registries, hostile archives.

mod registry;
