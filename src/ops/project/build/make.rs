//! Making what is missing, in order of needs.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::base::{Dag, Failure, NodeId};
use crate::build::evaluate::NamedContext;
use crate::build::output::{Form, Push};
use crate::build::{self, CacheExport, CachePlace, Doors, Output};
use crate::oci::compress::Compression;
use crate::ops::project::Project;
use crate::ops::project::build::identify::{self, Trees};
use crate::ops::project::build::turns::{Turn, Turns};
use crate::ops::project::build::{Plan, Request, Source, Standing, Unit, look};
use crate::project::{ImportKind, hash};
use crate::report::Context;
use crate::schedule;

/// Makes the units that are missing; afterwards all of them stand.
///
/// # Errors
/// The first that fails; the others are stopped.
pub async fn make(
    cx: &Context,
    doors: &Doors,
    (project, request): (&Project, &Request),
    plan: &mut Plan,
) -> Result<(), Failure> {
    let (mut dag, mut nodes, mut first) = (Dag::new(), BTreeMap::<usize, NodeId>::new(), BTreeMap::new());
    for (at, unit) in plan.units.iter().enumerate().filter(|(_, unit)| unit.found.is_none()) {
        // Of two images with one tag the second finds what the first made.
        let same = *first.entry(&unit.tag).or_insert(at);
        let before = unit.needs.iter().chain(Some(&same));
        nodes.insert(at, dag.add(at, before.filter_map(|need| nodes.get(need).copied()).collect()));
    }
    if dag.is_empty() {
        return Ok(());
    }
    let turns = Turns::begin(cx, doors, (project, request)).await?;
    let (trees, inner) = (Trees::default(), cx.child());
    let maker = Maker {
        doors,
        project,
        request,
        units: &plan.units,
        trees,
        pins: &plan.pins,
        made: Mutex::default(),
    };
    let work = |node: NodeId, _| {
        let (at, maker, turns, inner) = (*dag.node(node), &maker, &turns, &inner);
        async move {
            let unit = &maker.units[at];
            let title = title(project, request, unit);
            let stands = || async {
                let stands = look::own(inner, doors, request, unit).await?;
                Ok(stands.filter(|standing| Some(&standing.digest) != unit.damaged.as_ref()))
            };
            let standing = match turns.take(inner, (&title, &unit.tag), stands).await? {
                Turn::Over(standing) => standing,
                Turn::Ours(held) => {
                    let made = maker.make(inner, unit, &title).await;
                    held.give_back(inner).await;
                    made?
                }
            };
            maker.made().insert(at, standing);
            Ok::<_, Failure>(())
        }
    };
    schedule::run(&dag, request.parallel, &inner.cancel, work).await?;
    if cx.cancel.is_cancelled() {
        return Err(build::Error::Cancelled.into());
    }
    for (at, standing) in maker.made.into_inner().unwrap_or_else(PoisonError::into_inner) {
        plan.units[at].found = Some(standing);
    }
    Ok(())
}

/// What making one unit needs.
struct Maker<'a> {
    doors: &'a Doors,
    project: &'a Project,
    request: &'a Request,
    units: &'a [Unit],
    trees: Trees,
    pins: &'a [NamedContext],
    made: Mutex<BTreeMap<usize, Standing>>,
}

impl Maker<'_> {
    fn made(&self) -> MutexGuard<'_, BTreeMap<usize, Standing>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn make(&self, cx: &Context, unit: &Unit, title: &str) -> Result<Standing, Failure> {
        let Self { doors, project, request, units, .. } = *self;
        let mut build = identify::prepare(project, request, (unit.image, &unit.platform), &self.trees)?;
        build.contexts.extend(self.pins.iter().cloned());
        let mut digests = BTreeMap::new();
        for need in imported(project, unit) {
            let stands = self.made().get(&need).or(units[need].found.as_ref()).cloned();
            let Some(stands) = stands else { continue };
            let name = &units[need].name;
            let (manifest, _) = look::documents(cx, doors, (name, &stands.digest)).await?;
            let both = (stands.digest.to_string(), manifest.config.digest.to_string());
            digests.insert(units[need].tag.clone(), both);
        }
        let known = |unit: &Unit| digests.get(&unit.tag).cloned();
        identify::import(project, (unit.image, &mut build), &unit.needs, units, Some(&known));
        finish(&mut build, project, request, unit);
        build.labels.extend(unit.needs.iter().map(|need| dependency_label(&units[*need])));
        let cx = match units.len() {
            1 => cx.clone(),
            _ => Context { report: cx.report.within(title), ..cx.clone() },
        };
        let began = cx.clock.now();
        // Each build ends what it began in the background; another one's goes on.
        let own = doors.apart(doors.home().to_owned());
        let built = build::run(&cx, &own, build).await?;
        let seconds = cx.clock.now().saturating_sub(began).as_secs_f64();
        Ok(Standing { digest: built.published(), source: Source::Made, seconds })
    }
}

/// The units of which the digest or the id enters a build argument.
fn imported(project: &Project, unit: &Unit) -> Vec<usize> {
    let needs = project.config.images[unit.image].dependencies.iter().zip(&unit.needs);
    let asks = |need: &crate::project::Dependency| {
        need.imports.iter().any(|import| matches!(import.kind, ImportKind::Id | ImportKind::Digest))
    };
    needs.filter(|(need, _)| asks(need)).map(|(_, unit)| *unit).collect()
}

/// `backend` or `backend linux/arm64`.
fn title(project: &Project, request: &Request, unit: &Unit) -> String {
    let image = &project.config.images[unit.image];
    let many = request.platforms.len() > 1 || request.platforms.is_empty() && image.platforms.len() > 1;
    match many {
        true => format!("{} {}", image.shown_name(), unit.platform),
        false => image.shown_name().to_owned(),
    }
}

/// Where the image goes, and where results of its steps come from and go to.
fn finish(build: &mut build::Request, project: &Project, request: &Request, unit: &Unit) {
    let image = &project.config.images[unit.image];
    build.tags = vec![unit.name.clone()];
    build.labels = BTreeMap::from([
        ("werf".to_owned(), project.config.meta.project.clone()),
        ("werf-version".to_owned(), format!("lap-{}", env!("CARGO_PKG_VERSION"))),
        ("werf-stage-content-digest".to_owned(), unit.tag.clone()),
        ("werf-project-repo-commit".to_owned(), project.reader.worktree().head().commit.clone()),
    ]);
    let Some(repo) = &request.repo else { return };
    let push = Push { by_digest: false, adopt: unit.damaged.is_none() };
    build.outputs = vec![Output::Image { form: Form::default(), push: Some(push) }];
    if image.staged == Some(false) {
        return;
    }
    let place = |repo: &crate::base::Reference| CachePlace::Registry(repo.clone());
    let others = request.cache_repos.iter().chain([repo]).chain(&request.secondary_repos);
    build.cache_from = others.map(place).collect();
    let export = |repo: &crate::base::Reference, ignore_error| CacheExport {
        place: Some(place(repo)),
        all_stages: true,
        compression: Compression::default(),
        ignore_error,
    };
    build.cache_to = vec![export(repo, false)];
    build.cache_to.extend(request.cache_repos.iter().map(|repo| export(repo, true)));
}

/// What cleanups know an image by that another one stands on.
fn dependency_label(unit: &Unit) -> (String, String) {
    (format!("werf-dependency-stage-id-{}", hash::sha256(&[&unit.tag])), unit.tag.clone())
}
