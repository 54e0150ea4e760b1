//! What killed processes left in the folders of the store that are nobody else's to clean.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::Failure;
use crate::host::fs;
use crate::host::lock::{FileLock, Sharing};
use crate::ops::image_verify;
use crate::report::Context;

/// A file that is being written is younger than this.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// Removes half-written records, names of bases and stories that were given up, the files of locks that nobody holds, and
/// temporary stores of the dead; gives how many files and folders.
///
/// # Errors
/// If one cannot be removed.
pub fn remove(cx: &Context, home: &Path) -> Result<usize, Failure> {
    let mut removed = 0;
    for name in ["records", "bases", "builds"] {
        removed += temporaries(cx, &home.join(name), 2)?;
    }
    let locks = home.join("locks");
    for entry in list(&locks)? {
        let is_of_step = entry.file_name().is_some_and(|name| {
            let name = name.to_string_lossy();
            ["step-", "unpack-", "turn-"].iter().any(|start| name.starts_with(start))
        });
        // Who waits for it meanwhile works beside the next one, which costs time and nothing else.
        if is_of_step && FileLock::attempt(&entry, Sharing::Exclusive)?.is_some() {
            fs::remove_file(&entry)?;
            removed += 1;
        }
    }
    Ok(removed + image_verify::clean(home)?)
}

fn temporaries(cx: &Context, folder: &Path, depth: usize) -> Result<usize, Failure> {
    let mut removed = 0;
    for path in list(folder)? {
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        if metadata.is_dir() && depth > 0 {
            removed += temporaries(cx, &path, depth - 1)?;
        } else if name.starts_with(b".") && name.ends_with(b".tmp") {
            let modified = Duration::from_secs(u64::try_from(metadata.mtime()).unwrap_or(0));
            if cx.clock.now() > modified + STALE {
                fs::remove_file(&path)?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !fs::exists(folder) {
        return Ok(Vec::new());
    }
    Ok(fs::read_dir(folder)?.iter().map(fs::DirEntry::path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clock;

    #[test]
    fn what_is_old_or_held_by_nobody_goes() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path();
        for folder in ["records/ab", "builds/p/files", "locks"] {
            fs::create_dir_all(home.join(folder)).unwrap();
        }
        let files = ["records/ab/.x.tmp", "builds/p/files/.y.tmp", "records/ab/kept.json", "locks/turn-a"];
        for file in files.iter().chain(&["locks/step-b", "locks/content-index"]) {
            fs::write(home.join(file), "").unwrap();
        }
        let _held = FileLock::wait(home.join("locks/step-b"), Sharing::Exclusive).unwrap();
        let now = crate::host::clock::system().now().as_secs();
        let at = |seconds| Context::silent(Clock::fixed(seconds));
        assert_eq!(remove(&at(now), home).unwrap(), 1, "the lock that nobody holds");
        assert_eq!(remove(&at(now + 2 * 24 * 3600), home).unwrap(), 2);
        for kept in ["records/ab/kept.json", "locks/step-b", "locks/content-index"] {
            assert!(fs::exists(home.join(kept)), "{kept}");
        }
    }
}
