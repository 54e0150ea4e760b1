//! `--cgroup-parent`: a control group of the step's own, below one that was named. Linux:
//! Documentation/admin-guide/cgroup-v2.rst.

use std::io;
use std::path::{Path, PathBuf};

use crate::host::{self, fs};
use crate::sandbox::{Error, Result, RunSpec};

/// A control group of one step; removed when dropped.
#[derive(Debug)]
pub(super) struct Group {
    path: PathBuf,
}

impl Group {
    /// The group of a step that is to have one.
    pub(super) fn of(spec: &RunSpec) -> Result<Option<Self>> {
        let Some(parent) = &spec.cgroup_parent else { return Ok(None) };
        let fail = |source| Error::Cgroup { parent: parent.clone(), source };
        let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|e| fail(io::Error::other(e)))?;
        let Some(mount) = unified(&mounts) else {
            return Err(fail(io::Error::other("this machine has no unified control groups (cgroup v2)")));
        };
        let relative = parent.trim_start_matches('/');
        if relative.split('/').any(|part| part == "..") {
            return Err(fail(io::Error::other("it leads out of the control groups")));
        }
        let path = mount.join(relative).join(format!("lap-{}", host::random::token()));
        fs::create_dir_all(&path).map_err(|e| fail(io::Error::other(e)))?;
        Ok(Some(Self { path }))
    }

    /// Its folder.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // It is empty by now: the far side ended. One that is not can be removed by whoever comes after.
        let _ = rustix::fs::rmdir(&self.path);
    }
}

/// Where the unified hierarchy is mounted, by the text of mountinfo (proc_pid_mountinfo(5)).
fn unified(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ").then(|| place.split(' ').nth(4).map(PathBuf::from))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unified_hierarchy_is_found_among_mounts() {
        let text = "30 25 0:26 / /sys/fs/cgroup/cpu rw shared:5 - cgroup cgroup rw,cpu\n\
                    31 25 0:27 / /sys/fs/cgroup/unified rw - cgroup2 none rw\n";
        assert_eq!(unified(text), Some(PathBuf::from("/sys/fs/cgroup/unified")));
        assert_eq!(unified("30 25 0:26 / /x rw - cgroup cgroup rw\nbroken\n"), None);
    }

    #[test]
    fn names_do_not_lead_out() {
        let mut spec = RunSpec::new(crate::sandbox::Root::Directory("/r".into()), vec!["x".into()]);
        assert!(Group::of(&spec).unwrap().is_none());
        spec.cgroup_parent = Some("/../../etc".into());
        assert!(Group::of(&spec).is_err());
    }
}
