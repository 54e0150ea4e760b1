//! What the sources of COPY and ADD lead to.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::snapshot::folder::os;
use crate::snapshot::rooted::Rooted;
use crate::snapshot::tree::{Source, Verdict, join};
use crate::snapshot::{Error, Result};

/// One source of COPY or ADD as written, variables expanded.
#[derive(Clone, Copy, Debug)]
pub struct Pattern<'a> {
    /// The text, any bytes; `../x`, `/x` and `x` are the same.
    pub text: &'a [u8],
    /// Whether `*`, `?`, `[` and `\` in it mean something.
    pub wildcard: bool,
}

/// Go's `filepath.Match` on a whole relative path: pattern, path.
pub type Matcher<'a> = dyn Fn(&[u8], &[u8]) -> bool + Sync + 'a;

/// A path in the source that a pattern led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// Cleaned, relative, links resolved; empty is the root.
    pub path: PathBuf,
    /// The name a file gets in a destination directory: that of the path as written, before links were followed.
    pub name: Vec<u8>,
    /// Whether it is a directory, whose contents are copied.
    pub directory: bool,
}

/// Finds what the patterns lead to, in order; the matches of one wildcard sorted. A wildcard that matches nothing gives
/// nothing. Links are followed inside the source, those of directories on the way and the last one.
///
/// # Errors
/// [`Error::NoSource`] for a name without wildcards that is not there, is hidden, or is a link to nowhere.
pub fn select(source: &Source<'_>, patterns: &[Pattern<'_>], matches: &Matcher<'_>) -> Result<Vec<Selected>> {
    let tree = Rooted::open(source.root)?;
    let finder = Finder { source, tree, matches };
    let mut selected = Vec::new();
    for pattern in patterns {
        let components = clean(pattern.text);
        if pattern.wildcard && components.iter().any(|c| has_wildcard(c)) {
            finder.wildcard(&components, &mut selected)?;
        } else {
            let path = components.join(&b'/');
            let missing = |hidden| Error::NoSource { path: text(pattern.text), hidden };
            selected.push(finder.one(&path)?.map_err(missing)?);
        }
    }
    Ok(selected)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn has_wildcard(component: &[u8]) -> bool {
    component.iter().any(|b| matches!(b, b'*' | b'?' | b'[' | b'\\'))
}

/// The components of a path below its root: nothing leads above it.
fn clean(path: &[u8]) -> Vec<Vec<u8>> {
    let mut cleaned: Vec<Vec<u8>> = Vec::new();
    for component in path.split(|&b| b == b'/') {
        match component {
            b"" | b"." => {}
            b".." => {
                cleaned.pop();
            }
            other => cleaned.push(other.to_vec()),
        }
    }
    cleaned
}

struct Finder<'a> {
    source: &'a Source<'a>,
    tree: Rooted,
    matches: &'a Matcher<'a>,
}

