//! One runner over a graph: bounded, cancelling on the first failure, never doing the same work twice at once.

mod flight;
mod runner;

pub use flight::SingleFlight;
pub use runner::run;
