//! Putting the entries of an archive into a tree: what unpacking a layer and ADDing an archive have in common.
//!
//! Order of changes to one entry: owner (which clears setuid bits and capabilities), then attributes, then mode, then
//! time. Times of directories come last of all, for every entry below moves them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::host::fs::File;
use crate::oci;
use crate::oci::layer::{Entry, Kind, Reader};
use crate::snapshot::attributes;
use crate::snapshot::folder::Folder;
use crate::snapshot::makers::{self, Job, Makers};
use crate::snapshot::rooted::Rooted;
use crate::snapshot::{Error, Result};

const BUFFER: usize = 256 << 10;

/// Puts entries into a tree.
pub(super) struct Applier<'a> {
    tree: &'a Rooted,
    /// What is put there, for messages.
    pub(super) what: String,
    /// Where in the tree names begin.
    base: PathBuf,
    /// Owner of everything, instead of the archive's.
    owner: Option<(u32, u32)>,
    /// The parent of the last entry: most entries share it with the one before.
    parent: Option<Parent>,
    /// Threads that make small files, if there are any.
    makers: Option<Makers>,
    /// Times of directories, set at the end, by path in the tree.
    times: BTreeMap<PathBuf, (i64, u32)>,
    /// Directories no entry was seen of, by path in the tree.
    pub(super) implicit: std::collections::BTreeSet<PathBuf>,
    /// What had to be left out.
    pub(super) notes: Vec<String>,
    /// The time of directories that entries take for granted; `None` leaves them as they come.
    implicit_time: Option<i64>,
    /// Whether directories that only get entries keep their time.
    keep_times: bool,
    buffer: Box<[u8]>,
}

/// A directory that entries are put into.
#[derive(Clone)]
struct Parent {
    /// As entries call it.
    path: PathBuf,
    folder: Arc<Folder>,
    /// What no link can hide.
    inode: u64,
}

/// No more notes than these are kept.
const MOST_NOTES: usize = 100;

impl<'a> Applier<'a> {
    /// An applier of the entries of the archive `what`.
    pub(super) fn new(tree: &'a Rooted, what: &str, base: &Path, owner: Option<(u32, u32)>) -> Self {
        Self {
            tree,
            what: what.to_owned(),
            base: base.to_owned(),
            owner,
            parent: None,
            makers: None,
            times: BTreeMap::new(),
            implicit: std::collections::BTreeSet::new(),
            notes: Vec::new(),
            implicit_time: None,
            keep_times: false,
            buffer: vec![0; BUFFER].into_boxed_slice(),
        }
    }

    /// Has small files made by these threads.
    pub(super) fn with_makers(mut self, makers: Makers) -> Self {
        self.makers = Some(makers);
        self
    }

    /// Gives directories that entries take for granted this time.
    pub(super) fn implicit_time(mut self, seconds: i64) -> Self {
        self.implicit_time = Some(seconds);
        self
    }

    /// Directories that were there, and that no entry speaks of, keep their time.
    pub(super) fn keeping_times(mut self) -> Self {
        self.keep_times = true;
        self
    }

    fn fail(&self, action: &'static str, path: &Path) -> impl Fn(Errno) -> Error + use<> {
        let (shown, inside, what) = (self.tree.show(path), path.display().to_string(), self.what.clone());
        move |e| match e {
            // The reason is the entry itself, or what stands at its place already.
            Errno::LOOP
            | Errno::NOTDIR
            | Errno::NOENT
            | Errno::ISDIR
            | Errno::EXIST
            | Errno::NAMETOOLONG
            | Errno::MLINK
            | Errno::FBIG
            | Errno::TOOBIG
            | Errno::RANGE => {
                Error::Entry { what: what.clone(), action, path: inside.clone(), source: e.into() }
            }
            _ => Error::system(action, &shown, e),
        }
    }

    /// The directory `path` (below the base), made if it is missing; and where it really is.
    pub(super) fn directory(&mut self, path: &Path) -> Result<Arc<Folder>> {
        self.parent(path).map(|parent| parent.folder)
    }

