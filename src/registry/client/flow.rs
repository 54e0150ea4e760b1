//! Watching bytes move: meters, the watchdog, bodies read from a source, bodies of answers.

use std::future::Future;
use std::io::{self, Read};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Sleep;

/// Bytes that must move within the stall time-out; a server that drips less counts as dead.
const LEAST: u64 = 4096;
/// How often progress is looked at.
const TICK: Duration = Duration::from_millis(100);
/// Bytes read from a source at once.
const PIECE: usize = 256 << 10;

/// Counts what a request's body has given so far.
#[derive(Default)]
pub(super) struct Meter {
    moved: AtomicU64,
    waiting_for_source: AtomicBool,
    source_error: Mutex<Option<io::Error>>,
}

impl Meter {
    /// Bytes given to the connection.
    pub(super) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// Why the source failed, if it did.
    pub(super) fn source_error(&self) -> Option<io::Error> {
        self.source_error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn fail(&self, error: io::Error) {
        self.source_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// Nothing moved for this long.
#[derive(Debug)]
pub(super) struct Stalled(pub(super) Duration);

/// Waits for `work`, but no longer than `stall` while `meter` shows no movement. `progress` is told the meter's state
/// from time to time.
pub(super) async fn watched<T>(
    stall: Duration,
    meter: &Meter,
    mut progress: impl FnMut(u64),
    work: impl Future<Output = T>,
) -> Result<T, Stalled> {
    let mut work = pin!(work);
    let tick = TICK.min(stall);
    let (mut quiet, mut seen) = (Duration::ZERO, 0);
    loop {
        tokio::select! {
            done = &mut work => return Ok(done),
            () = tokio::time::sleep(tick) => {}
        }
        let moved = meter.moved();
        progress(moved);
        quiet += tick;
        if moved >= seen + LEAST || meter.waiting_for_source.load(Ordering::Relaxed) {
            (quiet, seen) = (Duration::ZERO, moved);
        } else if quiet >= stall {
            return Err(Stalled(stall));
        }
    }
}

/// A request body of exactly `length` bytes from `reader`, which is read on a thread of its own.
pub(super) fn body_from(reader: Box<dyn Read + Send>, length: u64, meter: &Arc<Meter>) -> reqwest::Body {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(2);
    let of_thread = Arc::clone(meter);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = pump(reader, length, &sender) {
            let copy = io::Error::new(error.kind(), error.to_string());
            of_thread.fail(error);
            // If nobody listens any more, the request has ended anyway.
            let _ = sender.blocking_send(Err(copy));
        }
    });
    let state = (receiver, Arc::clone(meter));
    let stream = futures_util::stream::unfold(state, |(mut receiver, meter)| async move {
        meter.waiting_for_source.store(true, Ordering::Relaxed);
        let piece = receiver.recv().await;
        meter.waiting_for_source.store(false, Ordering::Relaxed);
        let piece = piece?;
        if let Ok(bytes) = &piece {
            meter.moved.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        Some((piece, (receiver, meter)))
    });
    reqwest::Body::wrap_stream(stream)
}

fn pump(
    mut reader: Box<dyn Read + Send>,
    length: u64,
    to: &mpsc::Sender<io::Result<Bytes>>,
) -> io::Result<()> {
    let mut left = length;
    while left > 0 {
        let piece = read_piece(&mut reader, usize::try_from(left).unwrap_or(PIECE).min(PIECE))?;
        if piece.is_empty() {
            let words = format!("the source ended {left} bytes before its {length} bytes were read");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, words));
        }
        left -= piece.len() as u64;
        if to.blocking_send(Ok(piece)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Up to `want` bytes, fewer only at the end.
pub(super) fn read_piece(reader: &mut dyn Read, want: usize) -> io::Result<Bytes> {
    let mut piece = BytesMut::zeroed(want);
    let mut filled = 0;
    while filled < want {
        match reader.read(&mut piece[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    piece.truncate(filled);
    Ok(piece.freeze())
}

/// An answer whose head has been read. Holds its place among the registry's connections.
pub(super) struct Reply {
    response: reqwest::Response,
    stall: Duration,
    window: Pin<Box<Sleep>>,
    in_window: u64,
    permit: Option<OwnedSemaphorePermit>,
}

/// Why a body could not be read.
#[derive(Debug)]
pub(super) enum BodyError {
    Broken(reqwest::Error),
    Stalled(Duration),
    TooLong(usize),
}

impl Reply {
    pub(super) fn new(
        response: reqwest::Response,
        stall: Duration,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let window = Box::pin(tokio::time::sleep(stall));
        Self { response, stall, window, in_window: 0, permit }
    }

    /// Its place among the connections, for the request that follows it.
    pub(super) fn into_permit(self) -> Option<OwnedSemaphorePermit> {
        self.permit
    }

    pub(super) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    pub(super) fn url(&self) -> &url::Url {
        self.response.url()
    }

    /// A header's first value, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// All values of a header that are text.
    pub(super) fn headers(&self, name: &str) -> Vec<&str> {
        self.response.headers().get_all(name).iter().filter_map(|v| v.to_str().ok()).collect()
    }

    /// The length the server announced.
    pub(super) fn length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// The next bytes of the body; `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            tokio::select! {
                biased;
                chunk = self.response.chunk() => {
                    let chunk = chunk.map_err(BodyError::Broken)?;
                    self.in_window += chunk.as_ref().map_or(0, |c| c.len() as u64);
                    return Ok(chunk);
                }
                () = &mut self.window => {
                    if self.in_window < LEAST {
                        return Err(BodyError::Stalled(self.stall));
                    }
                    self.in_window = 0;
                    self.window = Box::pin(tokio::time::sleep(self.stall));
                }
            }
        }
    }

    /// The whole body, at most `limit` bytes.
    pub(super) async fn body(&mut self, limit: usize) -> Result<Vec<u8>, BodyError> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if body.len() + chunk.len() > limit {
                return Err(BodyError::TooLong(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}
