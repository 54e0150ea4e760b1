//! The first process of a step's namespaces: builds what the step sees, starts the step's program, passes signals on,
//! reaps, and takes everything down when the program ends.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction, sigprocmask};
use nix::unistd::{ForkResult, Pid};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Gid, Mode, OFlags, Uid};

use super::inside::Inside;
use super::trouble::{Doing as _, Result, Trouble};
use super::trust::Trust;
use super::user::{Accounts, User};
use super::{exec, mounts, network, privileges, terminal, world};
use crate::job::{Ended, Job, Mount, Network, Note, Status, Stdio, Usage};
use crate::link::Link;
use crate::seccomp;

/// Everything the first process is given.
pub(super) struct Start<'a> {
    pub(super) job: &'a Job,
    pub(super) mounts: &'a [Mount],
    /// Certificates to be trusted, if any.
    pub(super) trust: Option<&'a Trust>,
    pub(super) link: &'a Link,
    /// Standard input of the program, if it is given one.
    pub(super) input: Option<OwnedFd>,
    /// Where the root is mounted.
    pub(super) root: &'a Path,
    /// Whether this process is in a process namespace of its own.
    pub(super) own_processes: bool,
    /// Closed by the kernel when the parent dies.
    pub(super) parent: OwnedFd,
}

/// The whole life of the first process; returns how it went.
pub(super) fn run(start: Start<'_>) -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .doing("die with the parent")?;
    if is_closed(start.parent.as_fd()) {
        // It died before we asked to be told.
        return Ok(());
    }
    if !start.own_processes {
        // Orphans come to us, so that we can end them.
        nix::sys::prctl::set_child_subreaper(true).doing("adopt orphans")?;
    }
    let mut env = start.job.env.clone();
    let added = build(&start)?;
    enter_root(start.root)?;
    for (name, value) in added {
        if !has(&env, &name) {
            env.push((name, value));
        }
    }
    privileges::set_limits(&start.job.limits)?;
    let user = Accounts::read()
        .resolve(&start.job.user)
        .map_err(|why| Trouble::Told(Note::UnknownUser { user: start.job.user.clone(), why }))?;
    if !has(&env, "HOME") {
        env.push(("HOME".to_owned(), user.home.clone()));
    }
    enter_directory(&start.job.cwd)?;
    supervise(start, &user, &env)
}

/// Whether a variable is there and says something; an empty HOME counts as none, as with runc.
fn has(env: &[(String, String)], name: &str) -> bool {
    env.iter().rev().find(|(known, _)| known == name).is_some_and(|(_, value)| !value.is_empty())
}

fn is_closed(pipe: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(pipe, PollFlags::IN)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut polled, Some(&now)).is_ok_and(|ready| ready > 0)
}

/// Builds the world in this process's own mount namespace. Returns variables to be added.
fn build(start: &Start<'_>) -> Result<Vec<(String, String)>> {
    let job = start.job;
    nix::unistd::sethostname(&job.hostname).doing("set the host name")?;
    if job.network == Network::None {
        network::loopback_up().doing("switch the loopback device on")?;
    }
    let inside = Inside::open(start.root).doing("open the root")?;
    world::mount_world(&inside, job, start.own_processes)?;
    mounts::mount_all(&inside, start.mounts)?;
    let variables = start.trust.map_or_else(|| Ok(Vec::new()), |trust| trust.show(&inside))?;
    // With the processes of this machine its whole /proc is shown; covering parts of it would promise too much.
    if start.own_processes {
        world::cover(&inside)?;
    }
    Ok(variables)
}

/// Makes the root of this process `path` and leaves nothing of the old one.
fn enter_root(path: &Path) -> Result<()> {
    nix::unistd::chdir(path).doing("enter the root")?;
    match nix::unistd::pivot_root(".", ".") {
        Ok(()) => nix::mount::umount2(".", MntFlags::MNT_DETACH).doing("leave the old root")?,
        // The old root is the first one of the kernel (an initramfs), which cannot be exchanged.
        Err(Errno::EINVAL) => {
            let moved = nix::mount::mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>);
            moved.doing("move the root")?;
            nix::unistd::chroot(".").doing("change the root")?;
        }
        Err(e) => return Err(e).doing("change the root"),
    }
    nix::unistd::chdir("/").doing("enter the new root")
}

fn enter_directory(path: &str) -> Result<()> {
    let path = Path::new("/").join(path);
    match nix::unistd::chdir(&path) {
        Err(Errno::ENOENT) => {}
        other => return other.doing(format!("enter the working directory {}", path.display())),
    }
    std::fs::create_dir_all(&path).doing(format!("make the working directory {}", path.display()))?;
    nix::unistd::chdir(&path).doing(format!("enter the working directory {}", path.display()))
}

fn supervise(start: Start<'_>, user: &User, env: &[(String, String)]) -> Result<()> {
    let streams = streams(&start, user)?;
    let filter = seccomp::default_filter();
    // Signals wait until the loop below takes them.
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None).doing("block signals")?;
    // SAFETY: no thread exists in this process, so the child may do anything a fresh process may.
    match unsafe { nix::unistd::fork() }.doing("fork")? {
        ForkResult::Child => {
            let why = become_program(&start, &streams, user, &filter, env);
            let _ = start.link.send(&why, None);
            // SAFETY: ends only this process; nothing is to be flushed.
            unsafe { libc::_exit(127) }
        }
        ForkResult::Parent { child } => {
            drop(streams);
            drop(start.input);
            // Nobody inside may look into this process, which can do more than they.
            let _ = nix::sys::prctl::set_dumpable(false);
            let _ = silence();
            let ended = reap_until(child);
            start.link.send(&Note::Ended(ended), None).doing("report the end")
        }
    }
}

