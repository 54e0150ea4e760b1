//! What each image is by its inputs, and the content tag that follows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::{Failure, Kind, Platform, Reference, SourceFile};
use crate::build::step::Network;
use crate::build::{
    self, ConfigChanges, ContextSource, Doors, GitInputs, GitTree, RunOptions, SshSource, StandIn,
};
use crate::host;
use crate::ops::project::build::heads::{self, Heads};
use crate::ops::project::build::{Plan, Request, Selected, Unit, lock};
use crate::ops::project::{Named, Project, Sources, Way, sources};
use crate::project::{Image, ImportKind};
use crate::report::Context;

/// Digits of a content tag, as many as werf's stage digests have.
const TAG_DIGITS: usize = 56;

/// Identifies `sets` of images, those of one set at once.
///
/// # Errors
/// The first image's that is wrong.
pub async fn identify(
    cx: &Context,
    doors: &Doors,
    (project, request): (&Project, &Request),
    selected: Selected,
) -> Result<Plan, Failure> {
    // With a lock file names mean what that says; else they are asked for, each once in a build.
    let locked = lock::read(project)?;
    let mut heads = None;
    let pins = match &locked {
        Some(locked) => lock::contexts(locked)?,
        None => heads.insert(Heads::read(doors)).contexts()?,
    };
    let mut plan = Plan { units: Vec::new(), sets: selected.sets, chosen: selected.chosen, pins };
    let trees = Trees::default();
    for set in plan.sets.clone() {
        let mut wanted = Vec::new();
        for image in set {
            for platform in platforms(&project.config.images[image], request)? {
                let mut build = prepare(project, request, (image, &platform), &trees)?;
                build.contexts.extend(plan.pins.iter().cloned());
                wanted.push((image, platform, build));
            }
        }
        let units = &plan.units;
        let all = wanted.into_iter().map(|(image, platform, mut build)| async move {
            let needs = needs(project, units, image, &platform)?;
            import(project, (image, &mut build), &needs, units, None);
            let stand_ins: Vec<StandIn> = needs.iter().map(|need| stand_in(&units[*need])).collect();
            let version = project.config.images[image].cache_version.as_deref();
            let identity = build::identify(cx, doors, (&build, version), &stand_ins).await?;
            Ok::<_, Failure>((image, platform, build, stand_ins, needs, identity))
        });
        let found = futures_util::future::try_join_all(all).await?;
        let changed = match &mut heads {
            None => BTreeSet::new(),
            Some(heads) => heads.ask(cx, doors, found.iter().flat_map(|one| &one.5.bases)).await,
        };
        if let Some(heads) = heads.as_ref().filter(|_| !changed.is_empty()) {
            plan.pins = heads.contexts()?;
        }
        for (image, platform, mut build, stand_ins, needs, mut identity) in found {
            if identity.bases.iter().any(|base| changed.contains(&heads::name(base))) {
                build.contexts.clone_from(&plan.pins);
                let version = project.config.images[image].cache_version.as_deref();
                identity = build::identify(cx, doors, (&build, version), &stand_ins).await?;
            }
            let tag = identity.hash.to_string()[..TAG_DIGITS].to_owned();
            let name = name(project, request, &tag)?;
            plan.units.push(Unit { image, platform, tag, name, identity, needs, found: None, damaged: None });
        }
    }
    Ok(plan)
}

/// The base images from outside the project.
///
/// # Errors
/// If an image is wrong.
pub async fn bases(
    cx: &Context,
    doors: &Doors,
    (project, request): (&Project, &Request),
    sets: Vec<Vec<usize>>,
) -> Result<BTreeSet<Reference>, Failure> {
    let (trees, mut units, mut bases) = (Trees::default(), Vec::new(), BTreeSet::new());
    for image in sets.into_iter().flatten() {
        for platform in platforms(&project.config.images[image], request)? {
            let mut build = prepare(project, request, (image, &platform), &trees)?;
            build.pull = true;
            let needs = needs(project, &units, image, &platform)?;
            import(project, (image, &mut build), &needs, &units, None);
            let stand_ins: Vec<StandIn> = needs.iter().map(|need| stand_in(&units[*need])).collect();
            let identity = build::identify(cx, doors, (&build, None), &stand_ins).await?;
            bases.extend(identity.bases.iter().cloned());
            let tag = identity.hash.to_string()[..TAG_DIGITS].to_owned();
            let name = name(project, request, &tag)?;
            units.push(Unit { image, platform, tag, name, identity, needs, found: None, damaged: None });
        }
    }
    Ok(bases)
}

