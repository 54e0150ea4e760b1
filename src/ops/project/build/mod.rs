//! Building the images of a project.
//!
//! ```text
//! select     names and patterns → images, with all that they need
//! identify   each image for each platform → what it is by its inputs → content tag      nothing is built
//! look       one HEAD a tag; a result of another repository is copied
//! make       what is missing, in order of needs, as many at once as allowed; pushed under its content tag
//! publish    indexes, custom tags, final repository, records of the build, report
//! ```
//!
//! A content tag is a hash of inputs (`crate::build::identify`), so it is known for every image before any is built, and
//! the first manifest under it stays: whoever comes second adopts it. Locks are not needed for that; with `turns` they keep
//! two builders from making the same.

mod client_id;
mod heads;
mod identify;
mod lock;
pub(super) mod look;
mod make;
mod mend;
pub(super) mod publish;
mod report;
mod select;
mod turns;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::base::{Failure, Kind, ManifestDigest, Platform, Reference};
use crate::build::evaluate::NamedContext;
use crate::build::step::Network;
use crate::build::{Doors, Identity, Introspection};
use crate::ops::project::Project;
use crate::project::Image;
use crate::report::Context;

pub use lock::{FILE as LOCK_FILE, update as update_lock};
pub use report::{Record, Report};
pub use select::{Selected, select};
pub use turns::Synchronization;

/// What to build and where to keep it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Names and patterns of images; all if there are none.
    pub images: Vec<String>,
    /// Where images and results of steps are kept; without one, in the store.
    pub repo: Option<Reference>,
    /// Where final images go too.
    pub final_repo: Option<Reference>,
    /// Where is looked, too.
    pub secondary_repos: Vec<Reference>,
    /// Where is looked first, and everything kept too.
    pub cache_repos: Vec<Reference>,
    /// Platforms for all images, in place of what the project says.
    pub platforms: Vec<Platform>,
    /// The network of steps, in place of what images say.
    pub network: Option<Network>,
    /// Keys for `RUN --mount=type=ssh`.
    pub ssh_keys: Vec<PathBuf>,
    /// Images at once.
    pub parallel: NonZeroUsize,
    /// Leave out images that no final image needs.
    pub only_final: bool,
    /// Build nothing: everything has to be there.
    pub require_built: bool,
    /// Stop after the plan.
    pub dry_run: bool,
    /// Templates of further tags of final images.
    pub custom_tags: Vec<String>,
    /// Leave `imageSpec` out.
    pub skip_spec: bool,
    /// The report's file.
    pub report: Option<PathBuf>,
    /// Where builders find out who makes what.
    pub synchronization: Synchronization,
    /// Keeps the place of the first step that fails.
    pub introspection: Option<Introspection>,
}

/// An image for a platform.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Which image of the configuration.
    pub image: usize,
    /// For which platform.
    pub platform: Platform,
    /// The content tag.
    pub tag: String,
    /// Where it is kept: `repository:tag`, or a name of the store.
    pub name: Reference,
    /// What it is.
    pub identity: Identity,
    /// The units that it needs.
    pub needs: Vec<usize>,
    /// What stands under its name.
    pub found: Option<Standing>,
    /// What stands there and is damaged: it is replaced.
    pub damaged: Option<ManifestDigest>,
}

/// What stands under a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The manifest.
    pub digest: ManifestDigest,
    /// Where it came from: nowhere (it was made), the repository, a secondary one.
    pub source: Source,
    /// Seconds it took.
    pub seconds: f64,
}

/// Where an image came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It was made.
    Made,
    /// The store.
    Local,
    /// The repository.
    Repo,
    /// A repository that is only read.
    Secondary,
    /// A repository near by.
    Cache,
}

/// What a build is about to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Images for platforms, what they need before them.
    pub units: Vec<Unit>,
    /// Images in sets: those of one need only those of sets before.
    pub sets: Vec<Vec<usize>>,
    /// The images that were asked for; others are there because these need them.
    pub chosen: BTreeSet<usize>,
    /// What base images are.
    pub pins: Vec<NamedContext>,
}

impl Plan {
    /// The units of an image.
    pub fn units_of(&self, image: usize) -> impl Iterator<Item = &Unit> {
        self.units.iter().filter(move |unit| unit.image == image)
    }
}

/// A finished build.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was planned, and what stands now.
    pub plan: Plan,
    /// What came out.
    pub report: Report,
    /// Tags that were given beside the content tags.
    pub custom_tags: Vec<Reference>,
}

/// Works out what there is to do.
///
/// # Errors
/// If an image is unknown, wrong, or a registry does not answer.
pub async fn plan(
    cx: &Context,
    doors: &Doors,
    project: &Project,
    request: &Request,
) -> Result<Plan, Failure> {
    let chosen = select::select(&project.config, &request.images, request.only_final)?;
    let mut plan = identify::identify(cx, doors, (project, request), chosen).await?;
    look::look(cx, doors, (project, request), &mut plan).await?;
    Ok(plan)
}

/// Builds what is missing and publishes everything.
///
/// # Errors
/// If something cannot be built or published; what was finished before stays.
pub async fn run(
    cx: &Context,
    doors: &Doors,
    project: &Project,
    (request, mut plan): (&Request, Plan),
) -> Result<Outcome, Failure> {
    let missing: Vec<&Unit> = plan.units.iter().filter(|unit| unit.found.is_none()).collect();
    if request.require_built && !missing.is_empty() {
        let names: Vec<String> =
            missing.iter().map(|unit| shown(&project.config.images[unit.image], unit)).collect();
        return Err(Failure::new(Kind::Workload, "images are required that were not built")
            .because(names.join(", "))
            .hint("something differs from what was built: `lap why IMAGE` tells which input"));
    }
    mend::mend(cx, doors, (project, request), &mut plan).await?;
    make::make(cx, doors, (project, request), &mut plan).await?;
    publish::publish(cx, doors, (project, request), plan).await
}

/// `backend [linux/arm64] 12ab…`.
fn shown(image: &Image, unit: &Unit) -> String {
    format!("{} for {} ({})", image.shown_name(), unit.platform, &unit.tag[..12.min(unit.tag.len())])
}
