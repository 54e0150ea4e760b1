//! `lap image check`.

use std::process::ExitCode;

use clap::Args;

use crate::build::UnpackedLayers;
use crate::cli::{Format, Global, Needs, Result, Session, output};
use crate::ops::image_check::{Report, Request, run};
use crate::registry::ClientOptions;
use crate::ui;

/// Read every byte of the store and say what is damaged.
///
/// Ends with 1 if something is wrong, or was and is repaired now.
#[derive(Args, Debug)]
pub struct Check {
    /// Remove damaged blobs, and the names of images that miss something
    #[arg(long)]
    repair: bool,
    /// Print nothing, only set the exit code
    #[arg(short, long, conflicts_with = "output")]
    quiet: bool,
    /// How to print: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

impl Check {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        let session = Session::begin(global, Needs::Namespace, "Checking")?;
        let doors = session.doors(ClientOptions::default())?;
        let snapshots = doors.snapshots()?;
        let unpacked = UnpackedLayers(&snapshots);
        let records = doors.records();
        let cache = Some((&*snapshots, &records));
        let request = Request { repair: self.repair, unpacked: &unpacked, cache };
        let report = session.block_on(async { run(&session.cx, doors.store(), &request) })?;
        match self.output {
            _ if self.quiet => {}
            Format::Json => output::json(&report)?,
            Format::Table => output::text(words(&report))?,
        }
        let is_well = report.problems.is_empty();
        Ok(session.end(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
    }
}

fn words(report: &Report) -> String {
    let mut text = String::new();
    for problem in &report.problems {
        text.push_str(&format!("{}: {}: {}\n", problem.kind, problem.subject, problem.message));
        if !problem.images.is_empty() {
            text.push_str(&format!("  images: {}\n", problem.images.join(", ")));
        }
        let verb = if report.repaired { "repaired" } else { "with --repair" };
        text.push_str(&format!("  {verb}: {}\n", problem.remedy));
    }
    text.push_str(&format!(
        "{} blobs ({}), {} unpacked layers and {} images checked, {} problems\n",
        report.blobs,
        ui::size(report.bytes),
        report.layers,
        report.images,
        report.problems.len()
    ));
    text
}
