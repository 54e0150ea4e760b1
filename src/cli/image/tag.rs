//! `lap image tag`.

use std::process::ExitCode;

use clap::Args;

use crate::base::Reference;
use crate::cli::session::reference;
use crate::cli::{Global, Needs, Result, Session, output};
use crate::ops::image_tag::{Request, run};

/// Give an image of the store more names.
#[derive(Args, Debug)]
pub struct Tag {
    /// Name, id or digest of the image, or the beginning of an id or digest
    #[arg(value_name = "IMAGE")]
    image: String,
    /// The new name, NAME[:TAG]; a name that is in use moves
    #[arg(value_name = "NAME", required = true, value_parser = reference)]
    names: Vec<Reference>,
    /// Print nothing
    #[arg(short, long)]
    quiet: bool,
}

impl Tag {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        let session = Session::begin(global, Needs::Process, "Naming")?;
        let store = session.store()?;
        let request = Request { image: self.image, names: self.names };
        let given = session.block_on(async { run(&store, &request) })?;
        if !self.quiet {
            given.iter().try_for_each(|name| output::line(name.familiar()))?;
        }
        Ok(session.end(ExitCode::SUCCESS))
    }
}
