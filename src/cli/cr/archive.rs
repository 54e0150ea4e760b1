//! `lap cr pull` and `push`: images of registries on the disk.

use std::path::PathBuf;

use clap::Args;

use super::{PlatformFlag, begin_with_store, done};
use crate::base::Reference;
use crate::cli::session::{RegistryFlags, reference};
use crate::cli::{Global, Result, output};
use crate::host::fs;
use crate::ops::cr::archive;
use crate::ops::image_save::Shape;

/// Write images into an archive or a layout. They stay in the store too, until it is pruned.
#[derive(Args, Debug)]
pub struct Pull {
    /// The images
    #[arg(value_name = "IMAGE", value_parser = reference, required = true)]
    images: Vec<Reference>,
    /// The file, or with --format oci the folder
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// What to write: tarball (what `docker load` takes), oci (the folder of a layout, lists of images whole) or oci-archive
    #[arg(long, value_name = "FORMAT", default_value = "tarball", value_parser = shape)]
    format: Shape,
    #[command(flatten)]
    platform: PlatformFlag,
    #[command(flatten)]
    registry: RegistryFlags,
}

/// `--format`, in crane's words or in those of `lap image save`.
fn shape(text: &str) -> std::result::Result<Shape, String> {
    match text {
        "tarball" => Ok(Shape::DockerArchive),
        "oci" => Ok(Shape::OciFolder),
        "legacy" => {
            Err("Docker's archives before 1.10 are not made; every Docker since loads `tarball`".into())
        }
        other => other.parse().map_err(|_| format!("`{other}` is none of tarball, oci, oci-archive")),
    }
}

impl Pull {
    pub(super) fn run(self, global: &Global) -> Result {
        let request = archive::Pull {
            images: self.images,
            platform: self.platform.platform,
            shape: self.format,
            output: self.path,
        };
        let (session, door, doors) = begin_with_store(global, &self.registry, "Pulling")?;
        session.block_on(archive::pull(&door, &doors, &request))?;
        done(session)
    }
}

/// Push the image of an archive (of `docker save`, `lap cr pull`, or an OCI archive) or of the folder of a layout.
#[derive(Args, Debug)]
pub struct Push {
    /// The file or folder
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// The name it gets
    #[arg(value_name = "IMAGE", value_parser = reference)]
    image: Reference,
    /// Write what was pushed, NAME@DIGEST, to this file
    #[arg(long, value_name = "FILE")]
    image_refs: Option<PathBuf>,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl Push {
    pub(super) fn run(self, global: &Global) -> Result {
        let (session, door, doors) = begin_with_store(global, &self.registry, "Pushing")?;
        let pushed = session.block_on(archive::push(&door, &doors, self.path, &self.image))?;
        let text = format!("{}@{}", self.image.name(), pushed.digest);
        if let Some(file) = &self.image_refs {
            fs::write_atomic(file, &text)?;
        }
        output::line(&text)?;
        done(session)
    }
}
