//! The sink behind which a face draws, and the clock that makes live faces move.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::base::{Clock, Failure};
use crate::host;
use crate::report::{Event, Sink};
use crate::ui::choice::Face;
use crate::ui::json::Json;
use crate::ui::palette::Palette;
use crate::ui::plain::{Plain, Quiet};
use crate::ui::rawjson::RawJson;
use crate::ui::tty::Tty;
use crate::ui::{Choice, Terminal};

/// Time between two frames of a live face.
const FRAME: Duration = Duration::from_millis(100);
/// Log lines shown below a running task where `BUILDKIT_TTY_LOG_LINES` does not say otherwise.
const LOG_LINES: usize = 6;

/// One way of showing events. `now` is the time since the run began, `wall` the time since the Unix epoch.
pub(super) trait Draw: Send {
    /// Takes an event.
    fn event(&mut self, event: &Event, wall: Duration, out: &mut dyn Write) -> io::Result<()>;

    /// Brings the screen up to date.
    fn redraw(&mut self, _now: Duration, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    /// Writes what stays when everything is over.
    fn close(&mut self, _now: Duration, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

struct State {
    face: Option<Box<dyn Draw>>,
    out: Box<dyn Write + Send>,
    /// Wall-clock time when the run began: what the stamps of events count from.
    epoch: Option<Duration>,
}

impl State {
    fn now(&self, wall: Duration) -> Duration {
        self.epoch.map_or(Duration::ZERO, |epoch| wall.saturating_sub(epoch))
    }

    /// Lets the face write. When nobody reads any more it is let go: that is no error of the operation.
    fn draw(&mut self, run: impl FnOnce(&mut dyn Draw, &mut dyn Write) -> io::Result<()>) {
        let Some(face) = &mut self.face else { return };
        let written = run(face.as_mut(), &mut self.out).and_then(|()| self.out.flush());
        if written.is_err() {
            self.face = None;
        }
    }
}

struct Shared {
    state: Mutex<State>,
    /// Whether the run is over; wakes the ticking thread.
    over: Mutex<bool>,
    wake: Condvar,
    clock: Clock,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sink for Shared {
    fn event(&self, event: &Event) {
        let wall = self.clock.now();
        let mut state = lock(&self.state);
        if let Event::Started { at, .. } = event {
            state.epoch.get_or_insert(wall.saturating_sub(at.0));
        }
        state.draw(|face, out| face.event(event, wall, out));
    }
}

impl Shared {
    fn tick(&self) {
        let mut over = lock(&self.over);
        while !*over {
            (over, _) = self.wake.wait_timeout(over, FRAME).unwrap_or_else(PoisonError::into_inner);
            if !*over {
                let mut state = lock(&self.state);
                let now = state.now(self.clock.now());
                state.draw(|face, out| face.redraw(now, out));
            }
        }
    }
}

/// Shows what happens until it is closed, at the latest when it is dropped.
pub struct Renderer {
    shared: Arc<Shared>,
    ticking: Option<JoinHandle<()>>,
}

impl Renderer {
    /// The face of `choice` on standard error; `doing` is the word of a live list's header (`Building`). Starts a thread if the face is a live one, so namespaces must have been
    /// entered before.
    ///
    /// # Errors
    /// If a tty was asked for and there is none, or the environment names an unknown face.
    pub fn stderr(choice: Choice, doing: &'static str, clock: Clock) -> Result<Self, Failure> {
        let terminal = Terminal::stderr();
        let palette = Palette::new(terminal.colour);
        let face: Option<Box<dyn Draw>> = match choice.face(&terminal)? {
            Face::None => None,
            Face::Quiet => Some(Box::new(Quiet::new(palette))),
            Face::Json => Some(Box::new(Json)),
            Face::RawJson => Some(Box::new(RawJson::default())),
            Face::Plain => Some(Box::new(Plain::new(palette))),
            Face::Tty => {
                let lines = host::env::var("BUILDKIT_TTY_LOG_LINES").and_then(|text| text.parse().ok());
                let size = || {
                    let terminal = Terminal::stderr();
                    (terminal.width, terminal.height)
                };
                let face = Tty::new(palette, doing, lines.unwrap_or(LOG_LINES), Box::new(size));
                return Ok(Self::new(Some(Box::new(face)), Box::new(io::stderr()), clock).ticking());
            }
        };
        Ok(Self::new(face, Box::new(io::stderr()), clock))
    }

    fn new(face: Option<Box<dyn Draw>>, out: Box<dyn Write + Send>, clock: Clock) -> Self {
        let state = Mutex::new(State { face, out, epoch: None });
        let shared = Shared { state, over: Mutex::new(false), wake: Condvar::new(), clock };
        Self { shared: Arc::new(shared), ticking: None }
    }

    fn ticking(mut self) -> Self {
        let shared = Arc::clone(&self.shared);
        // Without a thread the list still appears when it is closed.
        let spawned = std::thread::Builder::new().name("screen".to_owned()).spawn(move || shared.tick());
        self.ticking = spawned.ok();
        self
    }

    /// What the reporter is to be given.
    pub fn sink(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.shared) as Arc<dyn Sink>
    }

    /// Writes what stays: the whole list, the last words of failed tasks, warnings. Later events are ignored.
    pub fn close(&mut self) {
        *lock(&self.shared.over) = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.ticking.take() {
            // A panic of the drawing thread must not hide the result of the operation.
            let _ = thread.join();
        }
        let mut state = lock(&self.shared.state);
        let now = state.now(self.shared.clock.now());
        state.draw(|face, out| face.close(now, out));
        state.face = None;
    }
}

impl Drop for Renderer {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests;
