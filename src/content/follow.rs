//! Reading a blob while it is still being received, or made.

use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::host::fs::File;

/// How far a download is; shared by it and those who follow it.
#[derive(Debug, Default)]
struct Progress {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    position: u64,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All bytes are there.
    Complete,
    /// What was there is no longer: it was wrong, or nobody goes on with it.
    Lost,
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, end: End) {
        self.lock().end.get_or_insert(end);
        self.moved.notify_all();
    }
}

/// Tells followers how far a download is. When it is dropped without having told the end, they get an error.
#[derive(Debug, Default)]
pub(super) struct Beacon(Arc<Progress>);

impl Beacon {
    /// So many bytes are there.
    pub fn reach(&self, position: u64) {
        self.0.lock().position = position;
        self.0.moved.notify_all();
    }

    /// All bytes are there.
    pub fn complete(&self) {
        self.0.end(End::Complete);
    }

    /// A follower that reads `file` from its beginning.
    pub fn follow(&self, file: File) -> Follower {
        self.trail(file).follow(0)
    }

    /// What leads any number of followers through `file`.
    pub fn trail(&self, file: File) -> Trail {
        Trail { file: Arc::new(file), progress: Arc::clone(&self.0) }
    }
}

/// Where a blob can be read while it is being written, as often as need be.
#[derive(Clone, Debug)]
pub struct Trail {
    file: Arc<File>,
    progress: Arc<Progress>,
}

impl Trail {
    /// The bytes from `position` on, each as soon as it is there; an error if the blob is given up before its end.
    pub fn follow(&self, position: u64) -> Follower {
        Follower { file: Arc::clone(&self.file), progress: Arc::clone(&self.progress), position }
    }
}

impl Drop for Beacon {
    fn drop(&mut self) {
        self.0.end(End::Lost);
    }
}

/// The bytes of a blob that is being received, each as soon as it is there. They are not verified yet.
#[derive(Debug)]
pub struct Follower {
    file: Arc<File>,
    progress: Arc<Progress>,
    position: u64,
}

/// What became of a download that was followed.
#[derive(Clone, Debug)]
pub struct Fate(Arc<Progress>);

impl Fate {
    /// Whether its bytes must be read again, from the finished blob.
    pub fn is_lost(&self) -> bool {
        self.0.lock().end == Some(End::Lost)
    }
}

impl Follower {
    /// To be asked when reading has failed.
    pub fn fate(&self) -> Fate {
        Fate(Arc::clone(&self.progress))
    }
}

fn lost() -> io::Error {
    io::Error::other("what was being read is not written to its end")
}

impl Read for Follower {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.progress.lock();
        let available = loop {
            match state.end {
                Some(End::Lost) => return Err(lost()),
                _ if buffer.is_empty() => return Ok(0),
                _ if state.position > self.position => break state.position - self.position,
                Some(End::Complete) => return Ok(0),
                None => {
                    state = self.progress.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        };
        drop(state);
        let most = usize::try_from(available).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read_at(&mut buffer[..most], self.position)?;
        // The loss is told before the file is cut short, so bytes that came before it are the ones that were promised.
        if count == 0 || self.progress.lock().end == Some(End::Lost) {
            return Err(lost());
        }
        self.position += count as u64;
        Ok(count)
    }
}
