//! The build engine.

mod doors;
mod error;
pub mod transfer;

pub use doors::{DoorOptions, Doors, blocking};
pub use error::Error;
