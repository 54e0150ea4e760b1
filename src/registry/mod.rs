//! The registry: a client for every registry that speaks the OCI distribution-spec, credentials as Docker and Podman
//! keep them, and an embedded server.
//!
//! - [`wire`] is pure: challenges, scopes, links, ranges, locations, error bodies, retry delays; text in, values out.
//! - [`Client`] acts: it sends requests built from those values and never hangs. Every request has a connect time-out,
//!   a watchdog that ends it when too few bytes moved for too long, and stops when `Context::cancel` does. What may be
//!   repeated is repeated with growing, jittered delays; what a server says about waiting is obeyed within a cap.
//! - [`Credentials`] finds user names and passwords where other tools left them, and keeps what `login` is given.
//! - [`Machine`] is what `registries.conf` and `certs.d` of this machine say of registries.
//! - [`serve`] is a registry of its own, on a directory, for laptops and CI.
//!
//! Invariants: no byte reaches a caller as a whole blob or manifest before its digest was compared; credentials go only
//! to the registry they were stored for and to the token server it names, never over a weaker scheme, and never along a
//! redirect to another host; secrets are registered with `Reporter::secrets` before they are used.
//!
//! Rejected: `oci-client` (no delete, no resume, no retry, a refused mount is an error); transparent decompression
//! (breaks digests); HTTP/2 (all blobs of an image would share one connection and one flow-control window).

mod client;
mod credentials;
mod error;
mod machine;
mod options;
pub mod serve;
mod transfer;
pub mod wire;

pub use client::{BlobStream, Client, DownloadRequest, DownloadSink, Downloaded, RemoteBlob, trusted_roots};
pub use credentials::{Credential, Credentials, Stored};
pub use error::{Answer, Cause, Error, Story};
pub use machine::Machine;
pub use options::{ClientOptions, Mirror, Retry, Timeouts};
pub use transfer::{BlobRequest, BlobSink, BlobSource, FileSource, MemorySink, Pulled, Pushed, Resolved};
