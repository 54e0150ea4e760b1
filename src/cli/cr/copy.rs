//! `lap cr copy`, `tag` and `delete`.

use std::num::NonZeroUsize;

use clap::Args;

use super::{PlatformFlag, begin, done};
use crate::base::{Failure, Kind, Reference};
use crate::cli::session::{RegistryFlags, reference};
use crate::cli::{Format, Global, Result, output};
use crate::ops::cr::{copy, delete};
use crate::ui;

/// Copy an image, or a list of images with all it names. Within a registry nothing is sent; between two, layers are
/// streamed. What is there already is not sent again.
#[derive(Args, Debug)]
pub struct Copy {
    /// The image, or with --all-tags the repository
    #[arg(value_name = "FROM", value_parser = reference)]
    from: Reference,
    /// The name it gets, or with --all-tags the repository
    #[arg(value_name = "TO", value_parser = reference)]
    to: Reference,
    #[command(flatten)]
    platform: PlatformFlag,
    /// Copy every tag of the repository
    #[arg(short, long)]
    all_tags: bool,
    /// Leave names as they are that are there already: an error, or with --all-tags passed over
    #[arg(short, long)]
    no_clobber: bool,
    /// How many transfers with a registry may be under way at once [default: 6]
    #[arg(short = 'j', value_name = "N")]
    at_once: Option<NonZeroUsize>,
    /// How to print: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl Copy {
    pub(super) fn run(self, global: &Global) -> Result {
        if self.all_tags && [&self.from, &self.to].iter().any(|r| r.tag().is_some() || r.digest().is_some()) {
            return Err(Failure::new(Kind::Usage, "copy all tags")
                .because("one of the names has a tag or a digest; give repositories"));
        }
        let (session, mut door) = begin(global, &self.registry, "Copying")?;
        if let Some(at_once) = self.at_once {
            door.cx.limits.transfers = at_once;
        }
        let request = copy::Request {
            from: self.from,
            to: self.to,
            platform: self.platform.platform,
            all_tags: self.all_tags,
            no_clobber: self.no_clobber,
        };
        let copied = session.block_on(copy::run(&door, &request))?;
        show(self.output, &copied)?;
        done(session)
    }
}

fn show(format: Format, copied: &[copy::Copied]) -> Result<()> {
    if format == Format::Json {
        return output::json(&copied);
    }
    for one in copied {
        let how = match one.unchanged {
            true => "unchanged".to_owned(),
            false => format!(
                "{} blobs there, {} mounted, {} sent ({})",
                one.blobs.existed,
                one.blobs.mounted,
                one.blobs.sent,
                ui::size(one.blobs.sent_bytes)
            ),
        };
        output::line(format!("{}@{}: {how}", one.to, one.digest))?;
    }
    Ok(())
}

/// Give an image another tag in its repository.
#[derive(Args, Debug)]
pub struct Tag {
    /// The image
    #[arg(value_name = "IMAGE", value_parser = reference)]
    image: Reference,
    /// The tag
    #[arg(value_name = "TAG")]
    tag: String,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl Tag {
    pub(super) fn run(self, global: &Global) -> Result {
        let to = self.image.with_tag(&self.tag).map_err(|e| Failure::of(Kind::Usage, &e))?;
        let (session, door) = begin(global, &self.registry, "Tagging")?;
        let request =
            copy::Request { from: self.image, to, platform: None, all_tags: false, no_clobber: false };
        let copied = session.block_on(copy::run(&door, &request))?;
        for one in copied {
            output::line(format!("{}@{}", one.to, one.digest))?;
        }
        done(session)
    }
}

/// Remove a tag, or by digest an image with all its tags.
#[derive(Args, Debug)]
pub struct Delete {
    /// NAME:TAG, or NAME@DIGEST
    #[arg(value_name = "IMAGE", value_parser = reference, required = true)]
    images: Vec<Reference>,
    /// How to print: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl Delete {
    pub(super) fn run(self, global: &Global) -> Result {
        let (session, door) = begin(global, &self.registry, "Removing")?;
        let deleted = session.block_on(async {
            let mut deleted = Vec::new();
            for image in &self.images {
                deleted.push(delete::run(&door, image).await?);
            }
            Ok(deleted)
        })?;
        match self.output {
            Format::Json => output::json(&deleted)?,
            Format::Table => {
                for one in deleted {
                    let what = if one.tag_only { "tag removed" } else { "image removed" };
                    output::line(format!("{}: {what} ({})", one.reference, one.digest))?;
                }
            }
        }
        done(session)
    }
}
