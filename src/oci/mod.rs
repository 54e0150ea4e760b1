//! The image model: descriptors, manifests, configurations, layer tars, compression and archives. Pure.

pub mod layer;
