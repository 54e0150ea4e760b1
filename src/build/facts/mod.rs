//! What a build has to know before it can be planned: read here, decided elsewhere.

pub mod agents;
pub mod bases;
pub mod context;
pub mod contexts;
pub mod definition;
mod downloads;
pub mod fetched;
pub mod gittree;
mod repositories;
pub mod secrets;
pub mod selection;

pub use bases::BaseImage;
pub use context::ContextTree;
pub use definition::Definition;
pub use gittree::{GitInputs, GitTree};
