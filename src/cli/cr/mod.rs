//! `lap cr`: images in container registries, looked at, copied and changed there.

mod archive;
mod change;
mod copy;
mod files;
mod index;
mod login;
mod look;

use std::process::ExitCode;

use clap::{Args, Subcommand};

pub(in crate::cli) use login::{ask, from_stdin, read_shown};

use crate::base::{Failure, Kind, Platform};
use crate::build::Doors;
use crate::cli::session::RegistryFlags;
use crate::cli::{Format, Global, Needs, Result, Session, output};
use crate::ops::cr::Door;
use crate::registry::Client;

/// Look at, copy and change images in container registries.
#[derive(Subcommand, Debug)]
pub enum CrCommand {
    /// Log in to a registry and keep the password where Docker keeps it
    Login(login::Login),
    /// Forget the password of a registry
    Logout(login::Logout),
    /// Log in, log out, or print who we are to a registry
    #[command(subcommand)]
    Auth(login::Auth),
    /// List the tags of a repository
    #[command(visible_alias = "tags")]
    Ls(look::Ls),
    /// List the repositories of a registry
    Catalog(look::Catalog),
    /// Print the digest of an image
    Digest(look::Digest),
    /// Print the manifest of an image
    Manifest(look::Manifest),
    /// Print the configuration of an image
    Config(look::Config),
    /// Write a blob to standard output
    Blob(look::Blob),
    /// Copy an image from one name to another, whatever registries they are in
    #[command(visible_alias = "cp")]
    Copy(copy::Copy),
    /// Write images of registries into an archive or a layout
    Pull(archive::Pull),
    /// Push the image of an archive or a layout
    Push(archive::Push),
    /// Give an image another tag in its repository
    Tag(copy::Tag),
    /// Remove a tag, or by digest an image
    Delete(copy::Delete),
    /// List the files of an image
    #[command(name = "ls-files")]
    LsFiles(files::LsFiles),
    /// Write files of an image to standard output
    Cat(files::Cat),
    /// Write the file system of an image as a tar archive
    Export(files::Export),
    /// Add layers to an image
    Append(change::Append),
    /// Change the configuration of an image
    Mutate(Box<change::Mutate>),
    /// Merge the layers of an image into one
    Flatten(change::Flatten),
    /// Replace the base of an image by another
    Rebase(change::Rebase),
    /// Make lists of images
    #[command(subcommand)]
    Index(index::IndexCommand),
    /// Look whether an image is whole
    Validate(files::Validate),
    /// Print the version
    Version,
    /// Left out: says what to do instead
    #[command(hide = true)]
    Optimize(Optimize),
}

impl CrCommand {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        match self {
            Self::Login(command) => command.run(global),
            Self::Logout(command) => command.run(global),
            Self::Auth(command) => command.run(global),
            Self::Ls(command) => command.run(global),
            Self::Catalog(command) => command.run(global),
            Self::Digest(command) => command.run(global),
            Self::Manifest(command) => command.run(global),
            Self::Config(command) => command.run(global),
            Self::Blob(command) => command.run(global),
            Self::Copy(command) => command.run(global),
            Self::Pull(command) => command.run(global),
            Self::Push(command) => command.run(global),
            Self::Tag(command) => command.run(global),
            Self::Delete(command) => command.run(global),
            Self::LsFiles(command) => command.run(global),
            Self::Cat(command) => command.run(global),
            Self::Export(command) => command.run(global),
            Self::Append(command) => command.run(global),
            Self::Mutate(command) => command.run(global),
            Self::Flatten(command) => command.run(global),
            Self::Rebase(command) => command.run(global),
            Self::Index(command) => command.run(global),
            Self::Validate(command) => command.run(global),
            Self::Version => {
                output::line(env!("CARGO_PKG_VERSION"))?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Optimize(_) => Err(Failure::new(Kind::Usage, "optimize an image")
                .because("rewriting layers for lazy pulling (eStargz) is left out: it changes every layer's digest")
                .hint("`lap cr flatten` makes one layer of many; `lap image build -o …,compression=zstd` makes smaller ones")),
        }
    }
}

/// What is left out.
#[derive(Args, Debug)]
pub struct Optimize {
    /// Whatever is said
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _rest: Vec<String>,
}

/// Which image of several.
#[derive(Args, Debug)]
pub struct PlatformFlag {
    /// The image for this platform, for example linux/arm64
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
}

/// Begins a command that speaks to registries.
fn begin(global: &Global, flags: &RegistryFlags, doing: &'static str) -> Result<(Session, Door)> {
    let session = Session::begin(global, Needs::Process, doing)?;
    let door = Door { cx: session.cx.clone(), client: Client::new(flags.options()) };
    Ok((session, door))
}

/// The same for a command that needs the store too.
fn begin_with_store(
    global: &Global,
    flags: &RegistryFlags,
    doing: &'static str,
) -> Result<(Session, Door, Doors)> {
    let session = Session::begin(global, Needs::Process, doing)?;
    let doors = session.doors(flags.options())?;
    let door = Door { cx: session.cx.clone(), client: doors.registry().clone() };
    Ok((session, door, doors))
}

/// Prints one text, or as JSON what it belongs to.
fn print(format: Format, text: &str, json: &impl serde::Serialize) -> Result<()> {
    match format {
        Format::Table => output::line(text),
        Format::Json => output::json(json),
    }
}

fn done(session: Session) -> Result {
    Ok(session.end(ExitCode::SUCCESS))
}
