//! Layers on their way out of the store: each is compressed once, whoever asks for it first, and can be read meanwhile.
//!
//! A build that is to be pushed or written to a file begins with each of its layers as soon as the step that made it is
//! done, while later steps run; a push reads what has come so far. As many as there are processors are compressed at
//! once, so memory stays bounded whatever their number and size.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::base::{BlobDigest, DiffId};
use crate::build::{Doors, Error, blocking};
use crate::content::{self, LayerBlob, Trail};
use crate::oci::Descriptor;
use crate::oci::compress::Compression;
use crate::report::{Context, Outcome, TaskKind};

/// A layer that is to be compressed.
#[derive(Clone, Debug)]
pub struct Departing {
    /// As shown: `layer 3/5: RUN make`.
    pub title: String,
    /// The layer.
    pub layer: DiffId,
    /// Its tar, which the store may have; else it is made again from what is unpacked.
    pub tar: BlobDigest,
    /// How.
    pub compression: Compression,
}

/// The layers that are being compressed, or were.
pub struct Departures {
    known: Mutex<BTreeMap<(DiffId, String), Arc<Departure>>>,
    turns: Arc<Semaphore>,
    stop: Mutex<CancellationToken>,
}

impl Default for Departures {
    fn default() -> Self {
        let at_once = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            known: Mutex::default(),
            turns: Arc::new(Semaphore::new(at_once)),
            stop: Mutex::new(CancellationToken::new()),
        }
    }
}

/// A layer that is being compressed.
pub struct Departure(watch::Receiver<State>);

#[derive(Clone, Default)]
enum State {
    #[default]
    Waiting,
    Running(Trail),
    Done(Box<Descriptor>),
    /// The error is for the first who asks.
    Failed(Arc<Mutex<Option<Error>>>),
}

impl State {
    fn has_ended(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Failed(_))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Departures {
    /// Begins to compress a layer, unless that has begun already.
    pub fn begin(&self, cx: &Context, doors: &Doors, job: Departing) -> Arc<Departure> {
        let key = (job.layer.clone(), job.compression.compressor());
        let mut known = locked(&self.known);
        if let Some(departure) = known.get(&key)
            && !matches!(*departure.0.borrow(), State::Failed(_))
        {
            return Arc::clone(departure);
        }
        let (sender, receiver) = watch::channel(State::default());
        let departure = Arc::new(Departure(receiver));
        known.insert(key, Arc::clone(&departure));
        let (turns, stop) = (Arc::clone(&self.turns), locked(&self.stop).clone());
        let (cx, doors) = (cx.clone(), doors.clone());
        tokio::spawn(async move {
            // The semaphore is never closed.
            let _turn = turns.acquire_owned().await;
            let tell = sender.clone();
            let made = blocking(move || {
                let running = |trail| drop(tell.send_replace(State::Running(trail)));
                compress(&cx, &doors, &job, (&stop, &running))
            });
            let end = match made.await {
                Ok(descriptor) => State::Done(Box::new(descriptor)),
                Err(error) => State::Failed(Arc::new(Mutex::new(Some(error)))),
            };
            sender.send_replace(end);
        });
        departure
    }

    /// The compressed layer, made if it is not being made.
    ///
    /// # Errors
    /// If the layer cannot be had or the blob not be written.
    pub async fn made(&self, cx: &Context, doors: &Doors, job: &Departing) -> Result<Descriptor, Error> {
        loop {
            match self.begin(cx, doors, job.clone()).end().await {
                State::Done(descriptor) => return Ok(*descriptor),
                State::Failed(error) => {
                    // Somebody else has been told of this failure; what becomes of another try is told here.
                    let Some(error) = locked(&error).take() else { continue };
                    return Err(error);
                }
                State::Waiting | State::Running(_) => {
                    return Err(Error::Bug("a layer was given up while it was being compressed".into()));
                }
            }
        }
    }

    /// Waits until nothing is being compressed.
    pub async fn settle(&self) {
        let all: Vec<_> = locked(&self.known).values().cloned().collect();
        for departure in all {
            departure.end().await;
        }
    }

    /// Gives up what is being compressed, and waits until it is gone.
    pub async fn stop(&self) {
        std::mem::take(&mut *locked(&self.stop)).cancel();
        self.settle().await;
        locked(&self.known).clear();
    }
}

impl Departure {
    /// Where the blob can be read while it is being written, once that has begun; `None` if it has ended.
    pub async fn trail(&self) -> Option<Trail> {
        let mut state = self.0.clone();
        let state = state.wait_for(|state| !matches!(state, State::Waiting)).await.ok()?;
        match &*state {
            State::Running(trail) => Some(trail.clone()),
            _ => None,
        }
    }

    async fn end(&self) -> State {
        let mut state = self.0.clone();
        match state.wait_for(State::has_ended).await {
            Ok(state) => state.clone(),
            Err(_) => State::Waiting,
        }
    }
}

/// The blob that the compressor has made of the layer, wherever it is now.
///
/// # Errors
/// If the store cannot be asked.
pub fn known_blob(
    doors: &Doors,
    layer: &DiffId,
    compression: Compression,
) -> Result<Option<LayerBlob>, Error> {
    let wanted = compression.compressor();
    Ok(doors.store().layer_blobs(layer)?.into_iter().find(|blob| blob.compressor == wanted))
}

fn compress(
    cx: &Context,
    doors: &Doors,
    job: &Departing,
    (stop, running): (&CancellationToken, &dyn Fn(Trail)),
) -> Result<Descriptor, Error> {
    if stop.is_cancelled() || cx.cancel.is_cancelled() {
        return Err(Error::Cancelled);
    }
    let store = doors.store();
    if let Some(known) = known_blob(doors, &job.layer, job.compression)?
        && store.has(&known.descriptor.digest)
    {
        return Ok(known.descriptor);
    }
    let task = cx.report.task(TaskKind::Export, format!("compressing {}", job.title));
    let mut writer = store.layer_writer(job.compression)?;
    running(writer.trail());
    let stopped = || stop.is_cancelled() || cx.cancel.is_cancelled();
    let written = write(doors, job, Stoppable { stopped: &stopped, out: &mut writer });
    let made = written.and_then(|()| match writer.commit_as(&job.layer) {
        Err(content::Error::Damaged { .. }) => {
            Err(Error::input(format!("layer {} was changed on disk", job.layer))
                .hint("`lap image check --repair` removes what is damaged; build the image again after it"))
        }
        made => Ok(made?.descriptor()),
    });
    let made = if stopped() { Err(Error::Cancelled) } else { made };
    match &made {
        Ok(descriptor) => task.finish(Outcome::Done, Some(format!("{} bytes", descriptor.size))),
        Err(e) => task.finish(Outcome::Failed(e.to_string()), None),
    }
    made
}

fn write(doors: &Doors, job: &Departing, mut out: impl Write) -> Result<(), Error> {
    if doors.store().has(&job.tar) {
        let mut tar = doors.store().open_blob(&job.tar)?;
        let copied = io::copy(&mut tar, &mut out);
        return match copied {
            Ok(_) => Ok(()),
            Err(e) => Err(crate::host::Error::new("compress layer", job.layer.to_string(), e).into()),
        };
    }
    Ok(doors.snapshots()?.write_tar_unhashed(&job.layer, out)?)
}

/// Ends with an error when a stop is asked for.
struct Stoppable<'a, W> {
    stopped: &'a dyn Fn() -> bool,
    out: W,
}

impl<W: Write> Write for Stoppable<'_, W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if (self.stopped)() {
            return Err(io::Error::other("stopped"));
        }
        self.out.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
