//! `RUN --mount=type=ssh`: a socket that steps find an agent behind.
//!
//! The agent is the user's own, or one that lives in this process and holds keys that were read from files; no key is
//! ever in the step. Either way a step may only ask which keys there are and have something signed: it cannot add or
//! remove keys or lock an agent (as BuildKit: `session/sshforward`).
//!
//! The messages and the keys are those of ssh-agent-lib and ssh-key (draft-miller-ssh-agent).

mod keys;
mod serve;
mod short;

use std::path::{Path, PathBuf};

pub use keys::Key;
pub use serve::Agent;

/// What is behind a socket.
#[derive(Clone, Debug)]
pub enum AgentSource {
    /// The agent that listens here.
    Socket(PathBuf),
    /// Keys held by this process.
    Keys(Vec<Key>),
}

/// Owner, group and mode of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketAccess {
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Whether there is a socket at `path`.
pub fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    crate::host::fs::metadata(path).is_ok_and(|found| found.file_type().is_socket())
}
