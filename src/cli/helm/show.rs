//! `lap helm show`.

use clap::{Args, Subcommand};

use super::connection::{ChartFlags, wait};
use super::{print, warn};
use crate::cli::Result;
use crate::ops::helm::show::{Part, path, run};
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
    Values(Values),
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

/// The chart whose values are shown.
#[derive(Args, Debug)]
pub struct Values {
    #[command(flatten)]
    of: Of,
    /// Show only what this JSONPath template makes of them
    #[arg(long, value_name = "TEMPLATE", default_value = "", hide_default_value = true)]
    jsonpath: String,
}

impl Show {
    /// Runs the command.
    pub fn run(self, cx: &Context, home: &Home, settings: &Settings) -> Result {
        let mut template = String::new();
        let (part, of) = match self {
            Self::All(of) => (Part::All, of),
            Self::Chart(of) => (Part::Chart, of),
            Self::Values(values) => {
                template = values.jsonpath;
                (Part::Values, values.of)
            }
            Self::Readme(of) => (Part::Readme, of),
            Self::Crds(of) => (Part::Crds, of),
        };
        let chart = wait(source::locate(cx, home, &of.flags.wanted(settings, &of.chart)))?;
        let (out, warnings) = match template.as_str() {
            "" => run(settings, &chart, part)?,
            template => path(settings, &chart, template)?,
        };
        warn(&warnings);
        print(&out)?;
        Ok(std::process::ExitCode::SUCCESS)
    }
}
