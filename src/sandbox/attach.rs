//! Running a command on the caller's own streams, with or without a terminal inside.

use crate::host::fs::File;
use std::future::Future as _;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use rootfs_helpers::job::{Request, Stdio};
use rootfs_helpers::launch::{Launched, Output, launch};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::report::Context;
use crate::sandbox::cgroup::Group;
use crate::sandbox::run::{Notes, Wakeup, job, lost, spawning};
use crate::sandbox::{Error, Exit, Result, RunSpec};

/// What of the caller's streams a command is given; output and error always are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attach {
    /// Standard input (`-i`).
    pub input: bool,
    /// A terminal inside (`-t`).
    pub terminal: bool,
}

pub(super) fn run(cx: &Context, spec: &RunSpec, attach: Attach) -> Result<Exit> {
    let wakeup = Wakeup::new()?;
    let waker = Waker::from(Arc::clone(&wakeup));
    let mut wake = std::task::Context::from_waker(&waker);
    let mut waiting = pin!(cx.cancel.cancelled());
    if waiting.as_mut().poll(&mut wake) == Poll::Ready(()) {
        return Err(Error::Cancelled);
    }
    let stdin = io::stdin();
    let (stdio, given) = match attach {
        Attach { terminal: true, .. } => (terminal_like(stdin.as_fd()), None),
        Attach { input: true, .. } => (Stdio::Input, Some(stdin.as_fd())),
        _ => (Stdio::Output, None),
    };
    let group = Group::of(spec)?;
    let mut job = job(spec, stdio);
    job.cgroup = group.as_ref().map(|group| group.path().to_owned());
    if attach.terminal && !job.env.iter().any(|(name, _)| name == "TERM") {
        job.env.push(("TERM".to_owned(), "xterm".to_owned()));
    }
    let mut signals = Signals::new();
    let mut session = Session {
        launched: launch(&job, given, Output::Inherited).map_err(spawning)?,
        notes: Notes::default(),
        terminal: None,
        typed: Vec::new(),
        input: attach.input && attach.terminal,
    };
    let _raw = if session.input { Raw::new(stdin.as_fd()) } else { None };
    loop {
        session.forward(&mut signals, &mut wake)?;
        match session.turn(&wakeup, stdin.as_fd())? {
            Turn::Woken if cx.cancel.is_cancelled() => {
                session.launched.end().map_err(|e| lost("end the sandbox", e))?;
                return Err(Error::Cancelled);
            }
            Turn::Woken | Turn::Worked => {}
            Turn::Over => break,
        }
    }
    let ended = session.launched.wait().map_err(|e| lost("wait for the sandbox", e))?;
    session.notes.into_exit(cx, ended)
}

fn terminal_like(outside: BorrowedFd<'_>) -> Stdio {
    match tcgetwinsize(outside) {
        Ok(size) if size.ws_row > 0 => Stdio::Terminal { rows: size.ws_row, columns: size.ws_col },
        _ => Stdio::Terminal { rows: 24, columns: 80 },
    }
}

struct Session {
    launched: Launched,
    notes: Notes,
    /// The controlling side of the terminal inside.
    terminal: Option<File>,
    /// Keys that were not passed on yet.
    typed: Vec<u8>,
    /// Whether keys are read.
    input: bool,
}

enum Turn {
    Woken,
    Worked,
    Over,
}

