//! Copying into a tree.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CString, OsStr};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;

use super::archive;
use super::{ModeChange, Ownership, Selected};
use crate::report::Context;
use crate::snapshot::apply::{Applier, chown_error};
use crate::snapshot::attributes::CAPABILITY;
use crate::snapshot::folder::{Folder, Node, os, timestamps};
use crate::snapshot::makers::{self, Undressed};
use crate::snapshot::rooted::Rooted;
use crate::snapshot::tree::{Source, Verdict, join};
use crate::snapshot::{Error, Result, transfer};

/// Why two files may not go to one place.
pub(in crate::snapshot) const ONTO_ANOTHER: &str =
    "another source of this instruction went there already, and only one of them would be left";

/// So many sibling directories are worth threads.
const SPLIT: usize = 4;
/// Threads of one copy: more than processors, because they wait for the file system.
const WORKERS: usize = 8;

/// Something to copy.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// From the source.
    Selected(&'a Selected),
    /// A file with this name and content (a heredoc), mode 0644.
    Inline {
        /// Its name.
        name: &'a str,
        /// Its content.
        content: &'a [u8],
    },
}

/// A COPY or ADD.
pub struct CopyRequest<'a> {
    /// Where from.
    pub source: Source<'a>,
    /// What, in order.
    pub items: &'a [Item<'a>],
    /// The root of the tree to copy into.
    pub root: &'a Path,
    /// The destination in it: absolute, WORKDIR joined; a final slash (or `/.`) means a directory.
    pub destination: &'a [u8],
    /// `--chown`.
    pub owner: Option<Ownership>,
    /// `--chmod`.
    pub mode: Option<&'a ModeChange>,
    /// ADD: archives among the items are unpacked.
    pub unpack: bool,
    /// The time of directories that are made on the way, and of inline files: seconds since the Unix epoch.
    pub created: i64,
    /// Where the first file went that was copied onto the destination itself: no other file may go there too. `None`
    /// lets the last one win.
    pub landing: Option<&'a Landing>,
}

/// The place that a file of an instruction took; shared by all the copying of one instruction.
#[derive(Debug, Default)]
pub struct Landing(Mutex<Option<PathBuf>>);

/// What was copied.
#[derive(Clone, Debug, Default)]
pub struct Copied {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What could not be copied as it was.
    pub warnings: Vec<String>,
}

/// Copies into the tree at `request.root`, in which nothing may run meanwhile.
///
/// # Errors
/// [`Error::Conflict`] if something of another kind is in the way, [`Error::UnmappedId`], [`Error::Archive`],
/// [`Error::Cancelled`], [`Error::Host`]. What was copied until then stays.
pub fn copy(cx: &Context, request: &CopyRequest<'_>) -> Result<Copied> {
    let source = Rooted::open(request.source.root)?;
    let target = Target::new(request.root, request.owner, request.created)?;
    let mut copier =
        Copier { cx, request, source, target, links: Arc::default(), copied: Copied::default(), alone: true };
    for item in request.items {
        copier.item(item)?;
    }
    copier.target.finish()?;
    Ok(copier.copied)
}

/// Makes a directory and its missing parents (WORKDIR), owned by `owner` or as COPY makes them; existing ones are left
/// alone. Gives whether something was made.
///
/// # Errors
/// [`Error::Host`], also if something on the way is no directory; [`Error::UnmappedId`].
pub fn make_directory(root: &Path, path: &[u8], owner: Option<Ownership>, created: i64) -> Result<bool> {
    let mut target = Target::new(root, owner, created)?;
    target.directory(Path::new(OsStr::from_bytes(path)), None)?;
    let made = !target.times.is_empty();
    target.finish()?;
    Ok(made)
}

/// Seconds and nanoseconds by place.
type Times = BTreeMap<PathBuf, (i64, u32)>;

/// The tree that is copied into.
struct Target {
    tree: Rooted,
    owner: Option<Ownership>,
    created: i64,
    /// Times of directories to be set at the end.
    times: Times,
}

impl Target {
    fn new(root: &Path, owner: Option<Ownership>, created: i64) -> Result<Self> {
        Ok(Self { tree: Rooted::open(root)?, owner, created, times: BTreeMap::new() })
    }

