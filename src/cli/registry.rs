//! `lap registry`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::base::{Failure, Kind};
use crate::cli::{Global, Needs, Result, Session, output};
use crate::host;
use crate::ops::registry_serve::{Request, run};
use crate::registry::serve::Options;

/// A registry of your own.
#[derive(Subcommand, Debug)]
pub enum RegistryCommand {
    /// Serve a directory as a registry until interrupted
    Serve(Serve),
}

impl RegistryCommand {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        match self {
            Self::Serve(command) => command.run(global),
        }
    }
}

/// Serve a directory as a registry, over plain http, until interrupted. Prints the address once it can be reached.
#[derive(Args, Debug)]
pub struct Serve {
    /// Where to listen, ADDRESS:PORT; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5000")]
    addr: SocketAddr,
    /// The directory with the repositories [default: lapstrake-registry in the XDG data folder]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Let nobody change anything
    #[arg(long)]
    read_only: bool,
}

impl Serve {
    fn run(self, global: &Global) -> Result {
        let session = Session::begin(global, Needs::Process, "Serving")?;
        let root = match self.root {
            Some(root) => root,
            None => default_root()?,
        };
        let options = Options { read_only: self.read_only, ..Options::default() };
        let request = Request { addr: self.addr, root, options };
        session.block_on(run(&session.cx, &request, |addr| output::line(addr.to_string())))?;
        Ok(session.end(ExitCode::SUCCESS))
    }
}

fn default_root() -> Result<PathBuf> {
    let data = host::env::data_home().ok_or_else(|| {
        Failure::new(Kind::Environment, "find the directory of the registry")
            .because("neither XDG_DATA_HOME nor HOME is set")
            .hint("name it with --root")
    })?;
    Ok(data.join("lapstrake-registry"))
}
