//! `werf-giterminism.yaml`: what a project allows itself to read from outside its commit.
//!
//! Everything is forbidden that is not allowed here. Whoever asks gets a [`Violation`] with the lines that would allow
//! it. Source of the rules: werf's `pkg/giterminism_manager`.

use regex::Regex;

use crate::project::decode::{Problem, Problems, Settings, kind_name};
use crate::project::glob::Glob;
use crate::yaml::{self, Node, NodeKind};

/// Where the settings lie in a project.
pub const FILE: &str = "werf-giterminism.yaml";

/// What is allowed.
#[derive(Clone, Debug, Default)]
pub struct Giterminism {
    custom_tags: bool,
    config: bool,
    templates: Vec<Glob>,
    env: Vec<Name>,
    files: Vec<Glob>,
    secret_env: Vec<Name>,
    secret_files: Vec<Glob>,
    secret_values: Vec<Name>,
    dockerfiles: Vec<Glob>,
    ignore_files: Vec<Glob>,
    context_add_files: Vec<Glob>,
    chart_files: Vec<Glob>,
    includes_update: bool,
}

/// A name, or an expression for names between slashes.
#[derive(Clone, Debug)]
enum Name {
    Exact(String),
    Expression(Regex),
}

impl Name {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Expression(expression) => expression.is_match(name),
        }
    }
}

