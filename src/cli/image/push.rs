//! `lap image push`.

use std::process::ExitCode;

use clap::Args;

use crate::base::Reference;
use crate::cli::session::{RegistryFlags, reference};
use crate::cli::{Global, Needs, Result, Session, output};
use crate::oci::compress::Compression;
use crate::ops;

/// Push an image of the store to a registry.
#[derive(Args, Debug)]
pub struct Push {
    /// The image: its name in the store, which says where to
    #[arg(value_name = "IMAGE", value_parser = reference)]
    image: Reference,
    /// Push it under this name instead
    #[arg(value_name = "TARGET", value_parser = reference)]
    target: Option<Reference>,
    /// How layers made here are compressed: gzip, zstd or uncompressed, with a level after a colon (zstd:9)
    #[arg(long, value_name = "KIND", default_value = "gzip")]
    compression: Compression,
    /// Print only the digest
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl Push {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        // Layers that were made here are read where they lie unpacked, whoever owns their files.
        let session = Session::begin(global, Needs::Namespace, "Pushing")?;
        let doors = session.doors(self.registry.options())?;
        let target = self.target.unwrap_or_else(|| self.image.clone());
        let request = ops::image_push::Request {
            image: self.image,
            target: target.clone(),
            compression: self.compression,
        };
        let report = session.block_on(ops::image_push::run(&session.cx, &doors, &request))?;
        let digest = report.manifest.digest.to_string();
        output::line(if self.quiet { digest } else { format!("{}@{digest}", target.familiar()) })?;
        Ok(session.end(ExitCode::SUCCESS))
    }
}
