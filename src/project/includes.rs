//! `werf-includes.yaml` and `werf-includes.lock`: configuration that other repositories lend, and the commits it is read
//! from. Source of the rules: werf's documentation of includes and `pkg/includes`.

use crate::project::decode::{Problem, Problems, Settings};
use crate::project::glob::Glob;
use crate::project::image::SecretSource;
use crate::yaml;

/// Where the settings lie in a project.
pub const FILE: &str = "werf-includes.yaml";

/// Where the commits lie in a project.
pub const LOCK: &str = "werf-includes.lock";

/// Files of another repository that a project has.
#[derive(Clone, Debug)]
pub struct Include {
    /// The address of the repository, or its folder.
    pub git: String,
    /// What of it.
    pub reference: IncludeRef,
    /// A name and where its password is, for http and https.
    pub login: Option<(String, SecretSource)>,
    /// The folder in the repository; empty is all of it.
    pub add: String,
    /// The folder in the project; empty is the project.
    pub to: String,
    include: Vec<Glob>,
    exclude: Vec<Glob>,
    /// The line of its entry.
    pub line: usize,
}

/// What of a repository is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IncludeRef {
    /// The head of a branch.
    Branch(String),
    /// A tag.
    Tag(String),
    /// A commit, which needs no lock.
    Commit(String),
}

impl IncludeRef {
    /// The name in full, as repositories know it.
    pub fn full(&self) -> String {
        match self {
            Self::Branch(name) => format!("refs/heads/{name}"),
            Self::Tag(name) => format!("refs/tags/{name}"),
            Self::Commit(commit) => commit.clone(),
        }
    }
}

impl std::fmt::Display for IncludeRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Branch(name) => write!(f, "branch {name}"),
            Self::Tag(name) => write!(f, "tag {name}"),
            Self::Commit(commit) => write!(f, "commit {commit}"),
        }
    }
}

/// A commit that a reference of a repository stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// The address of the repository.
    pub git: String,
    /// The reference.
    pub reference: IncludeRef,
    /// The commit.
    pub commit: String,
}

impl Include {
    /// Reads [`FILE`].
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Vec<Self>, Vec<Problem>> {
        entries(text, FILE, "an include", read_one)
    }

    /// Where a file of the repository lies in the project; `None` if it is not included.
    pub fn place(&self, path: &str) -> Option<String> {
        let below = match self.add.as_str() {
            "" => path,
            add => path.strip_prefix(add)?.strip_prefix('/')?,
        };
        let wanted = self.include.is_empty() || self.include.iter().any(|glob| glob.covers(below));
        if !wanted || self.exclude.iter().any(|glob| glob.covers(below)) {
            return None;
        }
        let place = if self.to.is_empty() { below.to_owned() } else { format!("{}/{below}", self.to) };
        (!is_own(&place)).then_some(place)
    }
}

/// Files that say what a project may read are always its own.
fn is_own(path: &str) -> bool {
    matches!(path, FILE | LOCK | crate::project::GITERMINISM_FILE | "werf-lock.yaml")
}

impl Locked {
    /// Reads [`LOCK`].
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Vec<Self>, Vec<Problem>> {
        entries(text, LOCK, "a locked include", |mut entry, problems| {
            let line = entry.line;
            let git = entry.string("git", problems).unwrap_or_default();
            let (branch, tag) = (entry.string("branch", problems), entry.string("tag", problems));
            let commit = entry.string("commit", problems).unwrap_or_default();
            entry.finish(problems);
            if git.is_empty() || !is_commit(&commit) {
                problems.add_with_hint(
                    line,
                    "a locked include has `git` and a commit of 40 or 64 digits",
                    "`lap includes update` writes the file anew",
                );
                return None;
            }
            let reference = match (branch, tag) {
                (_, Some(tag)) if !tag.is_empty() => IncludeRef::Tag(tag),
                (Some(branch), _) if !branch.is_empty() => IncludeRef::Branch(branch),
                _ => IncludeRef::Commit(commit.clone()),
            };
            Some(Self { git, reference, commit })
        })
    }

    /// Writes [`LOCK`].
    pub fn write(all: &[Self]) -> String {
        let mut text = String::from(if all.is_empty() { "includes: []\n" } else { "includes:\n" });
        for one in all {
            text.push_str(&format!("    - git: {}\n", scalar(&one.git)));
            match &one.reference {
                IncludeRef::Branch(name) => text.push_str(&format!("      branch: {}\n", scalar(name))),
                IncludeRef::Tag(name) => text.push_str(&format!("      tag: {}\n", scalar(name))),
                IncludeRef::Commit(_) => {}
            }
            text.push_str(&format!("      commit: {}\n", scalar(&one.commit)));
        }
        text
    }
}