/// Something a project reads that its settings may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside<'a> {
    /// `--use-custom-tag`.
    CustomTags,
    /// `werf.yaml` as it lies in the work tree.
    Config,
    /// A template of `.werf` as it lies in the work tree.
    Template(&'a str),
    /// `env` in a template.
    Env(&'a str),
    /// A file that a template reads.
    File(&'a str),
    /// An environment variable as a secret.
    SecretEnv(&'a str),
    /// A file as a secret.
    SecretFile(&'a str),
    /// A secret in the configuration itself, by its id.
    SecretValue(&'a str),
    /// A Dockerfile as it lies in the work tree.
    Dockerfile(&'a str),
    /// An ignore file as it lies in the work tree.
    IgnoreFile(&'a str),
    /// A file or folder that is added to a build context.
    ContextAddFile(&'a str),
    /// A file of the chart as it lies in the work tree.
    ChartFile(&'a str),
    /// `--allow-includes-update`.
    IncludesUpdate,
}

/// Something was read that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What is not allowed, in words.
    pub message: String,
    /// The lines of [`FILE`] that would allow it.
    pub allow: String,
}

impl Giterminism {
    /// Reads the settings.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn parse(text: &[u8]) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let nodes = match yaml::read_nodes(text) {
            Ok(nodes) => nodes,
            Err(error) => return Err(vec![Problem { line: 1, message: error.to_string(), hint: None }]),
        };
        let Some(node) = nodes.first() else {
            return Err(vec![Problem {
                line: 1,
                message: "the file is empty".into(),
                hint: Some("it begins with `giterminismConfigVersion: 1`".into()),
            }]);
        };
        let allowed = read(node, &mut problems);
        if problems.is_empty() { Ok(allowed) } else { Err(problems.into_sorted()) }
    }

    /// Whether `what` is allowed.
    ///
    /// # Errors
    /// [`Violation`] if not.
    pub fn check(&self, what: Outside<'_>) -> Result<(), Violation> {
        let any = |globs: &[Glob], path: &str| globs.iter().any(|glob| glob.matches(path));
        let named = |names: &[Name], name: &str| names.iter().any(|n| n.matches(name));
        let allowed = match what {
            Outside::CustomTags => self.custom_tags,
            Outside::Config => self.config,
            Outside::Template(path) => any(&self.templates, path),
            Outside::Env(name) => named(&self.env, name),
            Outside::File(path) => any(&self.files, path),
            Outside::SecretEnv(name) => named(&self.secret_env, name),
            Outside::SecretFile(path) => any(&self.secret_files, path),
            Outside::SecretValue(id) => named(&self.secret_values, id),
            Outside::Dockerfile(path) => any(&self.dockerfiles, path),
            Outside::IgnoreFile(path) => any(&self.ignore_files, path),
            Outside::ContextAddFile(path) => self.context_add_files.iter().any(|glob| glob.covers(path)),
            Outside::ChartFile(path) => any(&self.chart_files, path),
            Outside::IncludesUpdate => self.includes_update,
        };
        if allowed { Ok(()) } else { Err(violation(what)) }
    }

    /// Whether files of this kind are read from the work tree.
    pub fn allows(&self, what: Outside<'_>) -> bool {
        self.check(what).is_ok()
    }
}

fn violation(what: Outside<'_>) -> Violation {
    let (message, keys, value): (String, &[&str], String) = match what {
        Outside::CustomTags => {
            ("--use-custom-tag is not allowed".into(), &["cli", "allowCustomTags"], "true".into())
        }
        Outside::Config => {
            ("werf.yaml must be committed".into(), &["config", "allowUncommitted"], "true".into())
        }
        Outside::Template(path) => (
            format!("the template {path:?} must be committed"),
            &["config", "allowUncommittedTemplates"],
            list(path),
        ),
        Outside::Env(name) => (
            format!("the environment variable {name:?} is not allowed in templates"),
            &["config", "goTemplateRendering", "allowEnvVariables"],
            list(name),
        ),
        Outside::File(path) => (
            format!("the file {path:?} must be committed"),
            &["config", "goTemplateRendering", "allowUncommittedFiles"],
            list(path),
        ),
        Outside::SecretEnv(name) => (
            format!("the environment variable {name:?} is not allowed as a secret"),
            &["config", "secrets", "allowEnvVariables"],
            list(name),
        ),
        Outside::SecretFile(path) => (
            format!("the file {path:?} is not allowed as a secret"),
            &["config", "secrets", "allowFiles"],
            list(path),
        ),
        Outside::SecretValue(id) => (
            format!("the value of secret {id:?} in the configuration is not allowed"),
            &["config", "secrets", "allowValueIds"],
            list(id),
        ),
        Outside::Dockerfile(path) => (
            format!("the Dockerfile {path:?} must be committed"),
            &["config", "dockerfile", "allowUncommitted"],
            list(path),
        ),
        Outside::IgnoreFile(path) => (
            format!("the ignore file {path:?} must be committed"),
            &["config", "dockerfile", "allowUncommittedDockerignoreFiles"],
            list(path),
        ),
        Outside::ContextAddFile(path) => (
            format!("{path:?} is not allowed in contextAddFiles"),
            &["config", "dockerfile", "allowContextAddFiles"],
            list(path),
        ),
        Outside::ChartFile(path) => (
            format!("the chart file {path:?} must be committed"),
            &["helm", "allowUncommittedFiles"],
            list(path),
        ),
        Outside::IncludesUpdate => (
            "--allow-includes-update is not allowed".into(),
            &["includes", "allowIncludesUpdate"],
            "true".into(),
        ),
    };
    Violation { message, allow: lines(keys, &value) }
}

/// A list of one string in YAML's flow style.
fn list(item: &str) -> String {
    let plain = item.bytes().all(|b| b.is_ascii_alphanumeric() || b"_./-".contains(&b))
        && item.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if plain { format!("[{item}]") } else { format!("[{item:?}]") }
}

/// Nested keys, a line each, the last with its value.
fn lines(keys: &[&str], value: &str) -> String {
    let mut text = String::new();
    for (depth, key) in keys.iter().enumerate() {
        let end = if depth + 1 == keys.len() { format!(" {value}") } else { "\n".to_owned() };
        text.push_str(&format!("{}{key}:{end}", "  ".repeat(depth)));
    }
    text
}

fn read(node: &Node, problems: &mut Problems) -> Giterminism {
    let mut top = Settings::of(node, FILE, problems);
    version(&mut top, problems);
    let mut allowed = Giterminism::default();
    if let Some(mut cli) = top.map("cli", problems) {
        allowed.custom_tags = cli.flag("allowCustomTags", problems).unwrap_or_default();
        cli.finish(problems);
    }
    if let Some(config) = top.map("config", problems) {
        read_config(config, &mut allowed, problems);
    }
    if let Some(mut helm) = top.map("helm", problems) {
        allowed.chart_files = globs(&mut helm, "allowUncommittedFiles", problems);
        helm.finish(problems);
    }
    if let Some(mut includes) = top.map("includes", problems) {
        allowed.includes_update = includes.flag("allowIncludesUpdate", problems).unwrap_or_default();
        includes.finish(problems);
    }
    top.finish(problems);
    allowed
}

fn version(top: &mut Settings<'_>, problems: &mut Problems) {
    let line = top.line_of("giterminismConfigVersion");
    match top.string("giterminismConfigVersion", problems).as_deref() {
        Some("1") => {}
        Some(other) => {
            problems.add_with_hint(line, format!("giterminismConfigVersion is {other}"), "only 1 is known");
        }
        None => problems.add_with_hint(line, "giterminismConfigVersion is missing", "it is 1"),
    }
}

fn read_config(mut config: Settings<'_>, allowed: &mut Giterminism, problems: &mut Problems) {
    allowed.config = config.flag("allowUncommitted", problems).unwrap_or_default();
    allowed.templates = globs(&mut config, "allowUncommittedTemplates", problems);
    if let Some(mut rendering) = config.map("goTemplateRendering", problems) {
        allowed.env = names(&mut rendering, "allowEnvVariables", problems);
        allowed.files = globs(&mut rendering, "allowUncommittedFiles", problems);
        rendering.finish(problems);
    }
    if let Some(mut secrets) = config.map("secrets", problems) {
        allowed.secret_env = names(&mut secrets, "allowEnvVariables", problems);
        allowed.secret_files = globs(&mut secrets, "allowFiles", problems);
        allowed.secret_values = names(&mut secrets, "allowValueIds", problems);
        secrets.finish(problems);
    }
    if let Some(mut dockerfile) = config.map("dockerfile", problems) {
        allowed.dockerfiles = globs(&mut dockerfile, "allowUncommitted", problems);
        allowed.ignore_files = globs(&mut dockerfile, "allowUncommittedDockerignoreFiles", problems);
        allowed.context_add_files = globs(&mut dockerfile, "allowContextAddFiles", problems);
        dockerfile.finish(problems);
    }
    // Settings of images that are built without a Dockerfile: whoever has both kinds keeps them in one file.
    if let Some(stapel) = config.take("stapel")
        && !matches!(stapel.kind, NodeKind::Map(_))
    {
        problems.add(stapel.line, format!("stapel is {}, not a map", kind_name(&stapel.kind)));
    }
    config.finish(problems);
}

fn globs(settings: &mut Settings<'_>, name: &'static str, problems: &mut Problems) -> Vec<Glob> {
    let line = settings.line_of(name);
    let patterns = settings.strings(name, problems);
    let read = patterns.iter().filter_map(|pattern| match Glob::new(pattern) {
        Ok(glob) => Some(glob),
        Err(message) => {
            problems.add(line, format!("{name}: the pattern {pattern:?} has {message}"));
            None
        }
    });
    read.collect()
}

fn names(settings: &mut Settings<'_>, name: &'static str, problems: &mut Problems) -> Vec<Name> {
    let line = settings.line_of(name);
    let texts = settings.strings(name, problems);
    let read = texts.into_iter().filter_map(|text| {
        let Some(inner) = text.strip_prefix('/').and_then(|t| t.strip_suffix('/')) else {
            return Some(Name::Exact(text));
        };
        match Regex::new(&format!("^(?:{inner})$")) {
            Ok(expression) => Some(Name::Expression(expression)),
            Err(error) => {
                problems.add(line, format!("{name}: {text} is no regular expression: {error}"));
                None
            }
        }
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: &str = "
giterminismConfigVersion: \"1\"
cli: {allowCustomTags: true}
config:
  goTemplateRendering:
    allowEnvVariables: [CI_TAG, /APP_.*/]
    allowUncommittedFiles: ['gen/**']
  secrets: {allowValueIds: [key]}
  dockerfile:
    allowContextAddFiles: [src/generated]
  stapel: {git: {allowBranch: true}}
";

    #[test]
    fn names_expressions_and_globs_allow() {
        let settings = Giterminism::parse(SETTINGS.as_bytes()).unwrap();
        for what in [
            Outside::CustomTags,
            Outside::Env("CI_TAG"),
            Outside::Env("APP_X"),
            Outside::File("gen/a/b"),
            Outside::SecretValue("key"),
            Outside::ContextAddFile("src/generated/version.txt"),
        ] {
            assert_eq!(settings.check(what), Ok(()), "{what:?}");
        }
        for what in [
            Outside::Config,
            Outside::Env("MY_APP_X"),
            Outside::File("a"),
            Outside::SecretEnv("CI_TAG"),
            Outside::ContextAddFile("src"),
        ] {
            assert!(settings.check(what).is_err(), "{what:?}");
        }
    }

    #[test]
    fn a_violation_says_what_would_allow_it() {
        let violation = Giterminism::default().check(Outside::Env("TAG")).unwrap_err();
        assert_eq!(violation.message, "the environment variable \"TAG\" is not allowed in templates");
        assert_eq!(violation.allow, "config:\n  goTemplateRendering:\n    allowEnvVariables: [TAG]");
        let violation = Giterminism::default().check(Outside::File("**/*.txt")).unwrap_err();
        assert!(violation.allow.ends_with(r#"allowUncommittedFiles: ["**/*.txt"]"#), "{}", violation.allow);
    }

    #[test]
    fn problems_are_told_together() {
        let text = "config:\n  allowUncomitted: true\n  secrets: {allowEnvVariables: [/(/]}\nhelm: 5\n";
        let problems = Giterminism::parse(text.as_bytes()).unwrap_err();
        let messages: Vec<_> = problems.iter().map(|p| (p.line, p.message.as_str())).collect();
        assert_eq!(messages.len(), 4, "{messages:?}");
        assert_eq!(messages[0], (1, "giterminismConfigVersion is missing"));
        assert_eq!(messages[1], (2, "unknown key \"allowUncomitted\" in config"));
        assert_eq!(problems[1].hint.as_deref(), Some("did you mean allowUncommitted?"));
        assert_eq!(messages[3], (4, "helm is a number, not a map"));
    }
}
