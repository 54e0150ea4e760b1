//! `lap image load`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::base::Reference;
use crate::cli::session::reference;
use crate::cli::{Format, Global, Needs, Result, Session, output};
use crate::ops::image_load::{Input, Loaded, Request, run};

/// Read images from an archive or a folder into the store.
///
/// Takes archives of `docker save` and `lap image save` and OCI archives, compressed or not, and folders of OCI layouts.
#[derive(Args, Debug)]
pub struct Load {
    /// The archive or folder; `-` is standard input
    #[arg(short, long, value_name = "PATH", default_value = "-")]
    input: PathBuf,
    /// Another name for the image, NAME[:TAG], if the archive holds one; may be repeated
    #[arg(short, long, value_name = "NAME", value_parser = reference)]
    tag: Vec<Reference>,
    /// Print only the digests
    #[arg(short, long, conflicts_with = "output")]
    quiet: bool,
    /// How to print: table or json
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

impl Load {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        let session = Session::begin(global, Needs::Process, "Loading")?;
        let store = session.store()?;
        let mut stdin = std::io::stdin().lock();
        let from_stdin = self.input.as_os_str() == "-";
        let input = if from_stdin { Input::Stream(&mut stdin) } else { Input::Path(self.input) };
        let request = Request { input, names: self.tag };
        let loaded = session.block_on(async { run(&session.cx, &store, request) })?;
        match self.output {
            _ if self.quiet => loaded.iter().try_for_each(|image| output::line(&image.digest))?,
            Format::Json => output::json(&loaded)?,
            Format::Table => loaded.iter().try_for_each(|image| output::text(words(image)))?,
        }
        Ok(session.end(ExitCode::SUCCESS))
    }
}

fn words(image: &Loaded) -> String {
    if image.names.is_empty() {
        // Without a name the next prune removes it.
        let label = image.label.as_ref().map(|label| format!(" ({label})")).unwrap_or_default();
        let hint = "no name yet: give it one with `lap image tag`";
        return format!("loaded {}{label}, {hint}\n", image.digest);
    }
    image.names.iter().map(|name| format!("loaded {}@{}\n", name.familiar(), image.digest)).collect()
}
