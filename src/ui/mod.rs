//! Events to pixels.
