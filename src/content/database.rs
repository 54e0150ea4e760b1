//! The index database: SQLite, shared by processes, made anew whenever it is lost or damaged.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, ffi};

use crate::content::{Error, disk};
use crate::host::fs;
use crate::host::lock::{FileLock, Sharing};

/// Raised when the tables change; a database of another version is made anew.
const SCHEMA: i64 = 1;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS layers (
        diff_id TEXT, digest TEXT, media_type TEXT, size INTEGER, uncompressed INTEGER, compressor TEXT,
        verified INTEGER, PRIMARY KEY (diff_id, digest)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS sources (
        digest TEXT, registry TEXT, repository TEXT, PRIMARY KEY (digest, registry, repository)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS trees (id INTEGER PRIMARY KEY, root BLOB UNIQUE, used INTEGER);
    CREATE TABLE IF NOT EXISTS files (
        tree INTEGER, path BLOB, dev INTEGER, ino INTEGER, size INTEGER, mtime INTEGER, ctime INTEGER, mode INTEGER,
        hash BLOB, PRIMARY KEY (tree, path)
    ) WITHOUT ROWID;";

/// Tries to open while others open for the first time, and the time between two of them.
const OPENINGS: usize = 500;
const BETWEEN_OPENINGS: Duration = Duration::from_millis(10);
/// How often one piece of work is begun again because the database is damaged or was changed under it by others.
const REMAKES: usize = 50;
/// How long one process waits for another's transaction.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection, opened at the first use.
pub(super) struct Database {
    /// `None` keeps everything in memory: for stores that may not be written.
    path: Option<PathBuf>,
    connection: Mutex<Option<Connection>>,
}

impl Database {
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { path, connection: Mutex::default() }
    }

    /// Does `work` with the connection. If the database turns out to be damaged, or to be taken away, it is made anew
    /// and `work` is done again.
    pub(super) fn with<T>(
        &self,
        action: &'static str,
        mut work: impl FnMut(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let mut slot = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut attempt = |slot: &mut Option<Connection>| {
            let connection = match slot {
                Some(connection) => connection,
                None => slot.insert(self.open()?),
            };
            work(connection)
        };
        let fail = |source: rusqlite::Error| {
            let path = self.path.clone().unwrap_or_default();
            if source.sqlite_error_code() == Some(ErrorCode::DiskFull) {
                let full = std::io::Error::new(std::io::ErrorKind::StorageFull, source);
                return Error::of(crate::host::Error::new("write", path, full));
            }
            Error::Database { action, path, source: source.into() }
        };
        for remade in 0..REMAKES {
            match attempt(&mut slot) {
                Err(error) if is_damage(&error) => {
                    *slot = None;
                    if let Some(path) = &self.path {
                        discard(path)?;
                    }
                    // Whoever damages it may not be done yet.
                    if remade > 0 {
                        std::thread::sleep(BETWEEN_OPENINGS);
                    }
                }
                result => return result.map_err(fail),
            }
        }
        attempt(&mut slot).map_err(fail)
    }

    /// Switching to the write-ahead log does not wait for others who do the same; so this does.
    fn open(&self) -> rusqlite::Result<Connection> {
        let busy = |e: &rusqlite::Error| e.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy);
        for _ in 0..OPENINGS {
            match self.open_once() {
                Err(e) if busy(&e) => std::thread::sleep(BETWEEN_OPENINGS),
                other => return other,
            }
        }
        self.open_once()
    }

    fn open_once(&self) -> rusqlite::Result<Connection> {
        let Some(path) = &self.path else {
            let connection = Connection::open_in_memory()?;
            connection.execute_batch(TABLES)?;
            return Ok(connection);
        };
        let connection = Connection::open(path)?;
        connection.busy_timeout(PATIENCE)?;
        // The write-ahead log lets readers go on beside a writer, but needs memory shared between processes.
        let mode = if disk::is_remote(path.parent().unwrap_or(path)) { "TRUNCATE" } else { "WAL" };
        connection.pragma_update_and_check(None, "journal_mode", mode, |_| Ok(()))?;
        // Losing the last transactions in a power cut is fine for what can be found again; damage is not.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match version {
            SCHEMA => {}
            0 => {
                connection.execute_batch(&format!(
                    "BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {SCHEMA}; COMMIT;"
                ))?;
            }
            _ => return Err(rusqlite::Error::InvalidQuery),
        }
        Ok(connection)
    }
}

