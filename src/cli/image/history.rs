//! `lap image history`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::base::Platform;
use crate::cli::image::ls::age;
use crate::cli::{Format, Global, Needs, Result, Session, output};
use crate::ops::image_history::{Request, Step, run};
use crate::ui::{self, Table};

/// Longer instructions are cut in the table.
const LONGEST: usize = 60;

/// Show how an image came about.
#[derive(Args, Debug)]
pub struct History {
    /// Name, id or digest of the image, or the beginning of an id or digest
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Of several platforms, which, for example linux/arm64 [default: this machine's]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// Show instructions in full
    #[arg(long)]
    no_trunc: bool,
    /// Print only the digests of the layers, newest first
    #[arg(short, long, conflicts_with = "output")]
    quiet: bool,
    /// How to print: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

impl History {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        let session = Session::begin(global, Needs::Process, "Looking")?;
        let store = session.store()?;
        let request = Request { image: self.image.clone(), platform: self.platform.clone() };
        let steps = session.block_on(async { run(&store, &request) })?;
        if self.quiet {
            steps.iter().filter_map(|step| step.layer.as_ref()).try_for_each(output::line)?;
        } else {
            match self.output {
                Format::Json => output::json(&steps)?,
                Format::Table => output::text(table(&steps, session.cx.clock.now(), self.no_trunc))?,
            }
        }
        Ok(session.end(ExitCode::SUCCESS))
    }
}

fn table(steps: &[Step], now: Duration, whole: bool) -> String {
    let mut table = Table::new(&["CREATED", "CREATED BY", ">SIZE", "COMMENT"]);
    for step in steps {
        let created = step.created.as_deref().map(|created| age(created, now)).unwrap_or_default();
        let mut instruction: String = step.created_by.split_whitespace().collect::<Vec<_>>().join(" ");
        if !whole && instruction.chars().count() > LONGEST {
            instruction = instruction.chars().take(LONGEST - 1).chain(['…']).collect();
        }
        table.row([created.as_str(), &instruction, &ui::size(step.size), &step.comment]);
    }
    table.render()
}
