//! A build context that is a folder of a Git repository: what COPY selects is found and hashed by names, modes and object
//! ids, without reading a file; files are read when a step that needs them runs, and only those.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::{self, ContentHash, KeyHasher, Place, SourceFile, Standing};
use crate::build::Error;
use crate::build::facts::context::shows;
use crate::build::facts::selection::{self, Narrowing};
use crate::build::step::Read;
use crate::dockerfile::{glob, ignore};
use crate::git::{EntryKind, Files, State, lfs_pointer};
use crate::host::fs;
use crate::report::Context;
use crate::snapshot;
use crate::snapshot::copy::{self, Names, Pattern, Tree};
use crate::snapshot::tree::{Verdict, join};

/// What a [`GitTree`] is made of.
#[derive(Debug)]
pub struct GitInputs {
    /// The files of the repository.
    pub files: Arc<Files>,
    /// The context's folder in it; empty is the root.
    pub folder: String,
    /// The time that files get: seconds since the Unix epoch.
    pub time: i64,
    /// Files of the disk beside those of the commit, by their paths in the context. No ignore file hides them.
    pub added: BTreeMap<String, PathBuf>,
    /// The Dockerfile.
    pub dockerfile: Arc<SourceFile>,
    /// The ignore file.
    pub ignore: Option<Arc<SourceFile>>,
    /// Whether what is selected has to be on the disk as it is committed.
    pub strict: bool,
}

/// A folder of a repository as a build context. Cheap to clone; clones share what was found out.
#[derive(Clone)]
pub struct GitTree(Arc<Inner>);

struct Inner {
    inputs: GitInputs,
    added: BTreeMap<Vec<u8>, (Node, PathBuf)>,
    /// Hashes of what is at a path, as the ignore file shows it.
    hashes: Mutex<HashMap<Vec<u8>, ContentHash>>,
    /// Differences between the disk and the commit.
    differences: Mutex<BTreeMap<Vec<u8>, &'static str>>,
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    kind: EntryKind,
    /// The id of its content; none of a folder.
    id: Vec<u8>,
}

/// A path that a pattern led to.
struct Chosen {
    path: Vec<u8>,
    name: Vec<u8>,
    node: Node,
}

const FOLDER: Node = Node { kind: EntryKind::Folder, id: Vec::new() };

impl PartialEq for GitTree {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for GitTree {}

impl fmt::Debug for GitTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GitTree").field(&self.0.inputs.folder).finish()
    }
}

impl GitTree {
    /// A context.
    ///
    /// # Errors
    /// If an added file cannot be read.
    pub fn new(inputs: GitInputs) -> Result<Self, Error> {
        let mut added = BTreeMap::new();
        for (path, disk) in &inputs.added {
            let metadata = fs::symlink_metadata(disk)?;
            let (kind, bytes) = match metadata.is_symlink() {
                true => (EntryKind::Link, fs::read_link(disk)?.into_os_string().into_encoded_bytes()),
                false => {
                    use std::os::unix::fs::PermissionsExt as _;
                    let kind = match metadata.permissions().mode() & 0o100 {
                        0 => EntryKind::File,
                        _ => EntryKind::Executable,
                    };
                    (kind, fs::read_regular(disk, u64::MAX - 1)?)
                }
            };
            let id = inputs.files.worktree().id_of(&bytes)?.as_bytes().to_vec();
            added.insert(path.clone().into_bytes(), (Node { kind, id }, disk.clone()));
        }
        let (hashes, differences) = (Mutex::default(), Mutex::default());
        Ok(Self(Arc::new(Inner { inputs, added, hashes, differences })))
    }

    /// The Dockerfile.
    pub fn dockerfile(&self) -> &Arc<SourceFile> {
        &self.0.inputs.dockerfile
    }

    /// What of it is hidden.
    ///
    /// # Errors
    /// If the ignore file has a bad pattern.
    pub fn ignore(&self) -> Result<ignore::Matcher, Error> {
        match &self.0.inputs.ignore {
            Some(file) => Ok(ignore::Matcher::of_file(file)?),
            None => Ok(ignore::Matcher::default()),
        }
    }

