//! `lap image prune`.

use std::process::ExitCode;

use clap::Args;

use crate::cli::{Format, Global, Needs, Result, Session, output};
use crate::ops::image_prune::{Places, Report, Request, run};
use crate::registry::ClientOptions;
use crate::ui;

/// Remove what no image needs.
///
/// Images that have a name stay, and so does what the build cache needs to reuse steps. Builds that run meanwhile keep
/// what they use.
#[derive(Args, Debug)]
pub struct Prune {
    /// Remove the build cache and cache mounts too: the next build runs every step
    #[arg(short, long)]
    all: bool,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Print only the number of bytes
    #[arg(short, long, conflicts_with = "output")]
    quiet: bool,
    /// How to print: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

impl Prune {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        // Unpacked layers belong to many users; only inside a namespace can they be removed.
        let session = Session::begin(global, Needs::Namespace, "Pruning")?;
        let doors = session.doors(ClientOptions::default())?;
        let snapshots = doors.snapshots()?;
        let records = doors.records();
        let cache_mounts = doors.cache_mounts()?;
        let places = Places {
            store: doors.store(),
            snapshots: &snapshots,
            records: &records,
            cache_mounts: &cache_mounts,
        };
        let request = Request { all: self.all, dry_run: self.dry_run };
        let report = session.block_on(async { run(&session.cx, &places, request) })?;
        match self.output {
            _ if self.quiet => {
                output::line((report.blob_bytes + report.layer_bytes + report.cache_mount_bytes).to_string())?
            }
            Format::Json => output::json(&report)?,
            Format::Table => output::text(words(&report))?,
        }
        Ok(session.end(ExitCode::SUCCESS))
    }
}

fn words(report: &Report) -> String {
    let done = if report.dry_run { "would remove" } else { "removed" };
    let mut text = format!(
        "{done} {} blobs and {} partial downloads, {}\n{done} {} unpacked layers, {}\n",
        report.blobs.len(),
        report.partials,
        ui::size(report.blob_bytes),
        report.layers.len(),
        ui::size(report.layer_bytes),
    );
    if report.records > 0 {
        text.push_str(&format!("{done} {} records of the build cache\n", report.records));
    }
    if !report.cache_mounts.is_empty() {
        let (count, size) = (report.cache_mounts.len(), ui::size(report.cache_mount_bytes));
        text.push_str(&format!("{done} {count} cache mounts, {size}\n"));
    }
    if report.busy_cache_mounts > 0 {
        text.push_str(&format!("kept {} cache mounts that a build uses\n", report.busy_cache_mounts));
    }
    if report.fetched > 0 {
        text.push_str(&format!("{done} {} fetched files and commits\n", report.fetched));
    }
    if report.busy_layers > 0 {
        text.push_str(&format!("kept {} unpacked layers while another process builds\n", report.busy_layers));
    }
    text
}
