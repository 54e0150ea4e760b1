//! `lap cr ls-files`, `cat`, `export` and `validate`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{PlatformFlag, begin, done};
use crate::base::Reference;
use crate::cli::session::{RegistryFlags, reference};
use crate::cli::{Format, Global, Result, output};
use crate::host::fs;
use crate::ops::cr::files::{self, FileReport};
use crate::ops::cr::validate;
use crate::ui::Table;

/// List the files of an image, sorted by path, as its layers show them together.
#[derive(Args, Debug)]
pub struct LsFiles {
    /// The image
    #[arg(value_name = "IMAGE", value_parser = reference)]
    image: Reference,
    /// Only these files, or what is in these directories; symbolic links are followed
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// Also mode, owner, size, and which layer a file comes from
    #[arg(short, long)]
    long: bool,
    #[command(flatten)]
    platform: PlatformFlag,
    /// How to print: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl LsFiles {
    pub(super) fn run(self, global: &Global) -> Result {
        let (session, door) = begin(global, &self.registry, "Reading layers")?;
        let platform = self.platform.platform.as_ref();
        let listing = session.block_on(files::list(&door, &self.image, platform, &self.paths))?;
        match (self.output, self.long) {
            (Format::Json, _) => output::json(&listing.values().map(FileReport::from).collect::<Vec<_>>())?,
            (Format::Table, true) => output::text(table(listing.values().map(FileReport::from)))?,
            // Names are bytes, and go out as they are.
            (Format::Table, false) => {
                let names = listing.keys().filter(|path| !path.is_empty());
                output::bytes(&names.flat_map(|path| [path.as_slice(), b"\n"].concat()).collect::<Vec<_>>())?;
            }
        }
        done(session)
    }
}

fn table(files: impl Iterator<Item = FileReport>) -> String {
    let mut table = Table::new(&["KIND", "MODE", "OWNER", ">SIZE", ">LAYER", "PATH"]);
    for file in files.filter(|file| !file.path.is_empty()) {
        let path = match &file.target {
            Some(target) => format!("{} -> {target}", file.path),
            None => file.path,
        };
        let owner = format!("{}:{}", file.uid, file.gid);
        table.row([file.kind, &file.mode, &owner, &file.size.to_string(), &file.layer.to_string(), &path]);
    }
    table.render()
}

/// Write files of an image to standard output, one after the other.
#[derive(Args, Debug)]
pub struct Cat {
    /// The image
    #[arg(value_name = "IMAGE", value_parser = reference)]
    image: Reference,
    /// The files; symbolic links are followed
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<String>,
    #[command(flatten)]
    platform: PlatformFlag,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl Cat {
    pub(super) fn run(self, global: &Global) -> Result {
        let (session, door) = begin(global, &self.registry, "Reading layers")?;
        let platform = self.platform.platform.as_ref();
        session.block_on(files::cat(&door, &self.image, platform, self.paths, std::io::stdout()))?;
        done(session)
    }
}

/// Write the file system of an image as one tar archive, all layers applied.
#[derive(Args, Debug)]
pub struct Export {
    /// The image
    #[arg(value_name = "IMAGE", value_parser = reference)]
    image: Reference,
    /// The archive; `-` is standard output
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    platform: PlatformFlag,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl Export {
    pub(super) fn run(self, global: &Global) -> Result {
        let (session, door) = begin(global, &self.registry, "Exporting")?;
        let platform = self.platform.platform.as_ref();
        if self.file.as_os_str() == "-" {
            session.block_on(files::export(&door, &self.image, platform, std::io::stdout()))?;
            return done(session);
        }
        // Beside the place first: half an archive must not look like one.
        let (temporary, file) = fs::create_beside(&self.file)?;
        let exported = session.block_on(files::export(&door, &self.image, platform, file));
        if let Err(failure) = exported {
            let _ = fs::remove_file(&temporary);
            return Err(failure);
        }
        fs::rename(&temporary, &self.file)?;
        done(session)
    }
}

/// Look whether an image is whole: every blob there, of its digest and size, every layer what the configuration says.
#[derive(Args, Debug)]
pub struct Validate {
    /// The image; of a list every image is looked at
    #[arg(value_name = "IMAGE", value_parser = reference, required_unless_present = "remote")]
    image: Option<Reference>,
    /// The image, said with a flag: then one line says whether all is well
    #[arg(long, value_name = "IMAGE", value_parser = reference, conflicts_with = "image")]
    remote: Option<Reference>,
    #[command(flatten)]
    platform: PlatformFlag,
    /// Only whether everything is there, without reading layers
    #[arg(long)]
    fast: bool,
    /// How to print: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl Validate {
    pub(super) fn run(self, global: &Global) -> Result {
        let (session, door) = begin(global, &self.registry, "Checking")?;
        // One of them is there.
        let Some(image) = self.remote.clone().or(self.image) else { return done(session) };
        let request =
            validate::Request { image: image.clone(), platform: self.platform.platform, fast: self.fast };
        let checked = session.block_on(validate::run(&door, &request))?;
        match self.output {
            Format::Json => output::json(&checked)?,
            Format::Table if self.remote.is_some() => output::line(verdict(&image, &checked))?,
            Format::Table => {
                for one in &checked {
                    let word = if one.problems.is_empty() { "PASS" } else { "FAIL" };
                    let separator = if one.platform.is_empty() { "" } else { " " };
                    output::line(format!("{word}: {}{separator}{}", one.image, one.platform))?;
                    one.problems.iter().try_for_each(|problem| output::line(format!("  {problem}")))?;
                }
            }
        }
        let well = checked.iter().all(|one| one.problems.is_empty());
        Ok(session.end(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
    }
}

/// All in one line, as crane says it.
fn verdict(image: &Reference, checked: &[validate::Checked]) -> String {
    let problems: Vec<&str> =
        checked.iter().flat_map(|one| one.problems.iter().map(String::as_str)).collect();
    match problems.is_empty() {
        true => format!("PASS: {}", image.familiar()),
        false => format!("FAIL: {}: {}", image.familiar(), problems.join("; ")),
    }
}
