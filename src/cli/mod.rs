//! The command line: arguments become requests, reports become words, failures become exit codes.
//!
//! One file per command; each has its clap `Args` and one `run`. Nothing below this folder knows clap.

mod build;
mod config;
mod cr;
mod doctor;
mod helm;
mod image;
mod includes;
mod output;
mod project;
mod project_images;
mod registry;
mod session;
mod synchronization;
mod why;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::base::Failure;
use crate::host;
use crate::ui::{self, Choice, LogFormat, Progress};

use output::Format;
use session::{Needs, Session};

type Result<T = ExitCode> = std::result::Result<T, Failure>;

/// Build container images from Dockerfiles and deliver them, with no daemon and no root.
#[derive(Parser, Debug)]
#[command(name = "lap", version, max_term_width = 110, arg_required_else_help = true)]
struct Lap {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command.
#[derive(Args, Debug, Clone)]
pub(crate) struct Global {
    /// How to show what happens: auto, plain, tty, quiet, rawjson or none [env: LAP_PROGRESS, BUILDKIT_PROGRESS]
    #[arg(long, global = true, value_name = "KIND", help_heading = "Global options")]
    progress: Option<Progress>,
    /// How progress and errors are written: text or json
    #[arg(long, global = true, value_name = "FORMAT", env = "LAP_LOG_FORMAT", default_value = "text")]
    #[arg(help_heading = "Global options", hide_env_values = true)]
    log_format: LogFormat,
    /// How many steps may run at once [default: number of processors]
    #[arg(long, global = true, value_name = "N", env = "LAP_JOBS", help_heading = "Global options")]
    #[arg(hide_env_values = true)]
    jobs: Option<std::num::NonZeroUsize>,
    /// Refuse layers and archives that are larger than this once decompressed (bytes, or with K, M, G) [default: 64G]
    #[arg(long, global = true, value_name = "SIZE", env = "LAP_MAX_LAYER_SIZE", value_parser = size)]
    #[arg(help_heading = "Global options", hide_env_values = true)]
    max_layer_size: Option<u64>,
    /// Refuse layers and archives with more entries than this [default: 20000000]
    #[arg(
        long,
        global = true,
        value_name = "N",
        env = "LAP_MAX_LAYER_ENTRIES",
        help_heading = "Global options"
    )]
    #[arg(hide_env_values = true)]
    max_layer_entries: Option<u64>,
}

/// A number of bytes, with a letter for its power of 1024.
fn size(text: &str) -> std::result::Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let power = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => Some(0),
        "K" | "KB" | "KIB" => Some(10),
        "M" | "MB" | "MIB" => Some(20),
        "G" | "GB" | "GIB" => Some(30),
        "T" | "TB" | "TIB" => Some(40),
        _ => None,
    };
    let number = power.and_then(|power| digits.parse::<u64>().ok()?.checked_mul(1 << power));
    number.ok_or_else(|| "write a number of bytes, or one with K, M, G or T behind it".into())
}

impl Global {
    fn choice(&self) -> Choice {
        Choice { progress: self.progress, log_format: self.log_format }
    }
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Build, run and keep images
    #[command(subcommand)]
    Image(Box<image::ImageCommand>),
    /// Build the images of a project
    Build(Box<build::Build>),
    /// Run a command in an image of the project
    Run(Box<project_images::Run>),
    /// Copy final images under names of their own
    Export(Box<project_images::Export>),
    /// Look at what images consist of
    #[command(subcommand)]
    Stage(Box<project_images::StageCommand>),
    /// Names of images that the repository is known to have
    #[command(subcommand)]
    ManagedImages(Box<project_images::ManagedCommand>),
    /// Pin base images
    #[command(subcommand)]
    Lock(Box<project_images::LockCommand>),
    /// Show what werf.yaml means, or everything that is wrong with it
    #[command(subcommand)]
    Config(Box<config::ConfigCommand>),
    /// Configuration that other repositories lend a project
    #[command(subcommand)]
    Includes(Box<includes::IncludesCommand>),
    /// Look at, copy and change images in container registries; log in to them
    #[command(subcommand)]
    Cr(Box<cr::CrCommand>),
    /// Serve a registry of your own
    #[command(subcommand)]
    Registry(registry::RegistryCommand),
    /// Serve locks to builders that share a registry
    Synchronization(synchronization::Synchronization),
    /// Render, check and pack charts as Helm does
    Helm(Box<helm::Helm>),
    /// Say which input made each step of the last build run
    Why(why::Why),
    /// Say how steps would run on this machine, and what would make it better
    Doctor(doctor::Doctor),
    /// Print the version
    Version,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    // The far side of a sandbox is this program again; it must not get as far as threads.
    if let Some(code) = rootfs_helpers::dispatch() {
        return code;
    }
    let arguments: Vec<_> = host::env::arguments().collect();
    let parsed = Lap::try_parse_from(&arguments).or_else(|error| match helm::as_helm(&arguments) {
        Some(arguments) => Lap::try_parse_from(arguments),
        None => Err(error),
    });
    let lap = match parsed {
        Ok(lap) => lap,
        Err(error) => {
            // Help and version go to stdout and are no error; clap knows which is which.
            let _ = error.print();
            // Helm ends with 1 whatever is wrong.
            let wrong = if host::env::arguments().nth(1).is_some_and(|a| a == "helm") { 1 } else { 2 };
            return ExitCode::from(if error.use_stderr() { wrong } else { 0 });
        }
    };
    let choice = lap.global.choice();
    match run(lap) {
        Ok(code) => code,
        Err(failure) => {
            ui::show(&failure, choice.log_format);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(lap: Lap) -> Result {
    match lap.command {
        Command::Image(command) => command.run(&lap.global),
        Command::Build(command) => command.run(&lap.global),
        Command::Run(command) => command.run(&lap.global),
        Command::Export(command) => command.run(&lap.global),
        Command::Stage(command) => command.run(&lap.global),
        Command::ManagedImages(command) => command.run(&lap.global),
        Command::Lock(command) => command.run(&lap.global),
        Command::Config(command) => command.run(&lap.global),
        Command::Includes(command) => command.run(&lap.global),
        Command::Cr(command) => command.run(&lap.global),
        Command::Registry(command) => command.run(&lap.global),
        Command::Synchronization(command) => command.run(&lap.global),
        Command::Helm(command) => command.run(&lap.global),
        Command::Why(command) => command.run(&lap.global),
        Command::Doctor(command) => command.run(&lap.global),
        Command::Version => {
            // A reader that went away is no error.
            let _ = writeln!(std::io::stdout(), "lap {}", env!("CARGO_PKG_VERSION"));
            Ok(ExitCode::SUCCESS)
        }
    }
}
