//! Lists of files that steps read, small enough to be kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::KeyHasher;
use crate::snapshot::tree::Listed;

/// Longer lists are kept by folders.
const LONGEST: usize = 20_000;

/// Files with type, mode and the beginning of a hash each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileList {
    entries: BTreeMap<String, (u32, String)>,
    /// Whether it names folders in the place of what is in them.
    folders: bool,
}

/// What happened to a file between two lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum FileChange {
    /// It is new.
    Added {
        /// Its path.
        path: String,
    },
    /// It is gone.
    Removed {
        /// Its path.
        path: String,
    },
    /// It has other content, another owner, or leads elsewhere.
    Changed {
        /// Its path.
        path: String,
    },
    /// It has another mode.
    Mode {
        /// Its path.
        path: String,
        /// The mode it had.
        before: u32,
        /// The mode it has.
        now: u32,
    },
}

impl std::fmt::Display for FileChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Added { path } => write!(f, "{path} is new"),
            Self::Removed { path } => write!(f, "{path} is gone"),
            Self::Changed { path } => write!(f, "{path} changed"),
            Self::Mode { path, before, now } => {
                write!(f, "{path}: mode {:04o} → {:04o}", before & 0o7777, now & 0o7777)
            }
        }
    }
}

impl FileList {
    /// The list of what was found; of very many files, the folders they are in.
    pub fn new(listed: &[Listed]) -> Self {
        Self::of_at_most(listed, LONGEST)
    }

    fn of_at_most(listed: &[Listed], longest: usize) -> Self {
        if listed.len() <= longest {
            let entry = |entry: &Listed| {
                let path = String::from_utf8_lossy(&entry.path).into_owned();
                (path, (entry.mode, entry.hash.to_string()[..16].to_owned()))
            };
            return Self { entries: listed.iter().map(entry).collect(), folders: false };
        }
        let depths = (1..=4).rev().map(|depth| by_folder(listed, depth));
        let mut lists = depths.filter(|entries| entries.len() <= longest);
        let entries = lists.next().unwrap_or_else(|| {
            let hash = by_folder(listed, 0).into_values().next().unwrap_or_default();
            BTreeMap::from([("files".to_owned(), hash)])
        });
        Self { entries, folders: true }
    }

    /// What is different from `before`, in order of paths. A folder whose own metadata changed is told as any other entry.
    pub fn changes(&self, before: &Self) -> Vec<FileChange> {
        let mut changes = Vec::new();
        let all: std::collections::BTreeSet<&String> =
            self.entries.keys().chain(before.entries.keys()).collect();
        for path in all {
            let shown = if path.is_empty() { "/" } else { path }.to_owned();
            match (before.entries.get(path), self.entries.get(path)) {
                (None, Some(_)) => changes.push(FileChange::Added { path: shown }),
                (Some(_), None) => changes.push(FileChange::Removed { path: shown }),
                (Some(old), Some(new)) if old.0 != new.0 => {
                    let same_kind = old.0 & 0o170_000 == new.0 & 0o170_000;
                    changes.push(match same_kind && !self.folders {
                        true => FileChange::Mode { path: shown, before: old.0, now: new.0 },
                        false => FileChange::Changed { path: shown },
                    });
                }
                (Some(old), Some(new)) if old.1 != new.1 => changes.push(FileChange::Changed { path: shown }),
                _ => {}
            }
        }
        changes
    }
}

/// One entry for all files that have the first `depth` components in common.
fn by_folder(listed: &[Listed], depth: usize) -> BTreeMap<String, (u32, String)> {
    let mut hashers: BTreeMap<String, KeyHasher> = BTreeMap::new();
    for entry in listed {
        let path = String::from_utf8_lossy(&entry.path);
        let folder: Vec<&str> = path.split('/').take(depth).collect();
        let hasher = hashers.entry(folder.join("/")).or_insert_with(|| KeyHasher::new("lapstrake folder v1"));
        hasher
            .field("path", &entry.path)
            .number("mode", entry.mode.into())
            .field("hash", entry.hash.as_bytes());
    }
    let short = |hasher: KeyHasher| (0, hasher.finish().to_string()[..16].to_owned());
    hashers.into_iter().map(|(folder, hasher)| (folder, short(hasher))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ContentHash;

    fn listed(path: &str, mode: u32, content: &str) -> Listed {
        Listed { path: path.into(), mode, hash: ContentHash::of(content.as_bytes()) }
    }

    #[test]
    fn every_kind_of_change_is_told() {
        let before = [listed("a", 0o100_644, "1"), listed("b", 0o100_644, "1"), listed("c", 0o100_644, "1")];
        let now = [listed("a", 0o100_755, "x"), listed("b", 0o100_644, "2"), listed("d", 0o120_777, "1")];
        let told = FileList::new(&now).changes(&FileList::new(&before));
        let told: Vec<_> = told.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["a: mode 0644 → 0755", "b changed", "c is gone", "d is new"]);
    }

    #[test]
    fn long_lists_are_kept_by_folders() {
        let files = |changed: &str| -> Vec<Listed> {
            let paths = (0..100).map(|n| format!("src/{}/{}/f", n % 10, n));
            paths.map(|p| listed(&p, 0o100_644, if p == changed { "2" } else { "1" })).collect()
        };
        let list = |changed| FileList::of_at_most(&files(changed), 20);
        assert_eq!(list("").entries.len(), 10);
        let told = list("src/3/13/f").changes(&list(""));
        assert_eq!(told, [FileChange::Changed { path: "src/3".into() }]);
        let one = |changed| FileList::of_at_most(&files(changed), 0);
        assert_eq!(one("src/3/13/f").changes(&one("")).len(), 1);
    }
}
