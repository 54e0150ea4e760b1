//! `lap helm pull` and `lap helm push`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::connection::{ChartFlags, ServerFlags, wait};
use super::print;
use crate::base::{Failure, Kind};
use crate::cli::Result;
use crate::ops::helm::source::Wanted;
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
    /// Check the signature
    #[arg(long)]
    verify: bool,
    /// The public keys to check it with
    #[arg(long, value_name = "FILE", requires = "verify")]
    keyring: Option<PathBuf>,
}

impl Pull {
    /// Runs the command.
    pub fn run(self, cx: &Context, home: &Home, settings: &Settings) -> Result {
        if self.verify || self.keyring.is_some() {
            return Err(Failure::new(Kind::Usage, "check the signature of a chart")
                .because("this version of lap cannot do that while it fetches one")
                .hint("fetch it with --prov and check it with `lap helm verify`"));
        }
        for chart in &self.charts {
            let wanted = Wanted { provenance: self.prov, ..self.chart.wanted(chart) };
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