/// The streams of the program; where one is missing, those of this process stay.
struct Streams {
    input: OwnedFd,
    terminal: bool,
}

fn streams(start: &Start<'_>, user: &User) -> Result<Streams> {
    match start.job.stdio {
        Stdio::Terminal { rows, columns } => {
            let terminal = terminal::open(start.link, rows, columns)?;
            let (uid, gid) = (Uid::from_raw(user.uid), None::<Gid>);
            rustix::fs::fchown(&terminal, Some(uid), gid).doing("give the terminal to the user")?;
            Ok(Streams { input: terminal, terminal: true })
        }
        Stdio::Input if let Some(input) = &start.input => {
            Ok(Streams { input: input.try_clone().doing("take standard input")?, terminal: false })
        }
        _ => {
            let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
            Ok(Streams { input: null.doing("open /dev/null")?, terminal: false })
        }
    }
}

/// In the child: gives everything up and becomes the program. Returns only why that failed.
fn become_program(
    start: &Start<'_>,
    streams: &Streams,
    user: &User,
    filter: &[seccomp::Instruction],
    env: &[(String, String)],
) -> Note {
    let prepared = (|| -> Result<()> {
        rustix::process::setsid().doing("make a session")?;
        rustix::stdio::dup2_stdin(&streams.input).doing("connect standard input")?;
        if streams.terminal {
            rustix::stdio::dup2_stdout(&streams.input).doing("connect standard output")?;
            rustix::stdio::dup2_stderr(&streams.input).doing("connect standard error")?;
            rustix::process::ioctl_tiocsctty(&streams.input).doing("take the terminal")?;
        }
        give_pipes(user);
        new_keyring();
        privileges::drop_to(user, filter)?;
        close_others();
        default_signals().doing("reset signals")
    })();
    match prepared {
        Ok(()) => Note::ExecFailed(exec::exec(&start.job.args, env)),
        Err(Trouble::Told(note)) => note,
        Err(Trouble::NoProc) => Note::Reduced("no /proc".to_owned()),
    }
}

/// Lets the user open `/dev/stdout` and its like, which lead to pipes that root of the namespace made.
fn give_pipes(user: &User) {
    for stream in [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()] {
        let pipe = rustix::fs::fstat(stream).is_ok_and(|stat| {
            rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Fifo
        });
        if pipe {
            // A pipe of somebody else keeps its owner: it is only less convenient.
            let _ = rustix::fs::fchown(stream, Some(Uid::from_raw(user.uid)), None);
        }
    }
}

/// A session keyring of the step's own, so that it does not see the keys of whoever started us. Kernels without keys
/// have nothing to see.
fn new_keyring() {
    const JOIN_SESSION_KEYRING: libc::c_long = 1;
    // SAFETY: the call takes a number and a null pointer, which asks for a new anonymous keyring.
    unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
}

/// Everything we open closes itself on exec; this is for what somebody else left open.
fn close_others() {
    const CLOSE_ON_EXEC: libc::c_uint = 4;
    // SAFETY: only flags of descriptors are changed.
    unsafe { libc::syscall(libc::SYS_close_range, 3 as libc::c_uint, libc::c_uint::MAX, CLOSE_ON_EXEC) };
}

fn default_signals() -> nix::Result<()> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in Signal::iterator().filter(|s| !matches!(s, Signal::SIGKILL | Signal::SIGSTOP)) {
        // SAFETY: the default action runs no code of ours.
        unsafe { sigaction(signal, &default) }?;
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

/// Lets go of the streams, so that they end when the program's processes end.
fn silence() -> std::io::Result<()> {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

/// Reaps whatever ends and passes signals on, until the program ended.
fn reap_until(program: Pid) -> Ended {
    let mut usage = Usage::default();
    loop {
        while let Some((pid, status)) = reap(&mut usage, libc::WNOHANG) {
            if pid == program {
                return Ended { status, usage };
            }
        }
        match SigSet::all().wait() {
            Ok(Signal::SIGCHLD) | Err(_) => {}
            Ok(signal) => {
                let _ = nix::sys::signal::kill(program, signal);
            }
        }
    }
}

/// One child that ended, its use of resources added to `usage`.
fn reap(usage: &mut Usage, flags: libc::c_int) -> Option<(Pid, Status)> {
    let mut status = 0;
    // SAFETY: `rusage` is plain old data, for which zero bytes are a valid value.
    let mut used: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values of the types the call wants.
    let pid = unsafe { libc::wait4(-1, &raw mut status, flags, &raw mut used) };
    if pid <= 0 {
        return None;
    }
    let micros = |t: libc::timeval| {
        u64::try_from(t.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(t.tv_usec).unwrap_or(0)
    };
    usage.max_rss = usage.max_rss.max(u64::try_from(used.ru_maxrss).unwrap_or(0) * 1024);
    usage.user_micros += micros(used.ru_utime);
    usage.system_micros += micros(used.ru_stime);
    let status = if libc::WIFSIGNALED(status) {
        Status::Signal(libc::WTERMSIG(status))
    } else {
        Status::Code(libc::WEXITSTATUS(status))
    };
    Some((Pid::from_raw(pid), status))
}

/// Without a process namespace: kills children until there are none. Orphans become our children.
pub(super) fn end_descendants() {
    let own = std::process::id();
    loop {
        let children = std::fs::read_to_string(format!("/proc/self/task/{own}/children")).unwrap_or_default();
        for child in children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()) {
            let _ = nix::sys::signal::kill(Pid::from_raw(child), Signal::SIGKILL);
        }
        if reap(&mut Usage::default(), if children.is_empty() { libc::WNOHANG } else { 0 }).is_none() {
            return;
        }
    }
}
