//! Running the embedded registry.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::base::Failure;
use crate::registry::serve::{Options, Server};
use crate::report::Context;

/// What to serve, and where.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
    /// The directory with the repositories; made if it is not there.
    pub root: PathBuf,
    /// How it behaves.
    pub options: Options,
}

/// Serves until the context is cancelled. `listening` is told the address once the registry can be reached.
///
/// # Errors
/// If the directory or the address cannot be used.
pub async fn run(
    cx: &Context,
    request: &Request,
    listening: impl FnOnce(SocketAddr) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let server = Server::bind(request.addr, &request.root, request.options, cx.clock.clone()).await?;
    let addr = server.local_addr();
    if !addr.ip().is_loopback() && !request.options.read_only {
        cx.report
            .warn(format!("{addr} is not a loopback address: whoever reaches it can change the registry"));
    }
    listening(addr)?;
    Ok(server.serve(cx.cancel.clone()).await?)
}