    /// Where it is, in words that stay the same from build to build.
    pub fn place(&self) -> String {
        let root = self.0.inputs.files.worktree().root();
        root.join(&self.0.inputs.folder).display().to_string()
    }

    /// Whether `path` is an added file, or a folder on the way to one.
    pub fn is_added(&self, path: &[u8]) -> bool {
        self.0.added.keys().any(|added| {
            added.as_slice() == path || added.starts_with(path) && added.get(path.len()) == Some(&b'/')
        })
    }

    fn in_repository(&self, path: &[u8]) -> Vec<u8> {
        let folder = self.0.inputs.folder.as_bytes();
        match (folder.is_empty(), path.is_empty()) {
            (true, _) => path.to_vec(),
            (false, true) => folder.to_vec(),
            (false, false) => [folder, path].join(&b'/'),
        }
    }

    /// What is in a folder, sorted by name.
    fn list(&self, path: &[u8]) -> Result<Vec<(Vec<u8>, Node)>, Error> {
        let committed = self.0.inputs.files.list(&self.in_repository(path))?.unwrap_or_default();
        let nodes = committed.into_iter().map(|entry| match entry.kind.is_folder() {
            true => (entry.name, FOLDER),
            false => (entry.name, Node { kind: entry.kind, id: entry.id.as_bytes().to_vec() }),
        });
        let mut nodes: BTreeMap<Vec<u8>, Node> = nodes.collect();
        for (added, (node, _)) in &self.0.added {
            let below = match path {
                b"" => Some(added.as_slice()),
                path => added.strip_prefix(path).and_then(|rest| rest.strip_prefix(b"/")),
            };
            let Some(below) = below else { continue };
            match below.iter().position(|b| *b == b'/') {
                Some(at) => drop(nodes.insert(below[..at].to_vec(), FOLDER)),
                None => drop(nodes.insert(below.to_vec(), node.clone())),
            }
        }
        Ok(nodes.into_iter().collect())
    }

    fn look(&self, path: &[u8]) -> Result<Option<Node>, Error> {
        if path.is_empty() {
            return Ok(Some(FOLDER));
        }
        if let Some((node, _)) = self.0.added.get(path) {
            return Ok(Some(node.clone()));
        }
        if self.is_added(path) {
            return Ok(Some(FOLDER));
        }
        let entry = self.0.inputs.files.look(&self.in_repository(path))?;
        Ok(entry.map(|entry| match entry.kind.is_folder() {
            true => FOLDER,
            false => Node { kind: entry.kind, id: entry.id.as_bytes().to_vec() },
        }))
    }

    fn read_file(&self, path: &[u8]) -> Result<Vec<u8>, Error> {
        if let Some((node, disk)) = self.0.added.get(path) {
            return Ok(match node.kind {
                EntryKind::Link => fs::read_link(disk)?.into_os_string().into_encoded_bytes(),
                _ => fs::read_regular(disk, u64::MAX - 1)?,
            });
        }
        let read = self.0.inputs.files.read(&self.in_repository(path))?;
        read.ok_or_else(|| Error::Bug(format!("{:?} is gone", String::from_utf8_lossy(path))))
    }

    /// Where a path leads, links followed inside the context as if it were the root; `None` if nowhere. `passed` is
    /// told of the links and folders on the way.
    fn resolve(
        &self,
        path: &[u8],
        mut passed: impl FnMut(&[u8], Node) -> Result<(), Error>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let place = base::follow(path, |place| {
            let Some(node) = self.look(place)? else { return Ok::<_, Error>(Standing::Nothing) };
            Ok(match node.kind {
                kind if kind.is_folder() => {
                    passed(place, node)?;
                    Standing::Directory
                }
                EntryKind::Link => {
                    passed(place, node)?;
                    Standing::Link(self.read_file(place)?)
                }
                _ => Standing::File,
            })
        })?;
        match place {
            Place::At(place) => Ok(Some(place)),
            Place::Nowhere => Ok(None),
            Place::Circle => {
                let shown = String::from_utf8_lossy(path);
                Err(Error::input(format!("links from {shown:?} lead in a circle")))
            }
        }
    }

