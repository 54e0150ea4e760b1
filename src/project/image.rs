//! An image document of `werf.yaml`: one or more images from one Dockerfile with equal settings.

use std::collections::BTreeMap;

use crate::base;
use crate::project::decode::{Problems, Settings, kind_name};
use crate::project::meta::check_platforms;
use crate::project::spec::{ImageSpec, read_spec};
use crate::template::format::print;
use crate::yaml::{Node, NodeKind};

/// An image of a project.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// Its name; `None` is the one image without a name.
    pub name: Option<String>,
    /// The line of its document.
    pub line: usize,
    /// Whether it is a result, or only an input of other images.
    pub is_final: bool,
    /// The Dockerfile, relative to the context.
    pub dockerfile: String,
    /// The build context, relative to the project; empty is the project.
    pub context: String,
    /// Files and folders of the work tree that the context gets beside the commit's, relative to the context.
    pub context_add_files: Vec<String>,
    /// The stage of the Dockerfile; the last one if not given.
    pub target: Option<String>,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// More host names, `name:address`.
    pub add_hosts: Vec<String>,
    /// The network of steps.
    pub network: Option<String>,
    /// Agents or keys, as `--ssh` takes them.
    pub ssh: Option<String>,
    /// Images whose names enter build arguments.
    pub dependencies: Vec<Dependency>,
    /// Whether every step is kept in the repository; `None` if neither the image nor the project says.
    pub staged: Option<bool>,
    /// Platforms; empty if neither the image nor the project says.
    pub platforms: Vec<String>,
    /// Enters every key.
    pub cache_version: Option<String>,
    /// Secrets of its steps.
    pub secrets: Vec<Secret>,
    /// Changes of its configuration.
    pub spec: Option<ImageSpec>,
}

impl Image {
    /// The name as it is shown: `~` for the image without one.
    pub fn shown_name(&self) -> &str {
        self.name.as_deref().unwrap_or("~")
    }
}

/// An image that another one needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Its name.
    pub image: String,
    /// The line that names it.
    pub line: usize,
    /// What of it enters which argument.
    pub imports: Vec<Import>,
}

/// Something of an image that becomes a build argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// What.
    pub kind: ImportKind,
    /// The argument.
    pub build_arg: String,
}

/// What of an image can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportKind {
    /// `repository:tag`.
    Name,
    /// The tag.
    Tag,
    /// The repository.
    Repo,
    /// The digest of the configuration.
    Id,
    /// The digest of the manifest.
    Digest,
}

impl ImportKind {
    const ALL: [(&'static str, Self); 5] = [
        ("ImageName", Self::Name),
        ("ImageTag", Self::Tag),
        ("ImageRepo", Self::Repo),
        ("ImageID", Self::Id),
        ("ImageDigest", Self::Digest),
    ];
}

/// A secret of an image's steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// What `RUN --mount=type=secret` calls it.
    pub id: String,
    /// Where it comes from.
    pub source: SecretSource,
    /// The line of its entry.
    pub line: usize,
}

/// Where a secret comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file.
    File(String),
    /// The configuration itself.
    Value(String),
}

impl std::fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "Env({name})"),
            Self::File(path) => write!(f, "File({path})"),
            Self::Value(_) => f.write_str("Value(…)"),
        }
    }
}

/// Reads a document that has `dockerfile`.
pub(super) fn read_images(mut top: Settings<'_>, problems: &mut Problems) -> Vec<Image> {
    let line = top.line;
    let names = read_names(&mut top, problems);
    let platform_line = top.line_of("platform");
    let mut image = Image {
        name: None,
        line,
        is_final: top.flag("final", problems).unwrap_or(true),
        dockerfile: relative(&mut top, "dockerfile", problems).unwrap_or_default(),
        context: relative(&mut top, "context", problems).unwrap_or_default(),
        context_add_files: read_added(&mut top, problems),
        target: top.string("target", problems).filter(|target| !target.is_empty()),
        args: read_args(&mut top, problems),
        add_hosts: top.one_or_many("addHost", problems),
        network: top.string("network", problems).filter(|network| !network.is_empty()),
        ssh: top.string("ssh", problems).filter(|ssh| !ssh.is_empty()),
        dependencies: Vec::new(),
        staged: top.flag("staged", problems),
        platforms: top.one_or_many("platform", problems),
        cache_version: top.string("cacheVersion", problems),
        secrets: Vec::new(),
        spec: None,
    };
    if image.dockerfile.is_empty() {
        problems.add(top.line_of("dockerfile"), "dockerfile is empty: the path of the Dockerfile");
    }
    check_platforms(platform_line, &image.platforms, problems);
    image.dependencies = read_dependencies(&mut top, &image.args, problems);
    image.secrets = read_secrets(&mut top, problems);
    image.spec = top.map("imageSpec", problems).map(|spec| read_spec(spec, problems));
    top.finish(problems);
    names.into_iter().map(|name| Image { name, ..image.clone() }).collect()
}

