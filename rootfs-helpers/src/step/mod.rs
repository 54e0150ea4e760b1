//! The life of one step on the far side.
//!
//! ```text
//! lap ── supervisor ── init (first process of the step's namespaces) ── the program
//!        mounts the root in a mount namespace of its own, makes mount points, waits, removes them again
//!                       mounts /proc /dev /sys and the rest in another one, so the supervisor never sees them
//! ```
//!
//! Each dies with its parent; the kernel ends every process of a namespace with its first one. The socket to the main
//! process is the second string: when it closes, the supervisor ends the step.

mod exec;
mod init;
mod inside;
mod mounts;
mod network;
mod place;
mod privileges;
mod terminal;
mod trouble;
mod trust;
mod user;
mod world;

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags};
use rustix::process::PidfdFlags;

use self::inside::Inside;
use self::trouble::{Doing as _, Result, Trouble};
use self::trust::Trust;
use crate::job::{Job, Mount, Network, Note, Request};
use crate::link::Link;
use crate::root::Root;

/// Exit code of the first process when it may not mount `/proc`.
const NO_PROC: i32 = 77;

/// The supervisor's whole life: `socket` is its end of the link.
pub(crate) fn main(socket: OwnedFd) -> ExitCode {
    let mut link = Link::new(socket);
    match supervise(&mut link) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            tell(&link, trouble);
            ExitCode::FAILURE
        }
    }
}

fn tell(link: &Link, trouble: Trouble) {
    let note = match trouble {
        Trouble::Told(note) => note,
        Trouble::NoProc => Note::SetupFailed {
            doing: "mount /proc".to_owned(),
            why: "not permitted".to_owned(),
            errno: libc::EPERM,
        },
    };
    // If nobody listens any more, nobody needs to know.
    let _ = link.send(&note, None);
}

fn supervise(link: &mut Link) -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .doing("die with the parent")?;
    // Keys of a terminal are for the main process to judge.
    let _ = rustix::process::setsid();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let (job, mut input) = link.receive_job().doing("read the job")?;
    if let Some(group) = &job.cgroup {
        // 0 is whoever writes; what it starts follows.
        std::fs::write(group.join("cgroup.procs"), "0").doing("enter the control group")?;
    }
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).doing("make a mount namespace")?;
    let private = nix::mount::MsFlags::MS_REC | nix::mount::MsFlags::MS_PRIVATE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>).doing("make mounts private")?;
    let mounts = mounts::of_job(&job);
    let root = mount_root(&job.root)?;
    let inside = Inside::open(&root).doing("open the root")?;
    world::make_kept(&inside)?;
    let made = mounts::make_points(&inside, &mounts)?;
    let trust = Trust::add(&inside, &job.trust)?;
    let step = Step { job: &job, mounts: &mounts, root: &root, trust: trust.as_ref() };
    let done = run_init(link, &step, &mut input);
    let untrusted = trust.map_or(Ok(()), |t| t.remove(&inside)).doing("take trusted certificates out");
    let cleaned = inside.remove(&made).doing("remove mount points");
    drop(inside);
    let left = crate::overlay::unmount(&root).doing("unmount the root");
    done.and(untrusted).and(cleaned).and(left)
}

/// Mounts the root over its own upper directory, which nobody else looks at in this namespace.
fn mount_root(root: &Root) -> Result<PathBuf> {
    let target = match root {
        Root::Overlay { upper, .. } => upper,
        Root::Directory(directory) => directory,
    };
    crate::overlay::mount_root(root, target).doing("mount the root file system")?;
    Ok(target.clone())
}

/// What the first process is made for.
struct Step<'a> {
    job: &'a Job,
    mounts: &'a [Mount],
    root: &'a Path,
    trust: Option<&'a Trust>,
}

