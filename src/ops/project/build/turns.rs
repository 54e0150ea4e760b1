//! Builders that take turns at what several of them miss.
//!
//! Turns save work and guard nothing: the first manifest under a content tag stays, whoever made it. So whatever happens
//! to a lock, its server or its files, is said once and the build goes on without.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::base::{Failure, KeyHasher, Kind};
use crate::build::{self, Doors, blocking};
use crate::host;
use crate::host::lock::{FileLock, Sharing};
use crate::ops::project::Project;
use crate::ops::project::build::{Request, Standing, client_id, look};
use crate::registry::trusted_roots;
use crate::report::{Context, Outcome, TaskKind};
use crate::sync::record::POLL;
use crate::sync::{self, Address, Lock, LockServer, ServerOptions};

/// Where builders find out whose turn it is.
#[derive(Clone, Debug)]
pub struct Synchronization {
    /// The place.
    pub address: Address,
    /// Certificates to trust beside the system's, PEM.
    pub ca_files: Vec<PathBuf>,
}

/// The turns of one build.
pub struct Turns {
    place: Place,
    project: String,
    /// Whether the place is not asked any more.
    is_off: AtomicBool,
    patience: Patience,
}

enum Place {
    Files(PathBuf),
    Server(Box<LockServer>),
    Nowhere,
}

/// How long is waited for others.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// Between the first two questions; each pause after is twice as long.
    first: Duration,
    /// The longest pause, as werf's clients make it.
    longest: Duration,
    /// After this it is shown.
    quiet: Duration,
    /// A holder that renews its lease and makes nothing for this long is not believed.
    most: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(POLL),
            quiet: Duration::from_secs(1),
            most: Duration::from_secs(3600),
        }
    }
}

/// Whose turn it is.
pub enum Turn {
    /// Ours, until it is given back.
    Ours(Held),
    /// Nobody's any more: somebody else has made it.
    Over(Standing),
}

/// What says that it is our turn. One that is dropped ends by itself, of a server some seconds later.
#[derive(Debug)]
pub enum Held {
    /// A lock on a file.
    File(FileLock),
    /// A lease of a server.
    Lease(Box<Lock>),
    /// Nothing: there are no turns.
    Nothing,
}

impl Held {
    /// Lets the next one have a turn.
    pub async fn give_back(self, cx: &Context) {
        match self {
            // A server that is gone lets everybody have a turn.
            Self::Lease(lock) => drop(lock.release(cx).await),
            Self::File(lock) => drop(lock),
            Self::Nothing => {}
        }
    }
}

impl Turns {
    /// Finds the place. One that cannot be used is said, and then everybody has a turn at once.
    ///
    /// # Errors
    /// If the build was stopped.
    pub async fn begin(
        cx: &Context,
        doors: &Doors,
        (project, request): (&Project, &Request),
    ) -> Result<Self, Failure> {
        let opened = match (&request.synchronization.address, &request.repo) {
            (Address::Server(url), Some(repo)) => {
                let files = &request.synchronization.ca_files;
                let server = trusted_roots(files).map_err(Failure::from).and_then(|roots| {
                    // A builder does not wait long for a server that it can do without.
                    let timeout = Duration::from_secs(5);
                    let options = ServerOptions { roots, attempts: 3, timeout, ..ServerOptions::default() };
                    Ok(LockServer::new(url.clone(), "", options)?)
                });
                match server {
                    Ok(server) => client_id::settle(cx, doors, (project, repo), &server)
                        .await
                        .map(|client| Place::Server(Box::new(server.with_client(client)))),
                    Err(failure) => Err(failure),
                }
            }
            _ => Ok(Place::Files(doors.locks())),
        };
        let project = project.config.meta.project.clone();
        let (is_off, patience) = (AtomicBool::new(false), Patience::default());
        let turns = Self { place: Place::Nowhere, project, is_off, patience };
        match opened {
            Ok(place) => Ok(Self { place, ..turns }),
            Err(failure) if cx.cancel.is_cancelled() => Err(failure),
            Err(failure) => {
                turns.turn_off(cx, &failure);
                Ok(turns)
            }
        }
    }

    /// Says once why there are no turns from now on.
    fn turn_off(&self, cx: &Context, failure: &Failure) {
        if !self.is_off.swap(true, Ordering::Relaxed) {
            let why = look::first(failure);
            cx.report.warn(format!(
                "{}: {why}: the build goes on without locks, and another builder may make the same",
                failure.message()
            ));
        }
    }