impl Session {
    /// Waits for something and deals with it.
    fn turn(&mut self, wakeup: &Wakeup, stdin: BorrowedFd<'_>) -> Result<Turn> {
        let mut polled = vec![
            PollFd::new(&wakeup.event, PollFlags::IN),
            PollFd::from_borrowed_fd(self.launched.link.as_fd(), PollFlags::IN),
        ];
        if let Some(terminal) = &self.terminal {
            let wanted = if self.typed.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
            polled.push(PollFd::new(terminal, wanted));
            if self.input && self.typed.is_empty() {
                polled.push(PollFd::from_borrowed_fd(stdin, PollFlags::IN));
            }
        }
        match poll(&mut polled, None) {
            Err(rustix::io::Errno::INTR) => return Ok(Turn::Worked),
            other => other.map_err(|e| lost("wait for the sandbox", e.into()))?,
        };
        let happened: Vec<PollFlags> = polled.iter().map(PollFd::revents).collect();
        drop(polled);
        let at = |index: usize| happened.get(index).copied().unwrap_or(PollFlags::empty());
        if at(2).contains(PollFlags::OUT) {
            self.type_keys()?;
        }
        if at(2).intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            self.show();
        }
        if !at(3).is_empty() {
            self.read_keys(stdin);
        }
        if !at(1).is_empty() {
            let received = self.launched.link.receive().map_err(|e| lost("listen to the sandbox", e))?;
            self.notes.take(received.messages);
            self.take_terminal()?;
            if received.closed {
                // What the last process wrote is still in the terminal.
                while self.show() {}
                return Ok(Turn::Over);
            }
        }
        if at(0).is_empty() {
            return Ok(Turn::Worked);
        }
        let _ = rustix::io::read(&wakeup.event, &mut [0_u8; 8]);
        Ok(Turn::Woken)
    }

    fn take_terminal(&mut self) -> Result<()> {
        if let Some(descriptor) = self.launched.link.take_descriptor() {
            rustix::io::ioctl_fionbio(&descriptor, true).map_err(|e| lost("take the terminal", e.into()))?;
            self.terminal = Some(File::from(descriptor));
        }
        Ok(())
    }

    /// Shows what the terminal has to say; whether there may be more.
    fn show(&mut self) -> bool {
        let Some(terminal) = &mut self.terminal else { return false };
        let mut bytes = [0; 16 << 10];
        match terminal.read(&mut bytes) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => true,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => false,
            // EIO: nobody holds the other side any more.
            Ok(0) | Err(_) => {
                self.terminal = None;
                false
            }
            Ok(count) => {
                let mut out = io::stdout().lock();
                // If nobody reads us, the command need not know.
                let _ = out.write_all(bytes.get(..count).unwrap_or_default()).and_then(|()| out.flush());
                true
            }
        }
    }

    fn read_keys(&mut self, stdin: BorrowedFd<'_>) {
        let mut bytes = [0; 4 << 10];
        match rustix::io::read(stdin, &mut bytes) {
            Ok(0) => {
                self.input = false;
                // The terminal's own end-of-file key, so that a reader inside sees the end, too.
                self.typed.push(4);
            }
            Ok(count) => self.typed.extend_from_slice(bytes.get(..count).unwrap_or_default()),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(_) => self.input = false,
        }
    }

    fn type_keys(&mut self) -> Result<()> {
        let Some(terminal) = &mut self.terminal else { return Ok(()) };
        match terminal.write(&self.typed) {
            Ok(count) => drop(self.typed.drain(..count)),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(e) => return Err(lost("write to the terminal", e)),
        }
        Ok(())
    }

    /// Passes on the signals that came, and asks to be woken by the next.
    fn forward(&mut self, signals: &mut Signals, wake: &mut std::task::Context<'_>) -> Result<()> {
        for (kind, stream) in &mut signals.0 {
            while let Poll::Ready(Some(())) = stream.poll_recv(wake) {
                if *kind == SignalKind::window_change() {
                    if let (Some(terminal), Ok(size)) = (&self.terminal, tcgetwinsize(io::stdin())) {
                        let _ = tcsetwinsize(terminal, size);
                    }
                } else {
                    let request = Request::Signal(kind.as_raw_value());
                    match self.launched.link.send(&request, None) {
                        // It is just ending; the signal comes too late.
                        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {}
                        other => other.map_err(|e| lost("speak to the sandbox", e))?,
                    }
                }
            }
        }
        Ok(())
    }
}

/// The signals that are passed on. Without a runtime that could catch them there are none.
struct Signals(Vec<(SignalKind, Signal)>);

impl Signals {
    fn new() -> Self {
        if tokio::runtime::Handle::try_current().is_err() {
            return Self(Vec::new());
        }
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
            SignalKind::quit(),
            SignalKind::user_defined1(),
            SignalKind::user_defined2(),
            SignalKind::window_change(),
        ];
        Self(kinds.into_iter().filter_map(|kind| Some((kind, signal(kind).ok()?))).collect())
    }
}

/// The caller's terminal in raw mode, as long as this lives.
struct Raw {
    before: Termios,
}

impl Raw {
    fn new(stdin: BorrowedFd<'_>) -> Option<Self> {
        if !isatty(stdin) {
            return None;
        }
        let before = tcgetattr(stdin).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin, OptionalActions::Now, &raw).ok()?;
        Some(Self { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}
