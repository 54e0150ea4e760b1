//! `lap cr index append` and `filter`.

use clap::{Args, Subcommand};

use super::{begin, done, print};
use crate::base::{Platform, Reference};
use crate::cli::session::{RegistryFlags, reference};
use crate::cli::{Format, Global, Result};
use crate::ops::cr::index;

/// Make lists of images.
#[derive(Subcommand, Debug)]
pub enum IndexCommand {
    /// Add images to a list
    Append(Append),
    /// Keep of a list what is for some platforms
    Filter(Filter),
}

impl IndexCommand {
    pub(super) fn run(self, global: &Global) -> Result {
        match self {
            Self::Append(command) => command.run(global),
            Self::Filter(command) => command.run(global),
        }
    }
}

/// Where the list goes, and how it is shown.
#[derive(Args, Debug)]
pub struct ListFlags {
    /// The name of the result; without it, it stays in the list's repository and only has a digest
    #[arg(short, long, value_name = "NAME:TAG", value_parser = reference)]
    tag: Option<Reference>,
    /// How to print: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
    #[command(flatten)]
    registry: RegistryFlags,
}

/// Add images to a list. Everything it names is brought into its repository.
#[derive(Args, Debug)]
pub struct Append {
    /// The list; without it, the images make a list of their own
    #[arg(value_name = "LIST", value_parser = reference)]
    base: Option<Reference>,
    /// An image, or a list of which every image is added; may be repeated, or several with commas between
    #[arg(short, long, value_name = "IMAGE", value_parser = reference, value_delimiter = ',')]
    manifest: Vec<Reference>,
    /// Add the images of a list, not the list itself
    #[arg(long, value_name = "true|false", default_value_t = true, num_args = 0..=1, default_missing_value = "true", require_equals = true, action = clap::ArgAction::Set)]
    flatten: bool,
    /// Without LIST, make one of Docker's media type
    #[arg(long)]
    docker_empty_base: bool,
    #[command(flatten)]
    list: ListFlags,
}

impl Append {
    fn run(self, global: &Global) -> Result {
        let ListFlags { tag, output, registry } = self.list;
        let (session, door) = begin(global, &registry, "Adding images")?;
        let request = index::Append {
            base: self.base,
            manifests: self.manifest,
            flatten: self.flatten,
            docker: self.docker_empty_base,
        };
        let made = session.block_on(index::append(&door, &request, tag.as_ref()))?;
        print(output, &made.by_digest, &made)?;
        done(session)
    }
}

/// Keep of a list what is for some platforms.
#[derive(Args, Debug)]
pub struct Filter {
    /// The list
    #[arg(value_name = "LIST", value_parser = reference)]
    list: Reference,
    /// A platform to keep, for example linux/arm64; without a variant, every variant; may be repeated
    #[arg(long, value_name = "PLATFORM", required = true, value_delimiter = ',')]
    platform: Vec<Platform>,
    #[command(flatten)]
    flags: ListFlags,
}

impl Filter {
    fn run(self, global: &Global) -> Result {
        let ListFlags { tag, output, registry } = self.flags;
        let (session, door) = begin(global, &registry, "Reading")?;
        let made = session.block_on(index::filter(&door, &self.list, &self.platform, tag.as_ref()))?;
        print(output, &made.by_digest, &made)?;
        done(session)
    }
}
