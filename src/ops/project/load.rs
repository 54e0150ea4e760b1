//! From a folder to a project: the repository, the rules, the rendered and checked `werf.yaml`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::{Failure, Kind, SourceFile, Span};
use crate::git::{Files, WorkTree};
use crate::host::fs;
use crate::ops::door::Live;
use crate::ops::project::reader::clean;
use crate::ops::project::{Reader, Refusal, Way, includes};
use crate::project::{
    Commit, Config, GITERMINISM_FILE, Giterminism, Glob, Outside, Problem, ProjectFiles, RenderInputs,
    render, slug,
};
use crate::report::Context;

/// How a project is found and read.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of the project.
    pub folder: PathBuf,
    /// The root of the work tree; the nearest one upwards if not given.
    pub work_tree: Option<PathBuf>,
    /// The configuration, relative to the project; `werf.yaml`, else `werf.yml`.
    pub config: Option<String>,
    /// The folder of templates, relative to the project.
    pub templates: String,
    /// The settings of giterminism, relative to the project.
    pub giterminism: String,
    /// `--env`.
    pub env: String,
    /// Where it is read from.
    pub way: Way,
    /// In development: files that stay as they are committed.
    pub dev_ignore: Vec<String>,
    /// Whether `…_debug` functions print.
    pub debug: bool,
    /// Where the rendered configuration is written.
    pub render_path: Option<PathBuf>,
    /// The project's name, in place of the configuration's.
    pub name: Option<String>,
    /// The environment, as far as the project may see it.
    pub variables: BTreeMap<String, String>,
    /// The folder of the store, where what is included is fetched to.
    pub home: Option<PathBuf>,
    /// Include what branches and tags stand for now, whatever the lock says.
    pub update_includes: bool,
}

impl Options {
    /// A project in `folder`, read from its commit.
    pub fn of(folder: PathBuf) -> Self {
        Self {
            folder,
            work_tree: None,
            config: None,
            templates: ".werf".into(),
            giterminism: GITERMINISM_FILE.into(),
            env: String::new(),
            way: Way::Commit,
            dev_ignore: Vec::new(),
            debug: false,
            render_path: None,
            name: None,
            variables: BTreeMap::new(),
            home: None,
            update_includes: false,
        }
    }
}

/// A project.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its configuration.
    pub config: Config,
    /// The text that was configured with.
    pub rendered: String,
    /// The configuration's path in the project.
    pub path: String,
    /// Reads its files.
    pub reader: Arc<Reader>,
}

/// Reads a project.
///
/// # Errors
/// If there is no repository or commit, a rule is broken, or something is wrong with the configuration: then everything
/// that is wrong.
pub fn load(cx: &Context, options: &Options) -> Result<Project, Failure> {
    let reader = Arc::new(open_with_includes(cx, options)?);
    let (path, text) = configuration(&reader, options)?;
    let templates = templates(&reader, &options.templates)?;
    let head = reader.worktree().head();
    let commit =
        Commit { hash: head.commit.clone(), time: go_time(head.seconds, head.offset), seconds: head.seconds };
    let files: Arc<dyn ProjectFiles> = Arc::clone(&reader) as _;
    let inputs = RenderInputs {
        text: &text,
        templates: &templates,
        env: &options.env,
        commit: &commit,
        files: &files,
        door: &Live::new(cx.clock.clone(), false),
    };
    let rendered = render(&inputs)
        .map_err(|e| Failure::new(Kind::Config, format!("render {path}")).because(e.to_string()))?;
    if let Some(place) = &options.render_path {
        fs::write_atomic(place, &rendered)?;
    }
    let mut config = Config::parse(&rendered)
        .map_err(|problems| told(&format!("{path} (rendered)"), rendered.as_bytes(), problems))?;
    if let Some(name) = &options.name {
        if !slug::is_project(name) {
            return Err(Failure::new(Kind::Usage, format!("name the project {name:?}"))
                .because("a name has up to 50 lower-case letters, digits and inner dashes"));
        }
        config.meta.project.clone_from(name);
    }
    Ok(Project { config, rendered, path, reader })
}

