//! Spawning the far side from the main process: this binary again, under a name of its own.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitCode, Stdio};

use rustix::event::{PollFd, PollFlags};

use crate::job::Job;
use crate::link::Link;

/// The name by which the binary knows that it is the far side.
pub(crate) const NAME: &str = "lapstrake-step";

/// Where the output of a step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Into pipes.
    Piped,
    /// Where this process's own goes.
    Inherited,
}

/// A far side that was started.
#[derive(Debug)]
pub struct Launched {
    child: Child,
    /// The socket to it. Dropping it ends the step.
    pub link: Link,
    /// Its standard output, if piped.
    pub stdout: Option<ChildStdout>,
    /// Its standard error, if piped.
    pub stderr: Option<ChildStderr>,
}

/// Starts the far side and gives it its job. `input` is standard input for a job that wants one.
///
/// The calling thread must live until the far side ended: the kernel takes its end for that of the process.
///
/// # Errors
/// What the kernel says.
pub fn launch(job: &Job, input: Option<BorrowedFd<'_>>, output: Output) -> io::Result<Launched> {
    let (link, far) = Link::pair()?;
    let stream = || match output {
        Output::Piped => Stdio::piped(),
        Output::Inherited => Stdio::inherit(),
    };
    let mut child = Command::new("/proc/self/exe")
        .arg0(NAME)
        .env_clear()
        .stdin(Stdio::from(far.into_fd()))
        .stdout(stream())
        .stderr(stream())
        .spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut launched = Launched { child, link, stdout, stderr };
    match launched.link.send_job(job, input) {
        Ok(()) => Ok(launched),
        Err(error) => {
            let _ = launched.end();
            Err(error)
        }
    }
}

impl Launched {
    /// Waits for the far side; everything it started is gone then. Whether it ended well.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn wait(&mut self) -> io::Result<bool> {
        Ok(self.child.wait()?.success())
    }

    /// Ends the step: every process of it is killed at once, the far side cleans up and ends. One that does not within
    /// ten seconds (a file system that hangs) is killed itself.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn end(&mut self) -> io::Result<()> {
        // A closed socket is the far side's order to end.
        let _ = rustix::net::shutdown(&self.link, rustix::net::Shutdown::Both);
        if !self.ended_within(10)? {
            self.kill();
        }
        self.wait().map(drop)
    }

    fn ended_within(&self, seconds: i64) -> io::Result<bool> {
        let pid = rustix::process::Pid::from_child(&self.child);
        let watch = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?;
        let mut polled = [PollFd::new(&watch, PollFlags::IN)];
        let limit = rustix::event::Timespec { tv_sec: seconds, tv_nsec: 0 };
        Ok(rustix::io::retry_on_intr(|| rustix::event::poll(&mut polled, Some(&limit)))? > 0)
    }

    /// Kills the far side and with it the step, at once and without cleaning up after it.
    fn kill(&mut self) {
        // It is not reaped yet, so its number is still its own; failing means that it ended by itself.
        let _ = self.child.kill();
    }
}

impl Drop for Launched {
    /// Leaves nothing behind, whatever happened.
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.end();
        }
    }
}

/// Becomes the far side and returns its exit code, if this process was started as one; else `None`. Call it first thing
/// in `main`.
pub fn dispatch() -> Option<ExitCode> {
    if std::env::args_os().next()? != NAME {
        return None;
    }
    Some(match take_stdin() {
        Ok(socket) => crate::step::main(socket),
        Err(_) => ExitCode::from(70),
    })
}

/// The socket, moved away from standard input, which becomes empty.
fn take_stdin() -> io::Result<OwnedFd> {
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let null = rustix::fs::open(
        "/dev/null",
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )?;
    rustix::stdio::dup2_stdin(&null)?;
    Ok(socket)
}
