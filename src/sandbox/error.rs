//! What can go wrong before a command runs. A command that ran and failed is no error here.

use std::io;

use rootfs_helpers::enter::Diagnosis;
use rootfs_helpers::job::{ExecFailure, ExecProblem};

use crate::base::{Failure, Kind};

/// The result of a sandbox operation.
pub type Result<T> = std::result::Result<T, Error>;

/// The sandbox could not be made or the program not started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This machine does not let us make namespaces.
    #[error("make a namespace to run commands in")]
    Unavailable(#[source] Diagnosis),
    /// The far side could not be started or spoken to.
    #[error("{doing}")]
    Spawn {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The far side could not build the sandbox.
    #[error("{doing} in the sandbox")]
    Setup {
        /// What was being done.
        doing: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// `USER` names nobody.
    #[error("become user {user}: {why}")]
    User {
        /// `USER` as written.
        user: String,
        /// What is wrong with it.
        why: String,
    },
    /// The program could not be started.
    #[error("start {}: {}", .0.program, problem(&.0.why))]
    Exec(ExecFailure),
    /// An address of `--add-host` is none.
    #[error("read the address {text:?}: neither an IP address nor host-gateway")]
    HostAddress {
        /// The text.
        text: String,
    },
    /// The step cannot be put into a control group of its own there.
    #[error("make a control group below {parent:?}")]
    Cgroup {
        /// As asked for.
        parent: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file is no private key that can be used.
    #[error("read the key {name}: {why}")]
    Key {
        /// Which.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// The run was cancelled; everything it had started is gone.
    #[error("run a command: cancelled")]
    Cancelled,
}

fn problem(why: &ExecProblem) -> String {
    match why {
        ExecProblem::NotFound => "not found in the image".to_owned(),
        ExecProblem::NoPermission => "permission denied".to_owned(),
        ExecProblem::IsDirectory => "is a directory".to_owned(),
        ExecProblem::MissingInterpreter(path) => format!("its interpreter {path} is not in the image"),
        ExecProblem::WrongMachine(name) => format!("exec format error: it is made for {name}"),
        ExecProblem::NotExecutable => "exec format error: neither ELF nor a script with #!".to_owned(),
        ExecProblem::TooLong => "arguments and environment are too long together".to_owned(),
        ExecProblem::Other(errno) => io::Error::from_raw_os_error(*errno).to_string(),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            Error::Unavailable(diagnosis) => {
                let failure = Failure::of(Kind::Environment, &error);
                diagnosis.remedies().iter().fold(failure, |failure, remedy| failure.hint(remedy.clone()))
            }
            Error::Cgroup { .. } => Failure::of(Kind::Environment, &error)
                .hint("--cgroup-parent needs cgroup v2 and a group that this user may write to"),
            Error::Spawn { .. } | Error::Setup { .. } => Failure::of(Kind::Environment, &error),
            Error::User { .. } => Failure::of(Kind::Config, &error)
                .hint("USER takes a name from the image's /etc/passwd, or a number"),
            Error::Key { why, .. } if why.contains("passphrase") => Failure::of(Kind::Input, &error)
                .hint("add it to an agent (ssh-add) and forward that: --ssh default"),
            Error::Key { .. } => Failure::of(Kind::Input, &error)
                .hint("ssh-keygen -p -f FILE turns a private key into OpenSSH's form"),
            Error::HostAddress { .. } => Failure::of(Kind::Usage, &error),
            Error::Cancelled => Failure::of(Kind::Cancelled, &error),
            Error::Exec(exec) => exec_failure(Failure::of(Kind::Workload, &error), exec),
        }
    }
}

fn exec_failure(failure: Failure, exec: &ExecFailure) -> Failure {
    match &exec.why {
        ExecProblem::NotFound if matches!(exec.program.as_str(), "/bin/sh" | "sh" | "/bin/bash" | "bash") => failure
            .hint("the image has no shell: use the exec form, RUN [\"/program\", \"argument\"], or another base image")
            .with_exit_code(127),
        ExecProblem::NotFound => {
            failure.hint("is it installed in the image, and is PATH right?").with_exit_code(127)
        }
        ExecProblem::NoPermission => failure.hint("is its execute bit set (chmod +x)?").with_exit_code(126),
        ExecProblem::MissingInterpreter(path) if path.contains("ld-") => failure
            .hint("the program is linked dynamically, perhaps against another C library than the image has")
            .with_exit_code(127),
        ExecProblem::MissingInterpreter(_) => {
            failure.hint("install the interpreter, or correct the script's first line").with_exit_code(127)
        }
        ExecProblem::WrongMachine(_) => failure
            .hint("the image is made for another platform than this machine: choose another with --platform")
            .with_exit_code(126),
        ExecProblem::NotExecutable => {
            failure.hint("a script needs a first line like #!/bin/sh").with_exit_code(126)
        }
        _ => failure.with_exit_code(126),
    }
}