/// The repository, the rules and what is included.
///
/// # Errors
/// Those of [`open`]; if what is included cannot be had.
pub fn open_with_includes(cx: &Context, options: &Options) -> Result<Reader, Failure> {
    let mut reader = open(cx, options)?;
    let settings = includes::Settings { home: options.home.as_deref(), update: options.update_includes };
    reader.included = includes::open(cx, &reader, settings)?;
    Ok(reader)
}

/// The repository and the rules.
///
/// # Errors
/// If there is no repository or commit, or something is wrong with the rules.
pub fn open(cx: &Context, options: &Options) -> Result<Reader, Failure> {
    let folder = fs::canonicalize(&options.folder)?;
    let worktree = worktree(options)?;
    let prefix = folder.strip_prefix(worktree.root()).map_err(|_| {
        Failure::new(Kind::Usage, format!("read the project in {}", folder.display()))
            .because(format!("it is not in the work tree {}", worktree.root().display()))
    })?;
    let prefix = prefix.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::new(Kind::Usage, format!("read the project in {}", folder.display()))
            .because("its path is not UTF-8")
    })?;
    let worktree = Arc::new(worktree);
    let files = match options.way {
        Way::Development => Files::of_disk(&worktree, ignored(&options.dev_ignore)?),
        _ => Files::of_commit(&worktree),
    };
    let mut reader = Reader {
        files: Arc::new(files),
        way: options.way,
        rules: Giterminism::default(),
        folder,
        prefix,
        variables: options.variables.clone(),
        debug: options.debug,
        report: cx.report.clone(),
        included: includes::Overlay::default(),
    };
    // Who sets the rules is bound by them: this file has to be committed.
    let path = clean(&options.giterminism);
    let committed = reader.read(&path, &|_| Outside::Config);
    let committed = committed.map_err(|refusal| must_be_committed(&path, refusal))?;
    match committed {
        Some(text) => {
            reader.rules = Giterminism::parse(&text).map_err(|problems| told(&path, &text, problems))?;
        }
        None if options.giterminism != GITERMINISM_FILE => {
            return Err(Failure::new(Kind::Usage, format!("read {path}")).because("there is no such file"));
        }
        None => {}
    }
    Ok(reader)
}

/// Why a file that nothing allows to differ from the commit was refused.
pub(super) fn must_be_committed(path: &str, refusal: Refusal) -> Failure {
    let refusal: Failure = refusal.into();
    if refusal.kind() != Kind::Config {
        return refusal;
    }
    let why = refusal.causes().first().cloned();
    Failure::new(Kind::Config, format!("{path} must be committed"))
        .because(why.unwrap_or_else(|| "the disk has it, the commit does not".into()))
        .hint("nothing allows it to differ: commit it, or build with --dev")
}

/// The repository.
///
/// # Errors
/// If there is none, or no commit.
pub(super) fn worktree(options: &Options) -> Result<WorkTree, Failure> {
    Ok(match &options.work_tree {
        Some(root) => WorkTree::open(root)?,
        None => WorkTree::around(&options.folder)?,
    })
}

/// `--dev-ignore`: patterns from the root of the repository; one that matches a folder covers what is in it.
pub(super) fn ignored(patterns: &[String]) -> Result<Box<crate::git::Ignored>, Failure> {
    let mut globs = Vec::new();
    for pattern in patterns {
        globs.push(Glob::new(pattern).map_err(|why| {
            Failure::new(Kind::Usage, format!("read --dev-ignore {pattern}")).because(format!("it has {why}"))
        })?);
    }
    Ok(Box::new(move |path| {
        let text = String::from_utf8_lossy(path);
        globs.iter().any(|glob| glob.covers(&text))
    }))
}