    fn parent(&mut self, path: &Path) -> Result<Parent> {
        let path = self.base.join(path);
        if let Some(known) = &self.parent
            && known.path == path
        {
            return Ok(known.clone());
        }
        let mut opened = self.tree.folder(&path);
        if opened.as_ref().is_err_and(|e| *e == Errno::NOENT) && self.makers.is_some() {
            // What is missing may be a file that is being made.
            self.wait()?;
            opened = self.tree.folder(&path);
        }
        let folder = match opened {
            Err(Errno::NOENT) => self.make_parents(&path)?,
            other => other.map_err(self.fail("open directory", &path))?,
        };
        let node = folder.node().map_err(self.fail("look at", &path))?;
        if self.keep_times && !self.times.contains_key(&path) {
            self.times.insert(path.clone(), node.mtime);
        }
        let parent = Parent { path, folder: Arc::new(folder), inode: node.inode.1 };
        self.parent = Some(parent.clone());
        Ok(parent)
    }

    /// Waits for the files that are being made.
    pub(super) fn wait(&mut self) -> Result<()> {
        self.makers.as_mut().map_or(Ok(()), Makers::wait)
    }

    fn make_parents(&mut self, path: &Path) -> Result<Folder> {
        let mut made = Vec::new();
        let owner = self.owner;
        let fail = self.fail("create directory", path);
        let (keep_times, times) = (self.keep_times, &mut self.times);
        let (folder, _) = self
            .tree
            .folder_making(path, &mut |folder, name, place| {
                if keep_times {
                    let time = folder.node()?.mtime;
                    times.entry(place.parent().unwrap_or(Path::new("")).to_owned()).or_insert(time);
                }
                folder.make_dir(name)?;
                // A shared folder hands on its bit, but not its group, as BuildKit has it.
                let shared = folder.look(name)?.map_or(0, |node| node.mode & 0o2000);
                if let Some((uid, gid)) = owner.or((shared != 0).then_some((0, 0))) {
                    folder.set_owner(name, uid, gid)?;
                }
                made.push(place.to_owned());
                folder.set_mode(name, 0o755 | shared)
            })
            .map_err(fail)?;
        for place in made {
            if let Some(seconds) = self.implicit_time {
                self.times.insert(place.clone(), (seconds, 0));
            }
            self.implicit.insert(place);
        }
        Ok(folder)
    }

    /// Puts one entry into the tree; `reader` gives its content.
    pub(super) fn put<R: Read>(&mut self, entry: &Entry, reader: &mut Reader<R>) -> Result<()> {
        if entry.path.is_empty() {
            return Ok(());
        }
        let parent = self.parent(Path::new(OsStr::from_bytes(entry.directory())))?;
        let path = self.base.join(OsStr::from_bytes(&entry.path));
        let name = OsStr::from_bytes(entry.name());
        if self.makers.as_ref().is_some_and(|makers| makers.is_making(parent.inode, name)) {
            self.wait()?;
        }
        if self.is_small(entry) && parent.folder.look(name).map_err(self.fail("look at", &path))?.is_none() {
            return self.submit(parent, entry, &path, reader);
        }
        let parent = parent.folder;
        match &entry.kind {
            Kind::Directory => {
                self.put_directory(&parent, name, &path)?;
                self.finish(&parent, entry, &path)?;
                let nanos = entry.mtime_nanos;
                self.times.insert(path, (entry.mtime, nanos));
                Ok(())
            }
            Kind::File => self.put_file(&parent, entry, &path, reader),
            Kind::Hardlink(target) => self.put_hardlink(&parent, name, &path, target),
            Kind::Symlink(target) => {
                self.replacing(&parent, name, &path, |p| p.make_link(name, target))?;
                self.finish(&parent, entry, &path)
            }
            Kind::Fifo => {
                self.replacing(&parent, name, &path, |p| p.make_special(name, FileType::Fifo, (0, 0)))?;
                self.finish(&parent, entry, &path)
            }
            Kind::CharDevice { major, minor } => {
                self.put_device(&parent, entry, &path, (FileType::CharacterDevice, *major, *minor))
            }
            Kind::BlockDevice { major, minor } => {
                self.put_device(&parent, entry, &path, (FileType::BlockDevice, *major, *minor))
            }
        }
    }

    /// Whether another thread may make it: a plain file that fits into a buffer.
    fn is_small(&self, entry: &Entry) -> bool {
        self.makers.is_some()
            && entry.kind == Kind::File
            && entry.size <= makers::SMALL
            && entry.sparse.is_none()
            && entry.xattrs.is_empty()
            && self.owner.is_none()
    }

    fn submit<R: Read>(
        &mut self,
        parent: Parent,
        entry: &Entry,
        path: &Path,
        reader: &mut Reader<R>,
    ) -> Result<()> {
        let mut content = Vec::with_capacity(usize::try_from(entry.size).unwrap_or(0));
        let torn = |source| Error::Archive { what: self.what.clone(), source };
        reader.read_content(&mut content).map_err(torn)?;
        let (shown, fail) = (self.tree.show(path), Box::new(self.fail("create", path)));
        let job = Job { parent: parent.folder, entry: entry.clone(), content, shown, fail };
        self.makers.as_mut().map_or(Ok(()), |makers| makers.submit(parent.inode, job))
    }

