//! `HEALTHCHECK`.

use std::time::Duration;

use crate::dockerfile::command::CommandLine;

/// `HEALTHCHECK NONE` or `HEALTHCHECK [flags] CMD …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healthcheck {
    /// No check, also not the base's.
    None,
    /// A check.
    Command(HealthcheckCommand),
}

/// The check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthcheckCommand {
    /// What to run; never an empty argv.
    pub command: CommandLine,
    /// `--interval`; zero means inherit.
    pub interval: Duration,
    /// `--timeout`; zero means inherit.
    pub timeout: Duration,
    /// `--start-period`; zero means inherit.
    pub start_period: Duration,
    /// `--start-interval`; zero means inherit.
    pub start_interval: Duration,
    /// `--retries`; zero means inherit.
    pub retries: u32,
}
