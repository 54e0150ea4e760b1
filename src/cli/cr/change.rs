//! `lap cr append`, `mutate`, `flatten` and `rebase`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::{PlatformFlag, begin_with_store, done, print};
use crate::base::{Failure, Kind, Platform, Reference};
use crate::cli::session::{RegistryFlags, reference};
use crate::cli::{Format, Global, Result};
use crate::ops::cr::change::{self, Change, Mutation, Request, Target};

/// Where the result goes, and how it is shown.
#[derive(Args, Debug)]
pub struct ResultFlags {
    /// The name of the result; without it, it stays in the image's repository and only has a digest
    #[arg(short, long, alias = "new_tag", value_name = "NAME:TAG", value_parser = reference)]
    tag: Option<Reference>,
    #[command(flatten)]
    platform: PlatformFlag,
    /// How to print: table or json; or a FILE: an archive for Docker to write instead of a registry
    #[arg(short, long, value_name = "FORMAT|FILE", default_value = "table")]
    output: Out,
    #[command(flatten)]
    registry: RegistryFlags,
}

/// `--output`.
#[derive(Clone, Debug)]
enum Out {
    Print(Format),
    File(PathBuf),
}

impl FromStr for Out {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.parse() {
            Ok(format) => Ok(Self::Print(format)),
            Err(_) if text.is_empty() => Err("write table, json or a file".into()),
            Err(_) => Ok(Self::File(text.into())),
        }
    }
}

impl ResultFlags {
    fn run(self, global: &Global, doing: &'static str, image: Option<Reference>, change: Change) -> Result {
        let beside = self.tag.clone().map_or(Target::Beside, Target::Name);
        self.run_to(global, doing, image, (change, beside))
    }

    fn run_to(
        self,
        global: &Global,
        doing: &'static str,
        image: Option<Reference>,
        (change, target): (Change, Target),
    ) -> Result {
        let (session, door, doors) = begin_with_store(global, &self.registry, doing)?;
        let (format, target) = match self.output {
            Out::Print(format) => (Some(format), target),
            Out::File(path) => (None, Target::Archive(path, self.tag)),
        };
        let request = Request { image, platform: self.platform.platform, change, target };
        let made = session.block_on(change::run(&door, &doors, &request))?;
        if let Some(format) = format {
            print(format, &made.by_digest, &made)?;
        }
        done(session)
    }
}

/// Add layers to an image.
#[derive(Args, Debug)]
pub struct Append {
    /// The image; without it the layers make an image of their own
    #[arg(short, long, value_name = "IMAGE", value_parser = reference)]
    base: Option<Reference>,
    /// A tar archive, compressed or not, that becomes a layer; may be repeated, or several with commas between
    #[arg(
        short = 'f',
        long,
        alias = "new_layer",
        value_name = "FILE",
        value_delimiter = ',',
        required = true
    )]
    new_layer: Vec<PathBuf>,
    /// Say in annotations what the result was built on, for `rebase`
    #[arg(long, requires = "base")]
    set_base_image_annotations: bool,
    /// Without --base, make an image of OCI's media types; it is the default
    #[arg(long, conflicts_with_all = ["base", "docker_empty_base"])]
    oci_empty_base: bool,
    /// Without --base, make an image of Docker's media types
    #[arg(long, conflicts_with = "base")]
    docker_empty_base: bool,
    #[command(flatten)]
    result: ResultFlags,
}

impl Append {
    pub(super) fn run(self, global: &Global) -> Result {
        let annotated = self.base.clone().filter(|_| self.set_base_image_annotations);
        let change =
            Change::Append { files: self.new_layer, base: annotated, docker: self.docker_empty_base };
        self.result.run(global, "Adding layers", self.base, change)
    }
}