/// The name of a content tag.
fn name(project: &Project, request: &Request, tag: &str) -> Result<Reference, Failure> {
    let fail = |why: String| Failure::new(Kind::Usage, format!("name the tag {tag}")).because(why);
    match &request.repo {
        Some(repo) => repo.with_tag(tag).map_err(|e| fail(e.to_string())),
        None => format!("{}:{tag}", project.config.meta.project)
            .parse()
            .map_err(|e: crate::base::InvalidReference| fail(e.to_string())),
    }
}

/// The platforms an image is built for.
pub fn platforms(image: &Image, request: &Request) -> Result<Vec<Platform>, Failure> {
    if !request.platforms.is_empty() {
        return Ok(request.platforms.clone());
    }
    if image.platforms.is_empty() {
        return Ok(vec![Platform::host()]);
    }
    let parse = |text: &String| {
        text.parse::<Platform>().map_err(|e| {
            Failure::new(Kind::Config, format!("read the platform {text}")).because(e.to_string())
        })
    };
    image.platforms.iter().map(parse).collect()
}

/// The units that an image needs.
fn needs(
    project: &Project,
    units: &[Unit],
    image: usize,
    platform: &Platform,
) -> Result<Vec<usize>, Failure> {
    let image = &project.config.images[image];
    let one = |need: &crate::project::Dependency| {
        let is_it = |unit: &Unit| {
            project.config.images[unit.image].name.as_deref() == Some(&need.image)
                && unit.platform == *platform
        };
        units.iter().position(is_it).ok_or_else(|| {
            Failure::new(Kind::Config, format!("{} needs {} for {platform}", image.shown_name(), need.image))
                .because("it is not built for that platform")
        })
    };
    image.dependencies.iter().map(one).collect()
}

fn stand_in(unit: &Unit) -> StandIn {
    let names = vec![unit.name.clone(), unit.name.with_digest(symbol(unit))];
    StandIn { names, identity: unit.identity.hash, config: unit.identity.config.clone() }
}

/// What stands for the digests of an image that may not have been built yet.
fn symbol(unit: &Unit) -> crate::base::Digest {
    crate::base::Digest::sha256(unit.identity.hash.as_bytes())
}

/// Digests of the manifest and the configuration, where a unit stands.
pub type Digests<'a> = dyn Fn(&Unit) -> Option<(String, String)> + 'a;

/// Fills in build arguments what an image imports. Without `digests` what depends on a build is replaced by what it is made
/// from.
pub fn import(
    project: &Project,
    (image, build): (usize, &mut build::Request),
    needs: &[usize],
    units: &[Unit],
    digests: Option<&Digests<'_>>,
) {
    for (need, unit) in project.config.images[image].dependencies.iter().zip(needs) {
        let unit = &units[*unit];
        let known = digests.and_then(|digests| digests(unit));
        let symbol = || symbol(unit).to_string();
        let (digest, id) = known.unwrap_or_else(|| (symbol(), symbol()));
        for import in &need.imports {
            let value = match import.kind {
                ImportKind::Name => unit.name.familiar(),
                ImportKind::Tag => unit.tag.clone(),
                ImportKind::Repo => {
                    unit.name.familiar().trim_end_matches(&format!(":{}", unit.tag)).to_owned()
                }
                ImportKind::Id => id.clone(),
                ImportKind::Digest => digest.clone(),
            };
            build.build_args.insert(import.build_arg.clone(), value);
        }
    }
}

/// The folder, the ignore file, the name and the content of the Dockerfile.
type TreeKey = (String, Vec<u8>, String, Vec<u8>);

/// Contexts that several images share.
#[derive(Default)]
pub struct Trees(std::sync::Mutex<BTreeMap<TreeKey, GitTree>>);