fn read_names(top: &mut Settings<'_>, problems: &mut Problems) -> Vec<Option<String>> {
    let line = top.line_of("image");
    let Some(node) = top.take_even_null("image") else {
        problems.add_with_hint(
            line,
            "the document has no image",
            "`image: NAME`, or `image: ~` for the only one",
        );
        return Vec::new();
    };
    match &node.kind {
        _ if node.is_null() => vec![None],
        NodeKind::Scalar { text, .. } if text.is_empty() => vec![None],
        NodeKind::Scalar { text, .. } => vec![Some(text.lossy().into_owned())],
        NodeKind::List(_) => {
            let names = top.strings("image", problems);
            if names.is_empty() {
                problems.add(line, "image is an empty list");
            }
            names.into_iter().map(|name| Some(name).filter(|name| !name.is_empty())).collect()
        }
        other => {
            problems.add(line, format!("image is {}, not a name or a list of names", kind_name(other)));
            Vec::new()
        }
    }
}

/// A path that does not leave its base; `.` and empty are the base.
fn relative(top: &mut Settings<'_>, name: &'static str, problems: &mut Problems) -> Option<String> {
    let line = top.line_of(name);
    let path = top.string(name, problems)?;
    match base::inside(&path) {
        Some(clean) => Some(clean),
        None => {
            problems.add_with_hint(
                line,
                format!("{name} {path:?} leaves its folder"),
                "the path is relative and has no way out by `..`",
            );
            None
        }
    }
}

fn read_added(top: &mut Settings<'_>, problems: &mut Problems) -> Vec<String> {
    let both = top.take("contextAddFile").is_some() && top.take("contextAddFiles").is_some();
    let line = top.line_of("contextAddFile");
    if both {
        problems.add(line, "contextAddFile and contextAddFiles stand together: it is one of them");
    }
    let name = if top.take("contextAddFile").is_some() { "contextAddFile" } else { "contextAddFiles" };
    let line = top.line_of(name);
    let paths = top.one_or_many(name, problems);
    let cleaned = paths.into_iter().filter_map(|path| {
        let cleaned = base::inside(&path).filter(|path| !path.is_empty());
        if cleaned.is_none() {
            problems.add_with_hint(
                line,
                format!("{name}: {path:?} does not lie in the context"),
                "paths are relative to the context",
            );
        }
        cleaned
    });
    cleaned.collect()
}

/// Values are printed as Go prints them: `1.10` is the number 1.1.
fn read_args(top: &mut Settings<'_>, problems: &mut Problems) -> BTreeMap<String, String> {
    let Some(node) = top.take("args") else { return BTreeMap::new() };
    let NodeKind::Map(entries) = &node.kind else {
        problems.add(node.line, format!("args is {}, not a map", kind_name(&node.kind)));
        return BTreeMap::new();
    };
    let pairs = entries.iter().filter_map(|(key, value)| {
        let name = key.text().unwrap_or_default().to_owned();
        match &value.kind {
            NodeKind::Scalar { value, .. } if value.is_null() => Some((name, String::new())),
            NodeKind::Scalar { value, .. } => Some((name, print(value).lossy().into_owned())),
            other => {
                problems.add(value.line, format!("the argument {name} is {}, not a value", kind_name(other)));
                None
            }
        }
    });
    pairs.collect()
}