    /// The content of what a step reads: names, kinds, modes and object ids.
    ///
    /// # Errors
    /// [`snapshot::Error::NoSource`] if something is missing or hidden; if what is selected is not committed as it lies
    /// on the disk and has to be.
    pub fn hash(&self, read: &Read, ignore: &ignore::Matcher) -> Result<ContentHash, Error> {
        let mut hasher = KeyHasher::new("lapstrake git selection v1");
        self.each(read, ignore, &mut |view, chosen| {
            let is_folder = chosen.node.kind.is_folder();
            hasher
                .number("directory", u64::from(is_folder))
                .field("name", if is_folder { &[][..] } else { &chosen.name })
                .field("content", view.hash(&chosen.path, &chosen.node)?.as_bytes());
            Ok(())
        })?;
        let differences = locked(&self.0.differences);
        if differences.is_empty() {
            return Ok(hasher.finish());
        }
        const MOST: usize = 10;
        let shown: Vec<String> = differences
            .iter()
            .take(MOST)
            .map(|(path, how)| format!("{} ({how})", String::from_utf8_lossy(path)))
            .collect();
        let more = differences.len().saturating_sub(MOST);
        let more = if more == 0 { String::new() } else { format!(", and {more} more") };
        Err(Error::input(format!(
            "what is copied from the build context must be committed: {}{more}",
            shown.join(", ")
        ))
        .hint("commit it, name it in the ignore file, or build with --dev what is not committed"))
    }

    /// Calls `work` with all that the read selects.
    fn each(
        &self,
        read: &Read,
        ignore: &ignore::Matcher,
        work: &mut dyn FnMut(&View<'_>, &Chosen) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let plain = View { tree: self, ignore, narrowing: None };
        let select = |pattern: Pattern<'_>| copy::select_in(&plain, &[pattern], &glob::matches);
        let narrowing = read.is_narrowed().then(|| Narrowing::new(read));
        for path in &read.paths {
            let found = match select(Pattern { text: path.as_bytes(), wildcard: read.wildcards }) {
                // It is there, but not committed: that is said in its own words.
                Err(Error::Snapshot(snapshot::Error::NoSource { hidden: false, .. }))
                    if !locked(&self.0.differences).is_empty() =>
                {
                    continue;
                }
                found => found?,
            };
            for one in found {
                let path = one.path.as_os_str().as_bytes();
                let Some(node) = self.look(path)? else { continue };
                let narrowing = narrowing.as_ref().map(|narrowing| (narrowing, path));
                let view = View { narrowing, ..plain };
                if let Some(below) = selection::required(read)
                    && !copy::stands_in(&view, path, below.as_bytes())?
                {
                    // Tells of what the disk has there.
                    Tree::resolve(&plain, &join(path, below.trim_end_matches('/').as_bytes()))?;
                    if locked(&self.0.differences).is_empty() {
                        let excluded = copy::stands_in(&plain, path, below.as_bytes())?;
                        return Err(selection::missing(&one, below, excluded).into());
                    }
                    continue;
                }
                work(&view, &Chosen { path: path.to_vec(), name: one.name.clone(), node })?;
            }
        }
        Ok(())
    }

    /// Writes what the read selects into `root`, as far as it is not there.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn write(
        &self,
        cx: &Context,
        (read, ignore): (&Read, &ignore::Matcher),
        (root, done): (&Path, &mut BTreeSet<Vec<u8>>),
    ) -> Result<(), Error> {
        let mut wanted: BTreeMap<Vec<u8>, Node> = BTreeMap::new();
        for path in &read.paths {
            // A path through links is found again only with the links, and what `..` in them leads back from.
            let before = path.split(['*', '?', '[', '\\']).next().unwrap_or_default();
            self.resolve(if read.wildcards { before } else { path }.as_bytes(), |place, node| {
                wanted.insert(place.to_vec(), node);
                Ok(())
            })?;
        }
        self.each(read, ignore, &mut |view, chosen| view.collect(&chosen.path, &chosen.node, &mut wanted))?;
        let mut folders = BTreeSet::new();
        for (path, node) in wanted {
            if !done.insert(path.clone()) {
                continue;
            }
            let place = root.join(OsStr::from_bytes(&path));
            let folder =
                if node.kind.is_folder() { place.clone() } else { place.parent().unwrap_or(root).to_owned() };
            fs::create_dir_all(&folder)?;
            folders
                .extend(folder.ancestors().take_while(|above| above.starts_with(root)).map(Path::to_owned));
            if node.kind.is_folder() {
                continue;
            }
            let bytes = self.read_file(&path)?;
            if node.kind == EntryKind::Link {
                fs::symlink(OsStr::from_bytes(&bytes), &place)?;
                continue;
            }
            if lfs_pointer(&bytes).is_some() {
                cx.report.warn(format!(
                    "{} is a pointer of Git LFS: the image gets the pointer, not the content",
                    String::from_utf8_lossy(&path)
                ));
            }
            fs::write(&place, &bytes)?;
            fs::set_mode(&place, if node.kind == EntryKind::Executable { 0o755 } else { 0o644 })?;
            fs::set_modified(&place, self.0.inputs.time)?;
        }
        for folder in folders {
            fs::set_mode(&folder, 0o755)?;
            fs::set_modified(&folder, self.0.inputs.time)?;
        }
        Ok(())
    }

