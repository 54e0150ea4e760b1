//! `lap helm package`.

use std::path::PathBuf;

use clap::Args;

use super::warn;
use crate::cli::{Result, output};
use crate::ops::helm::Settings;
use crate::ops::helm::package::{Request, run};

/// Pack charts as archives.
#[derive(Args, Debug)]
pub struct Package {
    /// Folders of charts
    #[arg(required = true, value_name = "CHART")]
    charts: Vec<String>,
    /// Set the chart's version
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Set the application's version
    #[arg(long, value_name = "VERSION")]
    app_version: Option<String>,
    /// Where to write the archives
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    destination: PathBuf,
}

impl Package {
    /// Runs the command.
    pub fn run(self, settings: &Settings) -> Result {
        let request = Request {
            charts: self.charts,
            version: self.version,
            app_version: self.app_version,
            destination: self.destination,
        };
        let warnings = run(settings, &request, &mut |path| {
            output::line(format!("Successfully packaged chart and saved it to: {}", path.display()))
        })?;
        warn(&warnings);
        Ok(std::process::ExitCode::SUCCESS)
    }
}
