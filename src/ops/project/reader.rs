//! Reading a project by the rules of giterminism. Source of the rules: werf's `pkg/giterminism_manager/file_reader`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::git::{EntryKind, Files, State, WorkTree};
use crate::host::fs;
use crate::ops::project::Refusal;
use crate::ops::project::includes::Overlay;
use crate::ops::project::links::{self, Found};
use crate::project::{Giterminism, Glob, Outside, ProjectFiles};

/// The largest file that is read into memory: a configuration, a template, a Dockerfile.
const LARGEST: u64 = 64 << 20;

/// Where a project is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The commit.
    Commit,
    /// The disk, as if it were committed.
    Development,
    /// Configuration from the disk, without rules.
    Loose,
}

/// Reads a project.
pub struct Reader {
    pub(super) files: Arc<Files>,
    pub(super) way: Way,
    pub(super) rules: Giterminism,
    /// The folder of the project on the disk.
    pub(super) folder: PathBuf,
    /// The same from the root of the repository.
    pub(super) prefix: String,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) debug: bool,
    pub(super) report: crate::report::Reporter,
    /// What other repositories lend.
    pub(super) included: Overlay,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("folder", &self.folder).field("way", &self.way).finish_non_exhaustive()
    }
}

/// Names what a path is, for the rules.
pub type What = dyn for<'a> Fn(&'a str) -> Outside<'a> + Send + Sync;

impl Reader {
    /// The repository's files: of the commit, or of the disk in development.
    pub fn files(&self) -> &Arc<Files> {
        &self.files
    }

    /// The repository.
    pub fn worktree(&self) -> &Arc<WorkTree> {
        self.files.worktree()
    }

    /// Where the project is read from.
    pub fn way(&self) -> Way {
        self.way
    }

    /// What is allowed.
    pub fn rules(&self) -> &Giterminism {
        &self.rules
    }

    /// The folder of the project on the disk.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A path of the project as one of the repository.
    pub fn in_repository(&self, path: &str) -> String {
        clean(&format!("{}/{path}", self.prefix))
    }

    /// Whether `what` is allowed here.
    ///
    /// # Errors
    /// With the lines that would allow it.
    pub fn check(&self, what: Outside<'_>) -> Result<(), Refusal> {
        match self.way {
            Way::Loose => Ok(()),
            _ => self.rules.check(what).map_err(Refusal::of),
        }
    }

    /// What other repositories lend.
    pub fn included(&self) -> &Overlay {
        &self.included
    }

    /// A variable of the environment.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The content of a file of the project, else of one that is included; `None` if there is none.
    ///
    /// # Errors
    /// If it is not committed as it lies on the disk and not allowed to differ, or cannot be read.
    pub fn read(&self, path: &str, what: &What) -> Result<Option<Vec<u8>>, Refusal> {
        match self.read_local(path, what)? {
            Some(bytes) => Ok(Some(bytes)),
            None => self.included.read(&clean(path)),
        }
    }

