//! What a build has to know before it can be planned: read here, decided elsewhere.

pub mod agents;
pub mod bases;
pub mod context;
pub mod definition;
pub mod secrets;

pub use bases::BaseImage;
pub use context::ContextTree;
pub use definition::Definition;