/// Whether making the database anew helps.
fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        // Another version's, or one with other columns or types than ours.
        rusqlite::Error::InvalidQuery
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::SqlInputError { .. } => true,
        rusqlite::Error::SqliteFailure(failure, _) => {
            matches!(
                failure.code,
                ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::SchemaChanged
                    | ErrorCode::Unknown
                    // What the processes share about the log makes no sense any more.
                    | ErrorCode::FileLockingProtocolFailed
            ) || matches!(
                failure.extended_code,
                // The files are shorter than they were, or others than those that were opened.
                ffi::SQLITE_IOERR_SHORT_READ
                    | ffi::SQLITE_IOERR_FSTAT
                    | ffi::SQLITE_IOERR_DELETE_NOENT
                    | ffi::SQLITE_READONLY_DBMOVED
            )
        }
        _ => false,
    }
}

/// Removes a damaged database, unless another process has done so already.
fn discard(path: &Path) -> Result<(), Error> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let folder = path.parent().unwrap_or(path);
    let _lock = FileLock::wait(folder.join("locks/content-database"), Sharing::Exclusive)?;
    if is_whole(path) {
        return Ok(());
    }
    // The log first: it must never be played into a new database.
    for suffix in ["-wal", "-shm", "-journal", ""] {
        fs::remove_file(beside(suffix))?;
    }
    Ok(())
}

fn is_whole(path: &Path) -> bool {
    let check = || -> rusqlite::Result<bool> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(PATIENCE)?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let verdict: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
        let tables: i64 = connection.query_row(
            "SELECT count(*) FROM sqlite_master WHERE name IN ('facts', 'layers', 'sources', 'trees', 'files')",
            [],
            |row| row.get(0),
        )?;
        Ok(version == SCHEMA && verdict == "ok" && tables == 5)
    };
    check().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("locks")).unwrap();
        let path = dir.path().join("index.db");
        (dir, path)
    }

    fn count(database: &Database) -> i64 {
        database.with("count", |c| c.query_row("SELECT count(*) FROM facts", [], |row| row.get(0))).unwrap()
    }

    fn add(database: &Database, name: &str) {
        database.with("add", |c| c.execute("INSERT INTO facts VALUES (?1, 1)", [name])).unwrap();
    }

    #[test]
    fn damage_of_every_kind_heals() {
        let (_dir, path) = database();
        let remake = |damage: &dyn Fn()| {
            let database = Database::new(Some(path.clone()));
            add(&database, "fact");
            assert_eq!(count(&database), 1);
            drop(database);
            damage();
            let database = Database::new(Some(path.clone()));
            assert_eq!(count(&database), 0);
            drop(database);
        };
        remake(&|| fs::write(&path, "not a database at all, but long enough to look at").unwrap());
        remake(&|| fs::remove_file(&path).unwrap());
        remake(&|| fs::write(&path, "").unwrap());
        remake(&|| {
            let mut bytes = fs::read(&path).unwrap();
            bytes[100..3000].fill(0xa5);
            fs::write(&path, bytes).unwrap();
        });
        remake(&|| Connection::open(&path).unwrap().execute_batch("DROP TABLE facts").unwrap());
        remake(&|| Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap());
    }

    #[test]
    fn several_at_once() {
        let (_dir, path) = database();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let path = path.clone();
                scope.spawn(move || {
                    let database = Database::new(Some(path));
                    for n in 0..25 {
                        add(&database, &format!("{thread}-{n}"));
                    }
                });
            }
        });
        assert_eq!(count(&Database::new(Some(path))), 100);
    }
}