fn read_dependencies(
    top: &mut Settings<'_>,
    args: &BTreeMap<String, String>,
    problems: &mut Problems,
) -> Vec<Dependency> {
    let mut taken: BTreeMap<String, String> =
        args.keys().map(|name| (name.clone(), "args".to_owned())).collect();
    let entries = top.maps("dependencies", "a dependency", problems);
    let read = entries.into_iter().map(|mut entry| {
        let line = entry.line_of("image");
        let image = entry.string("image", problems).unwrap_or_default();
        if image.is_empty() {
            problems.add(line, "the dependency names no image");
        }
        for stapel in ["before", "after"] {
            if let Some(node) = entry.take(stapel) {
                problems.add(node.line, format!("{stapel} is for images without a Dockerfile"));
            }
        }
        let imports = entry.maps("imports", "an import", problems);
        let imports = imports
            .into_iter()
            .filter_map(|import| read_import(import, &image, &mut taken, problems))
            .collect();
        entry.finish(problems);
        Dependency { image, line, imports }
    });
    read.collect()
}

fn read_import(
    mut import: Settings<'_>,
    image: &str,
    taken: &mut BTreeMap<String, String>,
    problems: &mut Problems,
) -> Option<Import> {
    let (line, type_line, arg_line) = (import.line, import.line_of("type"), import.line_of("targetBuildArg"));
    let kind = import.string("type", problems).unwrap_or_default();
    let build_arg = import.string("targetBuildArg", problems).unwrap_or_default();
    if let Some(node) = import.take("targetEnv") {
        problems.add_with_hint(
            node.line,
            "targetEnv is for images without a Dockerfile",
            "targetBuildArg, and ENV in the Dockerfile",
        );
    }
    import.finish(problems);
    let known = ImportKind::ALL.iter().find(|(name, _)| *name == kind);
    if known.is_none() {
        let names: Vec<_> = ImportKind::ALL.iter().map(|(name, _)| *name).collect();
        let message = if kind.is_empty() {
            "the import has no type".to_owned()
        } else {
            format!("the import's type {kind:?} is not known")
        };
        problems.add_with_hint(type_line, message, format!("one of {}", names.join(", ")));
    }
    if build_arg.is_empty() {
        problems.add(line, "the import has no targetBuildArg");
        return None;
    }
    if let Some(other) = taken.insert(build_arg.clone(), format!("the import from {image}")) {
        problems.add(arg_line, format!("the build argument {build_arg} is set by {other} as well"));
    }
    known.map(|(_, kind)| Import { kind: *kind, build_arg })
}

fn read_secrets(top: &mut Settings<'_>, problems: &mut Problems) -> Vec<Secret> {
    let mut secrets: Vec<Secret> = Vec::new();
    for mut entry in top.maps("secrets", "a secret", problems) {
        let line = entry.line;
        let given: Vec<SecretSource> = [
            entry.string("env", problems).map(SecretSource::Env),
            entry.string("src", problems).map(SecretSource::File),
            entry.string("value", problems).map(SecretSource::Value),
        ]
        .into_iter()
        .flatten()
        .collect();
        let id = entry.string("id", problems).filter(|id| !id.is_empty());
        entry.finish(problems);
        let Ok([source]) = <[SecretSource; 1]>::try_from(given) else {
            problems.add(line, "a secret has exactly one of env, src and value");
            continue;
        };
        let Some(id) = id.or_else(|| usual_id(&source)) else {
            problems.add(line, "a secret with a value needs an id");
            continue;
        };
        if secrets.iter().any(|other| other.id == id) {
            problems.add(line, format!("the secret {id:?} stands twice"));
        }
        secrets.push(Secret { id, source, line });
    }
    secrets
}

fn usual_id(source: &SecretSource) -> Option<String> {
    match source {
        SecretSource::Env(name) => Some(name.clone()),
        SecretSource::File(path) => path.rsplit('/').find(|part| !part.is_empty()).map(str::to_owned),
        SecretSource::Value(_) => None,
    }
}

/// Whether a node is missing what every document has.
pub(super) fn has(node: &Node, key: &str) -> bool {
    match &node.kind {
        NodeKind::Map(entries) => entries.iter().any(|(name, _)| name.text() == Some(key)),
        _ => false,
    }
}