    /// Waits for a turn at the image with the content tag `tag`, or until it `stands`.
    ///
    /// # Errors
    /// Those of `stands`; if the build was stopped.
    pub async fn take<F>(
        &self,
        cx: &Context,
        (title, tag): (&str, &str),
        stands: impl Fn() -> F,
    ) -> Result<Turn, Failure>
    where
        F: Future<Output = Result<Option<Standing>, Failure>>,
    {
        let mut waiting = None;
        let (mut waited, mut pause) = (Duration::ZERO, self.patience.first);
        let turn = loop {
            let held = self.attempt(cx, tag).await?;
            // Also with a turn: somebody may have finished since we looked.
            if let Some(standing) = stands().await? {
                if let Some(held) = held {
                    held.give_back(cx).await;
                }
                break Turn::Over(standing);
            }
            if let Some(held) = held {
                break Turn::Ours(held);
            }
            if waited >= self.patience.most {
                cx.report.warn(format!(
                    "another builder of {title} made nothing for {} minutes: it is not waited for any more",
                    waited.as_secs() / 60
                ));
                break Turn::Ours(Held::Nothing);
            }
            if waited >= self.patience.quiet {
                let words = || format!("waiting for another builder of {title}");
                waiting.get_or_insert_with(|| cx.report.task(TaskKind::Internal, words()));
            }
            let slept = cx.cancel.run_until_cancelled(tokio::time::sleep(pause)).await;
            slept.ok_or(build::Error::Cancelled)?;
            waited += pause;
            pause = (pause * 2).min(self.patience.longest);
        };
        if let Some(task) = waiting {
            task.finish(Outcome::Done, None);
        }
        Ok(turn)
    }

    /// Asks once.
    async fn attempt(&self, cx: &Context, tag: &str) -> Result<Option<Held>, Failure> {
        if self.is_off.load(Ordering::Relaxed) {
            return Ok(Some(Held::Nothing));
        }
        let name = format!("{}.{tag}", self.project);
        let answer = match &self.place {
            Place::Nowhere => Ok(Some(Held::Nothing)),
            Place::Files(folder) => {
                let key = KeyHasher::new("lapstrake turn v1").field("name", &name).finish();
                let path = folder.join(format!("turn-{key}"));
                let folder = folder.clone();
                let asked = blocking(move || {
                    host::fs::create_dir_all(&folder)?;
                    Ok(FileLock::attempt(path, Sharing::Exclusive)?)
                });
                asked.await.map(|held| held.map(Held::File)).map_err(Failure::from)
            }
            Place::Server(server) => {
                let asked = server.attempt(cx, &sync::Options { name, shared: false }).await;
                asked.map(|held| held.map(|lock| Held::Lease(Box::new(lock)))).map_err(Failure::from)
            }
        };
        match answer {
            Err(failure) if failure.kind() == Kind::Cancelled => Err(failure),
            Err(failure) => {
                self.turn_off(cx, &failure);
                Ok(Some(Held::Nothing))
            }
            given => given,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::base::{Digest, ManifestDigest};
    use crate::ops::project::build::Source;

    fn turns(place: Place) -> Turns {
        let patience = Patience {
            first: Duration::from_millis(1),
            longest: Duration::from_millis(2),
            quiet: Duration::from_millis(2),
            most: Duration::from_millis(20),
        };
        Turns { place, project: "p".into(), is_off: AtomicBool::new(false), patience }
    }

    fn standing() -> Standing {
        let digest = ManifestDigest::new(Digest::sha256(b"made"));
        Standing { digest, source: Source::Repo, seconds: 0.0 }
    }

    fn cx() -> Context {
        Context::silent(host::clock::system())
    }

    #[tokio::test]
    async fn who_waits_adopts_what_the_holder_made() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, theirs, cx) =
            (turns(Place::Files(dir.path().join("l"))), turns(Place::Files(dir.path().join("l"))), cx());
        let nothing = || async { Ok(None) };
        let held = match theirs.take(&cx, ("a", "1"), nothing).await.unwrap() {
            Turn::Ours(held) => held,
            Turn::Over(_) => panic!("nothing was made"),
        };
        // Another tag is nobody's.
        assert!(matches!(ours.take(&cx, ("b", "2"), nothing).await.unwrap(), Turn::Ours(Held::File(_))));
        let asked = AtomicUsize::new(0);
        let later = || async { Ok((asked.fetch_add(1, Ordering::Relaxed) == 3).then(standing)) };
        assert!(matches!(ours.take(&cx, ("a", "1"), later).await.unwrap(), Turn::Over(_)));
        // The holder makes nothing and does not end either: it is not waited for without an end.
        assert!(matches!(ours.take(&cx, ("a", "1"), nothing).await.unwrap(), Turn::Ours(Held::Nothing)));
        held.give_back(&cx).await;
        assert!(matches!(ours.take(&cx, ("a", "1"), nothing).await.unwrap(), Turn::Ours(Held::File(_))));
        let over = || async { Ok(Some(standing())) };
        assert!(matches!(ours.take(&cx, ("a", "1"), over).await.unwrap(), Turn::Over(_)));
    }

    #[tokio::test]
    async fn a_place_that_cannot_be_used_ends_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let (turns, cx) = (turns(Place::Files(dir.path().join("file"))), cx());
        let nothing = || async { Ok(None) };
        for _ in 0..2 {
            assert!(matches!(turns.take(&cx, ("a", "1"), nothing).await.unwrap(), Turn::Ours(Held::Nothing)));
        }
        assert!(turns.is_off.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn a_stop_ends_the_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other, cx) =
            (turns(Place::Files(dir.path().into())), turns(Place::Files(dir.path().into())), cx());
        let nothing = || async { Ok(None) };
        let Turn::Ours(_held) = one.take(&cx, ("a", "1"), nothing).await.unwrap() else { panic!("taken") };
        cx.cancel.cancel();
        let ended = other.take(&cx, ("a", "1"), nothing).await;
        assert_eq!(ended.err().map(|failure| failure.kind()), Some(Kind::Cancelled));
    }
}
