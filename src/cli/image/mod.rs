//! `lap image`: build, run and keep images.

mod pull;
mod push;
mod run;

use clap::Subcommand;

use crate::cli::{Global, Result};

/// Build, run and keep images.
#[derive(Subcommand, Debug)]
pub enum ImageCommand {
    /// Pull an image into the store
    Pull(pull::Pull),
    /// Push an image of the store to a registry
    Push(push::Push),
    /// Run a command in an image; what it changes is thrown away
    Run(run::Run),
}

impl ImageCommand {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        match self {
            Self::Pull(command) => command.run(global),
            Self::Push(command) => command.run(global),
            Self::Run(command) => command.run(global),
        }
    }
}
