//! Layers and images between registries and the store.

pub mod cachemounts;
mod departing;
mod fetch;
mod pull;
mod push;
mod source;

pub use departing::{Departing, Departures};
pub use fetch::{fetch, fetch_blob, unpack};
pub use pull::{PullRequest, image_manifest, pull};
pub use push::{Leaving, PushReport, PushRequest, PushedLayer, StoredBlob, compress_all, push, push_layer};
pub use source::{LayerSource, Origin, Sources};
