//! `lap helm lint`.

use clap::Args;

use super::flags::ValueFlags;
use super::{end, print, warn};
use crate::base::{Failure, Kind};
use crate::cli::Result;
use crate::ops::helm::Settings;
use crate::ops::helm::lint::{Request, run};
use crate::report::Context;

/// Look for what is wrong with charts.
#[derive(Args, Debug)]
pub struct Lint {
    /// Folders and archives of charts
    #[arg(value_name = "CHART")]
    paths: Vec<String>,
    #[command(flatten)]
    values: ValueFlags,
    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
    /// Only show warnings and errors
    #[arg(long)]
    quiet: bool,
    /// Also look at the charts below
    #[arg(long)]
    with_subcharts: bool,
    /// Do not check values against schemas
    #[arg(long)]
    skip_schema_validation: bool,
    /// The Kubernetes version for capabilities and deprecations
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,
}

impl Lint {
    /// Runs the command.
    pub fn run(self, cx: &Context, settings: &Settings) -> Result {
        let mut paths = self.paths;
        if paths.is_empty() {
            if !settings.compat.is_3() {
                return Err(Failure::new(Kind::Usage, "look at charts")
                    .because("\"helm lint\" requires at least 1 argument")
                    .hint("name a folder, for example `.`"));
            }
            paths.push(".".to_owned());
        }
        let request = Request {
            paths,
            values: self.values.given()?,
            strict: self.strict,
            quiet: self.quiet,
            with_subcharts: self.with_subcharts,
            skip_schema: self.skip_schema_validation,
            kube_version: self.kube_version,
        };
        let report = run(cx, settings, &request)?;
        warn(&report.warnings);
        print(report.output.as_bytes())?;
        end(report.failure)
    }
}
