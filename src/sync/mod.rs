//! Locks that builders on several machines share, so that two of them do not make the same thing at once.
//!
//! They save work and guard nothing: results are immutable and the first one wins, so a lock that is lost, or a lock server
//! that is gone, costs a second making and never a result. Three kinds of places keep them ([`Address`]): files of this
//! machine, a lock server (ours or werf's, both speak one protocol), and, once there is a cluster to speak to, Kubernetes.
//!
//! [`record`] is pure: what a lock's record becomes when somebody asks for it. `server` keeps records in memory and answers
//! requests; `client` asks, waits and renews. Source of the protocol: werf's lock library lockgate, `distributed_locker`.

mod address;
mod client;
mod error;
pub mod record;
mod server;
mod wire;

pub use address::{Address, InvalidAddress};
pub use client::{Lock, LockServer, Options, ServerOptions};
pub use error::Error;
pub use server::Server;
