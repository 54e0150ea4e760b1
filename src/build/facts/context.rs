//! What the steps of a build select from its contexts, as content hashes. Only files that a step names are read, and of
//! those only the ones that changed since they were last read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::base::ContentHash;
use crate::build::facts::gittree::GitTree;
use crate::build::facts::selection;
use crate::build::step::{From, Read, Step, StepIndex};
use crate::build::{Doors, Error};
use crate::content::{FileStat, StatCache};
use crate::dockerfile::ignore;
use crate::host::random;
use crate::report::Context;
use crate::snapshot::Writable;
use crate::snapshot::tree::{self, HashCache, Listed, Source, StatKey, Verdict};
use crate::{host, snapshot};

/// A tree of files from outside, ready to be read: the build context, or a named one.
#[derive(Debug)]
pub struct ContextTree {
    /// As messages call it: `the build context`.
    pub title: String,
    /// Its folder, absolute and without links.
    pub root: PathBuf,
    /// What of it is hidden.
    pub ignore: ignore::Matcher,
    /// Whether everything in it belongs to 0:0, whatever the disk says.
    pub root_owned: bool,
    /// What has to be there as long as the tree is read.
    pub hold: Option<Box<Writable>>,
    /// The folder of a repository that it is. Then its own folder has only what was needed yet.
    pub git: Option<Checkout>,
}

/// What was written of a folder of a repository.
#[derive(Debug)]
pub struct Checkout {
    /// The folder.
    pub tree: GitTree,
    /// What is there.
    pub written: Mutex<BTreeSet<Vec<u8>>>,
    /// Where: gone with this.
    pub place: Place,
}

/// A folder that is made when it is first needed, and gone with this: a project has many images, of which most are there.
#[derive(Debug)]
pub struct Place(PathBuf);

impl Place {
    /// A new one in `folder`.
    pub fn below(folder: &Path) -> Self {
        Self(folder.join(format!("context-{}", random::token())))
    }

    /// Where it is, or will be.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn make(&self) -> Result<(), Error> {
        if !host::fs::exists(&self.0) {
            host::fs::create_dir_all(&self.0)?;
            host::fs::set_mode(&self.0, 0o700)?;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if host::fs::exists(&self.0) {
            // What cannot be removed now is removed with other leftovers.
            let _ = host::fs::remove_dir_all(&self.0);
        }
    }
}

