//! Layers and images between registries and the store.

pub mod cachemounts;
mod fetch;
mod pull;
mod push;

pub use fetch::{LayerSource, fetch_blob, unpack};
pub use pull::{PullRequest, image_manifest, pull};
pub use push::{PushReport, PushRequest, PushedLayer, push};
