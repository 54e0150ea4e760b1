//! Errors of the far side: they become notes to the main process, which alone speaks to the user.

use std::io;

use crate::job::Note;

/// Why the far side cannot go on.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The kernel refuses a fresh `/proc` here; the step can still run in the process namespace of this machine.
    NoProc,
    /// Anything the main process is to be told.
    Told(Note),
}

pub(super) type Result<T> = std::result::Result<T, Trouble>;

impl Trouble {
    /// An error of doing something.
    pub(super) fn new(doing: impl Into<String>, error: &io::Error) -> Self {
        let errno = error.raw_os_error().unwrap_or(0);
        Self::Told(Note::SetupFailed { doing: doing.into(), why: error.to_string(), errno })
    }
}

/// Says what was being done when an error came.
pub(super) trait Doing<T> {
    /// The same result, its error told as one of doing `what`.
    fn doing(self, what: impl AsRef<str>) -> Result<T>;
}

impl<T, E: Into<io::Error>> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: impl AsRef<str>) -> Result<T> {
        self.map_err(|e| Trouble::new(what.as_ref(), &e.into()))
    }
}