fn configuration(reader: &Reader, options: &Options) -> Result<(String, Vec<u8>), Failure> {
    let names = match &options.config {
        Some(name) => vec![clean(name)],
        None => vec!["werf.yaml".to_owned(), "werf.yml".to_owned()],
    };
    for name in &names {
        if let Some(text) = reader.read(name, &|_| Outside::Config)? {
            return Ok((name.clone(), text));
        }
    }
    Err(Failure::new(Kind::Input, format!("read the project in {}", reader.folder().display()))
        .because(format!("there is no {}", names[0]))
        .hint("--dir names the folder of a project, --config its configuration; a Dockerfile alone is built by `lap image build`"))
}

/// The templates beside the configuration, with names relative to their folder.
fn templates(reader: &Reader, folder: &str) -> Result<Vec<(String, Vec<u8>)>, Refusal> {
    let folder = clean(folder);
    let found = reader.glob(&format!("{folder}/**/*.tmpl"), &|path| Outside::Template(path))?;
    let named = found.into_iter().map(|(path, text)| {
        let name = path.strip_prefix(&folder).unwrap_or(&path).trim_start_matches('/').to_owned();
        (name, text)
    });
    Ok(named.collect())
}

/// `failure` with the line of a file that led to it.
pub(super) fn at_line(failure: Failure, file: &Arc<SourceFile>, line: usize) -> Failure {
    Lines::of(file).mark(failure, line)
}

/// Where the lines of a file begin.
struct Lines<'f> {
    file: &'f Arc<SourceFile>,
    starts: Vec<usize>,
}

impl<'f> Lines<'f> {
    fn of(file: &'f Arc<SourceFile>) -> Self {
        let ends = file.bytes().iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
        Self { file, starts: std::iter::once(0).chain(ends).collect() }
    }

    fn mark(&self, failure: Failure, line: usize) -> Failure {
        let text = self.file.bytes();
        let start = *self.starts.get(line.saturating_sub(1)).unwrap_or(&0);
        let length = text[start..].iter().position(|b| *b == b'\n').unwrap_or(text.len() - start);
        failure.at(Span::new(self.file, start..start + length))
    }
}

/// All problems of a file as one failure.
pub(super) fn told(name: &str, text: &[u8], problems: Vec<Problem>) -> Failure {
    let file = SourceFile::new(name, text.to_vec());
    let lines = Lines::of(&file);
    let one = |problem: &Problem| {
        let failure = lines.mark(Failure::new(Kind::Config, problem.message.clone()), problem.line);
        problem.hint.iter().fold(failure, |failure, hint| failure.hint(hint.clone()))
    };
    match problems.as_slice() {
        [only] => one(only),
        many => many.iter().fold(
            Failure::new(Kind::Config, format!("{name} has {} problems", many.len())),
            |failure, problem| failure.with_child(one(problem)),
        ),
    }
}

/// As Go prints a time: `2006-01-02 15:04:05 -0700 MST`; a zone without a name is called by its offset.
fn go_time(seconds: i64, offset: i32) -> String {
    let Ok(time) = jiff::Timestamp::from_second(seconds) else { return seconds.to_string() };
    let zone = jiff::tz::Offset::from_seconds(offset).unwrap_or(jiff::tz::Offset::UTC);
    let shown = zone.to_datetime(time).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let (sign, minutes) = if offset < 0 { ('-', -offset / 60) } else { ('+', offset / 60) };
    let offset = format!("{sign}{:02}{:02}", minutes / 60, minutes % 60);
    let name = if offset == "+0000" { "UTC" } else { &offset };
    format!("{shown} {offset} {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_as_go_prints_them() {
        assert_eq!(go_time(0, 0), "1970-01-01 00:00:00 +0000 UTC");
        assert_eq!(go_time(1_700_000_000, 10_800), "2023-11-15 01:13:20 +0300 +0300");
        assert_eq!(go_time(1_700_000_000, -12_600), "2023-11-14 18:43:20 -0330 -0330");
    }
}
