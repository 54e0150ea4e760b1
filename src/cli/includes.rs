//! `lap includes`: configuration that other repositories lend a project.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::base::{Failure, Kind};
use crate::cli::config::Nothing;
use crate::cli::project::ProjectFlags;
use crate::cli::project::refused::RefusedFlags;
use crate::cli::project::vars::Vars;
use crate::cli::{Global, Needs, Result, Session, output};
use crate::ops::project::{self, Options, Reader, includes};
use crate::project::{Glob, Outside};

/// Configuration that other repositories lend a project, as werf-includes.yaml says.
#[derive(Subcommand, Debug)]
pub enum IncludesCommand {
    /// Write the commits that branches and tags stand for now into werf-includes.lock
    Update(Whole),
    /// Print the files of the project and where each comes from
    LsFiles(Listed),
    /// Print a file of the project, wherever it comes from
    GetFile(One),
}

/// A command about the whole project.
#[derive(Args, Debug)]
pub struct Whole {
    #[command(flatten)]
    flags: Flags,
}

/// A command about files.
#[derive(Args, Debug)]
pub struct Listed {
    /// Only these; a pattern that means a folder means what is in it [default: all]
    #[arg(value_name = "GLOB")]
    globs: Vec<String>,
    /// Only files of these sources: local, or addresses as they stand in werf-includes.yaml
    #[arg(long, value_name = "source=SOURCE[,SOURCE]")]
    filter: Option<String>,
    #[command(flatten)]
    flags: Flags,
}

/// A command about a file.
#[derive(Args, Debug)]
pub struct One {
    /// Its path in the project
    #[arg(value_name = "PATH")]
    path: String,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Args, Debug)]
struct Flags {
    #[command(flatten)]
    project: ProjectFlags,
    #[command(flatten)]
    refused: RefusedFlags<Nothing>,
}

impl IncludesCommand {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        let flags = match &self {
            Self::Update(whole) => &whole.flags,
            Self::LsFiles(listed) => &listed.flags,
            Self::GetFile(one) => &one.flags,
        };
        let vars = Vars::of_process();
        flags.refused.check(&vars)?;
        let mut global = global.clone();
        let options = flags.project.options(&mut global, &vars)?;
        let session = Session::begin(&global, Needs::Process, "Reading")?;
        let bytes = session.block_on(async {
            match &self {
                Self::Update(_) => update(&session, &options),
                Self::LsFiles(listed) => {
                    list(&project::open_with_includes(&session.cx, &options)?, listed).map(String::into_bytes)
                }
                Self::GetFile(one) => file(&project::open_with_includes(&session.cx, &options)?, &one.path),
            }
        })?;
        output::bytes(&bytes)?;
        Ok(session.end(ExitCode::SUCCESS))
    }
}

fn update(session: &Session, options: &Options) -> Result<Vec<u8>> {
    let reader = project::open(&session.cx, options)?;
    let locked = includes::update(&session.cx, &reader, options.home.as_deref())?;
    let line = |one: &crate::project::Locked| {
        format!("{} {} {}\n", includes::shown(&one.git), one.reference, one.commit)
    };
    Ok(locked.iter().map(line).collect::<String>().into_bytes())
}

fn list(reader: &Reader, listed: &Listed) -> Result<String> {
    let glob = |text: &String| {
        Glob::new(text).map_err(|why| {
            Failure::new(Kind::Usage, format!("read the pattern {text:?}")).because(format!("it has {why}"))
        })
    };
    let globs: Vec<Glob> = listed.globs.iter().map(glob).collect::<Result<_>>()?;
    let sources: Option<Vec<&str>> = match listed.filter.as_deref() {
        None | Some("") => None,
        Some(text) => match text.strip_prefix("source=") {
            Some(sources) => Some(sources.split(',').map(str::trim).collect()),
            None => {
                return Err(Failure::new(Kind::Usage, format!("read --filter {text}")).because(
                    "it is source=SOURCE[,SOURCE], a source is local or the address of a repository",
                ));
            }
        },
    };
    let mut files = includes::files(reader)?;
    files.retain(|path, source| {
        (globs.is_empty() || globs.iter().any(|glob| glob.covers(path)))
            && sources.as_ref().is_none_or(|sources| sources.contains(&source.as_str()))
    });
    let width = files.keys().map(|path| path.chars().count()).max().unwrap_or(0).max("PATH".len());
    let rows = files.iter().map(|(path, source)| (path.as_str(), source.as_str()));
    let line = |(path, source): (&str, &str)| format!("{path:width$}  {source}\n");
    Ok(std::iter::once(("PATH", "SOURCE")).chain(rows).map(line).collect())
}

fn file(reader: &Reader, path: &str) -> Result<Vec<u8>> {
    let found = reader.read(path, &|path| Outside::File(path))?;
    found.ok_or_else(|| {
        Failure::new(Kind::Input, format!("read {path}"))
            .because("neither the project nor what it includes has this file")
            .hint("`lap includes ls-files` prints all files")
    })
}
