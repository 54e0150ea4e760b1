//! What the main process tells the far side, and what the far side tells back. Both travel over one socket: the job as
//! an eight-byte length and JSON, the notes as one line of JSON each.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::root::Root;

/// Everything the far side needs to know about a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The root file system.
    pub root: Root,
    /// The program and its arguments; never empty.
    pub args: Vec<String>,
    /// The whole environment, in order; of equal names the last one counts.
    pub env: Vec<(String, String)>,
    /// The working directory inside the root, absolute; made if missing.
    pub cwd: String,
    /// `USER` as written: `name|uid[:group|gid]`; empty is root.
    pub user: String,
    /// The host name.
    pub hostname: String,
    /// The network.
    pub network: Network,
    /// What is mounted beside the usual.
    pub mounts: Vec<Mount>,
    /// Text of `/etc/resolv.conf`.
    pub resolv_conf: String,
    /// Text of `/etc/hosts`.
    pub hosts: String,
    /// Certificates (PEM) to be trusted beside the image's own; empty is none.
    pub trust: String,
    /// Size of `/dev/shm` in bytes.
    pub shm_size: u64,
    /// Limits to be set.
    pub limits: Vec<ResourceLimit>,
    /// The control group that the step is put into: a directory that is there.
    #[serde(default)]
    pub cgroup: Option<PathBuf>,
    /// How standard input, output and error are connected.
    pub stdio: Stdio,
}

/// The network a step sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// The one of this process.
    #[default]
    Host,
    /// An empty one with only the loopback device.
    None,
}

/// Something mounted into the root of a step. The mount point is made if it is missing and vanishes afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where, absolute inside the root.
    pub target: String,
    /// What.
    pub what: MountKind,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountKind {
    /// A file or directory of this machine, with everything mounted below it.
    Bind {
        /// The absolute path outside.
        source: PathBuf,
        /// Whether the step may only read it.
        read_only: bool,
    },
    /// An empty file system in memory.
    Tmpfs {
        /// Its size limit in bytes; `None` leaves it to the kernel.
        size: Option<u64>,
        /// The mode of its root.
        mode: u32,
        /// Whether the step may only read it.
        #[serde(default)]
        read_only: bool,
    },
    /// A file with this content, in memory, read-only.
    File {
        /// The bytes.
        #[serde(with = "hex_bytes")]
        content: Vec<u8>,
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

/// A resource limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceLimit {
    /// The name as in `ulimit` options of the neighbours: `nofile`, `nproc`, `core`, ….
    pub name: String,
    /// The soft limit; `None` is unlimited.
    pub soft: Option<u64>,
    /// The hard limit; `None` is unlimited.
    pub hard: Option<u64>,
}

/// How the streams of a step are connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stdio {
    /// Empty input; output and error as the far side got them.
    #[default]
    Output,
    /// Input is the descriptor sent with the job.
    Input,
    /// A terminal inside the step; its controlling side is sent back with [`Note::Terminal`].
    Terminal {
        /// Rows of the window.
        rows: u16,
        /// Columns of the window.
        columns: u16,
    },
}

/// A line for `/etc/hosts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostName {
    /// The name.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
}

/// What the main process may ask while the step runs: one line of JSON each. Closing the socket ends the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Pass a signal to the step's main process.
    Signal(i32),
}

/// What the far side says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Note {
    /// The controlling side of the terminal comes with this message.
    Terminal,
    /// The step runs with less isolation than usual.
    Reduced(String),
    /// The sandbox could not be made: while doing what, and the errno if there is one.
    SetupFailed {
        /// What was being done.
        doing: String,
        /// The error's text.
        why: String,
        /// Its number; 0 if it is not one of the kernel's.
        errno: i32,
    },
    /// `USER` names nobody.
    UnknownUser {
        /// `USER` as written.
        user: String,
        /// What is wrong with it.
        why: String,
    },
    /// The program could not be started.
    ExecFailed(ExecFailure),
    /// The step ended.
    Ended(Ended),
}

/// Why a program could not be started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecFailure {
    /// The program as asked for.
    pub program: String,
    /// Why.
    pub why: ExecProblem,
}

/// The ways a program can fail to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExecProblem {
    /// There is no such file, in `PATH` or under the given path.
    NotFound,
    /// It may not be executed by the user.
    NoPermission,
    /// It is a directory.
    IsDirectory,
    /// It exists, but the interpreter it names does not.
    MissingInterpreter(String),
    /// It is made for another machine, whose ELF name this is.
    WrongMachine(String),
    /// It is no program: neither ELF nor a script with `#!`.
    NotExecutable,
    /// The arguments and the environment are too long together.
    TooLong,
    /// Anything else, with its errno.
    Other(i32),
}

/// How a step ended and what it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub status: Status,
    /// What it used.
    pub usage: Usage,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

/// What a step and all its processes used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The largest resident size of any one process, in bytes.
    pub max_rss: u64,
    /// CPU time spent in programs, in microseconds.
    pub user_micros: u64,
    /// CPU time spent in the kernel, in microseconds.
    pub system_micros: u64,
}

/// Bytes as hexadecimal text: half the size of a JSON array.
mod hex_bytes {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    const DIGITS: &[u8; 16] = b"0123456789abcdef";

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        serializer.serialize_str(&text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        text.as_bytes()
            .chunks(2)
            .map(|pair| match pair {
                [high, low] => Some((digit(*high)? * 16 + digit(*low)?) as u8),
                _ => None,
            })
            .collect::<Option<Vec<u8>>>()
            .ok_or_else(|| D::Error::custom("not hexadecimal"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_the_journey() {
        let mount = Mount {
            target: "/x".into(),
            what: MountKind::File { content: (0..=255).collect(), mode: 0o400, uid: 1, gid: 2 },
        };
        let text = serde_json::to_string(&mount).unwrap();
        assert_eq!(serde_json::from_str::<Mount>(&text).unwrap(), mount);
        assert!(serde_json::from_str::<Mount>(&text.replace("0001", "00g1")).is_err());
    }
}