    /// Makes something; what was there before goes.
    fn replacing<T>(
        &mut self,
        parent: &Folder,
        name: &OsStr,
        path: &Path,
        make: impl Fn(&Folder) -> Result<T, Errno>,
    ) -> Result<T> {
        match make(parent) {
            Err(Errno::EXIST) => {
                self.wait()?;
                self.forget(path);
                parent.remove(name).map_err(self.fail("replace", path))?;
                make(parent).map_err(self.fail("create", path))
            }
            other => other.map_err(self.fail("create", path)),
        }
    }

    /// Something is removed: what is remembered of it and of everything below is void.
    fn forget(&mut self, path: &Path) {
        self.parent = None;
        // What lies below a path stands behind it in the order of paths, without gaps: nothing else is looked at.
        while let Some((known, _)) =
            self.times.range(path.to_owned()..).next().filter(|(k, _)| k.starts_with(path))
        {
            let known = known.clone();
            self.times.remove(&known);
        }
        while let Some(known) = self.implicit.range(path.to_owned()..).next().filter(|k| k.starts_with(path))
        {
            let known = known.clone();
            self.implicit.remove(&known);
        }
    }

    fn put_directory(&mut self, parent: &Folder, name: &OsStr, path: &Path) -> Result<()> {
        if parent.make_dir(name) == Err(Errno::EXIST) {
            let old = parent.look(name).map_err(self.fail("look at", path))?;
            if old.is_some_and(|old| old.is_dir()) {
                self.implicit.remove(path);
                return Ok(());
            }
            let covered = old.is_some_and(|old| old.is_whiteout());
            self.wait()?;
            self.forget(path);
            parent.remove(name).map_err(self.fail("replace", path))?;
            parent.make_dir(name).map_err(self.fail("create directory", path))?;
            if covered {
                let made = parent.child(name).and_then(|folder| folder.set_opaque());
                made.map_err(self.fail("mark directory", path))?;
            }
        }
        // Whatever else went wrong is seen by the next step.
        parent.child(name).map(|_| ()).map_err(self.fail("create directory", path))
    }

    fn put_file<R: Read>(
        &mut self,
        parent: &Folder,
        entry: &Entry,
        path: &Path,
        reader: &mut Reader<R>,
    ) -> Result<()> {
        let name = OsStr::from_bytes(entry.name());
        let mut file = self.replacing(parent, name, path, |p| p.create_file(name))?;
        let fail = self.fail("write", path);
        let broken = |e: io::Error| fail(Errno::from_io_error(&e).unwrap_or(Errno::IO));
        let torn = |source| Error::Archive { what: self.what.clone(), source };
        let buffer = &mut self.buffer;
        match &entry.sparse {
            None => copy_stored(reader, entry.size, &mut file, buffer).map_err(torn)?.map_err(broken)?,
            Some(map) => {
                for segment in map {
                    io::Seek::seek(&mut file, io::SeekFrom::Start(segment.offset)).map_err(broken)?;
                    copy_stored(reader, segment.length, &mut file, buffer).map_err(torn)?.map_err(broken)?;
                }
                // Larger than any file can be is what the system calls invalid.
                let set = rustix::fs::ftruncate(&file, entry.size);
                set.map_err(|e| fail(if e == Errno::INVAL { Errno::FBIG } else { e }))?;
            }
        }
        self.finish(parent, entry, path)
    }

    fn put_hardlink(&mut self, parent: &Folder, name: &OsStr, path: &Path, target: &[u8]) -> Result<()> {
        let target = Path::new(OsStr::from_bytes(target));
        let place = self.base.join(target);
        if place == path {
            return Ok(());
        }
        self.wait()?;
        let directory = target.parent().unwrap_or(Path::new(""));
        let folder = self.tree.folder(&self.base.join(directory)).map_err(self.fail("link to", &place))?;
        let last = target.file_name().unwrap_or_default();
        match folder.look(last).map_err(self.fail("link to", &place))? {
            None => return Err(self.fail("link to", &place)(Errno::NOENT)),
            Some(node) if node.is_whiteout() => return Err(self.fail("link to", &place)(Errno::NOENT)),
            Some(node) if node.is_dir() => return Err(self.fail("link to", &place)(Errno::ISDIR)),
            Some(_) => {}
        }
        self.replacing(parent, name, path, |p| p.make_hardlink(name, &folder, last))
    }

