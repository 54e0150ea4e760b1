//! Running a lock server.

use std::net::SocketAddr;

use crate::base::Failure;
use crate::report::Context;
use crate::sync::Server;

/// Serves locks on `addr` until the context is cancelled. `listening` is told the address once it can be reached.
///
/// # Errors
/// If the address cannot be used.
pub async fn run(
    cx: &Context,
    addr: SocketAddr,
    listening: impl FnOnce(SocketAddr) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let server = Server::bind(addr, &cx.clock).await?;
    listening(server.local_addr())?;
    Ok(server.serve(cx.cancel.clone()).await?)
}
