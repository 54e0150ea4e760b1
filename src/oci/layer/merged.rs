//! Which entries of an image's layers can be seen in its file system (OCI image-spec: layer.md, "Applying Changesets").

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, Kind, Whiteout};

/// What an entry means for the file system as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It is there.
    Visible,
    /// A higher layer has something else in its place, or removes it.
    Hidden,
    /// It is none; it removes something.
    Whiteout,
}

/// Goes through the layers of an image from the highest to the lowest, so that one pass tells what can be seen.
#[derive(Debug, Default)]
pub struct TopDown {
    above: Layer,
    current: Layer,
}

/// Names by what they do to layers below.
#[derive(Debug, Default)]
struct Layer {
    /// Everything there is, and whether lower layers show through it: only through directories.
    entries: BTreeMap<Vec<u8>, bool>,
    removed: BTreeSet<Vec<u8>>,
    opaque: BTreeSet<Vec<u8>>,
}

impl TopDown {
    /// Looks at the next entry of the current layer.
    pub fn entry(&mut self, entry: &Entry) -> Sight {
        match entry.whiteout() {
            Some(Whiteout::Opaque { directory }) => {
                self.current.opaque.insert(directory.to_vec());
                return Sight::Whiteout;
            }
            Some(Whiteout::Removed { directory, name }) => {
                let path = [directory, if directory.is_empty() { b"" } else { b"/" }, name].concat();
                self.current.removed.insert(path);
                return Sight::Whiteout;
            }
            None => {}
        }
        if self.above.hides(&entry.path) {
            return Sight::Hidden;
        }
        self.current.entries.insert(entry.path.clone(), entry.kind == Kind::Directory);
        Sight::Visible
    }

    /// Whether the current layer has shown something under this name already.
    pub fn shown(&self, path: &[u8]) -> bool {
        self.current.entries.contains_key(path)
    }

    /// The current layer is at its end; the next one lies below it.
    pub fn end_of_layer(&mut self) {
        let layer = std::mem::take(&mut self.current);
        self.above.entries.extend(layer.entries);
        self.above.removed.extend(layer.removed);
        self.above.opaque.extend(layer.opaque);
    }
}

impl Layer {
    fn hides(&self, path: &[u8]) -> bool {
        if self.entries.contains_key(path) || self.removed.contains(path) {
            return true;
        }
        if path.is_empty() {
            return false;
        }
        if self.opaque.contains(&b""[..]) {
            return true;
        }
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        ends.map(|at| &path[..at]).any(|parent| {
            self.entries.get(parent).is_some_and(|is_directory| !is_directory)
                || self.removed.contains(parent)
                || self.opaque.contains(parent)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Layers from the highest to the lowest, entries separated by spaces, directories with a slash; what can be seen.
    fn seen(layers: &[&str]) -> String {
        let mut merged = TopDown::default();
        let mut seen = Vec::new();
        for layer in layers {
            for name in layer.split(' ').filter(|name| !name.is_empty()) {
                let (path, kind) = match name.strip_suffix('/') {
                    Some(path) => (path, Kind::Directory),
                    None => (name, Kind::File),
                };
                if merged.entry(&Entry::new(path, kind, 0o644)) == Sight::Visible {
                    seen.push(path.to_owned());
                }
            }
            merged.end_of_layer();
        }
        seen.join(" ")
    }

    #[test]
    fn higher_layers_win() {
        assert_eq!(seen(&["a/ a/f", "a/ a/f a/g b"]), "a a/f a/g b");
        assert_eq!(seen(&["a", "a/ a/f"]), "a");
        assert_eq!(seen(&["a/ a/x", "a"]), "a a/x");
        assert_eq!(seen(&["ab", "a/ a/f"]), "ab a a/f");
    }

    #[test]
    fn whiteouts_reach_lower_layers_only() {
        assert_eq!(seen(&[".wh.a b", "a/ a/f b c", "a/g d"]), "b c d");
        assert_eq!(seen(&["a/ a/.wh..wh..opq a/x", "a/ a/f", "a/g"]), "a a/x");
        assert_eq!(seen(&[".wh.a a/ a/new", "a/ a/old"]), "a a/new");
        assert_eq!(seen(&[".wh..wh..opq x", "y z/"]), "x");
        assert_eq!(seen(&["a/.wh.f", "a/ a/f a/ff"]), "a a/ff");
    }
}
