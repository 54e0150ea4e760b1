//! Providing what `RUN --mount` asks for, and holding it while the step runs.

use std::sync::Arc;

use crate::build::Error;
use crate::build::execute::World;
use crate::build::execute::caching::{self, Caches};
use crate::build::execute::mountable::{Mountable, mountable};
use crate::build::execute::reading::Ready;
use crate::build::mount::{Access, Bind, Cache, RunMount, Secret, Ssh, Tmpfs};
use crate::build::step::{Read, Run};
use crate::report::Context;
use crate::sandbox::agent::{Agent, SocketAccess};
use crate::sandbox::{Mount, MountKind};
use crate::snapshot::cachemounts::Held;

/// What a step is given.
#[derive(Default)]
pub struct Provided {
    /// Mounts, in the order of the flags.
    pub mounts: Vec<Mount>,
    /// Variables.
    pub env: Vec<(String, String)>,
    /// Trees that are mounted.
    trees: Vec<Mountable>,
    /// Agents that are listened for.
    agents: Vec<Agent>,
    /// Caches that are mounted.
    caches: Vec<Held>,
}

/// Provides what the step asks for.
pub fn provide(cx: &Context, world: &World, run: &Run, reads: &[(&Read, &Ready)]) -> Result<Provided, Error> {
    let caches = caching::acquire(cx, world, run, reads)?;
    let mut provided = Provided::default();
    for mount in &run.mounts {
        match mount {
            RunMount::Tmpfs(mount) => provided.tmpfs(mount),
            RunMount::Secret(mount) => provided.secret(world, mount)?,
            RunMount::Bind(mount) => provided.bind(cx, world, reads, mount)?,
            RunMount::Cache(mount) => provided.cache(&caches, reads, mount)?,
            RunMount::Ssh(mount) => provided.ssh(world, mount)?,
        }
    }
    provided.caches = caches.into_values().collect();
    Ok(provided)
}

impl Provided {
    fn bind(
        &mut self,
        cx: &Context,
        world: &World,
        reads: &[(&Read, &Ready)],
        bind: &Bind,
    ) -> Result<(), Error> {
        let read = reads.get(bind.read).ok_or_else(|| Error::Bug("a bind shows nothing".into()))?;
        let tree = mountable(cx, world, *read, !bind.read_only)?;
        let what = MountKind::Bind { source: tree.path().to_owned(), read_only: bind.read_only };
        self.mounts.push(Mount { target: bind.target.clone(), what });
        self.trees.push(tree);
        Ok(())
    }

    fn cache(&mut self, held: &Caches, reads: &[(&Read, &Ready)], cache: &Cache) -> Result<(), Error> {
        let folder = held
            .get(&caching::key(cache, reads))
            .ok_or_else(|| Error::Bug("a cache was not taken".into()))?;
        let Some(source) = folder.inside(&cache.source)? else {
            let message = format!("{:?}: not found in the cache mount {}", cache.source, cache.id);
            return Err(
                Error::input(message).hint("a cache is empty in the beginning, unless it has a from=")
            );
        };
        let what = MountKind::Bind { source, read_only: cache.read_only };
        self.mounts.push(Mount { target: cache.target.clone(), what });
        Ok(())
    }

    /// The variable is there even if the agent is not, as with BuildKit; that of the first mount counts.
    fn ssh(&mut self, world: &World, ssh: &Ssh) -> Result<(), Error> {
        const VARIABLE: &str = "SSH_AUTH_SOCK";
        if !self.env.iter().any(|(name, _)| name == VARIABLE) {
            self.env.push((VARIABLE.to_owned(), ssh.target.clone()));
        }
        let Some(source) = world.agents.get(&ssh.id) else {
            if !ssh.required {
                return Ok(());
            }
            return Err(Error::input(format!("no SSH key {:?} forwarded from the client", ssh.id))
                .hint(format!("give it with --ssh {0}, or --ssh {0}=KEY", ssh.id)));
        };
        let Access { mode, uid, gid } = ssh.access;
        let agent = Agent::serve(Arc::clone(source), SocketAccess { mode, uid, gid })?;
        let what = MountKind::Bind { source: agent.socket(), read_only: false };
        self.mounts.push(Mount { target: ssh.target.clone(), what });
        self.agents.push(agent);
        Ok(())
    }

    fn tmpfs(&mut self, Tmpfs { target, size, read_only }: &Tmpfs) {
        // Open to everybody, as the kernel makes one that is not told.
        let what = MountKind::Tmpfs { size: *size, mode: 0o1777, read_only: *read_only };
        self.mounts.push(Mount { target: target.clone(), what });
    }

    /// A secret that is not there and may be absent is an empty variable and no file, as with BuildKit.
    fn secret(&mut self, world: &World, secret: &Secret) -> Result<(), Error> {
        let value = world.secrets.get(&secret.id);
        if value.is_none() && secret.required {
            return Err(missing(world, &secret.id));
        }
        if let Some(name) = &secret.env {
            let value = value.map_or(&[][..], AsRef::as_ref);
            self.env.push((name.clone(), variable(&secret.id, value)?));
        }
        if let (Some(target), Some(value)) = (&secret.target, value) {
            let access = secret.access;
            let content = value.to_vec();
            let what = MountKind::File { content, mode: access.mode, uid: access.uid, gid: access.gid };
            self.mounts.push(Mount { target: target.clone(), what });
        }
        Ok(())
    }
}

fn missing(world: &World, id: &str) -> Error {
    let known: Vec<&str> = world.secrets.names().collect();
    let error = Error::input(format!("secret {id}: not found"));
    match crate::dockerfile::nearest(id, &known, true) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => {
            error.hint(format!("give it with --secret id={id},src=FILE or --secret id={id},env=VARIABLE"))
        }
    }
}

fn variable(id: &str, value: &[u8]) -> Result<String, Error> {
    let text = std::str::from_utf8(value).ok().filter(|text| !text.contains('\0'));
    text.map(str::to_owned).ok_or_else(|| {
        Error::input(format!("secret {id}: it is not text and cannot be the value of a variable"))
            .hint("mount it as a file: leave env= out")
    })
}
