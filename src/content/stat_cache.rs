//! Hashes of files that have not changed: what makes a second look at a build context cheap.
//!
//! A hash is taken from the cache only if device, inode, size, both times and mode of the file are what they were when
//! it was hashed. A file that was written at about the same moment as it was hashed could change again without any of
//! them changing, because the kernel's file times move in steps; its hash is not kept (git calls such files racy).

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{OptionalExtension as _, params};

use crate::base::ContentHash;
use crate::content::{Error, Store};
use crate::host::fs::Metadata;

/// Trees that were not looked at for so long are forgotten, in seconds.
const FORGOTTEN_AFTER: i64 = 30 * 24 * 3600;

/// What a file's metadata says about whether it has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileStat {
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Bytes.
    pub size: u64,
    /// Time of the last change of content, nanoseconds since the Unix epoch.
    pub mtime: i64,
    /// Time of the last change of content or metadata, nanoseconds since the Unix epoch.
    pub ctime: i64,
    /// Type and permissions.
    pub mode: u32,
}

impl From<&Metadata> for FileStat {
    fn from(metadata: &Metadata) -> Self {
        let nanos = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            dev: metadata.dev(),
            ino: metadata.ino(),
            size: metadata.len(),
            mtime: nanos(metadata.mtime(), metadata.mtime_nsec()),
            ctime: nanos(metadata.ctime(), metadata.ctime_nsec()),
            mode: metadata.mode(),
        }
    }
}

impl FileStat {
    /// Whether the file may have changed after it was hashed at `hashed` without its times showing it.
    fn is_racy(&self, hashed: Duration) -> bool {
        let latest = self.mtime.max(self.ctime);
        // Whole seconds are most likely a file system that has no finer times.
        let step = if latest % 1_000_000_000 == 0 { 2_000_000_000 } else { 50_000_000 };
        let hashed = i64::try_from(hashed.as_nanos()).unwrap_or(i64::MAX);
        latest > hashed.saturating_sub(step)
    }
}

/// What is to be remembered of a file; `None` forgets it.
type Change = Option<(FileStat, ContentHash)>;

/// The hashes of the files of one tree. Loaded once, asked and filled by any number of threads, saved once.
#[derive(Debug)]
pub struct StatCache {
    root: PathBuf,
    known: HashMap<Vec<u8>, (FileStat, ContentHash)>,
    changes: Mutex<HashMap<Vec<u8>, Change>>,
}

impl StatCache {
    /// The tree's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The hash of the file at `path` below the root, if the file is as it was when it was hashed.
    pub fn get(&self, path: &[u8], stat: &FileStat) -> Option<ContentHash> {
        let (known, hash) = self.known.get(path)?;
        (known == stat).then_some(*hash)
    }

