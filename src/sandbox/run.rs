//! Running a command with its output read here.

use std::future::Future as _;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

use rootfs_helpers::job::{Job, Note, Stdio};
use rootfs_helpers::launch::{Launched, Output, launch};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use crate::report::{Context, Stream};
use crate::sandbox::cgroup::Group;
use crate::sandbox::{Error, Exit, PATH, Result, RunSpec, names};

/// One pipe's worth.
const READ: usize = 64 << 10;

pub(super) fn run(cx: &Context, spec: &RunSpec, on_output: &(dyn Fn(Stream, &[u8]) + Sync)) -> Result<Exit> {
    let group = Group::of(spec)?;
    let mut job = job(spec, Stdio::Output);
    job.cgroup = group.as_ref().map(|group| group.path().to_owned());
    let cancelled = Wakeup::new()?;
    let waker = Waker::from(Arc::clone(&cancelled));
    let mut waiting = pin!(cx.cancel.cancelled());
    if waiting.as_mut().poll(&mut std::task::Context::from_waker(&waker)) == Poll::Ready(()) {
        return Err(Error::Cancelled);
    }
    let mut launched = launch(&job, None, Output::Piped).map_err(spawning)?;
    let mut notes = Notes::default();
    let pumped = pump(&mut launched, &cancelled, &mut notes, on_output);
    if let Err(error) = pumped {
        launched.end().map_err(|e| lost("end the sandbox", e))?;
        return Err(error);
    }
    let ended = launched.wait().map_err(|e| lost("wait for the sandbox", e))?;
    notes.into_exit(cx, ended)
}

/// The description of the step for the far side.
pub(super) fn job(spec: &RunSpec, stdio: Stdio) -> Job {
    let mut env = spec.env.clone();
    if !env.iter().any(|(name, _)| name == "PATH") {
        env.push(("PATH".to_owned(), PATH.to_owned()));
    }
    Job {
        root: spec.root.clone(),
        args: spec.args.clone(),
        env: last_of_each(env),
        cwd: if spec.cwd.is_empty() { "/".to_owned() } else { spec.cwd.clone() },
        user: spec.user.clone(),
        hostname: spec.hostname.clone(),
        network: spec.network,
        mounts: spec.mounts.clone(),
        resolv_conf: names::resolv_conf(spec.network),
        hosts: names::hosts(spec),
        trust: spec.trust.as_deref().unwrap_or_default().to_owned(),
        shm_size: spec.shm_size,
        limits: spec.ulimits.clone(),
        cgroup: None,
        stdio,
    }
}

/// Each name once, where it stood first, with its last value: programs that look only at the first find the right one.
fn last_of_each(env: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut unique: Vec<(String, String)> = Vec::with_capacity(env.len());
    for (name, value) in env {
        match unique.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => unique.push((name, value)),
        }
    }
    unique
}

/// Reads output and notes until all of them end.
fn pump(
    launched: &mut Launched,
    cancelled: &Wakeup,
    notes: &mut Notes,
    on_output: &(dyn Fn(Stream, &[u8]) + Sync),
) -> Result<()> {
    let (mut stdout, mut stderr) = (launched.stdout.take(), launched.stderr.take());
    let mut buffer = vec![0; READ];
    let mut linked = true;
    while linked || stdout.is_some() || stderr.is_some() {
        let mut polled = vec![PollFd::new(&cancelled.event, PollFlags::IN)];
        let sources: [Option<&dyn AsFd>; 3] = [
            linked.then_some(&launched.link as &dyn AsFd),
            stdout.as_ref().map(|s| s as &dyn AsFd),
            stderr.as_ref().map(|s| s as &dyn AsFd),
        ];
        let mut at = [None; 3];
        for (slot, source) in at.iter_mut().zip(sources) {
            if let Some(source) = source {
                *slot = Some(polled.len());
                polled.push(PollFd::from_borrowed_fd(source.as_fd(), PollFlags::IN));
            }
        }
        match poll(&mut polled, None) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other.map_err(|e| lost("wait for the sandbox", e.into()))?,
        };
        let ready = |slot: Option<usize>| {
            slot.and_then(|index| polled.get(index)).is_some_and(|fd| !fd.revents().is_empty())
        };
        let [link_ready, out_ready, err_ready] = at.map(ready);
        if polled.first().is_some_and(|fd| !fd.revents().is_empty()) {
            return Err(Error::Cancelled);
        }
        if link_ready {
            let received = launched.link.receive().map_err(|e| lost("listen to the sandbox", e))?;
            notes.take(received.messages);
            linked = !received.closed;
        }
        if out_ready {
            read(&mut stdout, &mut buffer, |bytes| on_output(Stream::Stdout, bytes))?;
        }
        if err_ready {
            read(&mut stderr, &mut buffer, |bytes| on_output(Stream::Stderr, bytes))?;
        }
    }
    Ok(())
}

