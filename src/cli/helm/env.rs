//! `lap helm env`.

use std::process::ExitCode;

use clap::Args;

use crate::cli::{Result, output};
use crate::ops::helm::{Settings, env};

/// Print the settings that come from the environment.
#[derive(Args, Debug)]
pub struct Env {
    /// Print the value of this variable alone
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

impl Env {
    /// Runs the command.
    pub fn run(self, settings: &Settings) -> Result {
        let all = env::run(settings);
        match &self.name {
            Some(name) => output::line(all.get(name.as_str()).map_or("", String::as_str))?,
            None => {
                for (name, value) in &all {
                    output::line(format!("{name}=\"{value}\""))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
