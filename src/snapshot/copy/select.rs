//! What the sources of COPY and ADD lead to.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::snapshot::folder::Folder;
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

/// Names in a directory, sorted, each with whether it is a directory.
pub type Names = Vec<(Vec<u8>, bool)>;

/// A tree in which sources are looked for. Paths are bytes, cleaned, and relative to its root, which is the empty one.
pub trait Tree {
    /// What keeps it from being read.
    type Error: From<Error>;

    /// Where a path leads, its links followed inside the tree; `None` if nowhere.
    ///
    /// # Errors
    /// If the tree cannot be read.
    fn resolve(&self, path: &[u8]) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Whether what stands at a path without links is a directory; `None` if nothing stands there.
    ///
    /// # Errors
    /// If the tree cannot be read.
    fn look(&self, path: &[u8]) -> Result<Option<bool>, Self::Error>;

    /// Whether anything may be hidden.
    fn hides(&self) -> bool;

    /// What is said of a path, the directories around it left out.
    fn verdict(&self, path: &[u8], directory: bool) -> Verdict;

    /// Whether anything in a directory is shown.
    ///
    /// # Errors
    /// If the tree cannot be read.
    fn shows_below(&self, path: &[u8]) -> Result<bool, Self::Error>;

    /// What a directory shows; `None` if the path is none.
    ///
    /// # Errors
    /// If the tree cannot be read.
    fn list(&self, path: &[u8]) -> Result<Option<Names>, Self::Error>;

    /// Is told in which directory the last component of a wildcard is looked for.
    ///
    /// # Errors
    /// If the tree cannot be read.
    fn searched(&self, _path: &[u8], _fits: &dyn Fn(&[u8]) -> bool) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Finds what the patterns lead to on the disk; see [`select_in`].
///
/// # Errors
/// [`Error::NoSource`] for a name without wildcards that is not there, is hidden, or is a link to nowhere.
pub fn select(source: &Source<'_>, patterns: &[Pattern<'_>], matches: &Matcher<'_>) -> Result<Vec<Selected>> {
    select_in(&Disk::open(source)?, patterns, matches)
}

/// Finds what the patterns lead to, in order; the matches of one wildcard sorted. A wildcard that matches nothing gives
/// nothing. Links are followed inside the tree, those of directories on the way and the last one.
///
/// # Errors
/// [`Error::NoSource`] for a name without wildcards that is not there, is hidden, or is a link to nowhere.
pub fn select_in<T: Tree>(
    tree: &T,
    patterns: &[Pattern<'_>],
    matches: &Matcher<'_>,
) -> Result<Vec<Selected>, T::Error> {
    let finder = Finder { tree, matches };
    let mut selected = Vec::new();
    for pattern in patterns {
        let components = clean(pattern.text);
        if pattern.wildcard && components.iter().any(|c| has_wildcard(c)) {
            finder.wildcard(&components, &mut selected)?;
        } else {
            let missing = |hidden| Error::NoSource { path: text(pattern.text), hidden };
            selected.push(finder.one(&components.join(&b'/'))?.map_err(missing)?);
        }
    }
    Ok(selected)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether the source shows something at a path on the disk; see [`stands_in`].
///
/// # Errors
/// If the source cannot be read.
pub fn stands(source: &Source<'_>, root: &[u8], below: &[u8]) -> Result<bool> {
    stands_in(&Disk::open(source)?, root, below)
}

/// Whether the tree shows something at `below` in the directory `root`. Links are followed in `root`; below it a link is
/// what it is, and leads nowhere.
///
/// # Errors
/// If the tree cannot be read.
pub fn stands_in<T: Tree>(tree: &T, root: &[u8], below: &[u8]) -> Result<bool, T::Error> {
    let Some(mut place) = tree.resolve(&clean(root).join(&b'/'))? else { return Ok(false) };
    let mut directory = tree.look(&place)?.unwrap_or(false);
    for component in clean(below) {
        if !directory {
            return Ok(false);
        }
        place = join(&place, component);
        match tree.look(&place)? {
            Some(is_directory) => directory = is_directory,
            None => return Ok(false),
        }
    }
    Finder { tree, matches: &|_, _| false }.shows(&place, directory)
}

fn has_wildcard(component: &[u8]) -> bool {
    component.iter().any(|b| matches!(b, b'*' | b'?' | b'[' | b'\\'))
}

/// The components of a path below its root: nothing leads above it.
fn clean(path: &[u8]) -> Vec<&[u8]> {
    let mut cleaned = Vec::new();
    for component in path.split(|&b| b == b'/') {
        match component {
            b"" | b"." => {}
            b".." => {
                cleaned.pop();
            }
            other => cleaned.push(other),
        }
    }
    cleaned
}

/// A source on the disk.
struct Disk<'a> {
    source: &'a Source<'a>,
    tree: Rooted,
}

impl<'a> Disk<'a> {
    fn open(source: &'a Source<'a>) -> Result<Self> {
        Ok(Self { source, tree: Rooted::open(source.root)? })
    }

    fn fail(&self, what: &'static str, path: &[u8]) -> impl Fn(Errno) -> Error {
        let path = self.tree.show(Path::new(OsStr::from_bytes(path)));
        move |e| Error::system(what, &path, e)
    }

    fn folder(&self, path: &[u8]) -> Result<Folder, Errno> {
        self.tree.folder(Path::new(OsStr::from_bytes(path)))
    }
}

impl Tree for Disk<'_> {
    type Error = Error;

    fn resolve(&self, path: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.tree.resolve(OsStr::from_bytes(path))?.map(|place| place.into_os_string().into_vec()))
    }

    fn look(&self, path: &[u8]) -> Result<Option<bool>> {
        let node = self.tree.look(Path::new(OsStr::from_bytes(path))).map_err(self.fail("look at", path))?;
        Ok(node.map(|node| node.is_dir()))
    }

    fn hides(&self) -> bool {
        self.source.filter.is_some()
    }

    fn verdict(&self, path: &[u8], directory: bool) -> Verdict {
        self.source.verdict(path, directory)
    }

    fn shows_below(&self, path: &[u8]) -> Result<bool> {
        let fail = self.fail("look at", path);
        self.source.shows_below(&self.folder(path).map_err(&fail)?, path).map_err(fail)
    }

    fn list(&self, path: &[u8]) -> Result<Option<Names>> {
        let fail = self.fail("list", path);
        let folder = match self.folder(path) {
            Err(Errno::NOTDIR | Errno::NOENT) => return Ok(None),
            other => other.map_err(&fail)?,
        };
        let listed = self.source.list(&folder, path).map_err(fail)?;
        Ok(Some(listed.into_iter().map(|(name, node)| (name.into_bytes(), node.is_dir())).collect()))
    }
}