fn read(stream: &mut Option<impl Read>, buffer: &mut [u8], mut give: impl FnMut(&[u8])) -> Result<()> {
    let Some(open) = stream else { return Ok(()) };
    match open.read(buffer) {
        Ok(0) => *stream = None,
        Ok(count) => give(buffer.get(..count).unwrap_or_default()),
        Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
        Err(e) => return Err(lost("read the output of the sandbox", e)),
    }
    Ok(())
}

/// What the far side said, sorted.
#[derive(Default)]
pub(super) struct Notes {
    failed: Option<Error>,
    reduced: Vec<String>,
    pub(super) ended: Option<Exit>,
}

impl Notes {
    pub(super) fn take(&mut self, notes: Vec<Note>) {
        for note in notes {
            match note {
                Note::Terminal => {}
                Note::Reduced(words) => self.reduced.push(words),
                Note::Ended(ended) => self.ended = Some(Exit { status: ended.status, usage: ended.usage }),
                // The first failure is the cause of the others.
                other => self.failed = self.failed.take().or_else(|| failure(other)),
            }
        }
    }

    /// The result, once the far side ended (`well` or not).
    pub(super) fn into_exit(self, cx: &Context, well: bool) -> Result<Exit> {
        for words in self.reduced {
            cx.report.warn(format!("the sandbox isolates less: {words}"));
        }
        match (self.failed, self.ended) {
            (Some(error), _) => Err(error),
            (None, Some(exit)) => Ok(exit),
            (None, None) => {
                let how =
                    if well { "it ended without saying how" } else { "it was killed or could not start" };
                Err(lost("run the sandbox", io::Error::other(how)))
            }
        }
    }
}

fn failure(note: Note) -> Option<Error> {
    match note {
        Note::SetupFailed { doing, why, errno } => {
            let source = if errno == 0 { io::Error::other(why) } else { io::Error::from_raw_os_error(errno) };
            Some(Error::Setup { doing, source })
        }
        Note::UnknownUser { user, why } => Some(Error::User { user, why }),
        Note::ExecFailed(failure) => Some(Error::Exec(failure)),
        Note::Terminal | Note::Reduced(_) | Note::Ended(_) => None,
    }
}

/// Cancellation as a descriptor that can be polled beside others.
pub(super) struct Wakeup {
    pub(super) event: OwnedFd,
}

impl Wakeup {
    pub(super) fn new() -> Result<Arc<Self>> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Arc::new(Self {
            event: eventfd(0, flags).map_err(|e| lost("prepare for cancellation", e.into()))?,
        }))
    }
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        // Full means that it is awake already.
        let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
    }
}

pub(super) fn spawning(source: io::Error) -> Error {
    lost("start the sandbox", source)
}

pub(super) fn lost(doing: &'static str, source: io::Error) -> Error {
    Error::Spawn { doing, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Root;

    #[test]
    fn the_last_value_of_a_variable_counts() {
        let mut spec = RunSpec::new(Root::Directory("/r".into()), vec!["x".into()]);
        spec.env = vec![("A".into(), "1".into()), ("B".into(), "2".into()), ("A".into(), "3".into())];
        let job = job(&spec, Stdio::Output);
        let pairs: Vec<_> = job.env.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("A", "3"), ("B", "2"), ("PATH", PATH)]);
        assert_eq!(job.cwd, "/");
    }
}
