//! `lap image`: build, run and keep images.

mod build;
mod caches;
mod call;
mod check;
mod du;
mod history;
mod inspect;
mod kaniko;
mod keys;
mod limits;
mod load;
mod ls;
mod outputs;
mod prune;
mod pull;
mod push;
mod rm;
mod run;
mod running;
mod save;
mod secrets;
mod summary;
mod tag;

use clap::Subcommand;

use crate::base::{Failure, Kind};
use crate::cli::{Global, Result};

/// Build, run and keep images.
#[derive(Subcommand, Debug)]
pub enum ImageCommand {
    /// Build an image from a Dockerfile
    Build(Box<build::Build>),
    /// Run a command in an image; what it changes is thrown away
    Run(run::Run),
    /// Pull an image into the store
    Pull(pull::Pull),
    /// Push an image of the store to a registry
    Push(push::Push),
    /// List the images of the store
    #[command(visible_alias = "list")]
    Ls(ls::Ls),
    /// Show everything that is known of images
    Inspect(inspect::Inspect),
    /// Show how an image came about
    History(history::History),
    /// Give an image more names
    Tag(tag::Tag),
    /// Take names of images away
    #[command(visible_alias = "remove")]
    Rm(rm::Rm),
    /// Write images into one file or folder
    Save(save::Save),
    /// Read images from an archive or a folder
    Load(load::Load),
    /// Show how much room the store takes
    Du(du::Du),
    /// Remove what no image needs
    Prune(prune::Prune),
    /// Read every byte of the store and say what is damaged
    Check(check::Check),
}

fn usage(message: impl Into<String>, cause: impl Into<String>) -> Failure {
    Failure::new(Kind::Usage, message).because(cause)
}

impl ImageCommand {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        match self {
            Self::Build(command) => command.run(global),
            Self::Run(command) => command.run(global),
            Self::Pull(command) => command.run(global),
            Self::Push(command) => command.run(global),
            Self::Ls(command) => command.run(global),
            Self::Inspect(command) => command.run(global),
            Self::History(command) => command.run(global),
            Self::Tag(command) => command.run(global),
            Self::Rm(command) => command.run(global),
            Self::Save(command) => command.run(global),
            Self::Load(command) => command.run(global),
            Self::Du(command) => command.run(global),
            Self::Prune(command) => command.run(global),
            Self::Check(command) => command.run(global),
        }
    }
}
