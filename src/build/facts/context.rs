//! What the COPY and ADD steps of a build select from its context, as content hashes. Only files that a step names are
//! read, and of those only the ones that changed since they were last read.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::base::{ContentHash, KeyHasher};
use crate::build::step::{Action, Copy, From, Step, StepIndex};
use crate::build::{Doors, Error};
use crate::content::{FileStat, StatCache};
use crate::dockerfile::{glob, ignore};
use crate::report::Context;
use crate::snapshot::copy::{self, Pattern, Selected};
use crate::snapshot::tree::{self, HashCache, Source, StatKey, Verdict};
use crate::{host, snapshot};

/// For each step that reads the context, the content of what it selects.
///
/// # Errors
/// If a source is missing or cannot be read, with the step's place.
pub fn read(
    cx: &Context,
    doors: &Doors,
    context: &Path,
    ignore: &ignore::Matcher,
    steps: &[Step],
) -> Result<BTreeMap<StepIndex, ContentHash>, Error> {
    let mut hashes = BTreeMap::new();
    let reading = |step: &Step| matches!(&step.action, Action::Copy(c) if c.from == From::Context && !c.paths.is_empty());
    if !steps.iter().any(reading) {
        return Ok(hashes);
    }
    let root = host::fs::canonicalize(context)?;
    let known = doors.store().stat_cache(&root)?;
    let cache = Remembered { known, now: cx.clock.now() };
    let filter = |path: &[u8], directory: bool| shows(ignore, path, directory);
    let source = source(&root, ignore, &filter);
    for (index, step) in steps.iter().enumerate() {
        let Action::Copy(copy) = &step.action else { continue };
        if copy.from != From::Context || copy.paths.is_empty() {
            continue;
        }
        let hash = selection(&source, copy, Some(&cache)).map_err(|e| missing(e, step, ignore, &root))?;
        hashes.insert(StepIndex(index), hash);
    }
    if cache.known.is_changed() && doors.store().is_writable() {
        doors.store().save_stat_cache(&cache.known, cache.now)?;
    }
    Ok(hashes)
}

/// The context as a source of COPY.
pub fn source<'a>(root: &'a Path, ignore: &ignore::Matcher, filter: &'a tree::Filter<'a>) -> Source<'a> {
    Source { root, filter: (!ignore.is_empty()).then_some(filter), root_owned: true }
}

/// What `.dockerignore` shows of a path.
pub fn shows(ignore: &ignore::Matcher, path: &[u8], directory: bool) -> Verdict {
    let text = String::from_utf8_lossy(path);
    if !hides(ignore, &text) {
        return Verdict::Keep;
    }
    if directory && ignore.may_include_below(&text) { Verdict::Descend } else { Verdict::Drop }
}

/// Whether a walk from the context's root, as BuildKit's, finds the path hidden: with `!` patterns that may differ from
/// what the path alone would say.
fn hides(ignore: &ignore::Matcher, path: &str) -> bool {
    let mut parent = ignore::Parent::default();
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    let mut hidden = false;
    for end in ends {
        (hidden, parent) = ignore.enter(&parent, &path[..end]);
    }
    hidden
}

/// The patterns of a COPY.
pub fn patterns(copy: &Copy) -> Vec<Pattern<'_>> {
    copy.paths.iter().map(|path| Pattern { text: path.as_bytes(), wildcard: true }).collect()
}

/// What a COPY selects, with the matching rules of the language.
pub fn select(source: &Source<'_>, copy: &Copy) -> Result<Vec<Selected>, snapshot::Error> {
    copy::select(source, &patterns(copy), &|pattern, path| glob::matches(pattern, path))
}

/// The content of what a COPY selects.
pub fn selection(
    source: &Source<'_>,
    copy: &Copy,
    cache: Option<&dyn HashCache>,
) -> Result<ContentHash, snapshot::Error> {
    let mut hasher = KeyHasher::new("lapstrake selection v1");
    for selected in select(source, copy)? {
        let hash = tree::hash(source, &selected.path, cache)?;
        hasher
            .number("directory", u64::from(selected.directory))
            .field("name", if selected.directory { &[][..] } else { &selected.name })
            .field("content", hash.as_bytes());
    }
    Ok(hasher.finish())
}

/// A missing source, said with what may explain it.
pub fn missing(error: snapshot::Error, step: &Step, ignore: &ignore::Matcher, root: &Path) -> Error {
    let snapshot::Error::NoSource { path, .. } = &error else {
        return Error::Step {
            name: step.name.clone(),
            span: step.span.clone(),
            source: Box::new(error.into()),
        };
    };
    let written = path.trim_start_matches('/');
    let not_found = Error::definition(&step.span, format!("{path:?}: not found in the build context"));
    if hides(ignore, written) && root.join(written).exists() {
        return not_found.hint(format!("{written} is there, but .dockerignore hides it"));
    }
    match similar(root, written) {
        Some(name) => not_found.hint(format!("did you mean {name}?")),
        None => not_found.hint(format!("sources are looked for in {}", root.display())),
    }
}

fn similar(root: &Path, written: &str) -> Option<String> {
    let path = Path::new(written);
    let folder = path.parent().unwrap_or(Path::new(""));
    let names: Vec<String> = host::fs::read_dir(root.join(folder))
        .ok()?
        .into_iter()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    let near = crate::dockerfile::nearest(path.file_name()?.to_str()?, &known, true)?;
    Some(folder.join(near).display().to_string())
}

/// Hashes of files found again by their stat.
struct Remembered {
    known: StatCache,
    now: Duration,
}

impl HashCache for Remembered {
    fn get(&self, key: &StatKey) -> Option<ContentHash> {
        self.known.get(&name(key), &stat(key))
    }

    fn put(&self, key: &StatKey, hash: &ContentHash) {
        self.known.put(&name(key), stat(key), *hash, self.now);
    }
}

/// The cache asks for a name; a file's own number serves for all the names it has.
fn name(key: &StatKey) -> Vec<u8> {
    format!("{}:{}", key.device, key.inode).into_bytes()
}

fn nanoseconds(time: i128) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

fn stat(key: &StatKey) -> FileStat {
    FileStat {
        dev: key.device,
        ino: key.inode,
        size: key.size,
        mtime: nanoseconds(key.mtime),
        ctime: nanoseconds(key.ctime),
        mode: 0,
    }
}
