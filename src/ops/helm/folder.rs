//! A folder on disk as a chart reads it: links are followed.

use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use crate::chart::{Entry, EntryKind, FileView};
use crate::host::fs;

/// A folder of the machine.
#[derive(Debug)]
pub(super) struct Folder(pub(super) PathBuf);

impl FileView for Folder {
    fn entries(&self, folder: &str) -> Result<Vec<Entry>, String> {
        let entries = fs::read_dir(self.0.join(folder)).map_err(|e| words(&e))?;
        let mut found = Vec::with_capacity(entries.len());
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let metadata = fs::metadata(entry.path()).map_err(|e| words(&e))?;
            let kind = match metadata.file_type() {
                kind if kind.is_dir() => EntryKind::Folder,
                kind if kind.is_file() => EntryKind::File,
                _ => EntryKind::Irregular,
            };
            let modified = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
            let modified = modified.map_or(0, |t| t.as_secs());
            found.push(Entry { name, kind, size: metadata.len(), modified });
        }
        Ok(found)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        fs::read(self.0.join(path)).map_err(|e| words(&e))
    }
}

/// An error of the file system as Go says it.
pub(super) fn words(error: &crate::host::Error) -> String {
    let path = error.path.display();
    match error.source.kind() {
        std::io::ErrorKind::NotFound => format!("open {path}: no such file or directory"),
        std::io::ErrorKind::PermissionDenied => format!("open {path}: permission denied"),
        std::io::ErrorKind::IsADirectory => format!("read {path}: is a directory"),
        _ => format!("{error}: {}", error.source),
    }
}