/// Runs the first process to its end; once more without a process namespace where `/proc` is refused.
fn run_init(link: &mut Link, step: &Step<'_>, input: &mut Option<OwnedFd>) -> Result<()> {
    for own_processes in [true, false] {
        let input = if own_processes { clone_of(input)? } else { input.take() };
        if !own_processes {
            // Orphans of a killed first process come to us, so that we can end them.
            nix::sys::prctl::set_child_subreaper(true).doing("adopt orphans")?;
        }
        let (parent, alive) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).doing("make a pipe")?;
        let pid = match clone_into(step.job, own_processes).doing("make namespaces")? {
            None => {
                drop(alive);
                let Step { job, mounts, root, trust } = *step;
                let start = init::Start { job, mounts, trust, link, input, root, own_processes, parent };
                let code = match init::run(start) {
                    Ok(()) => 0,
                    Err(Trouble::NoProc) if own_processes => NO_PROC,
                    Err(trouble) => {
                        tell(link, trouble);
                        1
                    }
                };
                // SAFETY: ends only this process; nothing is to be flushed.
                unsafe { libc::_exit(code) }
            }
            Some(pid) => pid,
        };
        drop((parent, input));
        let ended = wait(link, pid);
        drop(alive);
        if !own_processes {
            init::end_descendants();
        }
        if ended? != NO_PROC {
            return Ok(());
        }
        let words = "a fresh /proc may not be mounted here (the container masks parts of it: procMount: Unmasked \
                     would help), so the step shares the process namespace of this machine";
        link.send(&Note::Reduced(words.to_owned()), None).doing("tell about /proc")?;
    }
    Err(Trouble::NoProc)
}

fn clone_of(input: &Option<OwnedFd>) -> Result<Option<OwnedFd>> {
    input.as_ref().map(|fd| fd.try_clone().doing("keep standard input")).transpose()
}

/// Forks into new namespaces; `None` in the child.
fn clone_into(job: &Job, own_processes: bool) -> std::io::Result<Option<Pid>> {
    let mut flags = libc::CLONE_NEWNS | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWCGROUP;
    if own_processes {
        flags |= libc::CLONE_NEWPID;
    }
    if job.network == Network::None {
        flags |= libc::CLONE_NEWNET;
    }
    let flags = libc::c_ulong::from((flags | libc::SIGCHLD).cast_unsigned());
    // SAFETY: without CLONE_VM and with a null stack this is fork(2) into new namespaces; no thread exists in this
    // process, so the child may do anything a fresh process may. The other arguments are unused with these flags, so
    // their order, which differs between architectures, does not matter.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize) };
    match pid {
        -1 => Err(std::io::Error::last_os_error()),
        0 => Ok(None),
        pid => Ok(Some(Pid::from_raw(pid as i32))),
    }
}

/// Waits for the first process; passes signals on, and ends it when the link closes. Returns its exit code.
fn wait(link: &mut Link, pid: Pid) -> Result<i32> {
    let raw =
        rustix::process::Pid::from_raw(pid.as_raw()).ok_or(rustix::io::Errno::SRCH).doing("find init")?;
    let ended = rustix::process::pidfd_open(raw, PidfdFlags::empty()).doing("watch the step")?;
    let mut listening = true;
    loop {
        let mut polled = vec![PollFd::new(&ended, PollFlags::IN)];
        if listening {
            polled.push(PollFd::from_borrowed_fd(link.as_fd(), PollFlags::IN));
        }
        match rustix::event::poll(&mut polled, None) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other.doing("wait for the step")?,
        };
        let asked = polled.get(1).is_some_and(|fd| !fd.revents().is_empty());
        if !polled[0].revents().is_empty() {
            break;
        }
        if !asked {
            continue;
        }
        let received = link.receive::<Request>().doing("listen to the main process")?;
        for Request::Signal(number) in received.messages {
            if let Ok(signal) = nix::sys::signal::Signal::try_from(number) {
                let _ = nix::sys::signal::kill(pid, signal);
            }
        }
        if received.closed {
            listening = false;
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
    }
    // With a process namespace every process of it is gone when this returns.
    match waitpid(pid, None).doing("wait for the step")? {
        WaitStatus::Exited(_, code) => Ok(code),
        _ => Ok(0),
    }
}
