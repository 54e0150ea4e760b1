//! `RUN` with its flags.

use crate::dockerfile::command::{CommandLine, MountFlag};
use crate::dockerfile::Word;

/// `RUN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What to run, as written; [`Run::script`] joins it with the heredocs.
    pub line: CommandLine,
    /// `--mount` flags in order; [`MountFlag::resolve`] reads them after expansion.
    pub mounts: Vec<MountFlag>,
    /// `--network`.
    pub network: Network,
    /// `--security`.
    pub security: Security,
    /// `--device` flags in order.
    pub devices: Vec<Device>,
}

/// `RUN --network`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// What the builder gives.
    #[default]
    Default,
    /// Loopback only.
    None,
    /// The host's network.
    Host,
}

/// `RUN --security`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// The builder's sandbox.
    #[default]
    Sandbox,
    /// All capabilities.
    Insecure,
}

/// `RUN --device`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The CDI name; empty if none was given.
    pub name: String,
    /// Whether the step fails without it.
    pub required: bool,
    /// The flag's value as written.
    pub word: Word,
}

/// What a `RUN` really executes, before `SHELL` is put in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunScript {
    /// An argv as it is.
    Exec(Vec<String>),
    /// Text for the shell, heredocs already joined.
    Shell(String),
    /// A heredoc that begins with `#!`: a file to be shown read-only (mode 0755) at `/dev/pipes/<name>`, whose path is
    /// the text for the shell.
    File {
        /// Name of the file.
        name: String,
        /// Its content.
        content: String,
    },
}
