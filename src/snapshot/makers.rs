//! Threads that make the small files of an archive while its next entries are read.
//!
//! An archive is read in order, and most of its entries are small files that do not know each other: making one costs
//! half a dozen system calls that wait for the file system, not for what was read before. Order matters only where two
//! entries have one place, or where one is made of another. So a place that is being made is remembered by its
//! directory's inode and its name (links on the way cannot hide that two places are one), and whoever needs it, or
//! removes anything, or makes a link to anything, waits for everything that is under way.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Scope;

use rustix::fs::{Gid, Mode, Uid};
use rustix::io::Errno;

use crate::oci::layer::Entry;
use crate::snapshot::Error;
use crate::snapshot::apply::chown_error;
use crate::snapshot::folder::{Folder, node_of, timestamps};

/// Files longer than this are made by the thread that reads them.
pub(super) const SMALL: u64 = 128 << 10;
/// Files that may wait to be made; with [`SMALL`] it bounds the memory.
const WAITING: usize = 64;
/// More threads than these wait for each other in the file system.
const MOST: usize = 4;
/// Places that are remembered before all of them are waited for.
const REMEMBERED: usize = 8192;

/// How many threads are worth while here.
pub(super) fn count() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get).clamp(1, MOST)
}

/// A file to be made.
pub(super) struct Job {
    pub parent: Arc<Folder>,
    pub entry: Entry,
    pub content: Vec<u8>,
    /// Where it is, for messages.
    pub shown: PathBuf,
    /// Makes an error of what the system says.
    pub fail: Box<dyn Fn(Errno) -> Error + Send>,
}

/// The threads, as the one who reads sees them.
pub(super) struct Makers {
    jobs: SyncSender<(u64, Job)>,
    state: Arc<State>,
    submitted: u64,
    places: HashSet<(u64, OsString)>,
}

#[derive(Default)]
struct State {
    progress: Mutex<Progress>,
    done: Condvar,
}

#[derive(Default)]
struct Progress {
    finished: u64,
    /// The failure of the earliest entry that failed.
    failure: Option<(u64, Error)>,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Makers {
    /// Starts `count` threads, which end when this is dropped.
    pub fn start<'scope>(scope: &'scope Scope<'scope, '_>, count: usize) -> Self {
        let (jobs, receiver) = sync_channel(WAITING);
        let receiver = Arc::new(Mutex::new(receiver));
        let state = Arc::new(State::default());
        for _ in 0..count {
            let (receiver, state) = (Arc::clone(&receiver), Arc::clone(&state));
            scope.spawn(move || work(&receiver, &state));
        }
        Self { jobs, state, submitted: 0, places: HashSet::new() }
    }

    /// Whether the name in the directory with this inode is being made.
    pub fn is_making(&self, directory: u64, name: &OsStr) -> bool {
        self.places.contains(&(directory, name.to_owned()))
    }

    /// Has a file made, which must not be there, in the directory with this inode.
    pub fn submit(&mut self, directory: u64, job: Job) -> Result<(), Error> {
        if self.places.len() >= REMEMBERED || self.state.lock().failure.is_some() {
            self.wait()?;
        }
        self.places.insert((directory, OsStr::from_bytes(job.entry.name()).to_owned()));
        self.submitted += 1;
        // The threads live as long as this; they take what is sent even after a failure.
        let _ = self.jobs.send((self.submitted, job));
        Ok(())
    }

    /// Waits for everything that is under way.
    pub fn wait(&mut self) -> Result<(), Error> {
        if self.places.is_empty() {
            return Ok(());
        }
        self.places.clear();
        let mut progress = self.state.lock();
        while progress.finished < self.submitted {
            progress = self.state.done.wait(progress).unwrap_or_else(PoisonError::into_inner);
        }
        match progress.failure.take() {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }
}

fn work(jobs: &Mutex<Receiver<(u64, Job)>>, state: &State) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, job)) = next else { return };
        let failed = state.lock().failure.is_some();
        let made = if failed { Ok(()) } else { make(job) };
        let mut progress = state.lock();
        if let Err(error) = made
            && progress.failure.as_ref().is_none_or(|(earlier, _)| number < *earlier)
        {
            progress.failure = Some((number, error));
        }
        progress.finished += 1;
        drop(progress);
        state.done.notify_one();
    }
}

fn make(job: Job) -> Result<(), Error> {
    let Job { parent, entry, content, shown, fail } = job;
    let mut file = parent.create_file_as(OsStr::from_bytes(entry.name()), entry.mode).map_err(&fail)?;
    file.write_all(&content).map_err(|e| fail(Errno::from_io_error(&e).unwrap_or(Errno::IO)))?;
    dress(&file, (entry.uid, entry.gid), entry.mode).map_err(|e| match e {
        Undressed::Owner(e) => chown_error(shown, entry.uid, entry.gid, e),
        Undressed::Mode(e) => fail(e),
    })?;
    rustix::fs::futimens(&file, &timestamps((entry.mtime, entry.mtime_nanos))).map_err(&fail)
}

/// Gives an open file or directory, which has no special bits yet, its owner and mode where they are not as wanted: most
/// are, and asking costs nothing beside changing.
pub(super) fn dress(file: impl AsFd, owner: (u32, u32), mode: u32) -> Result<(), Undressed> {
    let node = node_of(&file).map_err(Undressed::Mode)?;
    if (node.uid, node.gid) != owner {
        let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
        rustix::fs::fchown(&file, Some(uid), Some(gid)).map_err(Undressed::Owner)?;
    }
    if node.mode != mode {
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)).map_err(Undressed::Mode)?;
    }
    Ok(())
}

/// What could not be given.
#[derive(Debug)]
pub(super) enum Undressed {
    Owner(Errno),
    Mode(Errno),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::layer::Kind;

    fn job(folder: &Arc<Folder>, name: &str) -> Job {
        let mut entry = Entry::new(name, Kind::File, 0o640);
        entry.mtime = 7;
        let shown = PathBuf::from(name);
        let fail = Box::new(|e| Error::system("make", "x", e));
        Job { parent: Arc::clone(folder), entry, content: b"abc".to_vec(), shown, fail }
    }

    #[test]
    fn what_was_submitted_is_there_after_waiting_and_the_first_failure_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Arc::new(Folder::at(dir.path()).unwrap());
        std::thread::scope(|scope| {
            let mut makers = Makers::start(scope, 3);
            for n in 0..200 {
                let mut job = job(&folder, &format!("f{n}"));
                let owner = folder.node().unwrap();
                (job.entry.uid, job.entry.gid) = (owner.uid, owner.gid);
                makers.submit(1, job).unwrap();
            }
            assert!(makers.is_making(1, OsStr::new("f199")) && !makers.is_making(2, OsStr::new("f199")));
            makers.wait().unwrap();
            assert!(!makers.is_making(1, OsStr::new("f199")));
            let node = folder.look(OsStr::new("f199")).unwrap().unwrap();
            assert_eq!((node.mode, node.size, node.mtime), (0o640, 3, (7, 0)));
            assert_eq!(folder.names().unwrap().len(), 200);
            makers.submit(1, job(&folder, "f1")).unwrap();
            assert!(makers.wait().unwrap_err().to_string().contains("make"));
        });
    }
}
