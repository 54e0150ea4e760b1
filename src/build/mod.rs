//! The build engine.

mod doors;
mod error;
pub mod evaluate;
pub mod step;
pub mod transfer;
mod unpacked;

pub use doors::{DoorOptions, Doors, blocking};
pub use error::Error;
pub use unpacked::UnpackedLayers;
