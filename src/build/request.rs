//! What a build is asked for.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::base::{Platform, Reference};
use crate::build::Introspection;
use crate::build::evaluate::NamedContext;
use crate::build::evaluate::remote::Remote;
use crate::build::facts::GitTree;
use crate::build::output::{Annotation, Output};
use crate::build::spec::ConfigChanges;
use crate::build::step::{GitOrigin, Network, UrlOrigin};
use crate::oci::compress::Compression;
use crate::sandbox::{HostAddress, ResourceLimit};

/// A build of one Dockerfile.
#[derive(Clone, Debug)]
pub struct Request {
    /// The build context.
    pub context: ContextSource,
    /// The Dockerfile; `Dockerfile` (else `dockerfile`) in the context if not given, standard input if it is `-`.
    pub dockerfile: Option<PathBuf>,
    /// The stage to build; the last one if not given.
    pub target: Option<String>,
    /// `--build-arg`.
    pub build_args: BTreeMap<String, String>,
    /// The platform to build for; this machine's if not given.
    pub platform: Option<Platform>,
    /// `--label`, which win over the Dockerfile's.
    pub labels: BTreeMap<String, String>,
    /// Words on the image.
    pub annotations: Vec<Annotation>,
    /// Names to give the image.
    pub tags: Vec<Reference>,
    /// Run every step, whatever is known.
    pub no_cache: bool,
    /// Stages whose steps run, whatever is known: names or numbers.
    pub no_cache_filter: Vec<String>,
    /// Where results of others are looked for, in this order.
    pub cache_from: Vec<CachePlace>,
    /// Where results are left for others.
    pub cache_to: Vec<CacheExport>,
    /// Ask registries for base images that the store has too.
    pub pull: bool,
    /// The network of RUN steps that do not choose one.
    pub network: Network,
    /// How RUN steps run.
    pub run: RunOptions,
    /// Times later than this become this; seconds since the Unix epoch.
    pub source_date_epoch: Option<i64>,
    /// `--build-context`: trees that stand for stages and images of these names.
    pub contexts: Vec<NamedContext>,
    /// `--compat=buildkit`: silent where BuildKit is silently wrong.
    pub lenient: bool,
    /// What to make of the result beside keeping it in the store.
    pub outputs: Vec<Output>,
    /// Changes of the finished configuration.
    pub changes: Option<ConfigChanges>,
    /// The image's name in the project that it belongs to. Its arguments are then always given.
    pub project_image: Option<String>,
}

/// Where the build context comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextSource {
    /// A folder of this machine.
    Folder(PathBuf),
    /// Standard input: an archive, or a Dockerfile that needs no context.
    Stdin,
    /// A file to download: an archive, or a Dockerfile that needs no context.
    Url(UrlOrigin),
    /// A commit of a Git repository.
    Git(GitOrigin),
    /// A folder of a repository of this machine, which knows its Dockerfile.
    Tree(GitTree),
}

impl std::str::FromStr for ContextSource {
    type Err = String;

    /// As `docker build` reads its last argument; `github.com/…` is a repository unless a folder is called so, which
    /// whoever calls has to look at.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::Stdin);
        }
        let text =
            if text.starts_with("github.com/") { &format!("https://{}", with_suffix(text)) } else { text };
        Ok(match Remote::of(text)? {
            Some(Remote::Git(git)) => {
                let keep_git_dir = git.keep_git_dir.unwrap_or(false);
                Self::Git(GitOrigin { keep_git_dir, ..git.origin })
            }
            Some(Remote::Url(url)) => Self::Url(UrlOrigin { name: "context".into(), ..url }),
            None => Self::Folder(text.into()),
        })
    }
}

/// `github.com/a/b#ref` with the suffix by which a repository is known.
fn with_suffix(text: &str) -> String {
    let end = text.find(['#', '?']).unwrap_or(text.len());
    let (path, rest) = text.split_at(end);
    if path.ends_with(".git") { text.to_owned() } else { format!("{}.git{rest}", path.trim_end_matches('/')) }
}

/// How RUN steps run. None of it is an input of a step: equal steps have equal results, wherever they run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// More lines for `/etc/hosts`.
    pub hosts: Vec<(String, HostAddress)>,
    /// Secrets that steps may ask for.
    pub secrets: Vec<SecretSource>,
    /// Agents that steps may ask for.
    pub agents: Vec<SshSource>,
    /// A file with certificates that steps shall trust.
    pub trust: Option<PathBuf>,
    /// Size of `/dev/shm` in bytes.
    pub shm_size: Option<u64>,
    /// Resource limits.
    pub ulimits: Vec<ResourceLimit>,
    /// The control group that steps are put below.
    pub cgroup_parent: Option<String>,
    /// What becomes of cache mounts.
    pub cache_mounts: CacheMountOptions,
    /// Keeps the place of a step that fails.
    pub introspection: Option<Introspection>,
}

/// What becomes of cache mounts.
#[derive(Clone, Debug)]
pub struct CacheMountOptions {
    /// How many bytes all of them may take.
    pub limit: u64,
    /// The repository that those come from which are not here.
    pub from: Option<Reference>,
    /// The repository that those are kept in which steps used.
    pub to: Option<Reference>,
}

impl Default for CacheMountOptions {
    fn default() -> Self {
        Self { limit: 20 << 30, from: None, to: None }
    }
}

/// An agent that RUN steps may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshSource {
    /// Its name in `--mount=type=ssh`.
    pub id: String,
    /// A socket or key files; none means the agent of `SSH_AUTH_SOCK`.
    pub paths: Vec<PathBuf>,
}

/// Where results of steps are shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CachePlace {
    /// A repository. Its tag is what the tags of records begin with, and an image to look into.
    Registry(Reference),
    /// An OCI layout in a folder.
    Folder(PathBuf),
}

/// Results to be shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheExport {
    /// Where to; `None` is the image itself.
    pub place: Option<CachePlace>,
    /// Whether the steps of all stages are shared, not only those that the image consists of.
    pub all_stages: bool,
    /// How layers made here are compressed.
    pub compression: Compression,
    /// Whether a failure is only a warning.
    pub ignore_error: bool,
}

/// A secret that RUN steps may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSource {
    /// Its name in `--mount=type=secret`.
    pub id: String,
    /// Where its value is.
    pub value: SecretValue,
}

/// Where the value of a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretValue {
    /// In a file.
    File(PathBuf),
    /// In a variable of the environment.
    Env(String),
    /// As it is written.
    Given(String),
}

/// Names of variables that are given to RUN steps without being declared, in any letter case.
pub const PROXY_ARGS: [&str; 5] = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"];

impl Request {
    /// The proxy variables among the build arguments, each in upper and lower case. Of several spellings of one name the
    /// last in order of bytes counts (lower case); empty values do not.
    pub fn proxies(&self) -> Vec<(String, String)> {
        let mut known = BTreeMap::new();
        for (name, value) in &self.build_args {
            let lower = name.to_ascii_lowercase();
            if PROXY_ARGS.contains(&lower.as_str()) {
                known.insert(lower, value);
            }
        }
        let given = known.into_iter().filter(|(_, value)| !value.is_empty());
        given
            .flat_map(|(name, value)| [(name.to_ascii_uppercase(), value.clone()), (name, value.clone())])
            .collect()
    }
}
