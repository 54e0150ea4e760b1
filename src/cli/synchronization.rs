//! `lap synchronization`: a lock server.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;

use clap::Args;

use crate::base::{Failure, Kind};
use crate::cli::{Global, Needs, Result, Session, output};
use crate::host;
use crate::ops::synchronization;

/// The port that builders expect, as werf's server has it.
const PORT: u16 = 55581;

/// Serve locks to builders until interrupted, in the protocol of werf's lock server. Prints the address once it can be
/// reached. Locks are kept in memory; when the server ends, builders go on without them.
#[derive(Args, Debug)]
pub struct Synchronization {
    /// Where to listen, ADDRESS:PORT; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["host", "port"])]
    addr: Option<SocketAddr>,
    /// The IP address to listen on, or localhost [default: localhost] [env: LAP_HOST, WERF_HOST]
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The port to listen on [default: 55581] [env: LAP_PORT, WERF_PORT]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Keep locks in this process, which is the only way [env: LAP_LOCAL, WERF_LOCAL]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    local: Option<bool>,
    /// Keep locks in Kubernetes: not possible yet
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    kubernetes: Option<bool>,
}

impl Synchronization {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        let flag = |given: Option<bool>, name: &str| {
            let words = || {
                variable(name).map(|text| ["1", "true", "yes", "on"].contains(&text.to_lowercase().as_str()))
            };
            given.or_else(words)
        };
        if flag(self.kubernetes, "KUBERNETES") == Some(true) || flag(self.local, "LOCAL") == Some(false) {
            return Err(Failure::new(Kind::Usage, "serve locks")
                .because("locks cannot be kept in Kubernetes yet")
                .hint("leave --kubernetes and --local=false out: locks are then kept in this process"));
        }
        let addr = match self.addr {
            Some(addr) => addr,
            None => address(self.host, self.port)?,
        };
        let session = Session::begin(global, Needs::Process, "Serving locks")?;
        session.block_on(synchronization::run(&session.cx, addr, |addr| output::line(addr.to_string())))?;
        Ok(session.end(ExitCode::SUCCESS))
    }
}

fn variable(name: &str) -> Option<String> {
    ["LAP", "WERF"]
        .iter()
        .find_map(|prefix| host::env::var(&format!("{prefix}_{name}")))
        .filter(|v| !v.is_empty())
}

fn address(host: Option<String>, port: Option<u16>) -> Result<SocketAddr> {
    let fail = || Failure::new(Kind::Usage, "serve locks");
    let host = host.or_else(|| variable("HOST")).unwrap_or_else(|| "localhost".into());
    let port = match (port, variable("PORT")) {
        (Some(port), _) => port,
        (None, Some(text)) => {
            text.parse().map_err(|_| fail().because(format!("{text:?} is no port (LAP_PORT, WERF_PORT)")))?
        }
        (None, None) => PORT,
    };
    if host == "localhost" {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    let ip: IpAddr = host.parse().map_err(|_| {
        fail()
            .because(format!("{host:?} is no IP address"))
            .hint("give the address to listen on, or localhost")
    })?;
    Ok(SocketAddr::new(ip, port))
}
