//! `lap helm show`.

use clap::{Args, Subcommand};

use super::connection::{ChartFlags, wait};
use super::{print, warn};
use crate::cli::Result;
use crate::ops::helm::show::{Part, run};
use crate::ops::helm::{Home, Settings, source};
use crate::report::Context;

/// Show parts of a chart.
#[derive(Subcommand, Debug)]
pub enum Show {
    /// Show all of it
    All(Of),
    /// Show Chart.yaml
    Chart(Of),
    /// Show values.yaml
    Values(Of),
    /// Show the README
    Readme(Of),
    /// Show the custom resource definitions
    #[command(alias = "crd")]
    Crds(Of),
}

/// The chart.
#[derive(Args, Debug)]
pub struct Of {
    /// A folder, an archive, REPOSITORY/CHART or an address
    #[arg(value_name = "CHART")]
    chart: String,
    #[command(flatten)]
    flags: ChartFlags,
}

impl Show {
    /// Runs the command.
    pub fn run(self, cx: &Context, home: &Home, settings: &Settings) -> Result {
        let (part, of) = match self {
            Self::All(of) => (Part::All, of),
            Self::Chart(of) => (Part::Chart, of),
            Self::Values(of) => (Part::Values, of),
            Self::Readme(of) => (Part::Readme, of),
            Self::Crds(of) => (Part::Crds, of),
        };
        let chart = wait(source::locate(cx, home, &of.flags.wanted(&of.chart)))?;
        let (out, warnings) = run(settings, &chart, part)?;
        warn(&warnings);
        print(&out)?;
        Ok(std::process::ExitCode::SUCCESS)
    }
}
