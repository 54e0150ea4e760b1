//! Configuration that other repositories lend a project: which commits it is read from, and which file comes from where.
//!
//! A file of the project goes before one that is included, a later include before an earlier one. What was fetched is kept
//! beside the store (`crate::build::facts::fetched`); a repository in a folder is read where it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;

use crate::base::{Failure, KeyHasher, Kind, SourceFile};
use crate::build::facts::fetched::Fetched;
use crate::git::{self, Listing, Located, Remote, Repository};
use crate::host::lock::FileLock;
use crate::host::{env, fs};
use crate::ops::project::load::{at_line, must_be_committed, told};
use crate::ops::project::{Reader, Refusal};
use crate::project::{INCLUDES_FILE, INCLUDES_LOCK, Include, IncludeRef, Locked, Outside, SecretSource};
use crate::report::{Context, Outcome, TaskKind};

/// A file with a password is short.
const LARGEST_PASSWORD: u64 = 64 << 10;

/// The files that are included.
#[derive(Debug, Default)]
pub struct Overlay {
    files: BTreeMap<String, Included>,
    /// What is read must not be removed meanwhile.
    in_use: Option<FileLock>,
}

/// A file that is included.
#[derive(Debug)]
struct Included {
    listing: Arc<Listing>,
    path: String,
    source: Arc<str>,
}

impl Overlay {
    /// The content of the file that is included at a path of the project; `None` if none is.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Refusal> {
        let Some(included) = self.files.get(path) else { return Ok(None) };
        Ok(included.listing.read(&included.path)?)
    }

    /// Whether a file is included at a path of the project.
    pub fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Whether files are included below a path of the project.
    pub fn has_below(&self, path: &str) -> bool {
        let start = if path.is_empty() { String::new() } else { format!("{path}/") };
        self.files.range(start.clone()..).next().is_some_and(|(file, _)| file.starts_with(&start))
    }

    /// The paths of all files that are included and the repositories they come from.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, included)| (path.as_str(), &*included.source))
    }
}

/// Where a project's includes are fetched to, and whether the lock counts.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    /// The folder of the store.
    pub home: Option<&'a Path>,
    /// Take the heads of branches and tags as they are now.
    pub update: bool,
}

/// Finds the files that a project includes.
///
/// # Errors
/// If the settings or the lock are wrong, not committed, or a repository cannot be read.
pub fn open(cx: &Context, reader: &Reader, settings: Settings<'_>) -> Result<Overlay, Failure> {
    if settings.update {
        reader.check(Outside::IncludesUpdate)?;
    }
    let Some(text) = committed(reader, INCLUDES_FILE)? else { return Ok(Overlay::default()) };
    let includes = Include::parse(&text).map_err(|problems| told(INCLUDES_FILE, &text, problems))?;
    let locked = match settings.update {
        true => Vec::new(),
        false => read_lock(reader)?,
    };
    let mut shelf = Shelf::new(cx, reader, settings.home);
    let mut overlay = Overlay::default();
    let mut listings: BTreeMap<(String, String), Arc<Listing>> = BTreeMap::new();
    for include in &includes {
        let file = SourceFile::new(INCLUDES_FILE, text.clone());
        let at = |failure: Failure| at_line(failure, &file, include.line);
        let known = locked.iter().find(|one| one.git == include.git && one.reference == include.reference);
        let commit = match (&include.reference, known) {
            (IncludeRef::Commit(commit), _) => commit.clone(),
            (_, Some(locked)) => locked.commit.clone(),
            _ if settings.update => shelf.locate(include).map_err(at)?.commit,
            _ => {
                let (reference, source) = (&include.reference, shown(&include.git));
                let message = format!("{INCLUDES_LOCK} has no commit for {reference} of {source}");
                let hint = "`lap includes update` writes it; commit it then";
                return Err(at(Failure::new(Kind::Config, message).hint(hint)));
            }
        };
        let key = (include.git.clone(), commit);
        let listing = match listings.get(&key) {
            Some(listing) => Arc::clone(listing),
            None => Arc::new(shelf.listing(include, &key.1).map_err(at)?),
        };
        listings.insert(key, Arc::clone(&listing));
        let source: Arc<str> = shown(&include.git).into();
        for path in listing.paths() {
            if let Some(place) = include.place(path) {
                let (listing, source) = (Arc::clone(&listing), Arc::clone(&source));
                overlay.files.insert(place, Included { listing, path: path.to_owned(), source });
            }
        }
    }
    overlay.in_use = shelf.in_use;
    Ok(overlay)
}

