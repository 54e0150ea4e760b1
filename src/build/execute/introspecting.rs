//! The place of a step that failed, kept for somebody who wants to look around in it once the build has ended.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::DiffId;
use crate::build::Error;
use crate::build::execute::World;
use crate::build::execute::mounting::Provided;
use crate::content::Lease;
use crate::report::Context;
use crate::sandbox::{Attach, Exit, RunSpec, Sandbox};
use crate::snapshot::Writable;

/// What is opened in it.
const SHELL: &str = "/bin/sh";

/// Asks a build to keep the place of the first RUN that fails.
#[derive(Clone)]
pub struct Introspection(Arc<Inner>);

struct Inner {
    before: bool,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// How the step ran, and what it was given.
    setting: Option<(RunSpec, Provided)>,
    tree: Option<(Writable, Lease)>,
}

/// The place of a step that failed: its tree, environment, mounts and user.
pub struct FailedPlace {
    spec: RunSpec,
    // Before what is mounted on it: fields are dropped in order.
    tree: Writable,
    _provided: Provided,
    _lease: Lease,
}

impl Introspection {
    /// Keeps the tree as the step left it, or with `before` as it found it.
    pub fn new(before: bool) -> Self {
        Self(Arc::new(Inner { before, kept: Mutex::default() }))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps how a step ran that has failed, unless another one was first.
    pub(super) fn keep_setting(&self, spec: RunSpec, provided: Provided) {
        self.kept().setting.get_or_insert((spec, provided));
    }

    /// Keeps the tree of the step whose setting was kept; `below` are the layers it began with.
    pub(super) fn keep_tree(&self, world: &World, mut tree: Writable, below: &[DiffId]) -> Result<(), Error> {
        let mut kept = self.kept();
        let root = tree.root_spec();
        let is_its = kept.setting.as_ref().is_some_and(|(spec, _)| spec.root == root);
        if !is_its || kept.tree.is_some() {
            return Ok(());
        }
        let lease = world.doors.store().lease()?;
        let tree = match self.0.before {
            false => tree,
            true => {
                drop(tree);
                world.doors.snapshots()?.writable(below)?
            }
        };
        kept.tree = Some((tree, lease));
        Ok(())
    }

    /// The place, if a step failed.
    pub fn take(&self) -> Option<FailedPlace> {
        let Kept { setting, tree } = std::mem::take(&mut *self.kept());
        let ((mut spec, provided), (mut tree, lease)) = setting.zip(tree)?;
        spec.root = tree.root_spec();
        spec.args = vec![SHELL.to_owned()];
        Some(FailedPlace { spec, tree, _provided: provided, _lease: lease })
    }
}

impl FailedPlace {
    /// Opens a shell on the terminal of the caller; whatever is changed is thrown away.
    ///
    /// # Errors
    /// If the sandbox cannot be made, or the image has no shell.
    pub fn open(self, cx: &Context, sandbox: &Sandbox) -> Result<Exit, Error> {
        let exit = sandbox.run_attached(cx, &self.spec, Attach { input: true, terminal: true });
        drop(self.tree);
        Ok(exit?)
    }
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection").field("before", &self.0.before).finish_non_exhaustive()
    }
}
