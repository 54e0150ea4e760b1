//! The build engine.

mod doors;
mod error;
pub mod transfer;
mod unpacked;

pub use doors::{DoorOptions, Doors, blocking};
pub use error::Error;
pub use unpacked::UnpackedLayers;
