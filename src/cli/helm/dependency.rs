//! `lap helm dependency`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::connection::{ServerFlags, SignatureFlags, wait};
use super::print;
use super::table::table;
use crate::cli::Result;
use crate::ops::helm::{Home, Settings, dependency};
use crate::report::Context;

/// Fetch and list the charts that a chart needs.
#[derive(Subcommand, Debug)]
pub enum Dependency {
    /// Fetch what the lock file says
    Build(Fetch),
    /// List what is declared and whether it is there
    #[command(visible_alias = "ls")]
    List(List),
    /// Fetch what is declared and write the lock file
    #[command(visible_alias = "up")]
    Update(Fetch),
}

impl Dependency {
    /// Runs the command.
    pub fn run(self, cx: &Context, home: &Home, settings: &Settings) -> Result {
        let (fetch, locked) = match self {
            Self::Build(fetch) => (fetch, true),
            Self::Update(fetch) => (fetch, false),
            Self::List(command) => return command.run(settings),
        };
        let request = fetch.request(settings, locked);
        let mut said = String::new();
        let done = match locked {
            true => wait(dependency::build(cx, (home, settings), &request, &mut said)),
            false => wait(dependency::update(cx, (home, settings), &request, &mut said)),
        };
        print(said.as_bytes())?;
        done.map(|()| ExitCode::SUCCESS)
    }
}

/// Fetch the charts that a chart needs.
#[derive(Args, Debug)]
pub struct Fetch {
    /// The chart's folder
    #[arg(default_value = ".")]
    chart: PathBuf,
    #[command(flatten)]
    signature: SignatureFlags,
    /// Use indexes as they are in the cache
    #[arg(long)]
    skip_refresh: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl Fetch {
    fn request(self, settings: &Settings, locked: bool) -> dependency::Request {
        // What is locked was checked when it was locked; Helm is content if a signature is missing then.
        let check = match locked {
            true => self.signature.if_possible(settings),
            false => self.signature.always(settings),
        };
        dependency::Request {
            chart: self.chart,
            skip_refresh: self.skip_refresh,
            check,
            trust: self.server.trust(),
            plain_http: self.server.plain_http(),
        }
    }
}

/// List what is declared and whether it is there.
#[derive(Args, Debug)]
pub struct List {
    /// The chart
    #[arg(default_value = ".")]
    chart: PathBuf,
    /// The widest column
    #[arg(long, value_name = "N", default_value = "80")]
    max_col_width: usize,
}

impl List {
    fn run(self, settings: &Settings) -> Result {
        let (rows, warnings) = dependency::list(settings, &self.chart)?;
        let Some(rows) = rows else {
            let folder: PathBuf =
                self.chart.join("charts").components().filter(|c| c.as_os_str() != ".").collect();
            print(format!("WARNING: no dependencies at {}\n", folder.display()).as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        };
        let header = ["NAME", "VERSION", "REPOSITORY", "STATUS"].map(str::to_owned).to_vec();
        let cells = rows.into_iter().map(|row| {
            let d = row.dependency;
            vec![d.name, d.version, d.repository, row.status.to_owned()]
        });
        let mut text = table(&std::iter::once(header).chain(cells).collect::<Vec<_>>(), self.max_col_width);
        text.push('\n');
        warnings.iter().for_each(|w| text.push_str(&format!("{w}\n")));
        print(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}
