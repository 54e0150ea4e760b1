//! `lap image du`.

use std::process::ExitCode;

use clap::Args;

use crate::cli::{Format, Global, Needs, Result, Session, output};
use crate::ops::image_du::{Report, Room, run};
use crate::registry::ClientOptions;
use crate::ui::{self, Table};

/// Show how much room the store takes, and for what.
#[derive(Args, Debug)]
pub struct Du {
    /// Show every image
    #[arg(short, long)]
    verbose: bool,
    /// Print only the number of bytes in all
    #[arg(short, long, conflicts_with = "output")]
    quiet: bool,
    /// How to print: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

impl Du {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        let session = Session::begin(global, Needs::Namespace, "Measuring")?;
        let doors = session.doors(ClientOptions::default())?;
        let (snapshots, cache_mounts) = (doors.snapshots()?, doors.cache_mounts()?);
        let report =
            session.block_on(async { run(doors.store(), &snapshots, &doors.records(), &cache_mounts) })?;
        match self.output {
            _ if self.quiet => {
                let rooms = [&report.blobs, &report.layers, &report.partials, &report.cache_mounts]
                    .map(|room| room.bytes);
                output::line((rooms.iter().sum::<u64>() + report.database_bytes).to_string())?;
            }
            Format::Json => output::json(&report)?,
            Format::Table => output::text(words(&report, self.verbose))?,
        }
        Ok(session.end(ExitCode::SUCCESS))
    }
}

fn words(report: &Report, verbose: bool) -> String {
    let mut table = Table::new(&["KIND", ">COUNT", ">SIZE", ">NO IMAGE NEEDS"]);
    let mut row = |kind: &str, room: &Room| {
        table.row([kind, &room.count.to_string(), &ui::size(room.bytes), &ui::size(room.unneeded_bytes)]);
    };
    row("blobs", &report.blobs);
    row("unpacked layers", &report.layers);
    row("partial downloads", &report.partials);
    row("cache mounts", &report.cache_mounts);
    table.row(["cache records", &report.records.to_string(), "", ""]);
    table.row(["database", "1", &ui::size(report.database_bytes), ""]);
    let mut text = table.render();
    if verbose {
        let mut images = Table::new(&["IMAGE", ">SIZE", ">ITS OWN"]);
        for image in &report.images {
            images.row([image.name.as_str(), &ui::size(image.bytes), &ui::size(image.unique_bytes)]);
        }
        text.push('\n');
        text.push_str(&images.render());
    }
    text
}
