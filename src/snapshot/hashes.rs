//! Hashes of parts of merged trees, remembered: layers never change, so what was found once holds for as long as they are
//! here.

use crate::base::{ContentHash, DiffId, KeyHasher};
use crate::host::fs;
use crate::snapshot::{Result, Snapshots, derived};

const FILE: &str = "hash";
/// A hash as text.
const LIMIT: u64 = 256;

impl Snapshots {
    /// The hash that is remembered of `part` of the tree of `layers`, if it is.
    pub fn known_hash(&self, layers: &[DiffId], part: &ContentHash) -> Option<ContentHash> {
        let bytes = fs::read_limited(self.hash_place(layers, part).join(FILE), LIMIT).ok()?;
        std::str::from_utf8(&bytes).ok()?.parse().ok()
    }

    /// Remembers the hash of `part` (a name for it that is never used for another) of the tree of `layers`.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn remember_hash(&self, layers: &[DiffId], part: &ContentHash, hash: &ContentHash) -> Result<()> {
        let place = self.hash_place(layers, part);
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder)?;
        }
        let scratch = self.scratch()?;
        let made = scratch.dir(FILE)?;
        derived::describe(&made, layers.iter())?;
        fs::write(made.join(FILE), hash.to_string())?;
        match fs::rename(&made, &place) {
            Err(e) if !fs::exists(&place) => Err(e.into()),
            _ => Ok(()),
        }
    }

    fn hash_place(&self, layers: &[DiffId], part: &ContentHash) -> std::path::PathBuf {
        let mut key = KeyHasher::new("lapstrake part of a tree v1");
        key.list("layers", layers.iter().map(ToString::to_string).collect::<Vec<_>>());
        key.field("part", part.as_bytes());
        self.root().join(derived::HASHES).join(key.finish().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Choice;

    #[test]
    fn hashes_stay_as_long_as_their_layers() {
        let dir = tempfile::tempdir().unwrap();
        let store = Snapshots::open(dir.path(), Choice::Copy).unwrap();
        let empty = vec![0; 1024];
        let layers = [DiffId::of(&empty)];
        store.unpack(&layers[0], empty.as_slice()).unwrap();
        let (part, hash) = (ContentHash::of(b"part"), ContentHash::of(b"hash"));
        assert_eq!(store.known_hash(&layers, &part), None);
        for _ in 0..2 {
            store.remember_hash(&layers, &part, &hash).unwrap();
        }
        assert_eq!(store.known_hash(&layers, &part), Some(hash));
        assert_eq!(store.known_hash(&layers, &hash), None);
        assert_eq!(store.known_hash(&[], &part), None);
        assert_eq!(store.remove_derived().unwrap(), 0);
        store.remove(&layers[0]).unwrap();
        assert_eq!(store.remove_derived().unwrap(), 1);
        assert_eq!(store.known_hash(&layers, &part), None);
    }

    #[test]
    fn what_is_damaged_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let store = Snapshots::open(dir.path(), Choice::Copy).unwrap();
        let (part, hash) = (ContentHash::of(b"part"), ContentHash::of(b"hash"));
        store.remember_hash(&[], &part, &hash).unwrap();
        let file = store.hash_place(&[], &part).join(FILE);
        for wrong in ["", "abc", &"x".repeat(1000)] {
            fs::write(&file, wrong).unwrap();
            assert_eq!(store.known_hash(&[], &part), None, "{wrong}");
        }
    }
}
