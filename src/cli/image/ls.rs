//! `lap image ls`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::base::Reference;
use crate::cli::session::reference;
use crate::cli::{Format, Global, Needs, Result, Session, output};
use crate::oci;
use crate::ops::image_ls::{Listed, Request, run};
use crate::ui::{self, Table};

/// List the images of the store.
#[derive(Args, Debug)]
pub struct Ls {
    /// Only images of this repository, or this image
    #[arg(value_name = "NAME", value_parser = reference)]
    only: Vec<Reference>,
    /// Print only the digests
    #[arg(short, long, conflicts_with = "output")]
    quiet: bool,
    /// How to print: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

impl Ls {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        let session = Session::begin(global, Needs::Process, "Listing")?;
        let store = session.store()?;
        let request = Request { only: self.only };
        let images = session.block_on(async { run(&store, &request) })?;
        if self.quiet {
            let mut digests: Vec<_> = images.into_iter().map(|image| image.digest).collect();
            digests.sort();
            digests.dedup();
            digests.into_iter().try_for_each(output::line)?;
        } else {
            match self.output {
                Format::Json => output::json(&images)?,
                Format::Table => output::text(table(&images, session.cx.clock.now()))?,
            }
        }
        Ok(session.end(ExitCode::SUCCESS))
    }
}

fn table(images: &[Listed], now: Duration) -> String {
    let mut table = Table::new(&["NAME", "TAG", "DIGEST", "PLATFORM", "CREATED", ">SIZE"]);
    for image in images {
        let digest: String = image.digest.chars().skip_while(|c| *c != ':').skip(1).take(12).collect();
        let platform = match (&image.problem, image.platforms.as_slice()) {
            (Some(_), _) => "unreadable".to_owned(),
            (None, platforms) => platforms.join(","),
        };
        let created = image.created.as_deref().map(|created| age(created, now)).unwrap_or_default();
        let tag = if image.tag.is_empty() { "-" } else { &image.tag };
        table.row([image.name.as_str(), tag, &digest, &platform, &created, &ui::size(image.size)]);
    }
    table.render()
}

/// Moments that stand for none: the beginning of Unix time, and that of archives (1980), which reproducible builds write
/// where nothing says a time.
const NO_MOMENT: [i64; 2] = [0, 315_532_800];

/// How long ago a moment of a configuration was; the text itself if it is not one, and `-` if it only stands for none.
pub(super) fn age(created: &str, now: Duration) -> String {
    match oci::moment(created) {
        None => created.to_owned(),
        Some(then) if NO_MOMENT.contains(&then) => "-".to_owned(),
        Some(then) => {
            let then = Duration::from_secs(u64::try_from(then).unwrap_or(0));
            ui::ago(now.saturating_sub(then))
        }
    }
}
