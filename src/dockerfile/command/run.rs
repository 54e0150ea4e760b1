//! `RUN` with its flags.

use crate::dockerfile::command::{CommandLine, MountFlag};
use crate::dockerfile::read::heredoc_word;
use crate::dockerfile::{Heredoc, Word};

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

impl Run {
    /// What is executed: the line with the instruction's heredocs. A heredoc alone is the script itself; among other
    /// words it is given to the shell, which knows heredocs.
    pub fn script(&self, heredocs: &[Heredoc]) -> RunScript {
        let text = match &self.line {
            CommandLine::Exec(words) => {
                return RunScript::Exec(words.iter().map(|word| word.text.clone()).collect());
            }
            CommandLine::Shell(word) => &word.text,
        };
        let Some(first) = heredocs.first() else { return RunScript::Shell(text.clone()) };
        // A word with broken quotes is no heredoc; the shell will say so.
        if heredoc_word(text).is_ok_and(|declared| declared.is_some()) {
            let content = first.content();
            return match content.starts_with("#!") {
                true => RunScript::File { name: first.name.clone(), content },
                false => RunScript::Shell(content),
            };
        }
        let mut script = text.clone();
        for heredoc in heredocs {
            script.push('\n');
            script.push_str(&heredoc.body);
            script.push_str(&heredoc.name);
        }
        RunScript::Shell(script)
    }
}