    /// The content of a file that no rule is about: it has to be committed, except in development and where there are no
    /// rules.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn read_own(&self, path: &str) -> Result<Option<Vec<u8>>, Refusal> {
        let strict = Giterminism::default();
        let rules = if self.way == Way::Loose { &self.rules } else { &strict };
        self.read_by(path, rules, &|_| Outside::Config)
    }

    /// The paths of the project's own files: of the commit, or of the disk.
    ///
    /// # Errors
    /// If a folder cannot be read.
    pub fn own_files(&self) -> Result<BTreeSet<String>, Refusal> {
        let mut paths = BTreeSet::new();
        let all = Glob::new("**").map_err(Refusal::new)?;
        match self.way {
            Way::Loose => self.walk_disk("", &all, &mut paths)?,
            _ => self.walk_files("", &all, &mut paths)?,
        }
        Ok(paths)
    }

    fn read_local(&self, path: &str, what: &What) -> Result<Option<Vec<u8>>, Refusal> {
        self.read_by(path, &self.rules, what)
    }

    fn read_by(&self, path: &str, rules: &Giterminism, what: &What) -> Result<Option<Vec<u8>>, Refusal> {
        let path = &clean(path);
        if self.way == Way::Loose {
            return self.read_disk(path);
        }
        if rules.allows(what(path)) {
            self.check_links(path, what)?;
            return self.read_disk(path);
        }
        let Some(found) = self.committed(path)? else {
            return match self.is_on_disk(path) && self.way == Way::Commit {
                true => Err(self.violated(what(path)).hint_development()),
                false => Ok(None),
            };
        };
        if found.is_folder() {
            return Err(Refusal::new(format!("{path:?} is a folder, not a file")));
        }
        self.check_unchanged(path, &found, what)?;
        let size_checked = self.files.read(&found.path)?;
        if size_checked.as_ref().is_some_and(|bytes| bytes.len() as u64 > LARGEST) {
            return Err(Refusal::new(format!("{path:?} is larger than {} MB", LARGEST >> 20)));
        }
        Ok(size_checked)
    }

    /// What the commit (in development the disk) has at a path of the project, links followed.
    ///
    /// # Errors
    /// If links lead out of the repository or in circles.
    pub fn committed(&self, path: &str) -> Result<Option<Found>, Refusal> {
        links::follow(&self.files, &self.in_repository(path))
    }

    fn violated(&self, what: Outside<'_>) -> Refusal {
        match self.rules.check(what) {
            Err(violation) => Refusal::of(violation),
            Ok(()) => Refusal::new(format!("{what:?} is not committed")),
        }
    }

    /// The disk has to have the file, and each link on the way, as it is committed.
    fn check_unchanged(&self, path: &str, found: &Found, what: &What) -> Result<(), Refusal> {
        if self.way != Way::Commit {
            return Ok(());
        }
        let own = found.entry.iter().map(|entry| (&found.path, entry));
        for (place, entry) in found.links.iter().map(|(place, entry)| (place, entry)).chain(own) {
            let state = self.worktree().state(place, Some(entry))?;
            if state == State::Same {
                continue;
            }
            let how = match state {
                State::Deleted => "it is deleted on the disk",
                _ => "the disk or the index has other content than the commit",
            };
            return Err(self
                .violated(what(path))
                .because(format!("{}: {how}", String::from_utf8_lossy(place)))
                .hint_development());
        }
        Ok(())
    }

    fn read_disk(&self, path: &str) -> Result<Option<Vec<u8>>, Refusal> {
        match fs::read_regular(self.folder.join(path), LARGEST) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    fn is_on_disk(&self, path: &str) -> bool {
        fs::symlink_metadata(self.folder.join(path)).is_ok()
    }

    /// Where a link of the disk leads must be allowed as well.
    fn check_links(&self, path: &str, what: &What) -> Result<(), Refusal> {
        let mut place = self.folder.join(path);
        for _ in 0..40 {
            let Ok(metadata) = fs::symlink_metadata(&place) else { return Ok(()) };
            if !metadata.is_symlink() {
                return Ok(());
            }
            let target = fs::read_link(&place)?;
            let from = place.parent().unwrap_or(&self.folder).to_owned();
            let whole = from.join(&target).display().to_string();
            let shown = clean(&whole);
            let inside = clean(&self.folder.display().to_string());
            let Some(target) = shown.strip_prefix(&format!("{inside}/")) else {
                return Err(Refusal::new(format!("the link {path:?} leads out of the project"))
                    .because(format!("it points to {:?}", target.display())));
            };
            if let Err(violation) = self.rules.check(what(target)) {
                return Err(Refusal::of(violation)
                    .because(format!("{path:?} is allowed, but it is a link to {target:?}, which is not")));
            }
            place = self.folder.join(target);
        }
        Err(Refusal::new(format!("the link {path:?} leads in a circle")))
    }

    /// Paths and contents of the files that a pattern matches.
    ///
    /// # Errors
    /// If one of them is not committed as it lies on the disk and not allowed to differ.
    pub fn glob(&self, pattern: &str, what: &What) -> Result<Vec<(String, Vec<u8>)>, Refusal> {
        let glob =
            Glob::new(pattern).map_err(|why| Refusal::new(format!("the pattern {pattern:?} has {why}")))?;
        let mut paths = BTreeSet::new();
        if self.way != Way::Loose {
            self.walk_files("", &glob, &mut paths)?;
        }
        if self.way != Way::Development {
            self.walk_disk("", &glob, &mut paths)?;
        }
        self.walk_allowed("", &glob, (what, &mut paths))?;
        paths
            .extend(self.included.files().map(|(path, _)| path.to_owned()).filter(|path| glob.matches(path)));
        let mut found = Vec::new();
        for path in paths {
            if self.is_folder(&path)? {
                continue;
            }
            if let Some(content) = self.read(&path, what)? {
                found.push((path, content));
            }
        }
        Ok(found)
    }

    fn is_folder(&self, path: &str) -> Result<bool, Refusal> {
        Ok(match self.way {
            Way::Loose => fs::metadata(self.folder.join(path)).is_ok_and(|metadata| metadata.is_dir()),
            _ => self.committed(path)?.is_some_and(|found| found.is_folder()),
        })
    }

    fn walk_files(&self, path: &str, glob: &Glob, paths: &mut BTreeSet<String>) -> Result<(), Refusal> {
        for entry in self.files.list(self.in_repository(path).as_bytes())?.unwrap_or_default() {
            let Ok(name) = String::from_utf8(entry.name.clone()) else { continue };
            let below = join(path, &name);
            if entry.kind.is_folder() {
                if glob.may_match_below(&below) {
                    self.walk_files(&below, glob, paths)?;
                }
            } else if glob.matches(&below) {
                paths.insert(below);
            }
        }
        Ok(())
    }

    /// Files of the disk that would have to be committed.
    fn walk_disk(&self, path: &str, glob: &Glob, paths: &mut BTreeSet<String>) -> Result<(), Refusal> {
        let in_repository = self.in_repository(path);
        if !self.worktree().disk(in_repository.as_bytes()).is_dir() {
            return Ok(());
        }
        for found in self.worktree().folder(in_repository.as_bytes())? {
            let Ok(name) = String::from_utf8(found.name) else { continue };
            let below = join(path, &name);
            if found.kind == Some(EntryKind::Folder) {
                if glob.may_match_below(&below) {
                    self.walk_disk(&below, glob, paths)?;
                }
            } else if found.kind.is_some() && glob.matches(&below) {
                paths.insert(below);
            }
        }
        Ok(())
    }

    /// Files of the disk that are allowed although they may be ignored.
    fn walk_allowed(
        &self,
        path: &str,
        glob: &Glob,
        (what, paths): (&What, &mut BTreeSet<String>),
    ) -> Result<(), Refusal> {
        let Ok(found) = fs::read_dir(self.folder.join(path)) else { return Ok(()) };
        for found in found {
            let Ok(name) = found.file_name().into_string() else { continue };
            let below = join(path, &name);
            if name == ".git" {
                continue;
            }
            let is_folder = found.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && glob.may_match_below(&below) {
                self.walk_allowed(&below, glob, (what, paths))?;
            } else if !is_folder
                && glob.matches(&below)
                && (self.way == Way::Loose || self.rules.allows(what(&below)))
            {
                paths.insert(below);
            }
        }
        Ok(())
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

/// A path below a root without `.`, `..` and empty parts; only `..` at its beginning stays, which leads out.
pub(super) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// What a template of `werf.yaml` may read.
impl ProjectFiles for Reader {
    fn get(&self, path: &str) -> Result<Vec<u8>, String> {
        let read =
            self.read(inside(path)?.as_str(), &|path| Outside::File(path)).map_err(|e| e.to_string())?;
        read.ok_or_else(|| format!("the file {path:?} is not found in the project"))
    }

    fn exists(&self, path: &str) -> Result<bool, String> {
        let path = inside(path)?;
        if self.included.has(&path) || self.included.has_below(&path) {
            return Ok(true);
        }
        if self.way == Way::Loose || self.rules.allows(Outside::File(&path)) {
            return Ok(fs::exists(self.folder.join(&path)));
        }
        Ok(self.committed(&path).map_err(|e| e.to_string())?.is_some())
    }

    fn is_dir(&self, path: &str) -> Result<bool, String> {
        let path = inside(path)?;
        if self.included.has_below(&path) {
            return Ok(true);
        }
        if self.way == Way::Loose || self.rules.allows(Outside::File(&path)) {
            return Ok(fs::metadata(self.folder.join(&path)).is_ok_and(|metadata| metadata.is_dir()));
        }
        Ok(self.committed(&path).map_err(|e| e.to_string())?.is_some_and(|found| found.is_folder()))
    }

    fn glob(&self, pattern: &str) -> Result<Vec<(String, Vec<u8>)>, String> {
        Self::glob(self, pattern, &|path| Outside::File(path)).map_err(|e| e.to_string())
    }

    fn env(&self, name: &str) -> Result<Option<String>, String> {
        self.check(Outside::Env(name)).map_err(|e| e.to_string())?;
        Ok(self.variables.get(name).cloned())
    }

    fn is_loose(&self) -> bool {
        self.way == Way::Loose
    }

    fn debug(&self, text: &str) {
        if self.debug {
            self.report.note(text.to_owned());
        }
    }
}

/// A path that stays in the project.
fn inside(path: &str) -> Result<String, String> {
    let cleaned = clean(path);
    match path.starts_with('/') || cleaned == ".." || cleaned.starts_with("../") {
        true => Err(format!("the path {path:?} leads out of the project")),
        false => Ok(cleaned),
    }
}
