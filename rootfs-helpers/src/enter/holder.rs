//! A user namespace made by a child, mapped from outside, tested, and joined only when all of that worked.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid};

use super::diagnose::Diagnosis;
use super::{private_mounts, read_map, subids};

/// Which ids the namespace shall have.
pub(super) enum Ids {
    /// The user's own as 0, then those of the sub-id files, by the set-user-id programs of shadow.
    Subordinate {
        /// The user.
        uid: u32,
        /// The user's group.
        gid: u32,
    },
    /// Those this process has, unchanged; written directly, which takes CAP_SETUID, CAP_SETGID and CAP_SETFCAP.
    Own,
}

/// Moves this process into a new user namespace and a new mount namespace.
pub(super) fn enter_user_namespace(ids: Ids) -> Result<(), Diagnosis> {
    let holder = Holder::start()?;
    match ids {
        Ids::Subordinate { uid, gid } => map_subordinate(holder.pid, uid, gid)?,
        Ids::Own => map_own(holder.pid)?,
    }
    let namespace = File::open(format!("/proc/{}/ns/user", holder.pid))
        .map_err(|e| Diagnosis::of_io("open the namespace", &e))?;
    nix::sched::setns(namespace, CloneFlags::CLONE_NEWUSER).map_err(|e| Diagnosis::of_unshare("setns", e))?;
    private_mounts().map_err(|(call, errno)| Diagnosis::of_mounting(call, errno))
}

/// The child that keeps the namespace alive until it is joined.
struct Holder {
    pid: Pid,
    /// Closing it lets the child end.
    release: Option<OwnedFd>,
}

impl Holder {
    fn start() -> Result<Self, Diagnosis> {
        let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
        let (answer, answering) = pipe().map_err(|e| Diagnosis::of_io("make a pipe", &e.into()))?;
        let (waiting, release) = pipe().map_err(|e| Diagnosis::of_io("make a pipe", &e.into()))?;
        // SAFETY: no thread exists in this process, so the child may do anything a fresh process may.
        match unsafe { nix::unistd::fork() }.map_err(|e| Diagnosis::of_unshare("fork", e))? {
            ForkResult::Child => {
                drop((answer, release));
                hold(File::from(answering), File::from(waiting))
            }
            ForkResult::Parent { child } => {
                drop((answering, waiting));
                let holder = Self { pid: child, release: Some(release) };
                let mut words = Vec::new();
                let _ = File::from(answer).read_to_end(&mut words);
                match words.as_slice() {
                    [0, ..] => Ok(holder),
                    [1, errno, ..] => Err(Diagnosis::of_unshare(
                        "unshare(CLONE_NEWUSER)",
                        Errno::from_raw(i32::from(*errno)),
                    )),
                    [_, errno, ..] => Err(Diagnosis::of_mounting(
                        "mount --make-rprivate /",
                        Errno::from_raw(i32::from(*errno)),
                    )),
                    _ => Err(Diagnosis::of_unshare("unshare(CLONE_NEWUSER)", Errno::EPIPE)),
                }
            }
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.release.take());
        let _ = waitpid(self.pid, None);
    }
}

/// The child's whole life: says how it went in two bytes (which call, errno) and waits to be released.
fn hold(mut answering: File, mut waiting: File) -> ! {
    let word = match nix::sched::unshare(CloneFlags::CLONE_NEWUSER) {
        Err(errno) => [1, errno as i32 as u8],
        Ok(()) => match private_mounts() {
            Err((_, errno)) => [2, errno as i32 as u8],
            Ok(()) => [0, 0],
        },
    };
    let _ = answering.write_all(&word);
    drop(answering);
    let _ = waiting.read(&mut [0]);
    // SAFETY: ends only this process; nothing of the parent's, such as buffered output, may be flushed here.
    unsafe { libc::_exit(0) }
}

fn map_own(pid: Pid) -> Result<(), Diagnosis> {
    for kind in ["uid", "gid"] {
        let lines: String =
            read_map(kind).iter().map(|[inside, _, count]| format!("{inside} {inside} {count}\n")).collect();
        let path = format!("/proc/{pid}/{kind}_map");
        fs::write(&path, lines).map_err(|e| Diagnosis::of_io(&format!("write {path}"), &e))?;
    }
    Ok(())
}

fn map_subordinate(pid: Pid, uid: u32, gid: u32) -> Result<(), Diagnosis> {
    let sides = [("newuidmap", "uid", uid), ("newgidmap", "gid", gid)];
    let mut started = Vec::new();
    // Both at once: each takes a millisecond or two.
    for (program, kind, own) in sides {
        let ranges = subids::ranges(kind, uid);
        if ranges.is_empty() {
            return Err(Diagnosis::no_subids(kind, subids::user_name(uid).as_deref(), uid));
        }
        let mut command = Command::new(find(program).ok_or_else(|| Diagnosis::no_map_program(program))?);
        command.arg(pid.to_string()).args(["0".to_owned(), own.to_string(), "1".to_owned()]);
        let mut next = 1_u32;
        for (first, count) in ranges {
            let Some(after) = next.checked_add(count) else { break };
            command.args([next, first, count].map(|n| n.to_string()));
            next = after;
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        started.push((program, child.map_err(|e| Diagnosis::of_io(&format!("run {program}"), &e))?));
    }
    let ended: Vec<_> = started.into_iter().map(|(program, child)| finished(program, child)).collect();
    ended.into_iter().collect()
}

fn finished(program: &str, child: Child) -> Result<(), Diagnosis> {
    let output = child.wait_with_output().map_err(|e| Diagnosis::of_io(&format!("run {program}"), &e))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Diagnosis::of_map_program(program, String::from_utf8_lossy(&output.stderr).trim()))
}

/// The program by `PATH`, else in the usual places (a user's `PATH` may lack them).
fn find(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<_> = std::env::split_paths(&path).filter(|p| p.is_absolute()).collect();
    places.extend(["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin"].map(Into::into));
    places.into_iter().map(|place| place.join(program)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}