    /// Remembers a hash. `stat` was read before the content, and `now` is the time after: a file that was changed so
    /// shortly before that its times may not show another change is not remembered.
    pub fn put(&self, path: &[u8], stat: FileStat, hash: ContentHash, now: Duration) {
        let entry = (!stat.is_racy(now)).then_some((stat, hash));
        if entry.is_some() || self.known.contains_key(path) {
            self.changes.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_vec(), entry);
        }
    }

    /// Forgets files that are not there any more.
    pub fn retain(&self, is_there: impl Fn(&[u8]) -> bool) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        for path in self.known.keys().filter(|path| !is_there(path)) {
            changes.insert(path.clone(), None);
        }
    }

    /// Whether there is anything to save.
    pub fn is_changed(&self) -> bool {
        !self.changes.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

impl Store {
    /// Loads what is known about the files of the tree at `root`, which should be absolute and without links.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn stat_cache(&self, root: &Path) -> Result<StatCache, Error> {
        let known = self.0.database.with("load file hashes", |connection| {
            let sql = "SELECT path, dev, ino, size, mtime, ctime, mode, hash FROM files \
                       WHERE tree = (SELECT id FROM trees WHERE root = ?1)";
            let mut statement = connection.prepare(sql)?;
            let rows = statement.query_map([root.as_os_str().as_bytes()], |row| {
                let stat = FileStat {
                    dev: row.get::<_, i64>(1)?.cast_unsigned(),
                    ino: row.get::<_, i64>(2)?.cast_unsigned(),
                    size: row.get::<_, i64>(3)?.cast_unsigned(),
                    mtime: row.get(4)?,
                    ctime: row.get(5)?,
                    mode: row.get(6)?,
                };
                Ok((row.get(0)?, (stat, ContentHash::from_bytes(row.get(7)?))))
            })?;
            rows.collect::<rusqlite::Result<HashMap<_, _>>>()
        })?;
        Ok(StatCache { root: root.to_owned(), known, changes: Mutex::default() })
    }

    /// Saves what has changed in `cache`, in one transaction. `now` is the time since the Unix epoch.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Database`].
    pub fn save_stat_cache(&self, cache: &StatCache, now: Duration) -> Result<(), Error> {
        self.writable()?;
        let changes = cache.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if changes.is_empty() {
            return Ok(());
        }
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        self.0.database.with("save file hashes", |connection| {
            let transaction =
                connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let root = cache.root.as_os_str().as_bytes();
            transaction.execute(
                "INSERT INTO trees (root, used) VALUES (?1, ?2) ON CONFLICT (root) DO UPDATE SET used = ?2",
                params![root, now],
            )?;
            let tree: i64 =
                transaction.query_row("SELECT id FROM trees WHERE root = ?1", [root], |row| row.get(0))?;
            {
                let mut insert = transaction
                    .prepare("INSERT OR REPLACE INTO files VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
                let mut delete = transaction.prepare("DELETE FROM files WHERE tree = ?1 AND path = ?2")?;
                for (path, change) in changes.iter() {
                    match change {
                        Some((stat, hash)) => insert.execute(params![
                            tree,
                            path,
                            stat.dev.cast_signed(),
                            stat.ino.cast_signed(),
                            stat.size.cast_signed(),
                            stat.mtime,
                            stat.ctime,
                            stat.mode,
                            hash.as_bytes()
                        ])?,
                        None => delete.execute(params![tree, path])?,
                    };
                }
            }
            forget_old_trees(&transaction, now)?;
            transaction.commit()
        })
    }
}

fn forget_old_trees(connection: &rusqlite::Connection, now: i64) -> rusqlite::Result<()> {
    let limit = now.saturating_sub(FORGOTTEN_AFTER);
    loop {
        let old: Option<i64> = connection
            .query_row("SELECT id FROM trees WHERE used < ?1 LIMIT 1", [limit], |row| row.get(0))
            .optional()?;
        let Some(old) = old else { return Ok(()) };
        connection.execute("DELETE FROM files WHERE tree = ?1", [old])?;
        connection.execute("DELETE FROM trees WHERE id = ?1", [old])?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::OpenOptions;

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn stat(ino: u64) -> FileStat {
        let seconds_ago = |s: i64| (1_700_000_000 - s) * 1_000_000_000 + 1;
        FileStat {
            dev: u64::MAX,
            ino,
            size: 3,
            mtime: seconds_ago(100),
            ctime: seconds_ago(50),
            mode: 0o100_644,
        }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &OpenOptions::default()).unwrap();
        (dir, store)
    }

    #[test]
    fn only_an_unchanged_file_keeps_its_hash() {
        let (_dir, store) = store();
        let root = Path::new("/project");
        let hash = ContentHash::of(b"abc");
        let cache = store.stat_cache(root).unwrap();
        cache.put(b"a\xff", stat(1), hash, NOW);
        cache.put(b"b", stat(2), hash, NOW);
        assert!(cache.is_changed());
        store.save_stat_cache(&cache, NOW).unwrap();

        let cache = store.stat_cache(root).unwrap();
        assert_eq!(cache.get(b"a\xff", &stat(1)), Some(hash));
        for changed in [
            FileStat { dev: 1, ..stat(1) },
            stat(9),
            FileStat { size: 4, ..stat(1) },
            FileStat { mtime: 0, ..stat(1) },
            FileStat { ctime: 0, ..stat(1) },
            FileStat { mode: 0o100_755, ..stat(1) },
        ] {
            assert_eq!(cache.get(b"a\xff", &changed), None, "{changed:?}");
        }
        cache.retain(|path| path == b"b");
        store.save_stat_cache(&cache, NOW).unwrap();
        let cache = store.stat_cache(root).unwrap();
        assert_eq!((cache.get(b"a\xff", &stat(1)), cache.get(b"b", &stat(2))), (None, Some(hash)));
        assert!(store.stat_cache(Path::new("/other")).unwrap().known.is_empty());
    }

    #[test]
    fn files_written_just_now_are_not_trusted() {
        let (_dir, store) = store();
        let cache = store.stat_cache(Path::new("/p")).unwrap();
        let hash = ContentHash::of(b"abc");
        let now = i64::try_from(NOW.as_nanos()).unwrap();
        let written = |ago: i64| FileStat { ctime: now - ago, ..stat(1) };
        for (ago, kept) in [
            (0, false),
            (10_000_000, false),
            (60_000_001, true),
            (1_000_000_000, false),
            (2_000_000_000, true),
        ] {
            cache.put(b"f", written(ago), hash, NOW);
            let entry = cache.changes.lock().unwrap().remove(&b"f"[..]);
            assert_eq!(entry.is_some(), kept, "{ago}");
        }
    }

    #[test]
    fn trees_nobody_looks_at_are_forgotten() {
        let (_dir, store) = store();
        let save = |root: &str, now: Duration| {
            let cache = store.stat_cache(Path::new(root)).unwrap();
            cache.put(b"f", stat(1), ContentHash::of(b""), NOW);
            store.save_stat_cache(&cache, now).unwrap();
        };
        save("/old", NOW);
        save("/new", NOW + Duration::from_secs(31 * 24 * 3600));
        assert!(store.stat_cache(Path::new("/old")).unwrap().known.is_empty());
        assert_eq!(store.stat_cache(Path::new("/new")).unwrap().known.len(), 1);
    }
}
