//! `RUN --mount`: from flags to mounts with nothing left to expand.
//!
//! Source of the rules: BuildKit `frontend/dockerfile/dockerfile2llb/convert_runmount.go` and its sisters for secrets and
//! agents, measured.

use crate::base::Span;
use crate::build::Error;
use crate::build::evaluate::paths;
use crate::build::evaluate::stage::{Scene, State};
use crate::build::mount::{Access, Bind, Cache, RunMount, Secret, Ssh, Tmpfs};
use crate::build::step::{ContextIndex, From, Read};
use crate::dockerfile::command::{Mount, MountFlag, MountType};

/// Where agents are shown if the mount does not say, with a number behind.
const AGENT: &str = "/run/buildkit/ssh_agent.";
/// Where secrets are shown if the mount does not say.
const SECRETS: &str = "/run/secrets/";
/// The build argument that keeps caches of different projects apart.
const NAMESPACE: &str = "BUILDKIT_CACHE_MOUNT_NS";

/// The mounts of a RUN, and what they read.
pub fn mounts(
    scene: &Scene<'_>,
    state: &State,
    flags: &[MountFlag],
) -> Result<(Vec<RunMount>, Vec<Read>), Error> {
    let mut reads = Vec::new();
    let mut mounts = Vec::with_capacity(flags.len());
    let mut agents = 0;
    for (nth, flag) in flags.iter().enumerate() {
        let mount = flag.resolve(&mut |text| scene.expansion.field(text, &state.vars))?;
        let place = Place { span: &flag.word.span, workdir: &state.image.config.working_dir };
        mounts.push(match mount.kind {
            MountType::Bind => {
                let from = scene.sources.get(&nth).copied().unwrap_or(From::Context(ContextIndex::BUILD));
                let path = paths::source(mount.source.as_deref().unwrap_or_default());
                let target = place.target(mount.target.as_deref())?;
                let read = read(&mut reads, from, path);
                RunMount::Bind(Bind { read, target, read_only: mount.read_only })
            }
            MountType::Cache => {
                let mut cache = cache(scene, &place, mount)?;
                if let Some(from) = scene.sources.get(&nth).filter(|_| cache.access.is_none()) {
                    cache.read = Some(read(&mut reads, *from, "/".into()));
                }
                RunMount::Cache(cache)
            }
            MountType::Tmpfs => RunMount::Tmpfs(Tmpfs {
                target: place.target(mount.target.as_deref())?,
                size: Some(mount.size).filter(|size| *size > 0),
                read_only: mount.read_only,
            }),
            MountType::Secret => RunMount::Secret(secret(&place, mount)?),
            MountType::Ssh => {
                let ssh = ssh(&place, mount, agents)?;
                agents += 1;
                RunMount::Ssh(ssh)
            }
        });
    }
    Ok((mounts, reads))
}

/// One more tree that the step reads.
fn read(reads: &mut Vec<Read>, from: From, path: String) -> usize {
    reads.push(Read::of(from, path));
    reads.len() - 1
}

/// Where a mount is written, and what its target is relative to.
struct Place<'a> {
    span: &'a Span,
    workdir: &'a str,
}

impl Place<'_> {
    /// An absolute target; none at all is the working directory.
    fn target(&self, written: Option<&str>) -> Result<String, Error> {
        let target = paths::clean(&paths::workdir(self.workdir, written.unwrap_or(".")));
        match target.as_str() {
            "/" => Err(self.wrong(format!("invalid mount target {target:?}"))),
            _ => Ok(target),
        }
    }

    fn wrong(&self, message: impl Into<String>) -> Error {
        Error::definition(self.span, message)
    }
}

fn cache(scene: &Scene<'_>, place: &Place<'_>, mount: Mount) -> Result<Cache, Error> {
    let written = mount.target.as_deref().unwrap_or_default();
    let own = mount.id.clone().unwrap_or_else(|| paths::clean(written));
    let namespace = scene.parameters.build_args.get(NAMESPACE).map(String::as_str).unwrap_or_default();
    let source = paths::source(mount.source.as_deref().unwrap_or_default());
    let access = access(&mount, 0o755).filter(|_| source == "/");
    Ok(Cache {
        id: if namespace.is_empty() { own } else { format!("{namespace}/{own}") },
        read: None,
        source,
        target: place.target(mount.target.as_deref())?,
        read_only: mount.read_only,
        sharing: mount.sharing.unwrap_or_default(),
        access,
    })
}

fn secret(place: &Place<'_>, mount: Mount) -> Result<Secret, Error> {
    let access = access(&mount, 0o400).unwrap_or(Access { mode: 0o400, uid: 0, gid: 0 });
    let id = match (mount.source, mount.id, &mount.target) {
        (Some(id), ..) | (None, Some(id), _) => id,
        (None, None, Some(target)) => base_name(target).to_owned(),
        (None, None, None) => return Err(place.wrong("one of source, target required")),
    };
    let target = match (&mount.target, &mount.env) {
        (Some(target), _) => Some(place.target(Some(target))?),
        (None, None) => Some(place.target(Some(&format!("{SECRETS}{}", base_name(&id))))?),
        (None, Some(_)) => None,
    };
    match mount.env {
        Some(name) if name.is_empty() || name.contains(['=', '\0']) => {
            Err(place.wrong(format!("{name:?} cannot be the name of a variable")))
        }
        env => Ok(Secret { id, target, env, required: mount.required, access }),
    }
}

fn ssh(place: &Place<'_>, mount: Mount, number: usize) -> Result<Ssh, Error> {
    if mount.source.is_some() {
        return Err(place.wrong("ssh does not support source"));
    }
    let access = access(&mount, 0o600).unwrap_or(Access { mode: 0o600, uid: 0, gid: 0 });
    let target = mount.target.unwrap_or_else(|| format!("{AGENT}{number}"));
    Ok(Ssh {
        id: mount.id.unwrap_or_else(|| "default".to_owned()),
        target: place.target(Some(&target))?,
        required: mount.required,
        access,
    })
}

/// Owner and mode, if any of them was given; the others are as usual.
fn access(mount: &Mount, mode: u32) -> Option<Access> {
    let given = mount.mode.is_some() || mount.uid.is_some() || mount.gid.is_some();
    given.then(|| Access {
        mode: mount.mode.unwrap_or(mode),
        uid: mount.uid.unwrap_or(0),
        gid: mount.gid.unwrap_or(0),
    })
}

/// The last component, as Go's `path.Base` finds it.
fn base_name(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit('/').next() {
        Some("") | None if path.is_empty() => ".",
        Some("") | None => "/",
        Some(name) => name,
    }
}