    /// Takes note of a file whose disk differs from the commit.
    fn compare(&self, path: &[u8]) -> Result<(), Error> {
        if !self.0.inputs.strict || self.0.added.contains_key(path) {
            return Ok(());
        }
        let place = self.in_repository(path);
        let entry = self.0.inputs.files.look(&place)?;
        let how = match self.0.inputs.files.worktree().state(&place, entry.as_ref())? {
            State::Changed => "changed",
            State::Deleted => "deleted",
            State::Same | State::Untracked | State::Nowhere => return Ok(()),
        };
        locked(&self.0.differences).insert(place, how);
        Ok(())
    }

    /// What the disk has in a folder and the commit does not.
    fn untracked(&self, path: &[u8], known: &[(Vec<u8>, Node)]) -> Result<Vec<(Vec<u8>, bool)>, Error> {
        if !self.0.inputs.strict {
            return Ok(Vec::new());
        }
        let place = self.in_repository(path);
        let worktree = self.0.inputs.files.worktree();
        if !worktree.disk(&place).is_dir() {
            return Ok(Vec::new());
        }
        let found = worktree.folder(&place)?.into_iter().filter(|found| found.kind.is_some());
        let new = found.filter(|found| !known.iter().any(|(name, _)| *name == found.name));
        Ok(new.map(|found| (found.name, found.kind.is_some_and(EntryKind::is_folder))).collect())
    }

    /// Takes note of what is new at a path of the disk.
    fn note_untracked(&self, view: &View<'_>, path: &[u8], is_folder: bool) -> Result<(), Error> {
        if self.is_added(path) || view.verdict(path, is_folder) == Verdict::Drop {
            return Ok(());
        }
        if !is_folder {
            if view.verdict(path, false) == Verdict::Keep {
                locked(&self.0.differences).insert(self.in_repository(path), "not committed");
            }
            return Ok(());
        }
        for (name, is_folder) in self.untracked(path, &[])? {
            self.note_untracked(view, &join(path, &name), is_folder)?;
        }
        Ok(())
    }
}

/// The tree as a read shows it.
#[derive(Clone, Copy)]
struct View<'a> {
    tree: &'a GitTree,
    ignore: &'a ignore::Matcher,
    narrowing: Option<(&'a Narrowing, &'a [u8])>,
}