/// Change the configuration of an image. Its layers are not read.
#[derive(Args, Debug)]
pub struct Mutate {
    /// The image; of a list every image is changed, unless a platform is given
    #[arg(value_name = "IMAGE", value_parser = reference)]
    image: Reference,
    /// An annotation of the manifest; may be repeated
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = pair)]
    annotation: Vec<(String, String)>,
    /// A label; may be repeated
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = pair)]
    label: Vec<(String, String)>,
    /// A variable; may be repeated
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = pair)]
    env: Vec<(String, String)>,
    /// What is run, as words separated by commas; the command is cleared unless --cmd is given too
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    entrypoint: Option<Vec<String>>,
    /// The command, as words separated by commas
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    cmd: Option<Vec<String>>,
    /// Who runs it
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
    /// Where it runs
    #[arg(short, long, value_name = "DIRECTORY")]
    workdir: Option<String>,
    /// A port it listens on, PORT[/PROTOCOL]; may be repeated
    #[arg(long, value_name = "PORT", value_delimiter = ',', value_parser = port)]
    exposed_ports: Vec<String>,
    /// A tar archive that becomes a layer on top; may be repeated, or several with commas between
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    append: Vec<PathBuf>,
    /// Say that it runs on another platform
    #[arg(long, value_name = "PLATFORM")]
    set_platform: Option<Platform>,
    /// The repository where the result stays by its digest, in place of the image's
    #[arg(long, value_name = "REPOSITORY", value_parser = reference, conflicts_with = "tag")]
    repo: Option<Reference>,
    #[command(flatten)]
    result: ResultFlags,
}

impl Mutate {
    pub(super) fn run(self, global: &Global) -> Result {
        let mutation = Mutation {
            append: self.append,
            annotations: self.annotation,
            labels: self.label,
            env: self.env,
            entrypoint: said(self.entrypoint),
            cmd: said(self.cmd),
            user: self.user,
            workdir: self.workdir,
            exposed_ports: self.exposed_ports,
            platform: self.set_platform,
        };
        let change = Change::Mutate(Box::new(mutation));
        match self.repo {
            None => self.result.run(global, "Changing", Some(self.image), change),
            Some(repository) => {
                let target = Target::Repository(repository);
                self.result.run_to(global, "Changing", Some(self.image), (change, target))
            }
        }
    }
}

/// Words that are there: an empty text changes nothing, as with crane.
fn said(words: Option<Vec<String>>) -> Option<Vec<String>> {
    words.filter(|words| words.iter().any(|word| !word.is_empty()))
}

fn pair(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".into()),
    }
}

fn port(text: &str) -> std::result::Result<String, String> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    match number.parse::<u16>() {
        Ok(number) if ["tcp", "udp", "sctp"].contains(&protocol) => Ok(format!("{number}/{protocol}")),
        _ => Err("write PORT or PORT/PROTOCOL, for example 8080 or 53/udp".into()),
    }
}

/// Merge the layers of an image into one.
#[derive(Args, Debug)]
pub struct Flatten {
    /// The image; of a list every image is merged, unless a platform is given
    #[arg(value_name = "IMAGE", value_parser = reference)]
    image: Reference,
    #[command(flatten)]
    result: ResultFlags,
}

impl Flatten {
    pub(super) fn run(self, global: &Global) -> Result {
        self.result.run(global, "Merging layers", Some(self.image), Change::Flatten)
    }
}

/// Replace the base of an image by another, for example one with a fix, without building it again. Its own layers stay as
/// they are: right where they do not depend on what the base had.
#[derive(Args, Debug)]
pub struct Rebase {
    /// The image
    #[arg(value_name = "IMAGE", value_parser = reference)]
    image: Reference,
    /// The base it was built on [default: what its annotation org.opencontainers.image.base.digest says]
    #[arg(long, alias = "old_base", value_name = "IMAGE", value_parser = reference)]
    old_base: Option<Reference>,
    /// The base it gets [default: what its annotation org.opencontainers.image.base.name says]
    #[arg(long, alias = "new_base", value_name = "IMAGE", value_parser = reference)]
    new_base: Option<Reference>,
    #[command(flatten)]
    result: ResultFlags,
}

impl Rebase {
    pub(super) fn run(self, global: &Global) -> Result {
        if self.new_base.is_some() && self.old_base.as_ref() == self.new_base.as_ref() {
            return Err(Failure::new(Kind::Usage, "rebase an image").because("both bases are the same"));
        }
        let change = Change::Rebase { old: self.old_base, new: self.new_base };
        self.result.run(global, "Replacing the base", Some(self.image), change)
    }
}