/// Asks every repository what is included means now, and writes the lock.
///
/// # Errors
/// If the settings are wrong, a repository cannot be asked, or the lock cannot be written.
pub fn update(cx: &Context, reader: &Reader, home: Option<&Path>) -> Result<Vec<Locked>, Failure> {
    // The lock is written for what is about to be committed.
    let text = fs::read_regular(reader.folder().join(INCLUDES_FILE), 1 << 20).map_err(|error| match error
        .is_not_found()
    {
        true => Failure::new(Kind::Input, format!("read {INCLUDES_FILE}"))
            .because(format!("there is none in {}", reader.folder().display())),
        false => error.into(),
    })?;
    let includes = Include::parse(&text).map_err(|problems| told(INCLUDES_FILE, &text, problems))?;
    let file = SourceFile::new(INCLUDES_FILE, text);
    let mut shelf = Shelf::new(cx, reader, home);
    let mut all: Vec<Locked> = Vec::new();
    for include in includes {
        if all.iter().any(|known| known.git == include.git && known.reference == include.reference) {
            continue;
        }
        let commit = match &include.reference {
            IncludeRef::Commit(commit) => commit.clone(),
            _ => shelf.locate(&include).map_err(|failure| at_line(failure, &file, include.line))?.commit,
        };
        all.push(Locked { git: include.git, reference: include.reference, commit });
    }
    fs::write_atomic(reader.folder().join(INCLUDES_LOCK), Locked::write(&all))?;
    Ok(all)
}

/// The address of a repository without a password.
pub fn shown(git: &str) -> String {
    Remote { url: git, authorization: None }.shown()
}

/// The lock; there has to be one.
fn read_lock(reader: &Reader) -> Result<Vec<Locked>, Failure> {
    match committed(reader, INCLUDES_LOCK)? {
        Some(text) => Locked::parse(&text).map_err(|problems| told(INCLUDES_LOCK, &text, problems)),
        None => Err(Failure::new(Kind::Config, format!("there is no {INCLUDES_LOCK}"))
            .because(format!("{INCLUDES_FILE} says what is included, the lock from which commits"))
            .hint("`lap includes update` writes it; commit it then")),
    }
}

/// A file that nothing allows to differ from the commit.
fn committed(reader: &Reader, name: &str) -> Result<Option<Vec<u8>>, Failure> {
    // No rule is about these files, so the one that is most strict is asked.
    reader.read_own(name).map_err(|refusal| must_be_committed(name, refusal))
}

/// The repositories.
struct Shelf<'a> {
    cx: &'a Context,
    reader: &'a Reader,
    fetched: Option<Fetched>,
    home: Option<&'a Path>,
    in_use: Option<FileLock>,
}

impl<'a> Shelf<'a> {
    fn new(cx: &'a Context, reader: &'a Reader, home: Option<&'a Path>) -> Self {
        Self { cx, reader, fetched: home.map(Fetched::at), home, in_use: None }
    }

    /// The folder of a repository that lies on this machine.
    fn local(&self, include: &Include) -> Option<PathBuf> {
        let git = &include.git;
        let is_address = git.contains("://") || git.split('/').next().unwrap_or_default().contains(':');
        git::local(git).or_else(|| (!is_address).then(|| self.reader.folder().join(git)))
    }

