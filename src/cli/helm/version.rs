//! `lap helm version`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::print;
use crate::base::{Failure, Kind};
use crate::chart::build_info;
use crate::cli::{Result, output};
use crate::ops::helm::Settings;
use crate::template::{Closed, Functions, MissingKey, Session, Templates};

/// Print the version of Helm that lap behaves as.
#[derive(Args, Debug)]
pub struct Version {
    /// Print the number alone
    #[arg(long)]
    short: bool,
    /// Print what this template makes of it
    #[arg(long, value_name = "TEMPLATE", default_value = "", hide_default_value = true)]
    template: String,
    /// The client's version is all there is
    #[arg(short, long, hide = true)]
    #[allow(dead_code, reason = "accepted and without effect, as in Helm")]
    client: bool,
}

impl Version {
    /// Runs the command.
    pub fn run(self, settings: &Settings) -> Result {
        let compat = settings.compat;
        if !self.template.is_empty() {
            let mut templates = Templates::new("_", Arc::new(Functions::builtin()), MissingKey::Invalid);
            let failed = |e: crate::template::Error| {
                Failure::new(Kind::Config, "print the version").because(e.to_string())
            };
            templates.parse("_", self.template.as_bytes()).map_err(failed)?;
            let info = build_info(compat);
            let out = templates.execute("_", &info, &mut Session::new(&Closed)).map_err(failed)?;
            print(&out)?;
        } else if self.short {
            output::line(compat.version())?;
        } else {
            let kube = if compat.is_3() { "" } else { ", KubeClientVersion:\"v1.37\"" };
            output::line(format!(
                "version.BuildInfo{{Version:\"{}\", GitCommit:\"\", GitTreeState:\"clean\", GoVersion:\"{}\"{kube}}}",
                compat.version(),
                compat.go_version()
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
