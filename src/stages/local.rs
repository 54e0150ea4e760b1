//! Records in a local folder.

use std::path::{Path, PathBuf};

use crate::base::StepKey;
use crate::host::lock::{FileLock, Sharing};
use crate::host::{self, fs};
use crate::stages::{Error, Record};

/// A record is a few hundred bytes a layer; images have at most 128 or so.
const LARGEST_RECORD: u64 = 1 << 20;

/// The records of this store.
#[derive(Clone, Debug)]
pub struct LocalRecords {
    root: PathBuf,
}

impl LocalRecords {
    /// Uses the folder `root`; it is made when the first record is published.
    pub fn open(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn path(&self, key: &StepKey) -> PathBuf {
        let name = key.to_string();
        self.root.join(&name[..2]).join(format!("{name}.json"))
    }

    /// The record of `key`. A damaged one, or one of another version, counts as absent: it is only knowledge.
    ///
    /// # Errors
    /// If a record is there and cannot be read.
    pub fn get(&self, key: &StepKey) -> Result<Option<Record>, Error> {
        match fs::read_limited(self.path(key), LARGEST_RECORD) {
            Ok(bytes) => Ok(decode(&bytes, key)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(source) => Err(Error::Read { key: *key, source }),
        }
    }

    /// Publishes `record` unless its key has one that `still_good` accepts; returns the one that now stands.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn publish(&self, record: Record, still_good: impl Fn(&Record) -> bool) -> Result<Record, Error> {
        let key = record.key;
        let fail = |source| Error::Publish { key, source };
        let path = self.path(&key);
        if let Some(known) = self.get(&key)?.filter(&still_good) {
            return Ok(known);
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(fail)?;
        let bytes = serde_json::to_vec(&record)
            .map_err(|e| fail(host::Error::new("encode", &path, std::io::Error::other(e))))?;
        let temporary = folder.join(format!(".{}.tmp", host::random::token()));
        fs::write(&temporary, &bytes).map_err(fail)?;
        let linked = fs::hard_link(&temporary, &path);
        fs::remove_file(&temporary).map_err(fail)?;
        match linked {
            Ok(()) => Ok(record),
            Err(e) if e.is_already_there() => {
                // Somebody was first, or what is there is damaged or its layers are gone. One at a time may replace it,
                // so that all who want to agree on one.
                let _one = FileLock::wait(self.root.join(".replace"), Sharing::Exclusive).map_err(fail)?;
                if let Some(known) = self.get(&key)?.filter(still_good) {
                    return Ok(known);
                }
                // As little durable as the first one was: after a power failure it may count as absent.
                fs::write(&temporary, &bytes).and_then(|()| fs::rename(&temporary, &path)).map_err(fail)?;
                Ok(record)
            }
            Err(e) => Err(fail(e)),
        }
    }

    /// All records, in no particular order. Damaged ones are left out.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    pub fn all(&self) -> Result<Vec<Record>, Error> {
        let mut records = Vec::new();
        for path in self.files()? {
            let Some(key) = key_of(&path) else { continue };
            records.extend(self.get(&key)?);
        }
        Ok(records)
    }

    /// Removes the records that `keep` refuses and returns how many those were. Damaged ones go as well.
    ///
    /// # Errors
    /// If the folder cannot be listed or a file not removed.
    pub fn retain(&self, keep: impl Fn(&Record) -> bool) -> Result<usize, Error> {
        let mut removed = 0;
        for path in self.files()? {
            let record = match key_of(&path) {
                Some(key) => self.get(&key)?,
                None => None,
            };
            if !record.is_some_and(|record| keep(&record)) {
                fs::remove_file(&path).map_err(Error::Open)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Files among the records that are none; removed if `remove`. Those that are just being written are left alone.
    ///
    /// # Errors
    /// If the folder cannot be listed or a file not removed.
    pub fn damaged(&self, remove: bool) -> Result<Vec<PathBuf>, Error> {
        let mut damaged = Vec::new();
        for path in self.files()? {
            let is_new = path.extension().is_some_and(|extension| extension == "tmp");
            let is_record = match key_of(&path) {
                Some(key) => self.get(&key)?.is_some(),
                None => false,
            };
            if is_new || is_record {
                continue;
            }
            if remove {
                fs::remove_file(&path).map_err(Error::Open)?;
            }
            damaged.push(path);
        }
        Ok(damaged)
    }

    fn files(&self) -> Result<Vec<PathBuf>, Error> {
        if !fs::exists(&self.root) {
            return Ok(Vec::new());
        }
        let mut files = Vec::new();
        for folder in fs::read_dir(&self.root).map_err(Error::Open)? {
            if folder.file_type().is_ok_and(|t| t.is_dir()) {
                let entries = fs::read_dir(folder.path()).map_err(Error::Open)?;
                files.extend(entries.into_iter().map(|entry| entry.path()));
            }
        }
        Ok(files)
    }
}

fn key_of(path: &Path) -> Option<StepKey> {
    let name = path.file_name()?.to_str()?.strip_suffix(".json")?;
    Some(StepKey::new(name.parse().ok()?))
}

fn decode(bytes: &[u8], key: &StepKey) -> Option<Record> {
    let record: Record = serde_json::from_slice(bytes).ok()?;
    (record.version == Record::VERSION && record.key == *key).then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{ContentHash, DiffId};
    use crate::stages::RecordLayer;

    fn record(created: i64) -> Record {
        Record {
            version: Record::VERSION,
            key: StepKey::new(ContentHash::of(b"step")),
            base: vec![],
            layers: vec![RecordLayer { diff_id: DiffId::of(b"layer"), size: 5, created }],
            origin: "RUN true".into(),
            content: None,
        }
    }

    #[test]
    fn the_first_record_wins_while_it_is_good() {
        let dir = tempfile::tempdir().unwrap();
        let records = LocalRecords::open(dir.path().join("records"));
        assert_eq!(records.get(&record(1).key).unwrap(), None);
        assert_eq!(records.publish(record(1), |_| true).unwrap().layers[0].created, 1);
        assert_eq!(records.publish(record(2), |_| true).unwrap().layers[0].created, 1);
        assert_eq!(records.publish(record(3), |_| false).unwrap().layers[0].created, 3);
        assert_eq!(records.all().unwrap(), [record(3)]);
    }

    #[test]
    fn damage_counts_as_absence_and_is_repaired() {
        let dir = tempfile::tempdir().unwrap();
        let records = LocalRecords::open(dir.path());
        records.publish(record(1), |_| true).unwrap();
        let path = records.path(&record(1).key);
        std::fs::write(&path, "{").unwrap();
        assert_eq!(records.get(&record(1).key).unwrap(), None);
        assert_eq!(records.damaged(false).unwrap(), [path]);
        assert_eq!(records.publish(record(2), |_| true).unwrap().layers[0].created, 2);
        assert!(records.damaged(true).unwrap().is_empty());
        assert_eq!(records.retain(|_| false).unwrap(), 1);
        assert_eq!(records.all().unwrap(), []);
    }

    #[test]
    fn many_publishers_agree() {
        for damaged in [false, true].repeat(20) {
            publishers_agree(damaged);
        }
    }

    fn publishers_agree(damaged: bool) {
        let dir = tempfile::tempdir().unwrap();
        let records = LocalRecords::open(dir.path());
        if damaged {
            let path = records.path(&record(0).key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{").unwrap();
        }
        let made: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|n| {
                    let records = records.clone();
                    scope.spawn(move || records.publish(record(n), |_| true).unwrap().layers[0].created)
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let stands = records.get(&record(0).key).unwrap().unwrap().layers[0].created;
        assert!(made.iter().all(|created| *created == stands), "{made:?} against {stands}");
    }
}
