//! `lap helm pull` and `lap helm push`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::connection::{ChartFlags, ServerFlags, wait};
use super::print;
use crate::cli::Result;
use crate::ops::helm::verify::Check;
use crate::ops::helm::{Home, Settings, pull, push};
use crate::report::Context;

/// Fetch charts from repositories and registries.
#[derive(Args, Debug)]
pub struct Pull {
    /// The charts: REPOSITORY/CHART, an address, or oci://REGISTRY/CHART
    #[arg(required = true)]
    charts: Vec<String>,
    #[command(flatten)]
    chart: ChartFlags,
    /// Unpack it
    #[arg(long)]
    untar: bool,
    /// The folder to unpack it in, below the destination
    #[arg(long, value_name = "DIR", default_value = ".")]
    untardir: PathBuf,
    /// The folder for it
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    destination: PathBuf,
    /// Fetch the signature too, without checking it
    #[arg(long)]
    prov: bool,
}

impl Pull {
    /// Runs the command.
    pub fn run(self, cx: &Context, home: &Home, settings: &Settings) -> Result {
        for chart in &self.charts {
            let mut wanted = self.chart.wanted(settings, chart);
            if self.prov && wanted.check == Check::Never {
                wanted.check = Check::Later;
            }
            let untar = self.untar.then(|| self.untardir.clone());
            let request = pull::Request { wanted, destination: self.destination.clone(), untar };
            let said = wait(pull::run(cx, home, settings, &request))?;
            if settings.compat.is_3() {
                super::say(&said);
            } else {
                print(said.as_bytes())?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Put a chart into a registry.
#[derive(Args, Debug)]
pub struct Push {
    /// The archive
    chart: PathBuf,
    /// Where to: oci://REGISTRY/PATH
    remote: String,
    #[command(flatten)]
    server: ServerFlags,
}

impl Push {
    /// Runs the command.
    pub fn run(self, cx: &Context, home: &Home, settings: &Settings) -> Result {
        let request = push::Request {
            chart: self.chart,
            remote: self.remote,
            trust: self.server.trust(),
            plain_http: self.server.plain_http(),
        };
        let said = wait(push::run(cx, home, settings, &request))?;
        if settings.compat.is_3() {
            super::say(&said);
        } else {
            print(said.as_bytes())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
