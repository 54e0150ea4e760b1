//! Noticing that there is something new to build.

use std::time::Duration;

use crate::base::{ContentHash, Failure, KeyHasher};
use crate::git::{EntryKind, Ignored, WorkTree};
use crate::host::fs;
use crate::ops::project::load::{ignored, worktree};
use crate::ops::project::{Options, Way};
use crate::report::Context;

/// How often is looked, as werf does.
const PAUSE: Duration = Duration::from_secs(1);

/// What a project stands at: its commit, and in development what lies on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    commit: String,
    disk: Option<ContentHash>,
}

/// What the project stands at now.
///
/// # Errors
/// If there is no repository or commit, or it cannot be read.
pub fn see(options: &Options) -> Result<Seen, Failure> {
    let worktree = worktree(options)?;
    let disk = match options.way {
        Way::Development => {
            let mut hasher = KeyHasher::new("lapstrake disk v1");
            let skipped = ignored(&options.dev_ignore)?;
            walk(&worktree, (b"", &skipped), &mut hasher)?;
            Some(hasher.finish())
        }
        _ => None,
    };
    Ok(Seen { commit: worktree.head().commit.clone(), disk })
}

/// Waits until the project stands at something else than `seen`; `false` if somebody asked to stop first.
pub async fn changed(cx: &Context, options: &Options, seen: &Seen) -> bool {
    loop {
        tokio::select! {
            () = cx.cancel.cancelled() => return false,
            () = tokio::time::sleep(PAUSE) => {}
        }
        // In the middle of a commit or a checkout there may be nothing that can be read.
        if see(options).is_ok_and(|now| now != *seen) {
            return true;
        }
    }
}

/// Takes note of names, sizes and times; contents need not be read for that.
fn walk(
    worktree: &WorkTree,
    (path, skipped): (&[u8], &Ignored),
    hasher: &mut KeyHasher,
) -> Result<(), Failure> {
    for found in worktree.folder(path)? {
        let below = if path.is_empty() { found.name } else { [path, found.name.as_slice()].join(&b'/') };
        let Some(kind) = found.kind.filter(|_| !skipped(&below)) else { continue };
        if kind == EntryKind::Folder {
            walk(worktree, (&below, skipped), hasher)?;
            continue;
        }
        let Ok(metadata) = fs::symlink_metadata(worktree.disk(&below)) else { continue };
        let stat = format!("{} {:?} {:?}", metadata.len(), metadata.modified().ok(), metadata.permissions());
        hasher.field("path", &below).field("stat", stat);
    }
    Ok(())
}
