//! Files of a chart, and where they are read from.

use crate::yaml::Text;

/// The byte order mark that Helm takes off every file.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// A file inside a chart.
#[derive(Clone, Debug)]
pub struct File {
    /// Path from the chart's folder, with `/`.
    pub name: String,
    /// Content without a byte order mark.
    pub data: Text,
    /// Seconds since 1970 of its last change; 0 where unknown.
    pub modified: u64,
}

impl File {
    /// A file; a byte order mark is taken off.
    pub fn new(name: impl Into<String>, data: &[u8], modified: u64) -> Self {
        Self { name: name.into(), data: data.strip_prefix(BOM).unwrap_or(data).into(), modified }
    }
}

/// What stands in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A socket, a device, a pipe.
    Irregular,
}

/// An entry of a folder; links have been followed.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Name without its folder.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Size in bytes.
    pub size: u64,
    /// Seconds since 1970 of its last change.
    pub modified: u64,
}

/// Read access to a tree of files, by paths with `/` from its root.
pub trait FileView {
    /// The entries of a folder, sorted by name; `""` is the root.
    ///
    /// # Errors
    /// In words, if it cannot be listed.
    fn entries(&self, folder: &str) -> Result<Vec<Entry>, String>;

    /// The content of a file.
    ///
    /// # Errors
    /// In words, if it cannot be read.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;
}

/// Files in memory as a tree, such as those of an archive.
#[derive(Clone, Debug)]
pub struct Files(pub Vec<File>);

impl FileView for Files {
    fn entries(&self, folder: &str) -> Result<Vec<Entry>, String> {
        let mut entries: std::collections::BTreeMap<&str, Entry> = std::collections::BTreeMap::new();
        for file in &self.0 {
            let rest = match folder {
                "" => Some(file.name.as_str()),
                folder => file.name.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')),
            };
            let Some(rest) = rest else { continue };
            let (name, kind) = match rest.split_once('/') {
                Some((name, _)) => (name, EntryKind::Folder),
                None => (rest, EntryKind::File),
            };
            let entry =
                Entry { name: name.to_owned(), kind, size: file.data.len() as u64, modified: file.modified };
            entries.insert(name, entry);
        }
        Ok(entries.into_values().collect())
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let file = self.0.iter().find(|file| file.name == path);
        file.map(|file| file.data.as_bytes().to_vec())
            .ok_or_else(|| format!("open {path}: no such file or directory"))
    }
}
