//! `lap helm create`.

use std::process::ExitCode;

use clap::Args;

use super::warn;
use crate::chart::Compat;
use crate::cli::{Result, output};
use crate::ops::helm::{Settings, create};

/// Write the folder of a new chart.
#[derive(Args, Debug)]
pub struct Create {
    /// The chart's folder; its last part is the name
    #[arg(value_name = "NAME")]
    name: String,
    /// Start from this chart: a name in Helm's folder of starters, or an absolute path
    #[arg(short = 'p', long, value_name = "STARTER")]
    starter: Option<String>,
}

impl Create {
    /// Runs the command.
    pub fn run(self) -> Result {
        output::line(format!("Creating {}", self.name))?;
        let settings = Settings { compat: Compat::Helm4, ..Settings::default() };
        let starter = self.starter.as_deref().filter(|s| !s.is_empty());
        warn(&create::run(&settings, &self.name, starter)?);
        Ok(ExitCode::SUCCESS)
    }
}
