//! `lap image save`.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::base::{Failure, Kind, Platform};
use crate::build::UnpackedLayers;
use crate::cli::{Global, Needs, Result, Session};
use crate::oci::compress::Compression;
use crate::ops::image_save::{Output, Request, Shape, run};
use crate::registry::ClientOptions;

/// Write images into one file or folder.
#[derive(Args, Debug)]
pub struct Save {
    /// Name, id or digest of an image, or the beginning of an id or digest
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    /// The file, or the folder of oci-dir; `-` is standard output
    #[arg(short, long, value_name = "PATH", default_value = "-")]
    output: PathBuf,
    /// What to write: docker-archive, oci-archive or oci-dir
    #[arg(long, value_name = "FORMAT", default_value = "docker-archive")]
    format: Shape,
    /// Compress layers that are not: gzip[:LEVEL] or zstd[:LEVEL] [default: as they are]
    #[arg(long, value_name = "KIND")]
    compression: Option<Compression>,
    /// Of several platforms, the one Docker is to load [default: this machine's]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
}

impl Save {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        let to_stdout = self.output.as_os_str() == "-";
        if to_stdout && std::io::stdout().is_terminal() {
            return Err(Failure::new(Kind::Usage, "write an archive to a terminal")
                .hint("name a file with -o, or redirect standard output"));
        }
        // Layers that were made here are read where they lie unpacked, whoever owns their files.
        let session = Session::begin(global, Needs::Namespace, "Saving")?;
        let doors = session.doors(ClientOptions::default())?;
        let snapshots = doors.snapshots()?;
        let mut stdout = std::io::stdout().lock();
        let request = Request {
            images: self.images,
            shape: self.format,
            output: if to_stdout { Output::Stream(&mut stdout) } else { Output::Path(self.output) },
            compression: self.compression,
            platform: self.platform,
            unpacked: &UnpackedLayers(&snapshots),
        };
        session.block_on(async { run(&session.cx, doors.store(), request) })?;
        Ok(session.end(ExitCode::SUCCESS))
    }
}
