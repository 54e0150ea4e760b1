//! `lap helm repo`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::connection::{duration, wait};
use super::table::{Output, list, table};
use super::{print, warn};
use crate::base::{Failure, Kind};
use crate::chartrepo::{Entry, Ordered};
use crate::cli::{Result, cr};
use crate::ops::helm::{Home, Settings, repo};
use crate::report::Context;

/// Add, list, remove, update and index chart repositories.
#[derive(Subcommand, Debug)]
pub enum Repo {
    /// Add a chart repository
    Add(Add),
    /// Write the index of a folder of charts
    Index(Index),
    /// List chart repositories
    #[command(visible_alias = "ls")]
    List(List),
    /// Remove chart repositories
    #[command(visible_alias = "rm")]
    Remove(Remove),
    /// Bring the indexes of chart repositories up to date
    #[command(visible_alias = "up")]
    Update(Update),
}

impl Repo {
    /// Runs the command.
    pub fn run(self, cx: &Context, home: &Home, settings: &Settings) -> Result {
        match self {
            Self::Add(command) => command.run(cx, home),
            Self::Index(command) => command.run(cx),
            Self::List(command) => command.run(home, settings),
            Self::Remove(command) => command.run(home),
            Self::Update(command) => command.run(home, settings),
        }
    }
}

/// Add a chart repository.
#[derive(Args, Debug)]
pub struct Add {
    /// Its name
    name: String,
    /// Its address
    url: String,
    /// The user name
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    username: String,
    /// The password
    #[arg(long, value_name = "PASSWORD", default_value = "", hide_default_value = true)]
    password: String,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// Replace a repository of that name
    #[arg(long)]
    force_update: bool,
    /// A client certificate in PEM
    #[arg(long, value_name = "FILE", default_value = "", hide_default_value = true)]
    cert_file: String,
    /// The certificate's key in PEM
    #[arg(long, value_name = "FILE", default_value = "", hide_default_value = true)]
    key_file: String,
    /// Certificates to trust beside the system's, in PEM
    #[arg(long, value_name = "FILE", default_value = "", hide_default_value = true)]
    ca_file: String,
    /// Accept any certificate
    #[arg(long)]
    insecure_skip_tls_verify: bool,
    /// Take a repository that is known to be gone
    #[arg(long)]
    allow_deprecated_repos: bool,
    /// Send user name and password to other hosts too
    #[arg(long)]
    pass_credentials: bool,
    /// How long the index may take
    #[arg(long, value_name = "DURATION", default_value = "2m0s", value_parser = duration)]
    timeout: Duration,
    /// Has no effect, as in Helm 3
    #[arg(long, hide = true)]
    no_update: bool,
}

impl Add {
    fn run(self, cx: &Context, home: &Home) -> Result {
        let mut password = self.password;
        if !self.username.is_empty() && password.is_empty() {
            password = match self.password_stdin {
                true => cr::from_stdin()?,
                false => cr::ask("Password: ", crate::host::terminal::read_hidden_line)?,
            };
        }
        let entry = Entry {
            name: self.name,
            url: self.url,
            username: self.username,
            password,
            cert_file: self.cert_file,
            key_file: self.key_file,
            ca_file: self.ca_file,
            insecure: self.insecure_skip_tls_verify,
            pass_credentials: self.pass_credentials,
        };
        let (force, allow_gone, timeout) = (self.force_update, self.allow_deprecated_repos, self.timeout);
        let line = wait(repo::add(cx, home, repo::Add { entry, force, allow_gone, timeout }))?;
        print(line.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Write the index of a folder of charts.
#[derive(Args, Debug)]
pub struct Index {
    /// The folder
    dir: PathBuf,
    /// What the charts' addresses begin with
    #[arg(long, value_name = "URL", default_value = "", hide_default_value = true)]
    url: String,
    /// Keep the entries of this index
    #[arg(long, value_name = "FILE")]
    merge: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Index {
    fn run(self, cx: &Context) -> Result {
        let merge = self.merge.filter(|p| !p.as_os_str().is_empty());
        let request = repo::MakeIndex { folder: self.dir, url: self.url, merge, json: self.json };
        warn(&repo::index(cx, &request)?);
        Ok(ExitCode::SUCCESS)
    }
}

/// List chart repositories.
#[derive(Args, Debug)]
pub struct List {
    /// How to print
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
    /// Leave out the header
    #[arg(long)]
    no_headers: bool,
}

impl List {
    fn run(self, home: &Home, settings: &Settings) -> Result {
        let entries = repo::list(home)?;
        if entries.is_empty() && self.output == Output::Table {
            let words = "no repositories to show";
            if settings.compat.is_3() {
                return Err(Failure::new(Kind::Input, words));
            }
            warn(&[words.to_owned()]);
            return Ok(ExitCode::SUCCESS);
        }
        let text = match self.output {
            Output::Table => {
                let header = (!self.no_headers).then(|| vec!["NAME".to_owned(), "URL".to_owned()]);
                let rows = entries.into_iter().map(|e| vec![e.name, e.url]);
                table(&header.into_iter().chain(rows).collect::<Vec<_>>(), 0)
            }
            output => {
                let item = |e: &Entry| {
                    let mut out = Ordered::object();
                    out.put("name", e.name.as_str().into());
                    out.put("url", e.url.as_str().into());
                    out
                };
                list(entries.iter().map(item).collect(), output)?
            }
        };
        print(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Remove chart repositories.
#[derive(Args, Debug)]
pub struct Remove {
    /// Their names
    #[arg(required = true)]
    names: Vec<String>,
}

impl Remove {
    fn run(self, home: &Home) -> Result {
        let mut said = String::new();
        let done = repo::remove(home, &self.names, &mut said);
        print(said.as_bytes())?;
        done.map(|()| ExitCode::SUCCESS)
    }
}

/// Bring the indexes of chart repositories up to date.
#[derive(Args, Debug)]
pub struct Update {
    /// Their names; all if none is given
    names: Vec<String>,
    /// How long an index may take
    #[arg(long, value_name = "DURATION", default_value = "2m0s", value_parser = duration)]
    timeout: Duration,
    /// Fail if one cannot be had, which version 4 always does
    #[arg(long, hide = true)]
    fail_on_repo_update_fail: bool,
}

impl Update {
    fn run(self, home: &Home, settings: &Settings) -> Result {
        let updated = wait(repo::update(home, &self.names, self.timeout))?;
        let mut said = "Hang tight while we grab the latest from your chart repositories...\n".to_owned();
        let mut failed = Vec::new();
        for repo::Updated { entry, error } in updated {
            match error {
                None => said.push_str(&format!(
                    "...Successfully got an update from the {:?} chart repository\n",
                    entry.name
                )),
                Some(error) => {
                    said.push_str(&format!(
                        "...Unable to get an update from the {:?} chart repository ({}):\n\t{error}\n",
                        entry.name, entry.url
                    ));
                    failed.push(entry.url);
                }
            }
        }
        let must = !settings.compat.is_3() || self.fail_on_repo_update_fail;
        if must && !failed.is_empty() {
            print(said.as_bytes())?;
            let words = format!("failed to update the following repositories: [{}]", failed.join(" "));
            return Err(Failure::new(Kind::Remote, words));
        }
        said.push_str("Update Complete. ⎈Happy Helming!⎈\n");
        print(said.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}
