//! `lap image rm`.

use std::process::ExitCode;

use clap::Args;

use crate::cli::{Format, Global, Needs, Result, Session, output};
use crate::ops::image_rm::{Request, run};

/// Take names of images away; `lap image prune` frees their space after that.
#[derive(Args, Debug)]
pub struct Rm {
    /// Name, id or digest of an image, or the beginning of an id or digest
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    /// Take all names of an image that is given by id
    #[arg(short, long)]
    force: bool,
    /// Print nothing
    #[arg(short, long, conflicts_with = "output")]
    quiet: bool,
    /// How to print: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

impl Rm {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        let session = Session::begin(global, Needs::Process, "Removing")?;
        let store = session.store()?;
        let request = Request { images: self.images, force: self.force };
        let removed = session.block_on(async { run(&store, &request) })?;
        match self.output {
            _ if self.quiet => {}
            Format::Json => output::json(&removed)?,
            Format::Table => {
                removed.iter().try_for_each(|name| output::line(format!("removed {}", name.familiar())))?;
            }
        }
        Ok(session.end(ExitCode::SUCCESS))
    }
}