/// A text as YAML writes it.
fn scalar(text: &str) -> String {
    let written = yaml::write(&yaml::Value::str(text)).unwrap_or_default();
    String::from_utf8_lossy(&written).trim_end().to_owned()
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The entries of the one list `includes` of a file.
fn entries<T>(
    text: &[u8],
    file: &'static str,
    item: &'static str,
    read: impl Fn(Settings<'_>, &mut Problems) -> Option<T>,
) -> Result<Vec<T>, Vec<Problem>> {
    let mut problems = Problems::default();
    let nodes = yaml::read_nodes(text).map_err(|error| {
        vec![Problem { line: error.line().unwrap_or(1), message: error.to_string(), hint: None }]
    })?;
    let mut found = Vec::new();
    if let Some(node) = nodes.first() {
        let mut top = Settings::of(node, file, &mut problems);
        let list = top.maps("includes", item, &mut problems);
        found.extend(list.into_iter().filter_map(|entry| read(entry, &mut problems)));
        top.finish(&mut problems);
    }
    if problems.is_empty() { Ok(found) } else { Err(problems.into_sorted()) }
}

fn read_one(mut entry: Settings<'_>, problems: &mut Problems) -> Option<Include> {
    let line = entry.line;
    let git = entry.string("git", problems).unwrap_or_default();
    if git.is_empty() {
        problems.add_with_hint(line, "the include has no git", "the address of a repository, or its folder");
    }
    let reference = read_reference(&mut entry, problems);
    let login = entry.map("basicAuth", problems).and_then(|login| read_login(login, problems));
    let add = folder(&mut entry, "add", problems);
    let to = folder(&mut entry, "to", problems);
    let include = globs(&mut entry, "includePaths", problems);
    let exclude = globs(&mut entry, "excludePaths", problems);
    entry.finish(problems);
    Some(Include { git, reference: reference?, login, add: add?, to: to?, include, exclude, line })
}

fn read_reference(entry: &mut Settings<'_>, problems: &mut Problems) -> Option<IncludeRef> {
    let line = entry.line;
    let given = [
        entry.string("branch", problems).map(IncludeRef::Branch),
        entry.string("tag", problems).map(IncludeRef::Tag),
        entry.string("commit", problems).map(IncludeRef::Commit),
    ];
    let given: Vec<IncludeRef> =
        given.into_iter().flatten().filter(|reference| !reference.full().ends_with('/')).collect();
    let Ok([reference]) = <[IncludeRef; 1]>::try_from(given) else {
        problems.add(line, "an include has exactly one of branch, tag and commit");
        return None;
    };
    if let IncludeRef::Commit(commit) = &reference
        && !is_commit(commit)
    {
        let line = entry.line_of("commit");
        problems.add_with_hint(line, format!("commit {commit:?} is no commit"), "all of its 40 or 64 digits");
        return None;
    }
    Some(reference)
}

fn read_login(mut login: Settings<'_>, problems: &mut Problems) -> Option<(String, SecretSource)> {
    let line = login.line;
    let name = login.string("username", problems).unwrap_or_default();
    let Some(mut password) = login.map("password", problems) else {
        problems.add_with_hint(line, "basicAuth has no password", "one of env, src and value");
        login.finish(problems);
        return None;
    };
    let given = [
        password.string("env", problems).map(SecretSource::Env),
        password.string("src", problems).map(SecretSource::File),
        password.string("value", problems).map(SecretSource::Value),
    ];
    let line = password.line;
    password.finish(problems);
    login.finish(problems);
    let given: Vec<SecretSource> = given.into_iter().flatten().collect();
    let Ok([source]) = <[SecretSource; 1]>::try_from(given) else {
        problems.add(line, "a password has exactly one of env, src and value");
        return None;
    };
    Some((name, source))
}

/// A path that begins with `/` and stays below it, without that.
fn folder(entry: &mut Settings<'_>, name: &'static str, problems: &mut Problems) -> Option<String> {
    let line = entry.line_of(name);
    let path = entry.string(name, problems).unwrap_or_default();
    let is_good = path.starts_with('/') && !path.split('/').any(|part| part == "..");
    if !is_good {
        problems.add_with_hint(
            line,
            match path.is_empty() {
                true => format!("the include has no {name}"),
                false => format!("{name} {path:?} is no absolute path"),
            },
            match name {
                "add" => "a folder of the other repository, from its root: `add: /`",
                _ => "a folder of the project, from its root: `to: /`",
            },
        );
        return None;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    Some(parts.join("/"))
}

fn globs(entry: &mut Settings<'_>, name: &'static str, problems: &mut Problems) -> Vec<Glob> {
    let line = entry.line_of(name);
    let mut globs = Vec::new();
    for pattern in entry.strings(name, problems) {
        if pattern.starts_with('/') {
            let hint = "paths are relative to `add`";
            problems.add_with_hint(line, format!("{name}: {pattern:?} is absolute"), hint);
            continue;
        }
        match Glob::new(&pattern) {
            Ok(glob) => globs.push(glob),
            Err(why) => problems.add(line, format!("{name}: the pattern {pattern:?} has {why}")),
        }
    }
    globs
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn one(text: &str) -> Include {
        Include::parse(text.as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn files_land_below_their_folder() {
        let include = one("includes:\n- git: g\n  branch: main\n  add: /charts/./common/\n  to: /.helm\n  \
                           includePaths: [templates, '*.yaml']\n  excludePaths: ['**/*_test.yaml']\n");
        for (path, place) in [
            ("charts/common/templates/a/b.tpl", Some(".helm/templates/a/b.tpl")),
            ("charts/common/values.yaml", Some(".helm/values.yaml")),
            ("charts/common/templates/x_test.yaml", None),
            ("charts/common/README.md", None),
            ("charts/commonly/values.yaml", None),
            ("values.yaml", None),
        ] {
            assert_eq!(include.place(path).as_deref(), place, "{path}");
        }
    }

    #[test]
    fn what_rules_a_project_is_its_own() {
        let include = one("includes: [{git: g, tag: v1, add: /, to: /}]");
        for own in ["werf-giterminism.yaml", "werf-includes.yaml", "werf-includes.lock", "werf-lock.yaml"] {
            assert_eq!(include.place(own), None, "{own}");
        }
        assert_eq!(include.place("werf.yaml").as_deref(), Some("werf.yaml"));
        assert_eq!(include.place(".werf/a.tmpl").as_deref(), Some(".werf/a.tmpl"));
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_its_line() {
        let text = "includes:\n- git: g\n  branch: a\n  tag: b\n  add: x\n  to: /a/../..\n- add: /\n  to: /\n  \
                    commit: abc\n  basicAuth: {username: u}\n- git: g\n  brunch: m\n  includePaths: [/a]\n";
        let problems = Include::parse(text.as_bytes()).unwrap_err();
        let said: Vec<String> = problems.iter().map(|p| format!("{} {}", p.line, p.message)).collect();
        for expected in [
            "2 an include has exactly one of branch, tag and commit",
            "5 add \"x\" is no absolute path",
            "6 to \"/a/../..\" is no absolute path",
            "7 the include has no git",
            "9 commit \"abc\" is no commit",
            "10 basicAuth has no password",
            "11 an include has exactly one of branch, tag and commit",
            "11 the include has no add",
            "12 unknown key \"brunch\" in an include",
            "13 includePaths: \"/a\" is absolute",
        ] {
            assert!(said.iter().any(|line| line == expected), "{expected} is not in {said:#?}");
        }
        for text in ["includes: 5", "includes: {a: b}", "- a", "include: []", "includes: [a]", "a: [", "\t"] {
            assert!(Include::parse(text.as_bytes()).is_err(), "{text:?}");
        }
        for empty in ["", "includes: []", "includes:\n", "# nothing\n"] {
            assert!(Include::parse(empty.as_bytes()).unwrap().is_empty(), "{empty:?}");
        }
    }

    #[test]
    fn a_lock_is_read_as_it_was_written() {
        let locked = |reference| Locked { git: "https://h/a".into(), reference, commit: COMMIT.into() };
        let all = [
            locked(IncludeRef::Branch("feature/a: b".into())),
            locked(IncludeRef::Tag("1.10".into())),
            locked(IncludeRef::Commit(COMMIT.into())),
        ];
        let text = Locked::write(&all);
        assert_eq!(Locked::parse(text.as_bytes()).unwrap(), all, "{text}");
        assert!(text.starts_with("includes:\n    - git: https://h/a\n      branch: "), "{text}");
        assert_eq!(Locked::parse(Locked::write(&[]).as_bytes()).unwrap(), []);
        let bad = Locked::parse(b"includes:\n- git: a\n  branch: b\n  commit: 12\n").unwrap_err();
        assert_eq!((bad[0].line, bad[0].hint.is_some()), (2, true));
    }
}
