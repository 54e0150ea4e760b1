//! Runs commands in namespaces on a root file system of their own.
//!
//! The process has entered its namespace before ([`rootfs_helpers::enter`], in `main`, before any thread). A command is
//! run by spawning this binary again; that single-threaded far side (`rootfs_helpers`) makes the namespaces, mounts the
//! root, gives up privileges and executes the command. Here is what surrounds it: the description, the streams,
//! cancellation, errors with hints, and the terminal of `lap image run`.
//!
//! Invariants:
//! - Nothing of the machine is visible inside that was not given.
//! - Nothing that was given leaves a trace in the layer: mount points made for it are removed again.
//! - When [`Sandbox::run`] returns, no process and no mount of the command is left, however it ended.
//! - Killing this process at any point ends the command too.

pub mod agent;

mod attach;
mod cgroup;
mod error;
mod exit;
mod names;
mod run;
mod spec;

pub use attach::Attach;
pub use error::{Error, Result};
pub use exit::{Exit, Status, Usage};
pub use rootfs_helpers::enter::{Diagnosis, Entered, Rung};
pub use spec::{
    HOSTNAME, HostAddress, Mount, MountKind, Network, PATH, ResourceLimit, Root, RunSpec, SHM_SIZE,
};

use crate::report::{Context, Stream};

/// The place commands are run from.
#[derive(Clone, Debug)]
pub struct Sandbox {
    entered: Entered,
}

impl Sandbox {
    /// The sandbox of this process, which entered its namespace as `entered` says.
    pub fn current(entered: Entered) -> Self {
        Self { entered }
    }

    /// How this process entered its namespace.
    pub fn entered(&self) -> &Entered {
        &self.entered
    }

    /// Whether commands can be run here.
    ///
    /// # Errors
    /// [`Error::Unavailable`], with what would help, if this process is in no namespace.
    pub fn check(&self) -> Result<()> {
        match &self.entered.diagnosis {
            Some(diagnosis) => Err(Error::Unavailable(diagnosis.clone())),
            None => Ok(()),
        }
    }

    /// Runs a command to its end; blocks. Standard input is empty; output is given to `on_output` in whole reads.
    /// Cancelling `cx` kills every process of the command at once.
    ///
    /// # Errors
    /// If the sandbox cannot be made, the program cannot be started, or `cx` is cancelled. A command that ran and
    /// failed is an [`Exit`].
    pub fn run(
        &self,
        cx: &Context,
        spec: &RunSpec,
        on_output: &(dyn Fn(Stream, &[u8]) + Sync),
    ) -> Result<Exit> {
        self.check()?;
        run::run(cx, spec, on_output)
    }

    /// Runs a command on the caller's own streams; blocks. Signals that ask this process to end go to the command, a
    /// terminal is in raw mode meanwhile, and cancelling `cx` kills every process of the command at once.
    ///
    /// # Errors
    /// As [`Sandbox::run`].
    pub fn run_attached(&self, cx: &Context, spec: &RunSpec, attach: Attach) -> Result<Exit> {
        self.check()?;
        attach::run(cx, spec, attach)
    }
}
