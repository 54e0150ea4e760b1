//! `lap image pull`.

use std::process::ExitCode;

use clap::Args;

use crate::base::{Platform, Reference};
use crate::build::transfer::{PullRequest, pull};
use crate::cli::session::{RegistryFlags, reference};
use crate::cli::{Global, Needs, Result, Session, output};

/// Pull an image into the store.
#[derive(Args, Debug)]
pub struct Pull {
    /// The image
    #[arg(value_name = "IMAGE", value_parser = reference)]
    image: Reference,
    /// Which of its platforms, for example linux/arm64 [default: this machine's]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// Print only the digest
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl Pull {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        let session = Session::begin(global, Needs::Process, "Pulling")?;
        let doors = session.doors(self.registry.options())?;
        let platform = self.platform.unwrap_or_else(Platform::host);
        let request = PullRequest { reference: self.image.clone(), platform, unpack: false };
        let pulled = session.block_on(async { Ok(pull(&session.cx, &doors, &request).await?) })?;
        match self.quiet {
            true => output::line(pulled.digest.to_string())?,
            false => output::line(format!("{}@{}", self.image.familiar(), pulled.digest))?,
        }
        Ok(session.end(ExitCode::SUCCESS))
    }
}