    fn fail(&self, action: &'static str, place: &Path) -> impl Fn(Errno) -> Error + use<> {
        let path = self.tree.show(place);
        move |e| Error::system(action, &path, e)
    }

    /// Opens a directory, links followed, and makes what is missing of it; where it really is.
    fn directory(&mut self, path: &Path, mode: Option<u32>) -> Result<(Folder, PathBuf)> {
        let fail = self.fail("create directory", path);
        let Self { tree, owner, created, times } = self;
        let owner = owner.map(|o| (o.uid, o.gid));
        let mut refused = None;
        let opened = tree.folder_making(path, &mut |folder, name, place| {
            let parent = place.parent().unwrap_or(Path::new(""));
            let time = folder.node()?.mtime;
            times.entry(parent.to_owned()).or_insert(time);
            folder.make_dir(name)?;
            if let Some((uid, gid)) = owner {
                let owned = folder.set_owner(name, uid, gid);
                owned.inspect_err(|e| refused = Some((place.to_owned(), (uid, gid), *e)))?;
            }
            // Special bits are for what is copied, as BuildKit has it; but a shared folder hands on its group and its bit.
            let shared = folder.look(name)?.map_or(0, |node| node.mode & 0o2000);
            folder.set_mode(name, mode.unwrap_or(0o755) & 0o777 | shared)?;
            times.insert(place.to_owned(), (*created, 0));
            Ok(())
        });
        match (opened, refused) {
            (Err(_), Some((place, (uid, gid), errno))) => {
                Err(chown_error(self.tree.show(&place), uid, gid, errno))
            }
            (opened, _) => opened.map_err(fail),
        }
    }

    /// The place a path without a final slash means: its last link followed too; its parent made.
    fn place(&mut self, path: &Path, mode: Option<u32>) -> Result<(Folder, PathBuf)> {
        let mut path = path.to_owned();
        for _ in 0..40 {
            let Some(name) = path.file_name().map(OsStr::to_owned) else { break };
            let (folder, at) = self.directory(path.parent().unwrap_or(Path::new("")), mode)?;
            let node = folder.look(&name).map_err(self.fail("look at", &path))?;
            if !node.is_some_and(|node| node.is_link()) {
                return Ok((folder, at.join(name)));
            }
            let link = folder.read_link(&name).map_err(self.fail("read link", &path))?;
            path = at.join(OsStr::from_bytes(&link));
            // A link that ends in dots means a directory.
            if path.file_name().is_none() || link.ends_with(b"/..") || link.ends_with(b"/.") {
                break;
            }
        }
        Err(self.fail("resolve", &path)(Errno::LOOP))
    }

    /// The directory gets entries: it keeps the time it has, unless another is known.
    fn keep_time(&mut self, folder: &Folder, place: &Path) -> Result<()> {
        if !self.times.contains_key(place) {
            let time = folder.node().map_err(self.fail("look at", place))?.mtime;
            self.times.insert(place.to_owned(), time);
        }
        Ok(())
    }

    fn finish(&self) -> Result<()> {
        for (place, time) in self.times.iter().rev() {
            let set = self.tree.folder(place).and_then(|folder| folder.set_own_time(*time));
            set.map_err(self.fail("set the time of", place))?;
        }
        Ok(())
    }
}

struct Copier<'a> {
    cx: &'a Context,
    request: &'a CopyRequest<'a>,
    source: Rooted,
    target: Target,
    /// First copies of files with several names. Held while such a file is made: whoever finds a name may link to it.
    links: Arc<Mutex<HashMap<(u64, u64), PathBuf>>>,
    copied: Copied,
    /// Whether no other copier works on the same tree.
    alone: bool,
}

/// Something in the source.
struct Seen<'a> {
    folder: &'a Folder,
    name: &'a OsStr,
    node: &'a Node,
    /// For messages.
    path: &'a [u8],
}

