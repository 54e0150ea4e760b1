//! How a step ended, and what is to be said about it.

use crate::base::{Failure, Kind};

pub use rootfs_helpers::job::{Status, Usage};

/// How a command in the sandbox ended. A command that ran and failed is no [`Error`](super::Error).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The code or the signal.
    pub status: Status,
    /// What it used.
    pub usage: Usage,
}

impl Exit {
    /// Whether it ended with code 0.
    pub fn success(&self) -> bool {
        self.status == Status::Code(0)
    }

    /// The code a shell would show: 128 + n for signal n.
    pub fn code(&self) -> i32 {
        match self.status {
            Status::Code(code) => code,
            Status::Signal(signal) => 128 + signal,
        }
    }

    /// What to tell the user about a command that did not succeed; `None` if it did.
    pub fn failure(&self, command: &str) -> Option<Failure> {
        if self.success() {
            return None;
        }
        let failure = Failure::new(Kind::Workload, format!("run {command}"));
        Some(match self.status {
            Status::Code(code) => explain_code(failure.because(format!("exit code: {code}")), code),
            Status::Signal(signal) => {
                let failure =
                    failure.because(format!("ended by signal {signal} (exit code: {})", 128 + signal));
                self.explain_signal(failure, signal)
            }
        })
    }

    fn explain_signal(&self, failure: Failure, signal: i32) -> Failure {
        match signal {
            9 => failure.hint(format!(
                "something killed it, most often the kernel for lack of memory; its largest process held {} MiB",
                self.usage.max_rss >> 20
            )),
            4 => failure.hint("it used an instruction this processor does not have: is the image made for it?"),
            31 => failure.hint("it made a system call that may not be made in a sandbox"),
            _ => failure,
        }
    }
}

fn explain_code(failure: Failure, code: i32) -> Failure {
    match code {
        126 => failure
            .hint("the shell found a command but may not execute it: is its execute bit set (chmod +x)?"),
        127 => {
            failure.hint("the shell did not find a command: is it installed in the image, and is PATH right?")
        }
        137 => failure.hint(
            "137 means that the shell saw a command killed, most often by the kernel for lack of memory",
        ),
        139 => failure.hint("139 means that the shell saw a command crash (segmentation fault)"),
        _ => failure,
    }
}