impl Trees {
    fn get(&self, project: &Project, found: &Sources) -> Result<GitTree, Failure> {
        let source = |file: &Named| SourceFile::new(file.name.clone(), file.bytes.clone());
        let make = || {
            Ok::<_, Failure>(GitTree::new(GitInputs {
                files: Arc::clone(project.reader.files()),
                folder: found.context.clone(),
                time: project.reader.worktree().head().seconds,
                added: found.added.iter().map(|added| (added.path.clone(), added.disk.clone())).collect(),
                dockerfile: source(&found.dockerfile),
                ignore: found.ignore.as_ref().map(source),
                strict: project.reader.way() == Way::Commit,
            })?)
        };
        if !found.added.is_empty() {
            return make();
        }
        let ignore = found.ignore.as_ref().map(|file| file.bytes.clone()).unwrap_or_default();
        let Named { name, bytes } = found.dockerfile.clone();
        let key = (found.context.clone(), ignore, name, bytes);
        let mut known = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(tree) = known.get(&key) {
            return Ok(tree.clone());
        }
        let tree = make()?;
        known.insert(key, tree.clone());
        Ok(tree)
    }
}

/// The build of an image, but for what other images decide.
///
/// # Errors
/// If something is missing or not allowed.
pub fn prepare(
    project: &Project,
    request: &Request,
    (index, platform): (usize, &Platform),
    trees: &Trees,
) -> Result<build::Request, Failure> {
    let image = &project.config.images[index];
    let found = sources(project, image)?;
    let tree = trees.get(project, &found)?;
    let network = match (request.network, image.network.as_deref()) {
        (Some(network), _) => network,
        (None, None | Some("" | "default" | "host")) => Network::Host,
        (None, Some("none")) => Network::None,
        (None, Some(other)) => {
            return Err(Failure::new(Kind::Config, format!("{}: the network {other:?}", image.shown_name()))
                .because(format!(
                    "line {} of {}: networks are default, host and none",
                    image.line, project.path
                )));
        }
    };
    let mut hosts = Vec::new();
    for text in &image.add_hosts {
        let parsed = text.split_once(':').map(|(name, address)| (name, address.parse()));
        let Some((name, Ok(address))) = parsed else {
            return Err(Failure::new(Kind::Config, format!("{}: addHost {text:?}", image.shown_name()))
                .because("it is NAME:ADDRESS"));
        };
        hosts.push((name.to_owned(), address));
    }
    let mut agents = Vec::new();
    if !request.ssh_keys.is_empty() {
        agents.push(SshSource { id: "default".into(), paths: request.ssh_keys.clone() });
    } else if let Some(ssh) = &image.ssh {
        let (id, path) = ssh.split_once('=').map_or((ssh.as_str(), None), |(id, path)| (id, Some(path)));
        agents.push(SshSource { id: id.into(), paths: path.into_iter().map(Into::into).collect() });
    } else if host::env::var("SSH_AUTH_SOCK").is_some() {
        agents.push(SshSource { id: "default".into(), paths: Vec::new() });
    }
    let changes = ConfigChanges {
        own: image.spec.clone(),
        shared: image.is_final.then(|| project.config.meta.build.spec.clone()).flatten(),
        image: image.name.clone().unwrap_or_default(),
        project: project.config.meta.project.clone(),
    };
    Ok(build::Request {
        context: ContextSource::Tree(tree),
        dockerfile: None,
        target: image.target.clone(),
        build_args: image.args.clone(),
        platform: Some(platform.clone()),
        labels: BTreeMap::new(),
        annotations: Vec::new(),
        tags: Vec::new(),
        no_cache: false,
        no_cache_filter: Vec::new(),
        cache_from: Vec::new(),
        cache_to: Vec::new(),
        pull: false,
        network,
        run: RunOptions {
            hosts,
            secrets: found.secrets,
            agents,
            introspection: request.introspection.clone(),
            ..RunOptions::default()
        },
        source_date_epoch: None,
        contexts: Vec::new(),
        lenient: false,
        outputs: Vec::new(),
        project_image: Some(image.shown_name().to_owned()),
        changes: (!request.skip_spec && !changes.is_empty()).then_some(changes),
    })
}