    fn remote<'i>(&self, include: &'i Include) -> Remote<'i> {
        Remote { url: &include.git, authorization: None }
    }

    /// The commit that a branch or a tag stands for now.
    fn locate(&mut self, include: &Include) -> Result<Located, Failure> {
        let reference = include.reference.full();
        if let Some(folder) = self.local(include) {
            let commit = Repository::open(&folder)?.resolve(&reference)?;
            return Ok(Located { commit, reference: Some(reference) });
        }
        let authorization = self.authorization(include)?;
        let remote = Remote { authorization: authorization.as_deref(), ..self.remote(include) };
        let (repository, _lock) = self.objects(include)?;
        Ok(repository.locate(self.cx, &remote, &reference)?)
    }

    /// The files of a commit, which is fetched if it is not here.
    fn listing(&mut self, include: &Include, commit: &str) -> Result<Listing, Failure> {
        if let Some(folder) = self.local(include) {
            return Ok(Repository::open(&folder)?.listing(commit)?);
        }
        let (repository, _lock) = self.objects(include)?;
        if !repository.has(commit) {
            let authorization = self.authorization(include)?;
            let remote = Remote { authorization: authorization.as_deref(), ..self.remote(include) };
            let task = self.cx.report.task(TaskKind::Transfer, format!("fetch {}", remote.shown()));
            let located = Located { commit: commit.to_owned(), reference: None };
            match repository.fetch(self.cx, &remote, &located) {
                Ok(()) => task.finish(Outcome::Done, Some(commit.to_owned())),
                Err(error) => {
                    task.finish(Outcome::Failed(error.to_string()), None);
                    return Err(error.into());
                }
            }
        }
        Ok(repository.listing(commit)?)
    }

    /// Where what is fetched of a repository is kept; nobody else fetches it as long as the lock is held.
    fn objects(&mut self, include: &Include) -> Result<(Repository, FileLock), Failure> {
        let (Some(fetched), Some(home)) = (&self.fetched, self.home) else {
            return Err(Failure::new(Kind::Environment, format!("fetch {}", shown(&include.git)))
                .because("there is no folder to keep it in"));
        };
        fs::create_dir_all(home.join("locks"))?;
        if self.in_use.is_none() {
            self.in_use = Some(fetched.in_use()?);
        }
        let key = KeyHasher::new("lapstrake git remote v1").field("url", &include.git).finish();
        let lock = fetched.lock(&key)?;
        Ok((Repository::open_or_create(&fetched.objects(&key)?)?, lock))
    }

    /// The header for http and https.
    fn authorization(&self, include: &Include) -> Result<Option<String>, Failure> {
        let Some((name, source)) = &include.login else { return Ok(None) };
        let fail = |why: String| {
            Failure::new(Kind::Environment, format!("log in to {}", shown(&include.git))).because(why)
        };
        if !include.git.starts_with("https://") && !include.git.starts_with("http://") {
            return Err(fail("basicAuth is for http and https".into()));
        }
        let password = match source {
            SecretSource::Env(name) => self
                .reader
                .variable(name)
                .ok_or_else(|| fail(format!("the variable {name} of its password is not set")))?
                .to_owned(),
            SecretSource::File(path) => {
                let place = match path.strip_prefix("~/") {
                    Some(rest) => env::home().unwrap_or_default().join(rest),
                    None => self.reader.folder().join(path),
                };
                let bytes = fs::read_regular(place, LARGEST_PASSWORD)?;
                String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned()
            }
            SecretSource::Value(text) => text.clone(),
        };
        let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
        self.cx.report.secrets().register(password);
        self.cx.report.secrets().register(&encoded);
        Ok(Some(format!("Basic {encoded}")))
    }
}

/// The files of a project, its own and those that are included, with where each comes from: `local`, or the address of a
/// repository.
///
/// # Errors
/// If a folder cannot be read.
pub fn files(reader: &Reader) -> Result<BTreeMap<String, String>, Failure> {
    let mut all: BTreeMap<String, String> =
        reader.included().files().map(|(path, source)| (path.to_owned(), source.to_owned())).collect();
    for path in reader.own_files()? {
        all.insert(path, "local".into());
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_addresses_are_not_shown() {
        for (git, expected) in [
            ("https://user:s3cret@git.example/a/b.git", "https://git.example/a/b.git"),
            ("https://token@git.example:8443/a@b.git", "https://git.example:8443/a@b.git"),
            ("https://git.example", "https://git.example"),
            ("../lib", "../lib"),
        ] {
            assert_eq!(shown(git), expected);
        }
    }
}
