//! `lap config`: what `werf.yaml` means.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::cli::project::ProjectFlags;
use crate::cli::project::refused::{RefusedFlags, Table};
use crate::cli::project::vars::{Vars, switch};
use crate::cli::{Global, Needs, Result, Session, output, project};
use crate::ops;

/// Show what werf.yaml means, or everything that is wrong with it.
#[derive(Subcommand, Debug)]
pub enum ConfigCommand {
    /// Print werf.yaml as its templates render it
    Render(Plain),
    /// Print the names of all images
    List(Filtered),
    /// Print which image needs which
    Graph(Filtered),
    /// Say everything that is wrong with the project: configuration, rules of giterminism, files it names
    Check(Plain),
}

/// A command without flags of its own.
#[derive(Args, Debug)]
pub struct Plain {
    #[command(flatten)]
    project: ProjectFlags,
    #[command(flatten)]
    refused: RefusedFlags<Nothing>,
}

/// A command about images.
#[derive(Args, Debug)]
pub struct Filtered {
    /// Leave out images that are only inputs of others [env: WERF_FINAL_IMAGES_ONLY]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    #[arg(value_name = "BOOL")]
    final_images_only: Option<bool>,
    #[command(flatten)]
    project: ProjectFlags,
    #[command(flatten)]
    refused: RefusedFlags<Nothing>,
}

/// Only what no command about a project has.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl Table for Nothing {
    const FLAGS: &'static [&'static [project::refused::Refused]] = &[project::PROJECT];
}

impl ConfigCommand {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        let (flags, refused) = match &self {
            Self::Render(plain) | Self::Check(plain) => (&plain.project, &plain.refused),
            Self::List(filtered) | Self::Graph(filtered) => (&filtered.project, &filtered.refused),
        };
        let vars = Vars::of_process();
        refused.check(&vars)?;
        let mut global = global.clone();
        let options = flags.options(&mut global, &vars)?;
        let session = Session::begin(&global, Needs::Process, "Reading")?;
        let project = session.block_on(async { ops::project::load(&session.cx, &options) })?;
        if flags.logs_folder(&vars) {
            session.cx.report.note(format!("project: {}", project.reader.folder().display()));
        }
        match &self {
            Self::Render(_) => output::text(&project.rendered)?,
            Self::List(filtered) => {
                let only = vars.off("FINAL_IMAGES_ONLY", filtered.final_images_only);
                let images = project.config.images.iter().filter(|image| image.is_final || !only);
                output::text(images.map(|image| format!("{}\n", image.shown_name())).collect::<String>())?;
            }
            Self::Graph(filtered) => {
                let only = vars.off("FINAL_IMAGES_ONLY", filtered.final_images_only);
                output::text(ops::project::graph(&project.config, only))?;
            }
            Self::Check(_) => {
                let count = ops::project::check(&project)?;
                output::line(format!("{}: nothing is wrong; {count} images", project.path))?;
            }
        }
        Ok(session.end(ExitCode::SUCCESS))
    }
}
