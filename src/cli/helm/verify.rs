//! `lap helm verify`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::print;
use crate::cli::Result;
use crate::ops::helm::{Settings, verify};
use crate::report::Context;

/// Check that a chart is what somebody signed.
#[derive(Args, Debug)]
pub struct Verify {
    /// The archive; its signature is beside it
    #[arg(value_name = "PATH")]
    chart: PathBuf,
    /// The public keys to check it with [default: GnuPG's pubring.gpg]
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
}

impl Verify {
    /// Runs the command.
    pub fn run(self, cx: &Context, settings: &Settings) -> Result {
        let keyring = self.keyring.unwrap_or_else(|| verify::default_keyring(settings));
        let verified = verify::file(cx, &self.chart, &keyring)?;
        print(verify::said(&verified).as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}
