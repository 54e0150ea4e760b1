//! Providing what `RUN --mount` asks for, and holding it while the step runs.

use crate::build::Error;
use crate::build::execute::World;
use crate::build::execute::mountable::{Mountable, mountable};
use crate::build::execute::reading::Ready;
use crate::build::mount::{Bind, RunMount, Secret, Tmpfs};
use crate::build::step::{Read, Run};
use crate::report::Context;
use crate::sandbox::{Mount, MountKind};

/// What a step is given.
#[derive(Default)]
pub struct Provided {
    /// Mounts, in the order of the flags.
    pub mounts: Vec<Mount>,
    /// Variables.
    pub env: Vec<(String, String)>,
    /// Trees that are mounted.
    trees: Vec<Mountable>,
}

/// Provides what the step asks for.
pub fn provide(cx: &Context, world: &World, run: &Run, reads: &[(&Read, &Ready)]) -> Result<Provided, Error> {
    let mut provided = Provided::default();
    for mount in &run.mounts {
        match mount {
            RunMount::Tmpfs(mount) => provided.tmpfs(mount),
            RunMount::Secret(mount) => provided.secret(world, mount)?,
            RunMount::Bind(mount) => provided.bind(cx, world, reads, mount)?,
            RunMount::Cache(_) | RunMount::Ssh(_) => {
                return Err(Error::Bug("this mount cannot be provided".into()));
            }
        }
    }
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