impl Finder<'_> {
    /// What stands at a path; the inner error says whether something hidden does.
    fn one(&self, path: &[u8]) -> Result<Result<Selected, bool>> {
        let Some(place) = self.tree.resolve(OsStr::from_bytes(path))? else { return Ok(Err(false)) };
        let fail = |e: Errno| Error::system("look at", self.tree.show(&place), e);
        let Some(node) = self.tree.look(&place).map_err(fail)? else { return Ok(Err(false)) };
        let resolved = place.as_os_str().as_bytes();
        // A link is hidden if it or what it leads to is.
        let shown = (path == resolved || self.shows(path, false).map_err(fail)?)
            && self.shows(resolved, node.is_dir()).map_err(fail)?;
        if !shown {
            return Ok(Err(true));
        }
        let name = path.rsplit(|&b| b == b'/').next().unwrap_or_default().to_vec();
        Ok(Ok(Selected { directory: node.is_dir(), name, path: place }))
    }

    /// Whether the source shows a path, through all directories around it.
    fn shows(&self, path: &[u8], directory: bool) -> Result<bool, Errno> {
        if self.source.filter.is_none() || path.is_empty() {
            return Ok(true);
        }
        for (at, _) in path.iter().enumerate().filter(|(_, b)| **b == b'/') {
            if self.source.verdict(&path[..at], true) == Verdict::Drop {
                return Ok(false);
            }
        }
        match self.source.verdict(path, directory) {
            Verdict::Keep => Ok(true),
            Verdict::Drop => Ok(false),
            Verdict::Descend | Verdict::Pass => {
                let folder = self.tree.folder(Path::new(OsStr::from_bytes(path)))?;
                self.source.shows_below(&folder, path)
            }
        }
    }

    fn wildcard(&self, components: &[Vec<u8>], selected: &mut Vec<Selected>) -> Result<()> {
        // Links are followed up to the first wildcard, as in BuildKit.
        let plain = components.iter().position(|c| has_wildcard(c)).unwrap_or(components.len());
        let Some(start) = self.tree.resolve(OsStr::from_bytes(&components[..plain].join(&b'/')))? else {
            return Ok(());
        };
        let mut found = BTreeSet::new();
        self.descend(start.as_os_str().as_bytes(), &components[plain..], &mut found)?;
        for path in found {
            match self.one(&path)? {
                Ok(one) => selected.push(one),
                Err(true) => {}
                Err(false) => return Err(Error::NoSource { path: text(&path), hidden: false }),
            }
        }
        Ok(())
    }

    fn descend(&self, path: &[u8], patterns: &[Vec<u8>], found: &mut BTreeSet<Vec<u8>>) -> Result<()> {
        let Some((first, rest)) = patterns.split_first() else {
            found.insert(path.to_vec());
            return Ok(());
        };
        let place = Path::new(OsStr::from_bytes(path));
        let fail = |e: Errno| Error::system("list", self.tree.show(place), e);
        let folder = match self.tree.folder(place) {
            Err(Errno::NOTDIR | Errno::NOENT) => return Ok(()),
            other => other.map_err(fail)?,
        };
        for (name, node) in self.source.list(&folder, path).map_err(fail)? {
            // The last component may be a link; those on the way must be directories themselves.
            let fits = rest.is_empty() || node.is_dir();
            if fits && (self.matches)(first, os(&name).as_bytes()) {
                self.descend(&join(path, name.as_bytes()), rest, found)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::host::fs;

    /// Enough of `filepath.Match` for these tests: one `*`.
    fn matches(pattern: &[u8], path: &[u8]) -> bool {
        let Some(star) = pattern.iter().position(|&b| b == b'*') else { return pattern == path };
        let (head, tail) = (&pattern[..star], &pattern[star + 1..]);
        path.len() >= head.len() + tail.len() && path.starts_with(head) && path.ends_with(tail)
    }

    #[test]
    fn names_links_and_wildcards() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("dir/sub")).unwrap();
        for name in ["a.txt", "b.txt", ".hidden.txt", "dir/c.txt", "secret.txt", "dir/sub/d.txt"] {
            fs::write(root.join(name), name).unwrap();
        }
        symlink("/dir", root.join("to-dir")).unwrap();
        symlink("../../a.txt", root.join("to-file")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        symlink("secret.txt", root.join("to-secret")).unwrap();
        let filter = |path: &[u8], _: bool| if path == b"secret.txt" { Verdict::Drop } else { Verdict::Keep };
        let source = Source { root, filter: Some(&filter), root_owned: true };
        let ask = |text: &str| {
            select(&source, &[Pattern { text: text.as_bytes(), wildcard: true }], &matches).map(|found| {
                let show = |s: Selected| format!("{}={}", text_of(&s.name), s.path.display());
                found.into_iter().map(show).collect::<Vec<_>>().join(" ")
            })
        };
        fn text_of(name: &[u8]) -> String {
            text(name)
        }
        assert_eq!(ask("../../a.txt").unwrap(), "a.txt=a.txt");
        assert_eq!(ask("/").unwrap(), "=");
        assert_eq!(ask("to-dir/").unwrap(), "to-dir=dir");
        assert_eq!(ask("to-dir/sub/d.txt").unwrap(), "d.txt=dir/sub/d.txt");
        assert_eq!(ask("to-file").unwrap(), "to-file=a.txt");
        assert_eq!(ask("*.txt").unwrap(), ".hidden.txt=.hidden.txt a.txt=a.txt b.txt=b.txt");
        assert_eq!(ask("to-dir/*.txt").unwrap(), "c.txt=dir/c.txt");
        assert_eq!(ask("d*/s*").unwrap(), "sub=dir/sub");
        assert_eq!(ask("none*").unwrap(), "");
        assert_eq!(ask("to-s*").unwrap(), "");
        for (missing, hidden) in
            [("nothing", false), ("dangling", false), ("secret.txt", true), ("to-secret", true)]
        {
            match ask(missing) {
                Err(Error::NoSource { path, hidden: h }) => assert_eq!((path.as_str(), h), (missing, hidden)),
                other => panic!("{missing}: {other:?}"),
            }
        }
        assert!(ask("d*ling").is_err());
    }
}