    fn put_device(
        &mut self,
        parent: &Folder,
        entry: &Entry,
        path: &Path,
        (kind, major, minor): (FileType, u32, u32),
    ) -> Result<()> {
        let name = OsStr::from_bytes(entry.name());
        // On disk it would be the mark of a deletion.
        if (kind, major, minor) == (FileType::CharacterDevice, 0, 0) {
            self.note(format!("left out the device node 0:0 {}", entry.display()));
            return Ok(());
        }
        match parent.make_special(name, kind, (major, minor)) {
            Err(Errno::PERM) => {
                self.note(format!("left out the device node {} (not allowed here)", entry.display()));
                return Ok(());
            }
            _ => {
                self.replacing(parent, name, path, |p| match p.make_special(name, kind, (major, minor)) {
                    Err(Errno::EXIST) if p.look(name)?.is_some_and(|n| n.device == (major, minor)) => Ok(()),
                    other => other,
                })?
            }
        }
        self.finish(parent, entry, path)
    }

    pub(super) fn note(&mut self, note: String) {
        if self.notes.len() < MOST_NOTES {
            self.notes.push(note);
        }
    }

    /// Owner, attributes, mode and time of what was made.
    fn finish(&mut self, parent: &Folder, entry: &Entry, path: &Path) -> Result<()> {
        let name = OsStr::from_bytes(entry.name());
        self.dress(parent, name, entry, path)?;
        if entry.kind == Kind::Directory {
            return Ok(());
        }
        parent.set_time(name, (entry.mtime, entry.mtime_nanos)).map_err(self.fail("set the time of", path))
    }

    /// Owner, attributes and mode.
    pub(super) fn dress(&mut self, parent: &Folder, name: &OsStr, entry: &Entry, path: &Path) -> Result<()> {
        let (uid, gid) = self.owner.unwrap_or((entry.uid, entry.gid));
        parent.set_owner(name, uid, gid).map_err(|e| chown_error(self.tree.show(path), uid, gid, e))?;
        for (attribute, value) in &entry.xattrs {
            if let Some(value) = attributes::to_disk(attribute, value) {
                match parent.set_attribute(name, OsStr::from_bytes(attribute), &value) {
                    Ok(()) => {}
                    Err(Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS | Errno::INVAL) => self.note(format!(
                        "left out the attribute {} of {}",
                        String::from_utf8_lossy(attribute),
                        entry.display()
                    )),
                    Err(e) => return Err(self.fail("set an attribute of", path)(e)),
                }
            }
        }
        if matches!(entry.kind, Kind::Symlink(_)) {
            return Ok(());
        }
        parent.set_mode(name, entry.mode).map_err(self.fail("set the mode of", path))
    }

    /// Sets the times of directories, deepest first.
    pub(super) fn finish_times(&mut self) -> Result<()> {
        self.wait()?;
        for (path, mtime) in std::mem::take(&mut self.times).iter().rev() {
            match self.tree.folder(path).and_then(|folder| folder.set_own_time(*mtime)) {
                Ok(()) | Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(e) => return Err(self.fail("set the time of", path)(e)),
            }
        }
        Ok(())
    }

    /// Sets the time of a directory at the end.
    pub(super) fn time_at_end(&mut self, path: PathBuf, mtime: (i64, u32)) {
        self.times.insert(path, mtime);
    }
}

/// The error of a refused `chown`: an id that the user namespace does not map is "invalid".
pub(super) fn chown_error(path: PathBuf, uid: u32, gid: u32, errno: Errno) -> Error {
    match errno {
        Errno::INVAL | Errno::PERM => Error::UnmappedId { path, uid, gid, source: errno.into() },
        other => Error::system("change the owner of", path, other),
    }
}

/// Copies `length` stored bytes. The outer error is the archive's, the inner one the file's.
fn copy_stored<R: Read>(
    reader: &mut Reader<R>,
    length: u64,
    file: &mut File,
    buffer: &mut [u8],
) -> Result<io::Result<()>, oci::layer::Error> {
    let mut left = length;
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = reader.read_stored(&mut buffer[..wanted])?;
        if count == 0 {
            return Ok(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        if let Err(e) = file.write_all(&buffer[..count]) {
            return Ok(Err(e));
        }
        left -= count as u64;
    }
    Ok(Ok(()))
}