impl View<'_> {
    /// What a folder shows.
    fn shown(&self, path: &[u8]) -> Result<Vec<(Vec<u8>, Node)>, Error> {
        let all = self.tree.list(path)?;
        let mut shown = Vec::with_capacity(all.len());
        for (name, node) in all {
            let below = join(path, &name);
            let is_there = match self.verdict(&below, node.kind.is_folder()) {
                Verdict::Keep => true,
                Verdict::Drop => false,
                Verdict::Descend | Verdict::Pass => node.kind.is_folder() && self.shows_below(&below)?,
            };
            if is_there {
                shown.push((name, node));
            }
        }
        Ok(shown)
    }

    fn hash(&self, path: &[u8], node: &Node) -> Result<ContentHash, Error> {
        if !node.kind.is_folder() {
            self.tree.compare(path)?;
            let kind = match node.kind {
                EntryKind::Executable => "executable",
                EntryKind::Link => "link",
                _ => "file",
            };
            return Ok(KeyHasher::new("lapstrake git entry v1")
                .field("kind", kind)
                .field("id", &node.id)
                .finish());
        }
        let is_plain = self.narrowing.is_none();
        if is_plain && let Some(known) = locked(&self.tree.0.hashes).get(path) {
            return Ok(*known);
        }
        let shown = self.shown(path)?;
        let mut hasher = KeyHasher::new("lapstrake git folder v1");
        hasher.number("entries", shown.len() as u64);
        for (name, node) in &shown {
            let hash = self.hash(&join(path, name), node)?;
            hasher.field("name", name).field("hash", hash.as_bytes());
        }
        if self.tree.0.inputs.strict {
            for (name, is_folder) in self.tree.untracked(path, &self.tree.list(path)?)? {
                self.tree.note_untracked(self, &join(path, &name), is_folder)?;
            }
        }
        let hash = hasher.finish();
        if is_plain {
            locked(&self.tree.0.hashes).insert(path.to_vec(), hash);
        }
        Ok(hash)
    }

    /// Everything at and below a path.
    fn collect(&self, path: &[u8], node: &Node, wanted: &mut BTreeMap<Vec<u8>, Node>) -> Result<(), Error> {
        wanted.insert(path.to_vec(), node.clone());
        if node.kind.is_folder() {
            for (name, node) in self.shown(path)? {
                self.collect(&join(path, &name), &node, wanted)?;
            }
        }
        Ok(())
    }
}

impl Tree for View<'_> {
    type Error = Error;

    fn resolve(&self, path: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let place = self.tree.resolve(path, |passed, node| match node.kind {
            EntryKind::Link => self.tree.compare(passed),
            _ => Ok(()),
        })?;
        if place.is_none() {
            let (parent, name) = match path.iter().rposition(|b| *b == b'/') {
                Some(at) => (&path[..at], &path[at + 1..]),
                None => (&[][..], path),
            };
            self.searched(parent, &|found| found == name)?;
        }
        Ok(place)
    }

    fn look(&self, path: &[u8]) -> Result<Option<bool>, Error> {
        Ok(self.tree.look(path)?.map(|node| node.kind.is_folder()))
    }

    fn hides(&self) -> bool {
        true
    }

    fn verdict(&self, path: &[u8], is_folder: bool) -> Verdict {
        let shown = match self.ignore.is_empty() {
            true => Verdict::Keep,
            false => shows(self.ignore, path, is_folder),
        };
        let shown = match shown {
            Verdict::Keep => Verdict::Keep,
            other if !self.tree.is_added(path) => other,
            _ if is_folder => Verdict::Descend,
            _ => Verdict::Keep,
        };
        match self.narrowing {
            None => shown,
            Some((narrowing, root)) => narrowing.verdict(shown, (root, path), is_folder),
        }
    }

    fn shows_below(&self, path: &[u8]) -> Result<bool, Error> {
        for (name, node) in self.tree.list(path)? {
            let below = join(path, &name);
            match self.verdict(&below, node.kind.is_folder()) {
                Verdict::Keep => return Ok(true),
                Verdict::Descend | Verdict::Pass if node.kind.is_folder() && self.shows_below(&below)? => {
                    return Ok(true);
                }
                _ => {}
            }
        }
        Ok(false)
    }

    fn list(&self, path: &[u8]) -> Result<Option<Names>, Error> {
        if self.tree.look(path)?.is_none_or(|node| !node.kind.is_folder()) {
            return Ok(None);
        }
        let shown = self.shown(path)?.into_iter();
        Ok(Some(shown.map(|(name, node)| (name, node.kind.is_folder())).collect()))
    }

    /// What the disk has there and the commit has not is told to people.
    fn searched(&self, path: &[u8], fits: &dyn Fn(&[u8]) -> bool) -> Result<(), Error> {
        for (name, is_folder) in self.tree.untracked(path, &self.tree.list(path)?)? {
            if fits(&name) {
                self.tree.note_untracked(self, &join(path, &name), is_folder)?;
            }
        }
        Ok(())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
