//! What each instruction says, typed. Values are not expanded: variables and quotes are still in the words.

mod health;
mod mount;
mod run;

pub use health::{Healthcheck, HealthcheckCommand};
pub use mount::{ExpandField, Mount, MountFlag, MountType, Sharing};
pub use run::{Device, Network, Run, RunScript, Security};

use crate::dockerfile::{Error, Escape, Expander, Problem, Word};

/// `FROM [--platform=P] image [AS name]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From {
    /// Image, stage or `scratch`; expanded with the global arguments only.
    pub image: Word,
    /// The name after `AS` in lower case; its span covers it as written.
    pub name: Option<Word>,
    /// `--platform`, expanded with the global arguments only.
    pub platform: Option<Word>,
    /// The comment `# name …` above it, without the name.
    pub description: Option<String>,
}

/// `ARG name[=default]…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    /// The declared names, at least one.
    pub items: Vec<ArgItem>,
}

/// One name of an `ARG`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgItem {
    /// The name; never expanded in ordinary use, never empty when a value is given.
    pub name: Word,
    /// The default as written. `ARG x` has none, `ARG x=` an empty one: that is not the same.
    pub default: Option<Word>,
    /// The comment `# name …` above the instruction, without the name.
    pub description: Option<String>,
}

/// Shell form or exec form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// Text for the shell; empty when nothing was written.
    Shell(Word),
    /// An argv from a JSON array; may be empty.
    Exec(Vec<Word>),
}

/// `COPY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// What to copy, at least one.
    pub sources: Vec<Source>,
    /// Where to; expanded.
    pub destination: Word,
    /// `--from`: a stage, a named context or an image; variables are not allowed, see [`Copy::stage_reference`].
    pub from: Option<Word>,
    /// `--chown`, expanded.
    pub chown: Option<Word>,
    /// `--chmod`, expanded.
    pub chmod: Option<Word>,
    /// `--link`.
    pub link: bool,
    /// `--parents`.
    pub parents: bool,
    /// `--exclude` patterns in order; never expanded.
    pub exclude: Vec<Word>,
}

/// `ADD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    /// What to add, at least one.
    pub sources: Vec<Source>,
    /// Where to; expanded.
    pub destination: Word,
    /// `--chown`, expanded.
    pub chown: Option<Word>,
    /// `--chmod`, expanded.
    pub chmod: Option<Word>,
    /// `--checksum`, expanded.
    pub checksum: Option<Word>,
    /// `--link`.
    pub link: bool,
    /// `--keep-git-dir`, if it was written.
    pub keep_git_dir: Option<bool>,
    /// `--unpack`, if it was written.
    pub unpack: Option<bool>,
    /// `--exclude` patterns in order; never expanded.
    pub exclude: Vec<Word>,
}

/// One source of `COPY` or `ADD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A path, pattern, URL or Git reference; expanded.
    Path(Word),
    /// A file given by a heredoc.
    Inline(InlineFile),
}

/// A file whose content stands in the Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlineFile {
    /// The file's name: the heredoc's delimiter. Its span covers the `<<name` word.
    pub name: Word,
    /// The content, leading tabs already removed for `<<-`.
    pub content: String,
    /// Whether variables in the content are to be expanded (with [`crate::dockerfile::Expander::body`]).
    pub expand: bool,
}

/// `ENV`: all pairs see the environment before the instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Env {
    /// The pairs in order, at least one.
    pub pairs: Vec<Pair>,
}

/// `LABEL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The pairs in order, at least one.
    pub pairs: Vec<Pair>,
}

/// A name with a value; both are expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The name, never empty before expansion.
    pub key: Word,
    /// The value, quotes still there.
    pub value: Word,
    /// Written as `name value` instead of `name=value`.
    pub legacy: bool,
}

/// `EXPOSE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expose {
    /// Port words sorted by bytes, as BuildKit keeps them; each expands to any number of words.
    pub ports: Vec<Word>,
}

/// `ONBUILD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onbuild {
    /// The trigger's keyword as written. It need not be a known one until the trigger fires.
    pub keyword: Word,
    /// The trigger as it goes into the image's configuration: its text verbatim, heredoc bodies appended.
    pub text: String,
}

/// `SHELL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shell {
    /// The argv, at least one.
    pub argv: Vec<Word>,
}

/// `VOLUME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Paths, none empty before expansion; expanded.
    pub paths: Vec<Word>,
}

impl Copy {
    /// The value of `--from`, checked to be free of variables.
    ///
    /// # Errors
    /// [`Problem::FromVariable`] at the flag, when expanding would change the value.
    pub fn stage_reference(&self, escape: Escape) -> Result<Option<&Word>, Error> {
        let Some(from) = &self.from else { return Ok(None) };
        match Expander::new(escape).word(from, &|_| None)?.text == from.text {
            true => Ok(Some(from)),
            false => Err(Error::parse(from.span.clone(), Problem::FromVariable)),
        }
    }
}
