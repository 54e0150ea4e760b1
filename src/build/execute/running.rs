//! RUN in the sandbox.

use std::sync::Arc;

use crate::base::{Failure, Kind};
use crate::build::Error;
use crate::build::execute::reading::Ready;
use crate::build::execute::{World, mounting};
use crate::build::step::{Network, Read, Run};
use crate::host::fs;
use crate::report::{Context, Stream, Task};
use crate::sandbox::{self, Mount, MountKind, RunSpec};
use crate::snapshot::Writable;

/// A bundle of certificates is a few hundred kilobytes.
const LARGEST_TRUST: u64 = 16 << 20;

/// Runs the program of a step on `tree`.
pub fn run(
    cx: &Context,
    world: &World,
    (run, reads): (&Run, &[(&Read, &Ready)]),
    tree: &mut Writable,
    task: &Task,
) -> Result<(), Error> {
    let mut spec = RunSpec::new(tree.root_spec(), run.args.clone());
    spec.env = run.env.clone();
    // Of equal names the last one counts: proxies of the command line win, as with BuildKit.
    spec.env.extend(world.request.proxies());
    spec.cwd.clone_from(&run.cwd);
    spec.user.clone_from(&run.user);
    spec.network = match run.network {
        Network::Host => sandbox::Network::Host,
        Network::None => sandbox::Network::None,
    };
    let options = &world.request.run;
    spec.hosts.clone_from(&options.hosts);
    spec.ulimits.clone_from(&options.ulimits);
    spec.shm_size = options.shm_size.unwrap_or(sandbox::SHM_SIZE);
    spec.cgroup_parent.clone_from(&options.cgroup_parent);
    spec.trust = trust(world)?;
    if let Some(script) = &run.script {
        let what = MountKind::File { content: script.bytes.clone(), mode: 0o755, uid: 0, gid: 0 };
        spec.mounts.push(Mount { target: script.path.clone(), what });
    }
    let provided = mounting::provide(cx, world, run, reads)?;
    spec.env.extend(provided.env.iter().cloned());
    spec.mounts.extend(provided.mounts.iter().cloned());
    let on_output = |stream: Stream, bytes: &[u8]| task.log(stream, bytes);
    let exit = match world.doors.sandbox().run(cx, &spec, &on_output) {
        Err(sandbox::Error::Cancelled) => return Err(Error::Cancelled),
        other => other?,
    };
    match exit.failure(&run.args.join(" ")) {
        None => Ok(()),
        Some(_) if cx.cancel.is_cancelled() => Err(Error::Cancelled),
        Some(failure) => {
            if let Some(introspection) = &options.introspection {
                introspection.keep_setting(spec, provided);
            }
            Err(Error::Workload(Box::new(explain(&failure, run, exit.code()))))
        }
    }
}

/// The words people search for. What the step said last is repeated by whoever shows the log.
fn explain(exit: &Failure, run: &Run, code: i32) -> Failure {
    let command = run.args.join(" ");
    let message = format!("process {command:?} did not complete successfully: exit code: {code}");
    let failure = Failure::new(Kind::Workload, message);
    exit.hints().iter().fold(failure, |failure, hint| failure.hint(hint.clone()))
}

fn trust(world: &World) -> Result<Option<Arc<str>>, Error> {
    let Some(path) = &world.request.run.trust else { return Ok(None) };
    let bytes = fs::read_limited(path, LARGEST_TRUST)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::input(format!("{} is not a PEM file", path.display())))?;
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        let error = Error::input(format!("{} has no certificate in it", path.display()));
        return Err(error.hint("--trust takes a PEM file with one or more certificates"));
    }
    Ok(Some(text.into()))
}
