//! One typed instruction and what every instruction has: keyword, flags, heredocs, text and place.

use crate::base::Span;
use crate::dockerfile::command::{
    Add, Arg, CommandLine, Copy, Env, Expose, From, Healthcheck, Label, Onbuild, Run, Shell, Volume,
};
use crate::dockerfile::{Heredoc, Word};

/// One instruction of a Dockerfile.
///
/// Equality is equality of meaning: keyword letters, places, comments and layout do not count.
#[derive(Clone, Debug)]
pub struct Instruction {
    /// The keyword as it was written, for example `RUN` or `run`.
    pub keyword: Word,
    /// The flags as they were written, in order, quotes removed.
    pub flags: Vec<Flag>,
    /// The heredocs it declares, in order.
    pub heredocs: Vec<Heredoc>,
    /// What it says.
    pub command: Command,
    /// The logical line: continuations joined, comments removed, outer blanks trimmed, heredoc bodies not included.
    /// This is the text that BuildKit shows and records.
    pub text: String,
    /// All its source: from the keyword to the end of the last line, heredoc bodies included.
    pub span: Span,
    /// First line, 1-based.
    pub first_line: usize,
    /// Last line, 1-based; the terminator of the last heredoc if it has any.
    pub last_line: usize,
    /// The comments directly above it (no empty comment line between), without `#` and outer blanks.
    pub comments: Vec<String>,
}

impl PartialEq for Instruction {
    fn eq(&self, other: &Self) -> bool {
        self.command == other.command && self.flags == other.flags && self.heredocs == other.heredocs
    }
}

impl Eq for Instruction {}

/// A flag of an instruction: `--name` or `--name=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The whole flag, quotes and escapes removed, for example `--chown=1:1`.
    pub word: Word,
}

impl Flag {
    /// The name without dashes.
    pub fn name(&self) -> &str {
        let name = self.word.text.strip_prefix("--").unwrap_or(&self.word.text);
        name.split_once('=').map_or(name, |(name, _)| name)
    }

    /// The value after the first `=`.
    pub fn value(&self) -> Option<&str> {
        self.word.text.split_once('=').map(|(_, value)| value)
    }
}

/// What an instruction says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `FROM`: starts a stage.
    From(From),
    /// `ARG`: declares build arguments.
    Arg(Arg),
    /// `RUN`: runs a command.
    Run(Run),
    /// `COPY`: copies files of the context, of a stage or of an image.
    Copy(Copy),
    /// `ADD`: copies files, archives, URLs and Git trees.
    Add(Add),
    /// `CMD`: the default command.
    Cmd(CommandLine),
    /// `ENTRYPOINT`: the fixed command.
    Entrypoint(CommandLine),
    /// `ENV`: environment of the image.
    Env(Env),
    /// `LABEL`: labels of the image.
    Label(Label),
    /// `EXPOSE`: ports.
    Expose(Expose),
    /// `HEALTHCHECK`: how to ask a container whether it is well.
    Healthcheck(Healthcheck),
    /// `MAINTAINER`: the author; deprecated. The text is taken as it is.
    Maintainer(Word),
    /// `ONBUILD`: an instruction for the stages built from this one.
    Onbuild(Onbuild),
    /// `SHELL`: the shell of shell forms.
    Shell(Shell),
    /// `STOPSIGNAL`: name or number, not expanded yet.
    Stopsignal(Word),
    /// `USER`: user and group, not expanded yet.
    User(Word),
    /// `VOLUME`: paths.
    Volume(Volume),
    /// `WORKDIR`: a path, blanks included, not expanded yet.
    Workdir(Word),
}

impl Command {
    /// The keyword in upper case.
    pub fn name(&self) -> &'static str {
        match self {
            Self::From(_) => "FROM",
            Self::Arg(_) => "ARG",
            Self::Run(_) => "RUN",
            Self::Copy(_) => "COPY",
            Self::Add(_) => "ADD",
            Self::Cmd(_) => "CMD",
            Self::Entrypoint(_) => "ENTRYPOINT",
            Self::Env(_) => "ENV",
            Self::Label(_) => "LABEL",
            Self::Expose(_) => "EXPOSE",
            Self::Healthcheck(_) => "HEALTHCHECK",
            Self::Maintainer(_) => "MAINTAINER",
            Self::Onbuild(_) => "ONBUILD",
            Self::Shell(_) => "SHELL",
            Self::Stopsignal(_) => "STOPSIGNAL",
            Self::User(_) => "USER",
            Self::Volume(_) => "VOLUME",
            Self::Workdir(_) => "WORKDIR",
        }
    }
}

/// Every keyword of the language, upper case, sorted.
pub const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];