impl Copier<'_> {
    fn octal(&self) -> Option<u32> {
        self.request.mode.and_then(ModeChange::octal)
    }

    /// The destination's path, and whether it must be a directory.
    fn destination(&self) -> (PathBuf, bool) {
        let text = self.request.destination;
        let folder = text.ends_with(b"/") || text.ends_with(b"/.") || text == b"." || text.is_empty();
        (PathBuf::from(OsStr::from_bytes(text)), folder)
    }

    fn item(&mut self, item: &Item<'_>) -> Result<()> {
        // Names of one file become names of one file within one source.
        self.links = Arc::default();
        let (name, selected) = match item {
            Item::Inline { name, content } => return self.inline(name, content),
            Item::Selected(selected) => (OsStr::from_bytes(&selected.name), *selected),
        };
        let path = selected.path.as_os_str().as_bytes();
        let (parent, last) = (selected.path.parent(), selected.path.file_name());
        let fail = |e: Errno| Error::system("open", self.source.show(&selected.path), e);
        let folder = self.source.folder(parent.unwrap_or(Path::new(""))).map_err(fail)?;
        let last = last.unwrap_or(OsStr::new("."));
        let node = folder.look(last).map_err(fail)?.ok_or_else(|| fail(Errno::NOENT))?;
        let seen = Seen { folder: &folder, name: last, node: &node, path };
        if node.is_dir() {
            return self.top(&seen);
        }
        if self.request.unpack && node.is_file() && self.unpack(&seen)? {
            return Ok(());
        }
        let (folder, place) = self.file_place(name, path)?;
        self.target.keep_time(&folder, place.parent().unwrap_or(Path::new("")))?;
        self.entry(&seen, &folder, &place)
    }

    /// Where a file goes: into the destination if that is a directory, else onto it.
    fn file_place(&mut self, name: &OsStr, from: &[u8]) -> Result<(Folder, PathBuf)> {
        let (path, as_folder) = self.destination();
        let mode = self.octal();
        if as_folder {
            let (folder, place) = self.target.directory(&path, mode)?;
            return Ok((folder, place.join(name)));
        }
        let (folder, place) = self.target.place(&path, mode)?;
        let last = place.file_name().unwrap_or(OsStr::new("."));
        match folder.look(last).map_err(self.target.fail("look at", &place))? {
            Some(node) if node.is_dir() => {
                let inner = folder.child(last).map_err(self.target.fail("open directory", &place))?;
                Ok((inner, place.join(name)))
            }
            _ => {
                self.land(&place, from)?;
                Ok((folder, place))
            }
        }
    }

    /// Takes note of a file that goes onto the destination itself.
    fn land(&self, place: &Path, from: &[u8]) -> Result<()> {
        let Some(Landing(taken)) = self.request.landing else { return Ok(()) };
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.as_deref() {
            Some(other) if other == place => Err(self.conflict(from, place, ONTO_ANOTHER)),
            _ => {
                *taken = Some(place.to_owned());
                Ok(())
            }
        }
    }

    fn inline(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let (folder, place) = self.file_place(OsStr::new(name), name.as_bytes())?;
        self.target.keep_time(&folder, place.parent().unwrap_or(Path::new("")))?;
        self.clear(&folder, &place, name.as_bytes())?;
        let last = place.file_name().unwrap_or_default();
        let mut file = folder.create_file(last).map_err(self.target.fail("create", &place))?;
        file.write_all(content).map_err(|e| Error::system("write", self.target.tree.show(&place), e))?;
        let owner = self.request.owner.map_or((0, 0), |o| (o.uid, o.gid));
        let mode = self.request.mode.map_or(0o644, |mode| mode.apply(0o644, false));
        self.copied.files += 1;
        self.copied.bytes += content.len() as u64;
        self.own(&folder, last, owner, &place)?;
        folder.set_mode(last, mode).map_err(self.target.fail("set the mode of", &place))?;
        folder.set_time(last, (self.request.created, 0)).map_err(self.target.fail("set the time of", &place))
    }

    /// A directory as source: its contents go into the destination.
    fn top(&mut self, seen: &Seen<'_>) -> Result<()> {
        let (path, as_folder) = self.destination();
        let mode = self.octal();
        let (folder, place) = if as_folder {
            self.target.directory(&path, mode)?
        } else {
            let (parent, place) = self.target.place(&path, mode)?;
            if let Some(name) = place.file_name()
                && let Some(node) = parent.look(name).map_err(self.target.fail("look at", &place))?
                && !node.is_dir()
            {
                return Err(self.conflict(seen.path, &place, "a directory cannot replace a file"));
            }
            // A new one is made like those on the way: it does not look like the source.
            self.target.directory(&place, mode)?
        };
        let from = self.open(seen)?;
        self.contents(&from, seen.path, &folder, &place)?;
        self.target.times.insert(place, seen.node.mtime);
        Ok(())
    }

    fn open(&self, seen: &Seen<'_>) -> Result<Folder> {
        let path = Path::new(OsStr::from_bytes(seen.path));
        seen.folder.child(seen.name).map_err(|e| Error::system("open directory", self.source.show(path), e))
    }

    fn contents(&mut self, from: &Folder, path: &[u8], to: &Folder, place: &Path) -> Result<()> {
        let shown = self.source.show(Path::new(OsStr::from_bytes(path)));
        let entries = self.request.source.list(from, path).map_err(|e| Error::system("list", shown, e))?;
        let (folders, files): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(_, node)| node.is_dir());
        if !files.is_empty() {
            self.target.keep_time(to, place)?;
        }
        for (name, node) in files {
            let path = join(path, name.as_bytes());
            let seen = Seen { folder: from, name: os(&name), node: &node, path: &path };
            self.entry(&seen, to, &place.join(os(&name)))?;
        }
        if self.alone && folders.len() >= SPLIT {
            return self.split(&folders, (from, path), (to, place));
        }
        for (name, node) in &folders {
            let path = join(path, name.as_bytes());
            let seen = Seen { folder: from, name: os(name), node, path: &path };
            self.nested(&seen, to, &place.join(os(name)))?;
        }
        Ok(())
    }

    /// Copies sibling directories at once. Making files waits for the file system far more than for a processor, and
    /// it waits per directory.
    fn split(
        &mut self,
        folders: &[(CString, Node)],
        (from, path): (&Folder, &[u8]),
        (to, place): (&Folder, &Path),
    ) -> Result<()> {
        self.target.keep_time(to, place)?;
        let around = self.target.times.get(place).copied();
        let next = AtomicUsize::new(0);
        let work = || -> Result<(Times, Copied)> {
            let mut copier = self.beside()?;
            copier.target.times.extend(around.map(|time| (place.to_owned(), time)));
            while let Some((name, node)) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
                let path = join(path, name.as_bytes());
                let seen = Seen { folder: from, name: os(name), node, path: &path };
                copier.nested(&seen, to, &place.join(os(name))).inspect_err(|_| {
                    next.store(folders.len(), Ordering::Relaxed);
                })?;
            }
            copier.target.times.remove(place);
            Ok((copier.target.times, copier.copied))
        };
        let parts = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..WORKERS.min(folders.len())).map(|_| scope.spawn(work)).collect();
            let stopped = || Error::system("copy", place, Errno::IO);
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|_| Err(stopped())))
                .collect::<Vec<_>>()
        });
        for part in parts {
            let (times, copied) = part?;
            self.target.times.extend(times);
            self.copied.files += copied.files;
            self.copied.bytes += copied.bytes;
            self.copied.warnings.extend(copied.warnings);
        }
        self.copied.warnings.sort();
        Ok(())
    }

    /// Another copier on the same trees.
    fn beside(&self) -> Result<Self> {
        Ok(Self {
            cx: self.cx,
            request: self.request,
            source: Rooted::open(self.request.source.root)?,
            target: Target::new(self.request.root, self.request.owner, self.request.created)?,
            links: Arc::clone(&self.links),
            copied: Copied::default(),
            alone: false,
        })
    }

    /// A directory below the top one.
    fn nested(&mut self, seen: &Seen<'_>, to: &Folder, place: &Path) -> Result<()> {
        let name = place.file_name().unwrap_or_default();
        let on_the_way = self.request.source.verdict(seen.path, true) == Verdict::Pass;
        match to.look(name).map_err(self.target.fail("look at", place))? {
            Some(node) if node.is_dir() && on_the_way => {
                to.set_mode(name, seen.node.mode).map_err(self.target.fail("set the mode of", place))?;
                let folder = to.child(name).map_err(self.target.fail("open directory", place))?;
                return self.contents(&self.open(seen)?, seen.path, &folder, place);
            }
            Some(node) if node.is_dir() => {}
            Some(_) => {
                return Err(self.conflict(seen.path, place, "a directory cannot replace a file or link"));
            }
            None => {
                let around = place.parent().unwrap_or(Path::new(""));
                self.target.keep_time(to, around)?;
                to.make_dir(name).map_err(self.target.fail("create directory", place))?;
            }
        }
        self.dress(seen, to, place)?;
        let folder = to.child(name).map_err(self.target.fail("open directory", place))?;
        self.target.times.insert(place.to_owned(), seen.node.mtime);
        self.contents(&self.open(seen)?, seen.path, &folder, place)
    }

    /// Anything but a directory, onto `place` in the directory `to`, whose time is known already.
    fn entry(&mut self, seen: &Seen<'_>, to: &Folder, place: &Path) -> Result<()> {
        if self.cx.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let node = seen.node;
        let limit = self.cx.limits.layer_size;
        if node.is_file() && node.size > limit {
            return Err(Error::TooLarge { path: String::from_utf8_lossy(seen.path).into_owned(), limit });
        }
        if node.is_file() && node.links == 1 && self.new_file(seen, to, place)? {
            return Ok(());
        }
        self.clear(to, place, seen.path)?;
        let name = place.file_name().unwrap_or_default();
        let links = Arc::clone(&self.links);
        let mut links = (node.links > 1).then(|| links.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(links) = &mut links {
            if let Some(first) = links.get(&node.inode) {
                let parent = self.target.tree.folder(first.parent().unwrap_or(Path::new("")));
                let linked = parent.and_then(|parent| {
                    to.make_hardlink(name, &parent, first.file_name().unwrap_or_default())
                });
                return linked.map_err(self.target.fail("link", place));
            }
            links.insert(node.inode, place.to_owned());
        }
        match transfer::make_like((seen.folder, seen.name, node), (to, name)) {
            Err(Errno::PERM) if !node.is_file() && !node.is_link() => {
                if let Some(links) = &mut links {
                    links.remove(&node.inode);
                }
                let warning = format!("left out {}: device nodes cannot be made here", place.display());
                self.copied.warnings.push(warning);
                return Ok(());
            }
            made => made.map_err(self.target.fail("copy", place))?,
        }
        self.copied.files += 1;
        self.copied.bytes += if node.is_file() { node.size } else { 0 };
        self.dress(seen, to, place)?;
        to.set_time(name, node.mtime).map_err(self.target.fail("set the time of", place))
    }

    /// A file with one name, where nothing stands yet: most of what is ever copied, so made with few system calls.
    /// `false`, with nothing done, if something stands there.
    fn new_file(&mut self, seen: &Seen<'_>, to: &Folder, place: &Path) -> Result<bool> {
        let (name, mode) = (place.file_name().unwrap_or_default(), self.mode(seen.node));
        let mut file = match to.create_file_as(name, mode) {
            Err(Errno::EXIST) => return Ok(false),
            made => made.map_err(self.target.fail("create", place))?,
        };
        let source = seen.folder.open_file(seen.name);
        let copied = source.and_then(|mut source| transfer::content(&mut source, &mut file, seen.node.size));
        copied.map_err(self.target.fail("copy", place))?;
        let (uid, gid) = self.owner(seen.node);
        makers::dress(&file, (uid, gid), mode).map_err(|e| match e {
            Undressed::Owner(e) => chown_error(self.target.tree.show(place), uid, gid, e),
            Undressed::Mode(e) => self.target.fail("set the mode of", place)(e),
        })?;
        self.capability(seen, to, place)?;
        // Nothing is replaced, so the fraction tells nobody whether this is a change; layers do not carry it.
        let time = timestamps((seen.node.mtime.0, 0));
        rustix::fs::futimens(&file, &time).map_err(self.target.fail("set the time of", place))?;
        self.copied.files += 1;
        self.copied.bytes += seen.node.size;
        Ok(true)
    }

    /// Makes room at `place`.
    fn clear(&self, folder: &Folder, place: &Path, from: &[u8]) -> Result<()> {
        let name = place.file_name().unwrap_or_default();
        match folder.look(name).map_err(self.target.fail("look at", place))? {
            None => Ok(()),
            Some(node) if node.is_dir() => {
                Err(self.conflict(from, place, "a file cannot replace a directory"))
            }
            Some(_) => {
                // A later source onto the same place: the names made so far are not its own.
                self.links.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, first| first != place);
                folder.remove(name).map_err(self.target.fail("replace", place))
            }
        }
    }

    fn conflict(&self, from: &[u8], place: &Path, reason: &'static str) -> Error {
        let from = String::from_utf8_lossy(from).into_owned();
        Error::Conflict { from, to: format!("/{}", place.display()), reason }
    }

    /// The owner that a copy gets.
    fn owner(&self, node: &Node) -> (u32, u32) {
        self.request.owner.map_or_else(|| self.request.source.owner(node), |o| (o.uid, o.gid))
    }

    /// The mode that a copy gets.
    fn mode(&self, node: &Node) -> u32 {
        self.request.mode.map_or(node.mode, |change| change.apply(node.mode, node.is_dir()))
    }

    /// Owner, capabilities and mode of a copy.
    fn dress(&mut self, seen: &Seen<'_>, to: &Folder, place: &Path) -> Result<()> {
        let name = place.file_name().unwrap_or_default();
        self.own(to, name, self.owner(seen.node), place)?;
        if seen.node.is_link() {
            return Ok(());
        }
        if seen.node.is_file() {
            self.capability(seen, to, place)?;
        }
        to.set_mode(name, self.mode(seen.node)).map_err(self.target.fail("set the mode of", place))
    }

    /// Gives a copy the capabilities of the file, after its owner: changing that takes them away.
    fn capability(&mut self, seen: &Seen<'_>, to: &Folder, place: &Path) -> Result<()> {
        let value = self.request.source.capability(seen.folder, seen.name);
        let Some(value) = value.map_err(self.target.fail("read attributes for", place))? else {
            return Ok(());
        };
        if let Err(e) =
            to.set_attribute(place.file_name().unwrap_or_default(), OsStr::new(CAPABILITY), &value)
        {
            self.copied.warnings.push(format!("left out the capabilities of {}: {e}", place.display()));
        }
        Ok(())
    }

    fn own(&self, folder: &Folder, name: &OsStr, (uid, gid): (u32, u32), place: &Path) -> Result<()> {
        folder.set_owner(name, uid, gid).map_err(|e| chown_error(self.target.tree.show(place), uid, gid, e))
    }

    /// Unpacks a file into the destination if it is an archive; `false` if it is none.
    fn unpack(&mut self, seen: &Seen<'_>) -> Result<bool> {
        let what = String::from_utf8_lossy(seen.path).into_owned();
        let shown = self.source.show(Path::new(OsStr::from_bytes(seen.path)));
        let fail = |e: std::io::Error| Error::system("read", &shown, e);
        let file = seen.folder.open_file(seen.name).map_err(|e| fail(e.into()))?;
        let Some(mut reader) = archive::open(file, &self.cx.limits).map_err(fail)? else { return Ok(false) };
        let (path, as_folder) = self.destination();
        let place = if as_folder {
            self.target.directory(&path, None)?.1
        } else {
            let (_, place) = self.target.place(&path, None)?;
            self.target.directory(&place, None)?.1
        };
        let owner = self.request.owner.map(|o| (o.uid, o.gid));
        let mut applier = Applier::new(&self.target.tree, &what, &place, owner)
            .keeping_times()
            .implicit_time(self.request.created);
        let broken = |source| Error::Archive { what: what.clone(), source };
        while let Some(entry) = reader.next_entry().map_err(broken)? {
            if self.cx.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            applier.put(&entry, &mut reader)?;
            self.copied.files += 1;
            self.copied.bytes += entry.size;
        }
        applier.finish_times()?;
        self.copied.warnings.append(&mut applier.notes);
        Ok(true)
    }
}