struct Finder<'a, T> {
    tree: &'a T,
    matches: &'a Matcher<'a>,
}

impl<T: Tree> Finder<'_, T> {
    /// What stands at a path; the inner error says whether something hidden does.
    fn one(&self, path: &[u8]) -> Result<Result<Selected, bool>, T::Error> {
        let Some(place) = self.tree.resolve(path)? else { return Ok(Err(false)) };
        let Some(directory) = self.tree.look(&place)? else { return Ok(Err(false)) };
        // A link is hidden if it or what it leads to is.
        let shown = (path == place || self.shows(path, false)?) && self.shows(&place, directory)?;
        if !shown {
            return Ok(Err(true));
        }
        let name = path.rsplit(|&b| b == b'/').next().unwrap_or_default().to_vec();
        Ok(Ok(Selected { path: OsString::from_vec(place).into(), name, directory }))
    }

    /// Whether the tree shows a path, through all directories around it.
    fn shows(&self, path: &[u8], directory: bool) -> Result<bool, T::Error> {
        if !self.tree.hides() || path.is_empty() {
            return Ok(true);
        }
        for (at, _) in path.iter().enumerate().filter(|(_, b)| **b == b'/') {
            if self.tree.verdict(&path[..at], true) == Verdict::Drop {
                return Ok(false);
            }
        }
        match self.tree.verdict(path, directory) {
            Verdict::Keep => Ok(true),
            Verdict::Drop => Ok(false),
            Verdict::Descend | Verdict::Pass => self.tree.shows_below(path),
        }
    }

    fn wildcard(&self, components: &[&[u8]], selected: &mut Vec<Selected>) -> Result<(), T::Error> {
        // Links are followed up to the first wildcard, as in BuildKit.
        let plain = components.iter().position(|c| has_wildcard(c)).unwrap_or(components.len());
        let Some(start) = self.tree.resolve(&components[..plain].join(&b'/'))? else { return Ok(()) };
        let mut found = BTreeSet::new();
        self.descend(&start, &components[plain..], &mut found)?;
        for path in found {
            match self.one(&path)? {
                Ok(one) => selected.push(one),
                Err(true) => {}
                Err(false) => return Err(Error::NoSource { path: text(&path), hidden: false }.into()),
            }
        }
        Ok(())
    }

    fn descend(
        &self,
        path: &[u8],
        patterns: &[&[u8]],
        found: &mut BTreeSet<Vec<u8>>,
    ) -> Result<(), T::Error> {
        let Some((first, rest)) = patterns.split_first() else {
            found.insert(path.to_vec());
            return Ok(());
        };
        let Some(listed) = self.tree.list(path)? else { return Ok(()) };
        for (name, directory) in listed {
            // The last component may be a link; those on the way must be directories themselves.
            let fits = rest.is_empty() || directory;
            if fits && (self.matches)(first, &name) {
                self.descend(&join(path, &name), rest, found)?;
            }
        }
        if rest.is_empty() {
            self.tree.searched(path, &|name| (self.matches)(first, name))?;
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

    #[test]
    fn links_below_a_root_are_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("d/e")).unwrap();
        fs::write(root.join("d/e/f"), "f").unwrap();
        for (target, link) in [("nowhere", "d/dangling"), ("l", "d/l"), ("e", "d/to-e"), ("d", "to-d")] {
            symlink(target, root.join(link)).unwrap();
        }
        let hide = |path: &[u8], _: bool| if path == b"d/e/f" { Verdict::Drop } else { Verdict::Keep };
        let all = Source { root, filter: None, root_owned: true };
        let some = Source { filter: Some(&hide), ..all };
        let stand =
            |source, root: &str, below: &str| stands(source, root.as_bytes(), below.as_bytes()).unwrap();
        for below in ["d", "d/", "d/e/f", "d/../d/e", "d/dangling", "d/dangling/", "d/l", "to-d"] {
            assert!(stand(&all, "", below), "{below}");
        }
        for below in ["no", "d/no", "d/to-e/f", "to-d/e", "d/e/f/g"] {
            assert!(!stand(&all, "", below), "{below}");
        }
        assert!(stand(&all, "to-d/to-e", "f") && !stand(&all, "d/e/f", "f") && !stand(&all, "no", "f"));
        assert!(stand(&some, "d", "e") && !stand(&some, "d", "e/f"));
    }
}
