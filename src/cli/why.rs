//! `lap why`.

use std::process::ExitCode;

use clap::Args;

use crate::build::why::{Ended, History};
use crate::cli::{Format, Global, Needs, Result, Session, output};
use crate::ops::why::{Report, Request, run};

/// Say which input made each step of the last build run.
///
/// Each step that ran is compared with the nearest one of earlier builds of the same context and Dockerfile.
#[derive(Args, Debug)]
pub struct Why {
    /// The name of an image, also as werf.yaml calls it, or a part of a step as it is shown, for example 2/5 [default: the
    /// whole last build]
    #[arg(value_name = "IMAGE|STEP")]
    what: Option<String>,
    /// How to print: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

impl Why {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        let session = Session::begin(global, Needs::Process, "Explaining")?;
        let history = History::of(session.store()?.root());
        let report = session.block_on(async { run(&history, &Request { what: self.what }) })?;
        match self.output {
            Format::Json => output::json(&report)?,
            Format::Table => output::text(words(&report))?,
        }
        Ok(session.end(ExitCode::SUCCESS))
    }
}

fn words(report: &Report) -> String {
    let mut text = String::new();
    for step in &report.steps {
        let ended = match step.ended {
            Ended::Unneeded | Ended::Cached => "known",
            Ended::Made => "ran",
            Ended::Unfinished => "did not finish",
        };
        text.push_str(&format!("{}: {ended}\n", step.step));
        for reason in &step.reasons {
            text.push_str(&format!("  because: {reason}\n"));
        }
    }
    if report.steps.is_empty() {
        text.push_str("the build has no steps that make layers\n");
    }
    text
}
