//! `lap helm search`.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::connection::wait;
use super::table::{Output, list, table};
use super::{print, warn};
use crate::base::{Failure, Kind};
use crate::chartrepo::Ordered;
use crate::cli::Result;
use crate::ops::helm::{Home, search};

/// Search for charts.
#[derive(Subcommand, Debug)]
pub enum Search {
    /// Search on a hub
    Hub(Hub),
    /// Search in the repositories that were added
    Repo(Repo),
}

impl Search {
    /// Runs the command.
    pub fn run(self, home: &Home) -> Result {
        match self {
            Self::Hub(command) => command.run(),
            Self::Repo(command) => command.run(home),
        }
    }
}

/// Flags about what is shown.
#[derive(Args, Debug)]
struct Shown {
    /// How to print
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
    /// The widest column of a table
    #[arg(long, value_name = "N", default_value = "50")]
    max_col_width: usize,
    /// Fail if nothing is found
    #[arg(long)]
    fail_on_no_result: bool,
}

impl Shown {
    fn print(&self, header: &[&str], rows: Vec<Vec<String>>, items: Vec<Ordered>) -> Result {
        if rows.is_empty() && self.fail_on_no_result {
            return Err(Failure::new(Kind::Input, "no results found"));
        }
        let text = match self.output {
            Output::Table if rows.is_empty() => "No results found\n".to_owned(),
            Output::Table => {
                let header = header.iter().map(|t| (*t).to_owned()).collect();
                table(&std::iter::once(header).chain(rows).collect::<Vec<_>>(), self.max_col_width)
            }
            output => list(items, output)?,
        };
        print(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Search in the repositories that were added.
#[derive(Args, Debug)]
pub struct Repo {
    /// What to look for
    keyword: Vec<String>,
    /// The words are a regular expression
    #[arg(short, long)]
    regexp: bool,
    /// Show every version
    #[arg(short = 'l', long)]
    versions: bool,
    /// Show versions before a release too
    #[arg(long)]
    devel: bool,
    /// Only versions that this constraint takes
    #[arg(long, value_name = "VERSION", default_value = "", hide_default_value = true)]
    version: String,
    #[command(flatten)]
    shown: Shown,
}

impl Repo {
    fn run(self, home: &Home) -> Result {
        let request = search::Request {
            words: self.keyword,
            regexp: self.regexp,
            versions: self.versions,
            devel: self.devel,
            version: self.version,
        };
        let (found, warnings) = search::repositories(home, &request)?;
        warn(&warnings);
        let rows = found.iter().map(|f| {
            let metadata = &f.chart.metadata;
            let cells = [&f.name, &metadata.version, &metadata.app_version, &metadata.description];
            cells.map(Clone::clone).to_vec()
        });
        let rows: Vec<Vec<String>> = rows.collect();
        let keys = ["name", "version", "app_version", "description"];
        let items = rows.iter().map(|row| {
            let mut out = Ordered::object();
            keys.iter().zip(row).for_each(|(key, cell)| out.put(key, cell.as_str().into()));
            out
        });
        let items = items.collect();
        self.shown.print(&["NAME", "CHART VERSION", "APP VERSION", "DESCRIPTION"], rows, items)
    }
}

/// Search on a hub.
#[derive(Args, Debug)]
pub struct Hub {
    /// What to look for
    keyword: Vec<String>,
    /// The hub
    #[arg(long, value_name = "URL", default_value = "https://hub.helm.sh")]
    endpoint: String,
    /// Show the addresses of repositories
    #[arg(long)]
    list_repo_url: bool,
    #[command(flatten)]
    shown: Shown,
}

impl Hub {
    fn run(self) -> Result {
        let found = wait(search::hub(&self.endpoint, &self.keyword))?;
        let row = |f: &search::OnHub| {
            let mut row =
                vec![f.url.clone(), f.version.clone(), f.app_version.clone(), f.description.clone()];
            row.extend(self.list_repo_url.then(|| f.repository_url.clone()));
            row
        };
        let item = |f: &search::OnHub| {
            let mut out = Ordered::object();
            out.put("url", f.url.as_str().into());
            out.put("version", f.version.as_str().into());
            out.put("app_version", f.app_version.as_str().into());
            out.put("description", f.description.as_str().into());
            let mut repository = Ordered::object();
            repository.put("url", f.repository_url.as_str().into());
            repository.put("name", f.repository_name.as_str().into());
            out.put_ordered("repository", repository);
            out
        };
        let rows = found.iter().map(row).collect();
        let items = found.iter().map(item).collect();
        let header = ["URL", "CHART VERSION", "APP VERSION", "DESCRIPTION", "REPO URL"];
        self.shown.print(&header[..if self.list_repo_url { 5 } else { 4 }], rows, items)
    }
}
