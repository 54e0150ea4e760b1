//! What a Dockerfile means once everything in it is expanded: steps that make layers, and the image around them.

use std::path::PathBuf;

use serde::Serialize;

use crate::base::{BlobDigest, Platform, Span};
use crate::build::mount::RunMount;
use crate::oci::ImageConfig;

/// Names a base image among those that a build needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct BaseIndex(pub usize);

/// Names a stage by its position in the Dockerfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct StageIndex(pub usize);

/// Names a step among all steps of a build, in the order of the Dockerfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct StepIndex(pub usize);

/// Names a tree of files that comes from outside: 0 is the build context, then come named ones and what ADD fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ContextIndex(pub usize);

impl ContextIndex {
    /// The build context.
    pub const BUILD: Self = Self(0);
}

/// What a tree is built upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Parent {
    /// Nothing.
    Scratch,
    /// The layers of a base image.
    Image(BaseIndex),
    /// The tree after another step.
    Step(StepIndex),
}

/// A tree of files from outside, beside the build context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextRequest {
    /// As messages call it: `context "name"`, or what ADD names.
    pub title: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Where it is first named.
    pub span: Span,
}

/// Where files come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A file to download.
    Url(UrlOrigin),
    /// A commit of a Git repository.
    Git(GitOrigin),
}

/// A file to download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlOrigin {
    /// Where from: http or https.
    pub url: String,
    /// What the file is called in the tree it comes to be in.
    pub name: String,
    /// What its content has to be.
    pub checksum: Option<BlobDigest>,
}

/// A commit of a Git repository, and what is wanted of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitOrigin {
    /// Where the repository is, as the user wrote it without reference and folder.
    pub remote: String,
    /// Branch, tag, full name of a reference or commit; empty is the repository's `HEAD`.
    pub reference: String,
    /// The folder that is wanted; empty is all of it. No slash around it.
    pub folder: String,
    /// What the commit has to be: its name or the beginning of it.
    pub checksum: Option<String>,
    /// Whether `.git` is wanted.
    pub keep_git_dir: bool,
    /// Whether submodules are left out.
    pub skip_submodules: bool,
}

/// An instruction that makes a layer, with nothing left to expand.
#[derive(Clone, Debug)]
pub struct Step {
    /// The stage it stands in.
    pub stage: StageIndex,
    /// What it is built upon.
    pub parent: Parent,
    /// As shown: `[build 2/5] RUN make`.
    pub name: String,
    /// Its text, for records and explanations.
    pub origin: String,
    /// Where it stands.
    pub span: Span,
    /// The platform of its stage.
    pub platform: Platform,
    /// What it reads beside the tree it is built upon: of a copy in the order of copying, of a RUN one for each mount
    /// that shows files.
    pub reads: Vec<Read>,
    /// What to do.
    pub action: Action,
}

/// Paths in a tree that a step reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The tree.
    pub from: From,
    /// Paths in it, at least one, as BuildKit normalises them: absolute, cleaned, wildcards untouched.
    pub paths: Vec<String>,
    /// Whether `*`, `?`, `[` and `\` in `paths` mean something.
    pub wildcards: bool,
    /// Of folders only what this pattern matches, below each of `paths` (`--parents`); written as in an ignore file.
    pub include: Option<String>,
    /// Of folders nothing that these patterns match, below each of `paths` (`--exclude`); written as in an ignore file.
    pub exclude: Vec<String>,
    /// Whether archives are unpacked where they are copied to (ADD).
    pub unpack: bool,
}

impl Read {
    /// Whether of folders not everything is read.
    pub fn is_narrowed(&self) -> bool {
        self.include.is_some() || !self.exclude.is_empty()
    }

    /// One path without wildcards, all of it.
    pub fn of(from: From, path: impl Into<String>) -> Self {
        Self {
            from,
            paths: vec![path.into()],
            wildcards: false,
            include: None,
            exclude: Vec::new(),
            unpack: false,
        }
    }
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Runs a program.
    Run(Run),
    /// Copies files.
    Copy(Copy),
    /// Makes the working directory.
    Workdir(Workdir),
}

/// RUN.
#[derive(Clone, Debug)]
pub struct Run {
    /// Program and arguments, the shell included.
    pub args: Vec<String>,
    /// Everything the program sees but proxies: ENV and ARG in order, each name once.
    pub env: Vec<(String, String)>,
    /// Absolute working directory.
    pub cwd: String,
    /// As USER left it; empty means root.
    pub user: String,
    /// A heredoc that is a script of its own: shown to the step as a file.
    pub script: Option<Script>,
    /// Where it may reach.
    pub network: Network,
    /// What it is shown beside its tree, in the order of the flags.
    pub mounts: Vec<RunMount>,
}

/// A file that is shown to a RUN step and leaves no trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Absolute path.
    pub path: String,
    /// Content.
    pub bytes: Vec<u8>,
}

/// The network of a RUN step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Network {
    /// The one of this process.
    #[default]
    Host,
    /// Loopback only.
    None,
}

impl Network {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::None => "none",
        }
    }
}

/// COPY or ADD of what the step reads.
#[derive(Clone, Debug)]
pub struct Copy {
    /// Files given in the Dockerfile itself, in order, after what is read.
    pub documents: Vec<Document>,
    /// Absolute destination; a trailing `/` means a directory.
    pub destination: String,
    /// `--chown`, expanded.
    pub chown: Option<String>,
    /// `--chmod`, expanded.
    pub chmod: Option<String>,
    /// `--link`: made without a look at the tree it is put upon.
    pub link: bool,
    /// Unknown owners count as root, and the last of several files of one name wins, as BuildKit has it.
    pub lenient: bool,
}

/// A heredoc source of COPY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// File name.
    pub name: String,
    /// Content, expanded.
    pub bytes: Vec<u8>,
}

/// A tree that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// An empty one.
    Scratch,
    /// The build context, a named one, or what was fetched for an ADD.
    Context(ContextIndex),
    /// The result of another stage.
    Stage(StageIndex),
    /// A base image.
    Image(BaseIndex),
}

/// WORKDIR.
#[derive(Clone, Debug)]
pub struct Workdir {
    /// Absolute path, never `/`.
    pub path: String,
    /// Who owns folders that are made; empty means root.
    pub user: String,
}

/// A stage with nothing left to expand.
#[derive(Clone, Debug)]
pub struct Stage {
    /// What is known of the finished image but its layers; history entries of layers are in the order of the layers.
    pub image: ImageConfig,
    /// The tree at its end.
    pub result: Parent,
    /// How many entries of the history came from the base image.
    pub inherited_history: usize,
}
