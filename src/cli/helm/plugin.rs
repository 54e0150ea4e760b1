//! `lap helm plugin`: plugins are not run, and this says so.

use std::process::ExitCode;

use clap::Args;

use crate::base::{Failure, Kind};
use crate::cli::{Result, output};
use crate::host::{env, fs};

/// Say what became of plugins.
#[derive(Args, Debug)]
pub struct Plugin {
    /// `list` names the plugins that Helm would run
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Plugin {
    /// Runs the command.
    pub fn run(self) -> Result {
        match self.arguments.first().map(String::as_str) {
            Some("list" | "ls") => {
                output::line("NAME\tVERSION\tDESCRIPTION")?;
                for name in installed() {
                    output::line(format!("{name}\t-\tnot run by lap"))?;
                }
                Ok(ExitCode::SUCCESS)
            }
            _ => Err(Failure::new(Kind::Usage, "work with plugins of Helm")
                .because("lap does not run plugins of Helm")
                .hint("`lap helm plugin list` names those that are installed")),
        }
    }
}

fn installed() -> Vec<String> {
    let data = env::path("HELM_DATA_HOME").or_else(|| env::data_home().map(|home| home.join("helm")));
    let folder = env::path("HELM_PLUGINS").or_else(|| data.map(|data| data.join("plugins")));
    let entries = folder.and_then(|folder| fs::read_dir(folder).ok()).unwrap_or_default();
    let plugins = entries.into_iter().filter(|entry| fs::exists(entry.path().join("plugin.yaml")));
    plugins.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
