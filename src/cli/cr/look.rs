//! `lap cr ls`, `catalog`, `digest`, `manifest`, `config` and `blob`.

use clap::Args;

use super::{PlatformFlag, begin, done, print};
use crate::base::Reference;
use crate::cli::session::{RegistryFlags, reference};
use crate::cli::{Format, Global, Result, output};
use crate::ops::cr::look;

/// List the tags of a repository.
#[derive(Args, Debug)]
pub struct Ls {
    /// The repository
    #[arg(value_name = "REPOSITORY", value_parser = reference)]
    repository: Reference,
    /// Print NAME:TAG instead of the tag alone
    #[arg(long)]
    full_ref: bool,
    /// Leave out tags that are made of a digest (sha256-…), which signatures have
    #[arg(short = 'O', long)]
    omit_digest_tags: bool,
    /// How to print: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl Ls {
    pub(super) fn run(self, global: &Global) -> Result {
        let (session, door) = begin(global, &self.registry, "Listing")?;
        let mut tags = session.block_on(look::tags(&door, &self.repository))?;
        if self.omit_digest_tags {
            tags.retain(|tag| !tag.starts_with("sha256-"));
        }
        if self.full_ref {
            let name = self.repository.name();
            tags = tags.into_iter().map(|tag| format!("{name}:{tag}")).collect();
        }
        list(self.output, &tags)?;
        done(session)
    }
}

fn list(format: Format, names: &[String]) -> Result<()> {
    match format {
        Format::Table => output::text(names.iter().map(|name| format!("{name}\n")).collect::<String>()),
        Format::Json => output::json(&names),
    }
}

/// List the repositories of a registry. Many public registries do not allow it.
#[derive(Args, Debug)]
pub struct Catalog {
    /// The registry, HOST[:PORT]
    #[arg(value_name = "REGISTRY")]
    registry: String,
    /// Print REGISTRY/NAME instead of the name alone
    #[arg(long)]
    full_ref: bool,
    /// How to print: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
    #[command(flatten)]
    flags: RegistryFlags,
}

impl Catalog {
    pub(super) fn run(self, global: &Global) -> Result {
        let (session, door) = begin(global, &self.flags, "Listing")?;
        let mut names = session.block_on(look::catalog(&door, &self.registry))?;
        if self.full_ref {
            names = names.into_iter().map(|name| format!("{}/{name}", self.registry)).collect();
        }
        list(self.output, &names)?;
        done(session)
    }
}

/// Print the digest of an image: of a list of images that of the list, unless a platform is given.
#[derive(Args, Debug)]
pub struct Digest {
    /// The image
    #[arg(value_name = "IMAGE", value_parser = reference)]
    image: Reference,
    #[command(flatten)]
    platform: PlatformFlag,
    /// Print NAME@DIGEST instead of the digest alone
    #[arg(long)]
    full_ref: bool,
    /// How to print: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl Digest {
    pub(super) fn run(self, global: &Global) -> Result {
        let (session, door) = begin(global, &self.registry, "Asking")?;
        let digest = session.block_on(look::digest(&door, &self.image, self.platform.platform.as_ref()))?;
        let text = match self.full_ref {
            true => format!("{}@{digest}", self.image.name()),
            false => digest.clone(),
        };
        let json = serde_json::json!({ "reference": self.image.to_string(), "digest": digest });
        print(self.output, &text, &json)?;
        done(session)
    }
}

/// An image, or one of a list.
#[derive(Args, Debug)]
pub struct OneImage {
    /// The image
    #[arg(value_name = "IMAGE", value_parser = reference)]
    image: Reference,
    #[command(flatten)]
    platform: PlatformFlag,
    #[command(flatten)]
    registry: RegistryFlags,
}

/// Print the manifest of an image, or the list of images, as the registry has it.
#[derive(Args, Debug)]
pub struct Manifest {
    #[command(flatten)]
    one: OneImage,
}

impl Manifest {
    pub(super) fn run(self, global: &Global) -> Result {
        let OneImage { image, platform, registry } = self.one;
        let (session, door) = begin(global, &registry, "Asking")?;
        output::bytes(&session.block_on(look::manifest(&door, &image, platform.platform.as_ref()))?)?;
        done(session)
    }
}

/// Print the configuration of an image as the registry has it: of a list of images that of this machine's platform, unless
/// another is given.
#[derive(Args, Debug)]
pub struct Config {
    #[command(flatten)]
    one: OneImage,
}

impl Config {
    pub(super) fn run(self, global: &Global) -> Result {
        let OneImage { image, platform, registry } = self.one;
        let (session, door) = begin(global, &registry, "Asking")?;
        output::bytes(&session.block_on(look::config(&door, &image, platform.platform.as_ref()))?)?;
        done(session)
    }
}

/// Write a blob to standard output as it is stored: a layer, a configuration, a file of an artifact.
#[derive(Args, Debug)]
pub struct Blob {
    /// The blob, REPOSITORY@DIGEST
    #[arg(value_name = "BLOB", value_parser = reference)]
    blob: Reference,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl Blob {
    pub(super) fn run(self, global: &Global) -> Result {
        let (session, door) = begin(global, &self.registry, "Reading")?;
        session.block_on(look::blob(&door, &self.blob, std::io::stdout()))?;
        done(session)
    }
}