impl ContextTree {
    /// Calls `work` with the tree as a source of COPY.
    pub fn with_source<T>(&self, work: impl FnOnce(Source<'_>) -> T) -> T {
        let filter = |path: &[u8], directory: bool| match shows(&self.ignore, path, directory) {
            Verdict::Keep => Verdict::Keep,
            other => match self.git.as_ref().is_some_and(|git| git.tree.is_added(path)) {
                true if directory => Verdict::Descend,
                true => Verdict::Keep,
                false => other,
            },
        };
        let hides = !self.ignore.is_empty();
        work(Source {
            root: &self.root,
            filter: hides.then_some(&filter as &tree::Filter<'_>),
            root_owned: self.root_owned,
        })
    }
}

impl ContextTree {
    /// Makes sure that what is read can be read from its folder.
    ///
    /// # Errors
    /// If an object of the repository cannot be read, or the folder not be written.
    pub fn prepare(&self, cx: &Context, read: &Read) -> Result<(), Error> {
        let Some(Checkout { tree, written, place }) = &self.git else { return Ok(()) };
        let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
        place.make()?;
        tree.write(cx, (read, &self.ignore), (&self.root, &mut written))
    }

    /// What stands for the tree in records of builds: its folder, or that of the repository.
    pub fn place(&self) -> String {
        match &self.git {
            Some(git) => git.tree.place(),
            None => self.root.display().to_string(),
        }
    }
}

/// For each read of a context, by step and position among its reads, the content of what it selects.
///
/// # Errors
/// If a source is missing or cannot be read, with the step's place.
pub fn read(
    cx: &Context,
    doors: &Doors,
    contexts: &[ContextTree],
    steps: &[Step],
) -> Result<BTreeMap<(StepIndex, usize), ContentHash>, Error> {
    let mut hashes = BTreeMap::new();
    for (nth, context) in contexts.iter().enumerate() {
        let reads = steps.iter().enumerate().flat_map(|(index, step)| {
            let reads = step.reads.iter().enumerate();
            reads.map(move |(position, read)| ((StepIndex(index), position), step, read))
        });
        let reads: Vec<_> =
            reads.filter(|(.., read)| matches!(read.from, From::Context(of) if of.0 == nth)).collect();
        if reads.is_empty() {
            continue;
        }
        if let Some(git) = &context.git {
            for (place, step, read) in reads {
                let hash = git.tree.hash(read, &context.ignore).map_err(|error| match error {
                    Error::Snapshot(error) => missing(error, step, context),
                    other => located(other, step),
                });
                hashes.insert(place, hash?);
            }
            continue;
        }
        let known = doors.store().stat_cache(&context.root)?;
        let cache = Remembered { known, now: cx.clock.now(), largest: cx.limits.layer_size };
        for (place, step, read) in reads {
            let hash = context.with_source(|source| selection::hash(&source, read, Some(&cache)));
            hashes.insert(place, hash.map_err(|e| missing(e, step, context))?);
        }
        if cache.known.is_changed() && doors.store().is_writable() {
            doors.store().save_stat_cache(&cache.known, cache.now)?;
        }
    }
    Ok(hashes)
}

/// What `.dockerignore` shows of a path.
pub(super) fn shows(ignore: &ignore::Matcher, path: &[u8], directory: bool) -> Verdict {
    let text = String::from_utf8_lossy(path);
    if !ignore.finds(&text) {
        return Verdict::Keep;
    }
    if directory && ignore.may_include_below(&text) { Verdict::Descend } else { Verdict::Drop }
}

/// What a step reads of a tree, one by one: for explanations.
///
/// # Errors
/// If something is missing or cannot be read.
pub fn listing(
    source: &Source<'_>,
    read: &Read,
    cache: Option<&dyn HashCache>,
) -> Result<Vec<Listed>, snapshot::Error> {
    let mut listed = Vec::new();
    selection::each(source, read, &mut |source, all| {
        for selected in all {
            listed.extend(tree::list(&source, &selected.path, cache)?);
        }
        Ok::<(), snapshot::Error>(())
    })?;
    Ok(listed)
}

/// The hashes of a context's files that are known from their stat.
///
/// # Errors
/// If the store cannot be asked.
pub fn remembered(cx: &Context, doors: &Doors, context: &ContextTree) -> Result<impl HashCache, Error> {
    let known = doors.store().stat_cache(&context.root)?;
    Ok(Remembered { known, now: cx.clock.now(), largest: cx.limits.layer_size })
}

/// What is wrong with what a step reads, with the step's place.
fn located(error: Error, step: &Step) -> Error {
    match error {
        Error::Input { message, hints } => {
            hints.into_iter().fold(Error::definition(&step.span, message), Error::hint)
        }
        other => other,
    }
}

/// A missing source, said with what may explain it.
fn missing(error: snapshot::Error, step: &Step, context: &ContextTree) -> Error {
    let ContextTree { title, root, ignore, .. } = context;
    let snapshot::Error::NoSource { path, .. } = &error else {
        return Error::Step {
            name: step.name.clone(),
            span: step.span.clone(),
            source: Box::new(error.into()),
        };
    };
    let written = path.trim_start_matches('/');
    let not_found = Error::definition(&step.span, format!("{path:?}: not found in {title}"));
    if let snapshot::Error::NoSource { hidden: true, .. } = &error
        && context.git.is_some()
    {
        return not_found.hint(format!("{written} is there, but .dockerignore hides it"));
    }
    if let Some(git) = &context.git {
        return not_found.hint(format!("sources are looked for in {}", git.tree.place()));
    }
    if ignore.finds(written) && root.join(written).exists() {
        return not_found.hint(format!("{written} is there, but .dockerignore hides it"));
    }
    match similar(root, written) {
        Some(name) => not_found.hint(format!("did you mean {name}?")),
        None => not_found.hint(format!("sources are looked for in {}", root.display())),
    }
}

fn similar(root: &Path, written: &str) -> Option<String> {
    let path = Path::new(written);
    let folder = path.parent().unwrap_or(Path::new(""));
    let names: Vec<String> = host::fs::read_dir(root.join(folder))
        .ok()?
        .into_iter()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    let near = crate::dockerfile::nearest(path.file_name()?.to_str()?, &known, true)?;
    Some(folder.join(near).display().to_string())
}

/// Hashes of files found again by their stat.
struct Remembered {
    known: StatCache,
    now: Duration,
    largest: u64,
}

impl HashCache for Remembered {
    fn get(&self, key: &StatKey) -> Option<ContentHash> {
        self.known.get(&name(key), &stat(key))
    }

    fn put(&self, key: &StatKey, hash: &ContentHash) {
        self.known.put(&name(key), stat(key), *hash, self.now);
    }

    fn largest(&self) -> u64 {
        self.largest
    }
}

/// The cache asks for a name; a file's own number serves for all the names it has.
fn name(key: &StatKey) -> Vec<u8> {
    [key.device.to_le_bytes(), key.inode.to_le_bytes()].concat()
}

fn nanoseconds(time: i128) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

fn stat(key: &StatKey) -> FileStat {
    FileStat {
        dev: key.device,
        ino: key.inode,
        size: key.size,
        mtime: nanoseconds(key.mtime),
        ctime: nanoseconds(key.ctime),
        mode: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_made_when_it_is_needed_and_goes_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::below(folder.path());
        assert!(!host::fs::exists(place.path()));
        place.make().unwrap();
        place.make().unwrap();
        host::fs::write(place.path().join("file"), "x").unwrap();
        let path = place.path().to_owned();
        drop(place);
        assert!(!host::fs::exists(path));
        // One that nobody needed leaves nothing.
        drop(Place::below(folder.path()));
        assert!(host::fs::read_dir(folder.path()).unwrap().is_empty());
    }
}
